import type { Clock, Timer } from '../core/clock.ts';
import type { Bus } from './bus.ts';

/** Fewer requests leave nothing behind that is worth it. */
const manyRequests = 500;
const quietMs = 30_000;

/** Calls `run` when no request has come or run for 30 s, after many have. Returns the end of it. */
export function whenQuiet(
  { bus, clock }: { bus: Pick<Bus, 'subscribe'>; clock: Pick<Clock, 'after' | 'monotonicMs'> },
  run: () => void,
): () => void {
  let requests = 0;
  let running = 0;
  let lastMs = 0;
  let timer: Timer | null = null;

  const wait = (ms: number) => {
    timer = clock.after(ms, () => {
      timer = null;
      const leftMs = running > 0 ? quietMs : lastMs + quietMs - clock.monotonicMs();
      if (leftMs > 0) return wait(leftMs);
      requests = 0;
      run();
    });
  };
  const stop = bus.subscribe(({ type }) => {
    if (type === 'request-began') running++;
    else if (type === 'request-ended') running--;
    else return;
    requests++;
    lastMs = clock.monotonicMs();
    if (timer === null && requests >= 2 * manyRequests) wait(quietMs);
  });
  return () => {
    stop();
    timer?.cancel();
  };
}
