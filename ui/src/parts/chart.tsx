import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { theme } from '../shell/theme.ts';

/** A small curve over time. The numbers that matter stand beside it as text: it is hidden from those who do not see it. */
export function Chart({
  atSeconds,
  values,
  unit,
  height = 84,
}: {
  /** Seconds since 1970. */
  atSeconds: readonly number[];
  values: readonly number[];
  unit: string;
  height?: number;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef<uPlot.AlignedData>([[], []]);
  latest.current = [[...atSeconds], [...values]];
  // Of the way in which colours are chosen; the colours themselves are read from the page.
  const colours = theme.value;
  useEffect(() => {
    let isGone = false;
    const watch = new ResizeObserver(([entry]) =>
      plot.current?.setSize({ width: Math.floor(entry!.contentRect.width), height }),
    );
    void import('./plot.ts').then(({ makePlot }) => {
      if (isGone || box.current === null) return;
      plot.current = makePlot(box.current, latest.current, { unit, height });
      watch.observe(box.current);
    });
    return () => {
      isGone = true;
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [colours, unit, height]);
  useEffect(() => plot.current?.setData(latest.current), [values]);
  return <div class="chart" ref={box} style={{ height: `${height}px` }} aria-hidden="true" />;
}
