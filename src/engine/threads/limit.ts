import type { CpuReading } from '../../machine/cpu-reader.ts';

/** What was seen in one interval. */
export interface ContentionReading extends CpuReading {
  intervalMs: number;
  /** Whether a step of ours ended in it. */
  busy: boolean;
  /** Time of the steps against their usual time; null: no step, or nothing to compare with. */
  slowdown: number | null;
}

/** What the decision remembers; plain data. */
export interface LimitState {
  /** The limit without pressure. */
  readonly cores: number;
  readonly limit: number;
  /** Strained readings in a row; intervals without a step neither add nor break. */
  readonly strained: number;
  /** Time without strain and with room for one more thread. */
  readonly calmMs: number;
  /** Time without strain, room or not. */
  readonly unstrainedMs: number;
  /** How many times the usual calm a thread is given back after: 1, doubled with each one that was taken away again. */
  readonly patience: number;
  /** Working time since a thread was given back; null: that one has proved itself, or there was none. */
  readonly probationMs: number | null;
  /** A drop for which step times were the only sure sign, until it is known whether it helped. */
  readonly trial: { readonly limit: number; readonly slowdown: number; readonly readings: number } | null;
}

/** `limit` is the new one; `relearn`: what counted as the usual step time is out of date. */
interface LimitChange {
  limit: number;
  reason: string;
  relearn: boolean;
}

interface LimitDecision {
  state: LimitState;
  /** Whether this reading was one of strain: its step times are nothing to learn from. */
  strained: boolean;
  change: LimitChange | null;
}

/** In a row: six seconds at an interval of two. */
const strainedReadings = 3;
/** Calm that a thread is given back after: as many readings of room for it as cost it. */
const calmWithRoomMs = 6_000;
/** The same where nothing tells of idle processors, so that only a try shows whether there is room. */
const calmUnseenMs = 30_000;
const maxPatienceMs = 8 * 60_000;
const probationMs = 60_000;
/** Half a thread's worth of time frozen costs more than a thread less: those that still run spin meanwhile. */
const frozenCoresAtMost = 0.5;
/** ggml's threads do not collapse by halves; step times spread up to this factor without any cause. */
const slowdownAtMost = 3;
/** With waiting far over what we cause ourselves, less of a slowdown is proof enough. */
const slowdownAtMostWhileWaiting = 1.5;
/** Below this nobody waits who matters: as many busy threads as cores, and a little beside them, come to 0.2. */
const ownWaitingShare = 0.3;
/** What the usual step time is not learned under. Our own load stays below it. */
export const foreignWaitingShare = 0.4;
/** One busy process more than there are cores gives 1.0. */
const certainWaitingShare = 0.8;
const idleCoresForThread = 0.25;

/** `cores`: at least 1. */
export function initialLimit(cores: number): LimitState {
  return {
    cores: Math.max(1, cores),
    limit: Math.max(1, cores),
    strained: 0,
    calmMs: 0,
    unstrainedMs: 0,
    patience: 1,
    probationMs: null,
    trial: null,
  };
}

/**
 * Decides how many threads may decode, from one reading after the other: one less after three strained readings, one
 * more after six seconds of calm with a processor to spare, never less than one. Pure.
 * See the folder's README for what counts as strain and why.
 */
