import type { Clock } from '../../core/clock.ts';

/** One step to measure, of one sequence. `decode`: logits of all `tokens`; `prefill`: of the last only. */
export interface MeasuredSetting {
  phase: 'decode' | 'prefill';
  tokens: number;
  threads: number;
  libuvThreads: number;
}

/** The median time of a setting's steps. */
export interface Sample {
  setting: MeasuredSetting;
  ms: number;
}

const maxRounds = 5;

/**
 * Measures settings in turn, one step each, up to five times: a disturbance then hits all of them, not one.
 * `settings`: in the order in which the time of one may be guessed from those before it, of the first from `like`;
 * null: it is measured without a guess. `repeatUntilMs`: until then steps are repeated, each setting within its share
 * of the time, so that one that has collapsed does not use up the others'. `endMs`: no step is begun that would go
 * beyond it. Both are of the monotonic clock. Returns the measured ones, in the same order.
 */
export async function measureInRounds(deps: {
  measure: (setting: MeasuredSetting) => Promise<{ ms: number }>;
  clock: Pick<Clock, 'monotonicMs'>;
  settings: readonly MeasuredSetting[];
  like: Sample | null;
  repeatUntilMs: number;
  endMs: number;
}): Promise<Sample[]> {
  const { clock, settings } = deps;
  const times: number[][] = settings.map(() => []);
  const taken = settings.map(() => 0);
  const spentMs = settings.map(() => 0);
  const shareMs = (deps.repeatUntilMs - clock.monotonicMs()) / settings.length;

  const once = async (index: number) => {
    const beganMs = clock.monotonicMs();
    const { ms } = await deps.measure(settings[index]!);
    taken[index]!++;
    spentMs[index]! += clock.monotonicMs() - beganMs;
    if (ms > 0 && Number.isFinite(ms)) times[index]!.push(ms);
  };

  for (const index of settings.keys()) {
    const leftMs = deps.endMs - clock.monotonicMs();
    if (leftMs > 0 && expected(deps.like, settings, times, index) <= leftMs) await once(index);
  }
  for (let round = 2; round <= maxRounds; round++) {
    for (const index of settings.keys()) {
      // What was left out above stays out: there is less time now.
      if (taken[index] === 0) continue;
      const anotherMs = spentMs[index]! / taken[index]!;
      if (spentMs[index]! + anotherMs > shareMs || anotherMs > deps.endMs - clock.monotonicMs()) continue;
      await once(index);
    }
  }
  return settings.flatMap((setting, index) => (times[index]!.length === 0 ? [] : { setting, ms: low(times[index]!) }));
}

/** What a step takes at most, by the nearest one known before it: in proportion to the tokens, no faster for threads. */
function expected(
  like: Sample | null,
  settings: readonly MeasuredSetting[],
  times: readonly number[][],
  index: number,
): number {
  const { tokens } = settings[index]!;
  for (let before = index - 1; before >= 0; before--) {
    const known = times[before]!;
    if (known.length > 0) return (low(known) * tokens) / settings[before]!.tokens;
  }
  return like === null ? 0 : (like.ms * tokens) / like.setting.tokens;
}

/** The median; of an even number the lower one, because disturbances only ever add time. */
function low(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}
