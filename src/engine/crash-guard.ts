import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';

/** Remembers which models keep crashing and refuses them for a while, so that a bad file cannot loop. */
export interface CrashGuard {
  record(id: string): void;
  /** Throws `model_quarantined` with the waiting time. */
  check(id: string): void;
  isQuarantined(id: string): boolean;
  /** An operator asked for the model, or its file changed: it gets a new chance. */
  forgive(id: string): void;
}

const maxCrashes = 3;
const windowMs = 10 * 60_000;

export function createCrashGuard(clock: Clock): CrashGuard {
  const crashesAtMs = new Map<string, number[]>();
  const recent = (id: string): number[] => {
    const kept = (crashesAtMs.get(id) ?? []).filter((at) => clock.monotonicMs() - at < windowMs);
    if (kept.length === 0) crashesAtMs.delete(id);
    else crashesAtMs.set(id, kept);
    return kept;
  };
  return {
    record(id) {
      crashesAtMs.set(id, [...recent(id), clock.monotonicMs()]);
    },
    check(id) {
      const crashes = recent(id);
      if (crashes.length < maxCrashes) return;
      const waitMs = windowMs - (clock.monotonicMs() - crashes[0]!);
      throw new AppError(
        'model_quarantined',
        `The process of this model crashed ${crashes.length} times within 10 minutes.`,
        {
          fix: 'See the server log; POST /models/{name}/load tries again at once.',
          retryAfterSeconds: Math.ceil(waitMs / 1000),
          details: { crashes: crashes.length },
        },
      );
    },
    isQuarantined: (id) => recent(id).length >= maxCrashes,
    forgive(id) {
      crashesAtMs.delete(id);
    },
  };
}
