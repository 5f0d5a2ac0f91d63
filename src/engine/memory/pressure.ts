import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { findCgroups, type ReadFile } from '../../machine/cgroup.ts';
import type { MemoryBudget, MemoryLimit } from '../../machine/memory-budget.ts';
import type { Bus, MemoryLevel } from '../../observe/bus.ts';
import type { Logger } from '../../observe/logger.ts';

/**
 * From none to the worst. `hold`: nothing new is loaded; `shrink`: idle models are ended as well; `shed`: requests are
 * turned away as well.
 */
export const memoryLevels: readonly MemoryLevel[] = ['none', 'hold', 'shrink', 'shed'];

export interface MemoryReading {
  /** Free in host and container, before any reserve. */
  availableBytes: number;
  /** Share of the last ten seconds, in percent, in which something waited for memory; null: the kernel does not tell. */
  stalledPercent: number | null;
}

interface PressureState {
  level: MemoryLevel;
  /** Readings in a row that were short, or calm. */
  shortReadings: number;
  calmReadings: number;
}

/** Watches the memory of the machine. */
export interface MemoryWatch {
  readonly level: MemoryLevel;
  /** What a request or a load is told that is turned away; null: it may go on. */
  refusal(of: 'load' | 'request'): AppError | null;
  close(): void;
}

const intervalMs = 2_000;
/** Readings that are short before each level: a moment's dip only holds back loads. */
const readingsFor = { hold: 1, shrink: 3, shed: 6 };
/** Calm readings after which everything goes on: other services come and go in seconds. */
const calmReadings = 5;
/** Stalls that a user notices, and stalls that are over. Swapping alone gives a few percent. */
const stalledMarks = { short: 20, calm: 5 };
/** Free memory counts as enough again somewhat above the mark, so that the level does not flutter. */
const calmShare = 1.5;
const leastMarkBytes = 64 * 2 ** 20;
/** That least mark on small machines, where a model of theirs leaves little more. */
const leastMarkShare = 1 / 16;
const retryAfterSeconds = 10;

const noPressure: PressureState = { level: 'none', shortReadings: 0, calmReadings: 0 };

/**
 * Free memory, in bytes, below which it is short: half of what is to be left to others. A load never goes that far, so
 * others have grown, or a model has.
 */
export function lowMark({ reserveBytes, limits }: Pick<MemoryBudget, 'reserveBytes' | 'limits'>): number {
  const least = Math.min(leastMarkBytes, Math.floor(Math.min(...physical(limits, 'totalBytes')) * leastMarkShare));
  return Math.max(least, Math.floor(reserveBytes / 2));
}

/** The operator's own limit is no shortage. */
function physical(limits: readonly MemoryLimit[], of: 'totalBytes' | 'availableBytes'): number[] {
  return limits.filter(({ source }) => source !== 'config').map((limit) => limit[of]);
}

/** The next state. The level rises while readings stay short and falls to none at once after enough calm ones. Pure. */
function nextPressure(state: PressureState, reading: MemoryReading, markBytes: number): PressureState {
  const stalled = reading.stalledPercent ?? 0;
  if (reading.availableBytes < markBytes || stalled >= stalledMarks.short) {
    const shortReadings = state.shortReadings + 1;
    const reached = (['shed', 'shrink', 'hold'] as const).find((level) => shortReadings >= readingsFor[level])!;
    const level = rank(reached) > rank(state.level) ? reached : state.level;
    return { level, shortReadings, calmReadings: 0 };
  }
  const isCalm = reading.availableBytes >= markBytes * calmShare && stalled < stalledMarks.calm;
  const calm = isCalm ? state.calmReadings + 1 : 0;
  return calm >= calmReadings ? noPressure : { level: state.level, shortReadings: 0, calmReadings: calm };
}

/** `onShort` is called with every reading from `shrink` on: time to end an idle model. */
export function createMemoryWatch(deps: {
  read: () => MemoryReading;
  /** As of `lowMark`; asked with each reading. */
  markBytes: () => number;
  clock: Clock;
  log: Pick<Logger, 'warn'>;
  bus: Pick<Bus, 'publish'>;
  onShort: () => void;
}): MemoryWatch {
  let markBytes = 0;
  let state = noPressure;
  let last: MemoryReading | null = null;
  const timer = deps.clock.every(intervalMs, () => {
    last = deps.read();
    markBytes = deps.markBytes();
    const before = state.level;
    state = nextPressure(state, last, markBytes);
    const { level } = state;
    if (level !== before) {
      deps.log.warn({ level, ...last }, 'memory pressure changed');
      deps.bus.publish({ type: 'memory-level', level });
    }
    if (rank(level) >= rank('shrink') && state.shortReadings > 0) deps.onShort();
  });
  return {
    get level() {
      return state.level;
    },
    refusal(of) {
      if (rank(state.level) < rank(of === 'load' ? 'hold' : 'shed')) return null;
      const what = of === 'load' ? 'no model is loaded' : 'no request is taken';
      return new AppError('memory_pressure', `Memory is short on this machine; ${what} for the moment.`, {
        fix: 'Try again later, or free memory. It is short below half of engine.memory_reserve.',
        retryAfterSeconds,
        details: {
          available_bytes: last?.availableBytes ?? 0,
          needed_bytes: markBytes,
          stalled_percent: last?.stalledPercent ?? null,
        },
      });
    },
    close: () => timer.cancel(),
  };
}

/** Reads stalls (PSI, of our own group where it tells them) and what is free. */
export function createPressureReader(deps: { readFile: ReadFile; budget: () => MemoryBudget }): () => MemoryReading {
  const { readFile } = deps;
  const group = findCgroups(readFile, 'memory').find(({ version }) => version === 2)?.folders[0];
  return () => {
    const text = (group && readFile(`${group}/memory.pressure`)) ?? readFile('/proc/pressure/memory') ?? '';
    const stalled = /^some avg10=(\d+(?:\.\d+)?)/m.exec(text);
    return {
      availableBytes: Math.min(...physical(deps.budget().limits, 'availableBytes')),
      stalledPercent: stalled ? Number(stalled[1]) : null,
    };
  };
}

function rank(level: MemoryLevel): number {
  return memoryLevels.indexOf(level);
}
