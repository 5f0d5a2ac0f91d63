import type { Principal } from '../../../core/call.ts';
import type { Timer } from '../../../core/clock.ts';
import type { SseItem } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { createMeter, type Meter } from './meter.ts';
import { readJobs, readNow, readToday } from './readings.ts';
import type { LiveState } from './schema.ts';

/** How the server is, as it changes, for all who watch. Computes nothing while nobody does. */
export interface Feed {
  /**
   * Everything first, then what has changed; ends with the key and with the server, saying so. A watcher that is slow to read
   * gets the changes of several moments as one.
   */
  watch(principal: Principal, signal: AbortSignal): AsyncGenerator<SseItem>;
  /** Ends every stream. */
  close(): void;
}

interface Watcher {
  principal: Principal;
  /** What has changed since it was told last; null: nothing. */
  pending: Partial<LiveState> | null;
  ended: 'key' | 'shutdown' | 'gone' | null;
  wake(): void;
}

const tickMs = 1_000;
/** Ticks after which the ledger and the batches are read although nothing was heard of them: other replicas write too. */
const unheardTicks = 30;
/** Ticks for which they are read after something was heard: rows are written a moment later. */
const heardTicks = 3;

/** The one clockwork of all who watch, from the first to the last of them. */
interface Works {
  meter: Meter;
  timer: Timer;
  state: LiveState | null;
  isReading: boolean;
  turnedMs: number;
  ticks: { spent: number; worked: number };
  hasState: Promise<void>;
  settle(): void;
}

export function createFeed(deps: RouteDeps): Feed {
  const { clock, keyring, bus, log } = deps;
  const watchers = new Set<Watcher>();
  let works: Works | null = null;
  let isClosed = false;

  function start(): Works {
    const { promise: hasState, resolve: settle } = Promise.withResolvers<void>();
    const made: Works = {
      meter: createMeter(bus),
      timer: clock.every(tickMs, () => void tick(made)),
      state: null,
      isReading: false,
      turnedMs: clock.monotonicMs(),
      ticks: { spent: 0, worked: 0 },
      hasState,
      settle,
    };
    void tick(made);
    return made;
  }

  function stop(): void {
    works?.timer.cancel();
    works?.meter.close();
    works = null;
  }

  async function tick(of: Works): Promise<void> {
    for (const watcher of watchers) if (!mayWatch(watcher)) end(watcher, 'key');
    if (of.isReading) return;
    of.isReading = true;
    try {
      const next = await read(of);
      if (works !== of) return;
      const changed = changesOf(of.state, next);
      of.state = next;
      of.settle();
      if (Object.keys(changed).length > 0) for (const watcher of watchers) tell(watcher, changed);
    } catch (err) {
      log.error({ err }, 'the state of the server cannot be read');
    } finally {
      of.isReading = false;
    }
  }

  async function read(of: Works): Promise<LiveState> {
    const nowMs = clock.monotonicMs();
    of.meter.turn(nowMs - of.turnedMs);
    of.turnedMs = nowMs;
    const isDue = (kind: keyof Works['ticks'], heard: boolean): boolean => {
      of.ticks[kind] = heard ? heardTicks : of.ticks[kind] - 1;
      if (of.ticks[kind] <= -unheardTicks) of.ticks[kind] = 0;
      return of.ticks[kind] >= 0;
    };
    const { today, jobs } = of.state ?? { today: null, jobs: null };
    const [newToday, newJobs] = await Promise.all([
      isDue('spent', of.meter.hasSpent()) ? readToday(deps, today) : today,
      isDue('worked', of.meter.hasWorked()) ? readJobs(deps, jobs) : jobs,
    ]);
    return { ...readNow(deps, of.meter), today: newToday, jobs: newJobs };
  }

  /** As the key is now. */
  function mayWatch({ principal }: Watcher): boolean {
    return keyring.again(principal)?.scopes.includes('admin') ?? false;
  }

  function tell(watcher: Watcher, changed: Partial<LiveState>): void {
    watcher.pending = { ...watcher.pending, ...changed };
    watcher.wake();
  }

  function end(watcher: Watcher, reason: NonNullable<Watcher['ended']>): void {
    watcher.ended ??= reason;
    watcher.wake();
  }

  return {
    async *watch(principal, signal) {
      let woken = Promise.withResolvers<void>();
      const watcher: Watcher = { principal, pending: null, ended: null, wake: () => woken.resolve() };
      const leave = () => end(watcher, 'gone');
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      if (isClosed) end(watcher, 'shutdown');
      works ??= start();
      watchers.add(watcher);
      try {
        await Promise.race([works.hasState, woken.promise]);
        // What came with the first state is in it.
        watcher.pending = null;
        if (watcher.ended === null) yield { event: 'snapshot', data: works.state! };
        while (watcher.ended === null) {
          const { pending } = watcher;
          watcher.pending = null;
          if (pending !== null) yield { event: 'change', data: pending };
          else {
            woken = Promise.withResolvers<void>();
            await woken.promise;
          }
        }
        if (watcher.ended !== 'gone') yield { event: 'end', data: { reason: watcher.ended } };
      } finally {
        signal.removeEventListener('abort', leave);
        watchers.delete(watcher);
        if (watchers.size === 0) stop();
      }
    },
    close() {
      isClosed = true;
      for (const watcher of watchers) end(watcher, 'shutdown');
    },
  };
}

/** The parts that are not as they were. */
function changesOf(before: LiveState | null, now: LiveState): Partial<LiveState> {
  if (before === null) return now;
  const names = Object.keys(now) as (keyof LiveState)[];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]));
  return Object.fromEntries(changed.map((name) => [name, now[name]]));
}
