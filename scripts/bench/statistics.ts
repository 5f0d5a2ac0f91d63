/** What is said about one measured quantity: the median, and how far the repetitions lie apart. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  count: number;
}

/** The value below which the share `q` (0 to 1) of `values` lies, interpolated; null for an empty list. */
export function quantile(values: readonly number[], q: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((left, right) => left - right);
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

/** Median and spread; values that were not measured (null) are left out. Null when nothing is left. */
export function summarize(values: readonly (number | null)[]): Summary | null {
  const measured = values.filter((value) => value !== null);
  const median = quantile(measured, 0.5);
  if (median === null) return null;
  return { median, min: Math.min(...measured), max: Math.max(...measured), count: measured.length };
}

/** Slope of the least-squares line through the points, in y per x; null when the points have one x only. */
export function leastSquaresSlope(points: readonly { x: number; y: number }[]): number | null {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  const squares = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (points.length < 2 || squares === 0) return null;
  return points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / squares;
}

/** Ratio of the best of each side; on a machine with other work it says more than that of the medians. */
export function bestRatioOf(numerator: Summary | null, divisor: Summary | null): number | null {
  return numerator === null || divisor === null || divisor.max === 0 ? null : numerator.max / divisor.max;
}

/** Ratio of two medians, null when one is missing or the divisor is 0. */
export function ratioOf(numerator: Summary | null, divisor: Summary | null): number | null {
  return numerator === null || divisor === null || divisor.median === 0 ? null : numerator.median / divisor.median;
}
