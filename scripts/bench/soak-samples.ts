import { leastSquaresSlope } from './statistics.ts';

/** Readings of one moment; null where a process was not there. */
export interface Sample {
  /** Milliseconds since the load began. */
  atMs: number;
  serverBytes: number | null;
  workerBytes: number | null;
  serverDescriptors: number | null;
  workerDescriptors: number | null;
}

/** The first fifth is left out: heaps and caches fill up once, which is no leak. */
const warmUpShare = 0.2;
const msPerHour = 3_600_000;

/** Growth of a figure per hour by least squares, after the warm-up; null with fewer than three readings. */
export function growth(samples: readonly Sample[], figure: (sample: Sample) => number | null): number | null {
  const fromMs = (samples.at(-1)?.atMs ?? 0) * warmUpShare;
  const points = samples
    .filter((sample) => sample.atMs >= fromMs)
    .flatMap((sample) => {
      const y = figure(sample);
      return y === null ? [] : [{ x: sample.atMs / msPerHour, y }];
    });
  return points.length < 3 ? null : leastSquaresSlope(points);
}
