import type { ThreadTime } from '../../machine/thread-time.ts';

/** Unanswered pings after which a worker counts as hung. Its event loop is free while it decodes, so 8 s is long. */
const maxMissedPings = 8;
/** Less than this between two ticks, running and waiting together, is a thread that sleeps. */
const asleepMs = 10;

/** What to make of a worker at a tick: nothing, ask whether it lives, or end it. */
export type Verdict = 'speaking' | 'ask' | 'hung';

/**
 * Tells a worker that is hung from one that is not let run. Pings are counted, not timed: when this process was blocked,
 * the worker's answers wait in the pipe and are read before the next tick, so a slow server never ends a healthy worker.
 * Nor does a busy machine: a tick counts by the share of it that the worker had of a core, of all that it could have used,
 * because workers are nice and others may take nearly all. `time`: that of its event loop; null: the system does not say.
 */
export function createSilence(time: () => ThreadTime | null) {
  let ticks = 0;
  let missed = 0;
  let before: ThreadTime | null = null;

  function shareOfTick(): number {
    const now = time();
    const ranMs = now && before ? now.ranMs - before.ranMs : 0;
    const waitedMs = now && before ? now.waitedMs - before.waitedMs : 0;
    before = now;
    return ranMs + waitedMs < asleepMs ? 1 : ranMs / (ranMs + waitedMs);
  }

  return {
    /** It has said something. */
    heard(): void {
      ticks = 0;
      missed = 0;
      before = null;
    },
    /** To be called once a second. */
    tick(): Verdict {
      // One that speaks anyway need not be asked.
      if (++ticks === 1) return 'speaking';
      missed += shareOfTick();
      return missed > maxMissedPings ? 'hung' : 'ask';
    },
  };
}
