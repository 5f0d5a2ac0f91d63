import { randomBytes } from 'node:crypto';
import { type Clock, delay } from '../core/clock.ts';
import { AppError, type ErrorCode } from '../core/errors.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import { toldOnce } from '../observe/told-once.ts';
import type { ItemAnswer, Perform } from './batch.ts';
import { firstWaitMs, goesHome, isHeldByOthers, isPassing, waitFor, waitOf } from './failures.ts';
import { type Items, type LeasedItem, leaseMs, type PutBack } from './items.ts';

/** When items may be begun, and how many. */
export interface Politeness {
  /** Most items at a time; 0: none may be begun now. */
  slots(): number;
  /** Models whose items may be begun now; null: all. */
  models(): readonly string[] | null;
  /** An item of this model is begun. */
  began(model: string): void;
}

/** Answers items one after the other, several at a time. */
export interface Runner {
  /** There may be something to do. */
  wake(): void;
  /** Items that are under way in this process. */
  running(): number;
  /** Begins nothing any more; what is under way is given up and waits again. Resolves when all of it does. */
  stop(): Promise<void>;
}

/** How often somebody looks whether there is anything to do that nobody told of. */
const pollMs = 2_000;
const renewMs = leaseMs / 3;

export function createRunner(deps: {
  items: Items;
  perform: Perform;
  polite: Politeness;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error' | 'debug'>;
  bus: Pick<Bus, 'publish'>;
}): Runner {
  const { items, polite, clock, log, bus } = deps;
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();
  /** The model whose turn it is; it changes when nothing runs, so that a model is loaded once for all that wants it. */
  let turn: { model: string; sinceMs: number } | null = null;
  let filling: Promise<void> | null = null;
  let mayHaveMore = true;
  /** Models that were not to be had, and owners who have asked as often as they may. */
  const pausedModels = createPauses(clock);
  const pausedOwners = createPauses(clock);

  const begin = (item: LeasedItem) => {
    const isOtherTurn = turn?.model !== item.model || item.queuedAtMs > turn.sinceMs;
    if (isOtherTurn) turn = { model: item.model, sinceMs: clock.now().getTime() };
    polite.began(item.model);
    const done = answer(item)
      .catch((err: unknown) => log.error({ err, batch: item.batchId, position: item.position }, 'an item was lost'))
      .finally(() => {
        running.delete(done);
        wake();
      });
    running.add(done);
  };
  const fill = async () => {
    while (!stopped.signal.aborted && running.size < polite.slots()) {
      const stayAt = turn && { ...turn, isBound: running.size > 0 };
      const except = { models: pausedModels.now(), owners: pausedOwners.now() };
      const item = await items.take({ stayAt, models: polite.models(), except });
      if (item === null) {
        mayHaveMore = running.size > 0 || (await items.open()).pending > 0;
        return;
      }
      begin(item);
    }
  };
  /** `again`: somebody woke it while it looked. */
  let again = false;
  const wake = () => {
    mayHaveMore = true;
    again = true;
    filling ??= fillAll().finally(() => {
      filling = null;
    });
  };
  const fillAll = async () => {
    while (again) {
      again = false;
      await fill().catch((err: unknown) => log.error({ err }, 'no item can be taken'));
    }
  };

  const answer = async (item: LeasedItem): Promise<void> => {
    const requestId = `req_${randomBytes(12).toString('hex')}`;
    const { principal, path, headers, body } = item;
    const startMs = clock.monotonicMs();
    const ended = (outcome: 'succeeded' | 'errored' | 'put-back') =>
      bus.publish({ type: 'batch-item-ended', outcome, tookMs: clock.monotonicMs() - startMs });
    let answered: ItemAnswer;
    try {
      answered = await deps.perform({ requestId, principal, path, headers, body }, stopped.signal);
    } catch (err) {
      if (!stopped.signal.aborted) log.error({ err, requestId }, 'an item of a batch could not be asked for');
      ended('put-back');
      return putBack(item, { failed: !stopped.signal.aborted, afterMs: stopped.signal.aborted ? 0 : waitOf(item) });
    }
    if (goesHome(item, answered.failure)) {
      ended('put-back');
      return putBack(item, { failed: false, afterMs: 0, lane: 'home' });
    }
    const { failure } = answered;
    // Of a batch of a provider's it is not so: that holds for hours what it may cost.
    const isHeld = failure !== null && isHeldByOthers(failure);
    const waitMs = failure === null ? null : isHeld ? waitOf(item) : waitFor(item, failure);
    if (waitMs !== null) {
      ended('put-back');
      const failed = !isHeld && !isPassing(failure!.code);
      if (!failed && waitMs > 0) pauseAllLike(item, failure!.code, waitMs);
      return putBack(item, { failed, afterMs: stopped.signal.aborted ? 0 : waitMs });
    }
    const isStored = await store(item, requestId, answered);
    if (isStored) ended(answered.status < 400 ? 'succeeded' : 'errored');
    else log.warn({ batch: item.batchId, position: item.position }, 'somebody else has answered an item');
  };
  /** All others that would be told the same. */
  const pauseAllLike = ({ principal, model }: LeasedItem, code: ErrorCode, waitMs: number) => {
    if (code === 'rate_limited') pausedOwners.add(principal.id, waitMs);
    else pausedModels.add(model, waitMs);
  };
  const putBack = (item: LeasedItem, how: PutBack) =>
    items.putBack(item, how).catch((err: unknown) => {
      // It waits again when its lease has run out.
      log.error({ err, batch: item.batchId }, 'an item cannot be put back');
    });
  /** Again and again, as long as it is ours: it was computed, and is not to be computed again. */
  const store = async (item: LeasedItem, requestId: string, answered: ItemAnswer): Promise<boolean> => {
    for (const untilMs = clock.monotonicMs() + leaseMs; ; ) {
      try {
        return await items.finish(item, requestId, answered);
      } catch (err) {
        log.error({ err, batch: item.batchId, position: item.position }, 'a result cannot be stored');
        if (clock.monotonicMs() >= untilMs || stopped.signal.aborted) throw err;
        await delay(clock, firstWaitMs, stopped.signal).catch(() => {});
      }
    }
  };

  const recover = async () => {
    const count = await items.recover();
    if (count === 0) return;
    log.warn({ count }, 'items of batches wait again, as the process that had them is no more');
    wake();
  };
  const guarded = (run: () => Promise<void>) => {
    const again = toldOnce(run, (err) => log.error({ err }, 'the leases of batches cannot be kept'));
    return () => void again();
  };
  const timers = [
    clock.every(pollMs, () => mayHaveMore && wake()),
    clock.every(
      renewMs,
      guarded(async () => {
        if (running.size > 0) await items.renew();
      }),
    ),
    // What processes elsewhere have left, and what they were told of.
    clock.every(
      renewMs,
      guarded(async () => {
        await recover();
        wake();
      }),
    ),
  ];
  guarded(recover)();
  wake();

  return {
    wake,
    running: () => running.size,
    async stop() {
      stopped.abort(new AppError('shutting_down', 'The server is shutting down.'));
      for (const timer of timers) timer.cancel();
      await filling;
      await Promise.all(running);
    },
  };
}

/** Names of which nothing is begun for a while. */
function createPauses(clock: Pick<Clock, 'monotonicMs'>) {
  const untilMs = new Map<string, number>();
  return {
    add: (name: string, waitMs: number) => void untilMs.set(name, clock.monotonicMs() + waitMs),
    now() {
      for (const [name, until] of untilMs) if (until <= clock.monotonicMs()) untilMs.delete(name);
      return [...untilMs.keys()];
    },
  };
}
