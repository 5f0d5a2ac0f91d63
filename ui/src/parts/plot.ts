import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

/** As much as fits into one curve. */
const spanSeconds = 300;

/** Draws a curve into `box`, in the colours that the page has now. */
export function makePlot(
  box: HTMLElement,
  data: UPlot.AlignedData,
  { unit, height }: { unit: string; height: number },
): UPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => resolved(box, style.getPropertyValue(name));
  const font = `11px ${style.getPropertyValue('--font')}`;
  const axis = { stroke: colour('--soft'), font, ticks: { show: false }, grid: { stroke: colour('--line'), width: 1 } };
  return new UPlot(
    {
      width: Math.max(1, Math.floor(box.clientWidth)),
      height,
      padding: [6, 4, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        // As long as the page looks back, whether it was open for all of it or not.
        x: { range: (_plot, _least, most) => [(most || Date.now() / 1_000) - spanSeconds, most || Date.now() / 1_000] },
        y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
      },
      series: [
        {},
        { label: unit, stroke: colour('--ember'), width: 1.5, fill: colour('--ember-wash'), points: { show: false } },
      ],
      axes: [
        { ...axis, size: 20, space: 90, grid: { show: false }, values: (_plot, times) => times.map(clockTime) },
        { ...axis, size: 38, space: 26 },
      ],
    },
    data,
    box,
  );
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
}

/** A value as a canvas takes it: `light-dark()` means nothing there. */
function resolved(beside: HTMLElement, value: string): string {
  const probe = document.createElement('span');
  probe.style.color = value;
  beside.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
