/** How fast kernels run a model; tokens per second. */
export interface Pace {
  prompt: number;
  decode: number;
}

/** What a build may lose at either, within what a measurement on a shared machine is worth. */
const leastRatio = 0.97;
/** What it has to win over both, to take the place of what is known to work. */
const leastGain = 1.01;

/** How often as fast as the library's own kernels: 1 for equally fast. */
export function gainOf(stock: Pace, { prompt, decode }: Pace): number {
  return Math.sqrt((prompt / stock.prompt) * (decode / stock.decode));
}

/**
 * The fastest of some builds, at prompts and answers alike; null when none is faster than the library's own kernels, or
 * each is slower at one of the two.
 */
export function fastest<Build extends { pace: Pace }>(stock: Pace, builds: readonly Build[]): Build | null {
  const good = builds.filter(
    ({ pace }) =>
      Math.min(pace.prompt / stock.prompt, pace.decode / stock.decode) >= leastRatio &&
      gainOf(stock, pace) >= leastGain,
  );
  return good.toSorted((left, right) => gainOf(stock, right.pace) - gainOf(stock, left.pace))[0] ?? null;
}
