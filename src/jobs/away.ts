import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { ProviderBatches } from '../core/provider-batch.ts';
import type { BatchDoor } from '../gateway/gateway.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import { toldOnce } from '../observe/told-once.ts';
import { readResults } from './away-results.ts';
import type { AwayBatch, AwayRows } from './away-rows.ts';
import { type AwayDeps, firstPollMs, leftMs, refuseAll, searchMs, sendNext, undo } from './away-send.ts';
import type { Perform } from './batch.ts';
import { type Items, leaseMs } from './items.ts';

/** Sees items through that go in batches of providers. */
export interface Away {
  /** There may be something to do. */
  wake(): void;
  /** Resolves when nothing of this process is under way. */
  idle(): Promise<void>;
  /** Begins nothing any more; what is at a provider stays there, and is found by whoever comes next. */
  stop(): Promise<void>;
}

const longestPollMs = 120_000;
/** Nobody knows more of a batch that its provider does not know so long after it was sent. */
const lostMs = 600_000;
/** The longest that a provider takes, twice. */
const endlessMs = 48 * 3_600_000;

export function createAway(deps: {
  rows: AwayRows;
  items: Items;
  door: BatchDoor;
  perform: Perform;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error' | 'debug'>;
  bus: Pick<Bus, 'publish'>;
  /** Is called where items wait again, which may be asked for by themselves from now on. */
  wakeOthers(): void;
}): Away {
  const { rows, clock, log, bus } = deps;
  const stopped = new AbortController();
  const { signal } = stopped;
  const own: AwayDeps = {
    ...deps,
    signal,
    items: {
      ...deps.items,
      putBack: (item, how) => own.items.putBackAll([item], how),
      async putBackAll(items, how) {
        await deps.items.putBackAll(items, how);
        if (how.lane !== undefined) deps.wakeOthers();
        else isWoken = true;
      },
    },
    ended: (outcome, tookMs) => bus.publish({ type: 'batch-item-ended', outcome, tookMs }),
  };
  let isWoken = false;
  let running: Promise<void> | null = null;
  let timer: Timer | null = null;

  const run = async () => {
    while (isWoken && !signal.aborted) {
      isWoken = false;
      while (!signal.aborted && (await sendNext(own)));
      const due = signal.aborted ? [] : await rows.due();
      await Promise.all(due.map((away) => look(own, away)));
      if (due.length > 0) isWoken = true;
    }
    const nextAtMs = signal.aborted ? null : await rows.nextAtMs();
    timer?.cancel();
    timer = nextAtMs === null ? null : clock.after(Math.max(0, nextAtMs - clock.now().getTime()), wake);
  };
  const runAgain = toldOnce(run, (err) => log.error({ err }, 'batches of providers cannot be seen after'));
  const wake = () => {
    if (signal.aborted) return;
    isWoken = true;
    running ??= runAgain().finally(() => {
      running = null;
    });
  };
  const idle = async () => {
    while (running !== null) await running;
  };
  // What processes elsewhere have left, and what they were told of.
  const renewal = clock.every(leaseMs / 3, wake);
  wake();

  return {
    wake,
    idle,
    async stop() {
      stopped.abort(new AppError('shutting_down', 'The server is shutting down.'));
      timer?.cancel();
      renewal.cancel();
      await idle();
      timer?.cancel();
    },
  };
}

/** Does for one batch what is due, whatever state it is in; what fails is tried again later. */
async function look(deps: AwayDeps, away: AwayBatch): Promise<void> {
  try {
    // Its process ended while it worded them: nothing was sent.
    if (away.state === 'gathering') return await undo(deps, away, { afterMs: 0, failed: false });
    const batches = deps.door.batchesOf(away.provider!);
    if (batches === null) return await wait(deps, away);
    if (away.state === 'sending') await search(deps, away, batches);
    else await poll(deps, away, batches);
  } catch (err) {
    if (!deps.signal.aborted) {
      deps.log.warn(
        { err, batch: away.batchId, provider: away.provider },
        'a batch cannot be followed at its provider',
      );
    }
    const retryAfterMs = err instanceof AppError ? (err.retryAfterSeconds ?? 0) * 1_000 : 0;
    await again(deps, away, retryAfterMs).catch((error: unknown) =>
      // Whoever comes after the end of the lease does it.
      deps.log.error({ err: error, batch: away.batchId }, 'a batch at a provider cannot be put aside'),
    );
  }
}

