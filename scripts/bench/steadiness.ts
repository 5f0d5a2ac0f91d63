/**
 * When the processor was slower than usual, whoever slowed it down: on a machine that is rented by the share it may be five or ten
 * times slower for a tenth of a second, which no counter of the system tells, and other programs take it as well.
 */
export interface SlowMoments {
  /** Whether it was slow between these times of `performance.now()`, or so shortly before that what waited was not done yet. */
  touch(startMs: number, endMs: number): boolean;
  /** Of all the time that was watched, 0 to 1. */
  share: number;
}

/** A small task that always takes as long, in milliseconds. */
const everyMs = 5;
/** So many times as long as usual is slow. */
const slowFactor = 3;
/** The watch itself came so much too late: it had no processor at all. */
const lateMs = 10;
/** What has gathered meanwhile is done so long after. */
const drainMs = 100;

interface Look {
  atMs: number;
  tookMs: number;
  /** Since the one before. */
  sinceMs: number;
}

/** Watches the processor until the result is called. Takes less than 1 % of one. */
export function watchProcessor(): () => SlowMoments {
  const looks: Look[] = [];
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const atMs = performance.now();
    task();
    const doneMs = performance.now();
    looks.push({ atMs, tookMs: doneMs - atMs, sinceMs: atMs - lastMs });
    lastMs = doneMs;
  }, everyMs);
  return () => {
    clearInterval(timer);
    return slowMomentsOf(looks);
  };
}

export function slowMomentsOf(looks: readonly Look[]): SlowMoments {
  const usualMs = looks.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(looks.length / 2)] ?? 0;
  const slow = looks.filter(({ tookMs, sinceMs }) => tookMs > slowFactor * usualMs || sinceMs > everyMs + lateMs);
  const totalMs = looks.reduce((sum, { tookMs, sinceMs }) => sum + tookMs + sinceMs, 0);
  const slowMs = slow.reduce((sum, { tookMs, sinceMs }) => sum + tookMs + sinceMs, 0);
  return {
    touch: (startMs, endMs) =>
      slow.some(({ atMs, sinceMs, tookMs }) => atMs - sinceMs < endMs && atMs + tookMs + drainMs > startMs),
    share: totalMs === 0 ? 0 : slowMs / totalMs,
  };
}

let state = 1;

function task(): void {
  for (let step = 0; step < 3_000; step++) state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
}