export function decideLimit(state: LimitState, reading: ContentionReading): LimitDecision {
  const strain = findStrain(reading);
  const strained = strain !== null;
  const next = advance(state, reading, strained);
  const stay = (kept: LimitState): LimitDecision => ({ state: kept, strained, change: null });
  const go = (changed: LimitState, limit: number, reason: string, relearn = false): LimitDecision => ({
    state: { ...changed, limit },
    strained,
    change: { limit, reason, relearn },
  });

  // 1. A drop that did not help, and that only step times spoke for, was a mistake: the work itself became slower.
  if (next.trial && next.trial.readings >= strainedReadings && (!strained || next.limit === 1)) {
    const { limit, slowdown } = next.trial;
    const before = { ...next, trial: null };
    if (!helped(next.limit, reading.slowdown, limit, slowdown)) {
      const reason = 'fewer threads did not make the steps faster: they take longer by themselves';
      return go({ ...before, strained: 0, calmMs: 0, probationMs: null }, limit, reason, true);
    }
    return stay(before);
  }

  // 2. Strain.
  if (strain !== null && next.strained >= strainedReadings) {
    const dropped = { ...next, strained: 0, calmMs: 0, unstrainedMs: 0 };
    if (next.limit === 1) return stay(dropped);
    const sure = isFrozen(reading) || (reading.waitingShare ?? 0) >= certainWaitingShare;
    return go(
      {
        ...dropped,
        // The thread given back last was taken away again at once: whoever needs the cores is still there.
        patience: next.probationMs === null ? next.patience : next.patience * 2,
        probationMs: null,
        trial:
          !sure && reading.slowdown !== null
            ? { limit: next.limit, slowdown: reading.slowdown, ...next.trial, readings: 0 }
            : null,
      },
      next.limit - 1,
      strain,
    );
  }

  // 3. Calm. Room may be hidden for ever (hyper-threads, cores of another set), so in the end it is tried without.
  const calmMs = (reading.idleCores === null ? calmUnseenMs : calmWithRoomMs) * next.patience;
  if (next.limit < next.cores && (next.calmMs >= calmMs || next.unstrainedMs >= maxPatienceMs)) {
    const reason = `no pressure for ${Math.round(next.unstrainedMs / 1000)} s`;
    return go({ ...next, calmMs: 0, unstrainedMs: 0, probationMs: 0, trial: null }, next.limit + 1, reason);
  }
  return stay(next);
}

/** Why the reading asks for a thread less; null: it does not. */
function findStrain(reading: ContentionReading): string | null {
  // While none of our threads runs there is none too many, whatever others do.
  if (!reading.busy) return null;
  const { slowdown, waitingShare } = reading;
  if (isFrozen(reading)) return `the CPU quota keeps ${reading.frozenCores.toFixed(1)} cores frozen`;
  const waiting = `something waits for a processor ${Math.round((waitingShare ?? 0) * 100)} % of the time`;
  if (slowdown === null) {
    return waitingShare !== null && waitingShare >= certainWaitingShare ? waiting : null;
  }
  const slow = `steps take ${slowdown.toFixed(1)} times as long as usual`;
  if (waitingShare === null) return slowdown >= slowdownAtMost ? slow : null;
  const strained =
    (slowdown >= slowdownAtMost && waitingShare >= ownWaitingShare) ||
    (slowdown >= slowdownAtMostWhileWaiting && waitingShare >= foreignWaitingShare);
  return strained ? `${slow}, ${waiting}` : null;
}

function isFrozen(reading: ContentionReading): boolean {
  return reading.frozenCores >= frozenCoresAtMost;
}

function advance(state: LimitState, reading: ContentionReading, strained: boolean): LimitState {
  const { busy, intervalMs } = reading;
  const proved = state.probationMs !== null && busy && !strained && state.probationMs + intervalMs >= probationMs;
  const probation = state.probationMs === null || !busy ? state.probationMs : state.probationMs + intervalMs;
  const judges = state.trial !== null && reading.slowdown !== null;
  return {
    ...state,
    strained: busy ? (strained ? state.strained + 1 : 0) : state.strained,
    calmMs: strained || !hasRoom(state, reading) ? 0 : state.calmMs + intervalMs,
    unstrainedMs: strained ? 0 : state.unstrainedMs + intervalMs,
    patience: proved ? 1 : state.patience,
    probationMs: proved ? null : probation,
    trial: judges ? { ...state.trial!, readings: state.trial!.readings + 1 } : state.trial,
  };
}

/** Whether one more thread would find a processor: beside our own threads while they run, in their place otherwise. */
function hasRoom(state: LimitState, reading: ContentionReading): boolean {
  if (reading.waitingShare !== null && reading.waitingShare >= foreignWaitingShare) return false;
  const ours = reading.busy ? 0 : state.limit;
  return reading.idleCores === null || reading.idleCores >= ours + idleCoresForThread;
}

/**
 * Whether steps became faster, in milliseconds, by going from `before` threads to `limit`. Slowdowns are against the
 * usual time of their thread count, which is at most in proportion to the threads.
 */
function helped(limit: number, slowdown: number | null, before: number, slowdownBefore: number): boolean {
  return slowdown === null || slowdown * (before / limit) < slowdownBefore * 0.8;
}