/** Its provider is not there any more, or is off: it may come back, as long as its batch has time. */
async function wait(deps: AwayDeps, away: AwayBatch): Promise<void> {
  const isOver = away.closing !== null || deps.clock.now().getTime() - (away.sentAtMs ?? 0) > endlessMs;
  if (isOver) return undo(deps, away, { afterMs: 0, failed: true, lane: 'here' }, 'unanswered');
  await again(deps, away, 0);
}

/** Whether a batch came to its provider is not known. */
async function search(deps: AwayDeps, away: AwayBatch, batches: ProviderBatches): Promise<void> {
  const { rows, clock, signal, log } = deps;
  const others = new Set([...away.others, ...(await rows.upstreamIds(away.provider!))]);
  const sentAt = new Date(away.sentAtMs!);
  const found = await batches.find({ name: away.id, count: away.items, sentAt, others }, signal);
  const nowMs = clock.now().getTime();
  if (found !== null) {
    log.warn(
      { batch: away.batchId, provider: away.provider, upstreamId: found.id },
      'a batch was found again at its provider',
    );
    const changes = { state: 'sent', upstream_id: found.id, is_certain: found.isCertain ? 1n : 0n };
    return rows.rest(away, nowMs, changes);
  }
  if (nowMs - away.sentAtMs! < 2 * searchMs) return rows.rest(away, nowMs + searchMs / 2);
  log.warn({ batch: away.batchId, provider: away.provider }, 'a batch did not come to its provider, and is sent again');
  await undo(deps, away, { afterMs: 0, failed: true });
}

async function poll(deps: AwayDeps, away: AwayBatch, batches: ProviderBatches): Promise<void> {
  const { rows, clock, signal, log } = deps;
  const id = away.upstreamId!;
  if (away.closing !== null && away.cancelledAtMs === null) {
    await batches.cancel(id, signal).catch((err: unknown) => {
      // It has ended, or is asked again below whether it has.
      log.debug({ err, batch: away.batchId, upstreamId: id }, 'a provider did not leave a batch');
    });
    await rows.keep(away, { cancelled_at: BigInt(clock.now().getTime()), polls: 0n });
  }
  const progress = await batches.progress(id, signal).catch((error: unknown) => {
    const age = clock.now().getTime() - away.sentAtMs!;
    if (error instanceof AppError && error.code === 'not_found' && age > lostMs) return null;
    throw error;
  });
  if (progress === null) return undo(deps, away, { afterMs: 0, failed: true }, 'unanswered');
  if (progress.state === 'running') return again(deps, away, 0);
  if (progress.state === 'ended') return readResults(deps, away, batches);
  if (progress.mayComeAgain || away.closing !== null) {
    return undo(deps, away, { afterMs: leftMs, failed: false }, 'unanswered');
  }
  const reason = progress.reason ?? 'It gave no reason.';
  const error = new AppError('upstream_refused', `${away.provider} took nothing of its batch: ${reason}`);
  await refuseAll(deps, away, error);
}

/** It is looked at again, the later the more often that was done. */
async function again({ rows, clock }: AwayDeps, away: AwayBatch, atLeastMs: number): Promise<void> {
  const isFresh = away.closing !== null && away.cancelledAtMs === null;
  const polls = isFresh ? 0 : away.polls;
  const backOffMs = Math.min(longestPollMs, firstPollMs * 1.5 ** polls);
  await rows.rest(away, clock.now().getTime() + Math.max(backOffMs, atLeastMs), { polls: BigInt(polls + 1) });
}
