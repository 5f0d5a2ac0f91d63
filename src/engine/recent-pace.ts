import type { Clock } from '../core/clock.ts';
import type { Bus } from '../observe/bus.ts';

/** How fast models write now. */
export interface RecentPace {
  /** Tokens per second of all answers of a model together, over the last seconds; null: it wrote none in them. */
  of(model: string): number | null;
}

/** Single steps of a slow model come seconds apart. */
const windowMs = 5_000;
/** Tokens are counted together for so long. */
const stretchMs = 250;
/** A token or two at once are no pace. */
const leastMs = 1_000;

interface Stretch {
  beganMs: number;
  tokens: number;
}

/** Counts the tokens of all models, by their names. */
export function createRecentPace({
  bus,
  clock,
}: {
  bus: Pick<Bus, 'subscribe'>;
  clock: Pick<Clock, 'monotonicMs'>;
}): RecentPace {
  const written = new Map<string, Stretch[]>();
  const recent = (model: string): Stretch[] => {
    const fromMs = clock.monotonicMs() - windowMs;
    return (written.get(model) ?? []).filter(({ beganMs }) => beganMs > fromMs);
  };
  bus.subscribe((event) => {
    if (event.type === 'model-gone') written.delete(event.model);
    if (event.type !== 'token') return;
    const nowMs = clock.monotonicMs();
    const last = written.get(event.model)?.at(-1);
    if (last && nowMs - last.beganMs < stretchMs) last.tokens++;
    else written.set(event.model, [...recent(event.model), { beganMs: nowMs, tokens: 1 }]);
  });
  return {
    of(model) {
      const stretches = recent(model);
      const [first] = stretches;
      if (!first) return null;
      const tokens = stretches.reduce((sum, stretch) => sum + stretch.tokens, 0);
      const elapsedMs = Math.max(leastMs, clock.monotonicMs() - first.beganMs);
      return Math.round((tokens / elapsedMs) * 10_000) / 10;
    },
  };
}
