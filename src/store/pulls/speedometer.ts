import type { Clock } from '../../core/clock.ts';

const spanOfReadingMs = 5_000;

/** Bytes per second over the last five seconds. */
export function createSpeedometer(clock: Clock) {
  const seen: { atMs: number; bytes: number }[] = [];
  let sumBytes = 0;
  return {
    /** So many bytes came now; null while half a second is not over. */
    add(bytes: number): number | null {
      const nowMs = clock.monotonicMs();
      const last = seen.at(-1);
      // Ten entries a second are enough, however small the pieces are.
      if (last && nowMs - last.atMs < 100) last.bytes += bytes;
      else seen.push({ atMs: nowMs, bytes });
      sumBytes += bytes;
      while (nowMs - seen[0]!.atMs > spanOfReadingMs) sumBytes -= seen.shift()!.bytes;
      const spanMs = nowMs - seen[0]!.atMs;
      return spanMs < 500 ? null : Math.round((sumBytes / spanMs) * 1000);
    },
  };
}
