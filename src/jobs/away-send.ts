import { randomBytes } from 'node:crypto';
import type { BatchLine } from '../core/batch-line.ts';
import type { BatchedCall, BatchedWay } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { BatchDoor } from '../gateway/gateway.ts';
import type { Logger } from '../observe/logger.ts';
import type { AwayBatch, AwayRows } from './away-rows.ts';
import type { Perform } from './batch.ts';
import { goesHome, isPassing, waitFor, waitOf } from './failures.ts';
import type { EndedItem, Items, LeasedItem, PutBack } from './items.ts';

export interface AwayDeps {
  rows: AwayRows;
  items: Items;
  door: BatchDoor;
  perform: Perform;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error' | 'debug'>;
  /** Aborts when the process ends. */
  signal: AbortSignal;
  /** An item has its end. */
  ended(outcome: 'succeeded' | 'errored' | 'put-back', tookMs: number): void;
}

/** Id of an item at its provider, and of its try in the ledger: never the same twice. */
export const lineIdOf = ({ id }: Pick<AwayBatch, 'id'>, position: number): string => `${id}-${position}`;

/** Items of one batch at a provider; larger ones are several. All of their requests are in memory when they are sent. */
const most = { items: 10_000, characters: 8 * 1024 * 1024 };
/** Worded at a time: what they may cost is reserved in one transaction. */
const wordedAtOnce = 16;
/** Who sent a batch and does not know whether it came asks for it after so long, and takes it for lost after twice that. */
export const searchMs = 60_000;
/** Nobody needs the results at once, and looking costs little. */
export const firstPollMs = 5_000;
/** After a service had no room for a batch, and after it had taken one and left it for that. */
export const fullMs = 300_000;
export const leftMs = 1_800_000;

/** What is to be sent together. */
interface Parcel {
  provider: string;
  model: string;
  group: string;
  lines: BatchLine[];
  mostNanoUsd: bigint | null;
}

/** Takes items that are to go with others, and sends them. False: there were none. */
export async function sendNext(deps: AwayDeps): Promise<boolean> {
  const away = await deps.rows.gather(most);
  if (away === null) return false;
  const parcel = await wordAll(deps, away);
  // What somebody else took over while it was worded stays theirs.
  if (parcel === null) await deps.rows.remove(away);
  else if (parcel !== 'lost') await send(deps, away, parcel);
  return true;
}

/** Gives everything back: nothing of it was sent, or nothing came of it. */
export async function undo(
  deps: Pick<AwayDeps, 'rows' | 'items' | 'door'>,
  away: AwayBatch,
  how: PutBack,
  held: 'not-sent' | 'unanswered' = 'not-sent',
): Promise<void> {
  const { rows, items, door } = deps;
  await rows.claim(away);
  for (;;) {
    const open = await rows.open(away, 0);
    if (open.length === 0) break;
    await door.giveBack(
      open.map(({ position }) => lineIdOf(away, position)),
      held,
    );
    await items.putBackAll(open, how);
  }
  await rows.remove(away);
}

/** Words its items and reserves what each may cost. What goes otherwise is let go; null: nothing is left. */
async function wordAll(deps: AwayDeps, away: AwayBatch): Promise<Parcel | 'lost' | null> {
  const { rows } = deps;
  let parcel: Parcel | null = null;
  let bytes = 0;
  const add = async (item: LeasedItem, way: Extract<BatchedWay, { type: 'worded' }>) => {
    const { provider, model, request, mostNanoUsd } = way;
    parcel ??= { provider, model, group: request.group, lines: [], mostNanoUsd: 0n };
    const limits = deps.door.batchesOf(provider)?.limits ?? { requests: 0, bytes: 0 };
    bytes += Buffer.byteLength(request.body);
    const isSame = parcel.provider === provider && parcel.model === model && parcel.group === request.group;
    if (!isSame || parcel.lines.length >= limits.requests || (parcel.lines.length > 0 && bytes > limits.bytes)) {
      // It goes with the next ones.
      bytes -= Buffer.byteLength(request.body);
      await deps.door.giveBack([lineIdOf(away, item.position)], 'not-sent');
      return deps.items.putBack(item, { afterMs: 0, failed: false });
    }
    parcel.lines.push({ customId: lineIdOf(away, item.position), request });
    parcel.mostNanoUsd = parcel.mostNanoUsd === null || mostNanoUsd === null ? null : parcel.mostNanoUsd + mostNanoUsd;
  };
  for (let from = 0; !deps.signal.aborted; ) {
    const portion = await rows.open(away, from);
    const last = portion.at(-1);
    if (last === undefined) break;
    from = last.position + 1;
    for (let at = 0; at < portion.length; at += wordedAtOnce) {
      const some = portion.slice(at, at + wordedAtOnce);
      const ways = await Promise.all(some.map((item) => word(deps, away, item)));
      for (const [index, way] of ways.entries()) if (way !== null) await add(some[index]!, way);
    }
    if ((await rows.keep(away, {})) === 'lost') return 'lost';
  }
  if (!deps.signal.aborted) return parcel;
  await undo(deps, away, { afterMs: 0, failed: false });
  return null;
}

/** One item; null: it goes another way, and is not this process's any more. */
async function word(
  deps: AwayDeps,
  away: AwayBatch,
  item: LeasedItem,
): Promise<Extract<BatchedWay, { type: 'worded' }> | null> {
  const { items, perform, log, signal } = deps;
  let way: BatchedWay | null = null;
  const call = {
    ...callOf(item),
    batched: { step: 'word', attemptId: lineIdOf(away, item.position), decided } as const,
  };
  function decided(how: BatchedWay) {
    way = how;
  }
  const wayNow = () => way as BatchedWay | null;
  try {
    const answer = await perform(call, signal);
    const decision = wayNow();
    if (decision?.type === 'worded') return decision;
    if (decision === null) await settle(deps, [{ item, requestId: call.requestId, answer }]);
    else await items.putBack(item, { afterMs: 0, failed: false, lane: 'here' });
  } catch (err) {
    if (wayNow()?.type === 'worded') return wayNow() as Extract<BatchedWay, { type: 'worded' }>;
    if (!signal.aborted) log.error({ err, requestId: call.requestId }, 'an item of a batch could not be worded');
    await items.putBack(item, { afterMs: signal.aborted ? 0 : waitOf(item), failed: !signal.aborted });
  }
  return null;
}

export function callOf({ principal, path, headers, body }: LeasedItem) {
  return { requestId: `req_${randomBytes(12).toString('hex')}`, principal, path, headers, body };
}

/** What came of items: their end, or another try. */
export async function settle(
  { items, ended, clock }: Pick<AwayDeps, 'items' | 'ended' | 'clock'>,
  all: readonly EndedItem[],
  sinceMs: number | null = null,
): Promise<void> {
  const tookMs = sinceMs === null ? 0 : clock.now().getTime() - sinceMs;
  const over: EndedItem[] = [];
  for (const one of all) {
    const { item, answer } = one;
    const waitMs = answer.failure === null ? null : waitFor(item, answer.failure);
    if (goesHome(item, answer.failure)) await items.putBack(item, { afterMs: 0, failed: false, lane: 'home' });
    else if (waitMs === null) over.push(one);
    else {
      ended('put-back', tookMs);
      await items.putBack(item, { afterMs: waitMs, failed: !isPassing(answer.failure!.code) });
    }
  }
  const stored = over.length === 0 ? [] : await items.finishAll(over);
  for (const [index, { answer }] of over.entries()) {
    if (stored[index]) ended(answer.status < 400 ? 'succeeded' : 'errored', tookMs);
  }
}

async function send(deps: AwayDeps, away: AwayBatch, parcel: Parcel): Promise<void> {
  const { rows, door, clock, log, signal } = deps;
  const { provider, model, lines, mostNanoUsd } = parcel;
  const sentAtMs = clock.now().getTime();
  // 1. That it may be at the provider from here on is on the disk before it can be.
  const kept = await rows.keep(
    away,
    {
      state: 'sending',
      provider,
      model,
      items: BigInt(lines.length),
      estimate: mostNanoUsd,
      sent_at: BigInt(sentAtMs),
    },
    { unlessClosed: true },
  );
  if (kept === 'lost') return;
  if (kept === 'closed') return undo(deps, away, { afterMs: 0, failed: false });
  try {
    // 2. Once.
    const upstreamId = await door.batchesOf(provider)!.submit({ name: away.id, lines }, signal);
    // 3. A process that ends before this is on the disk finds it again by its name.
    await rows.rest(away, sentAtMs + firstPollMs, { state: 'sent', upstream_id: upstreamId });
    log.debug(
      { batch: away.batchId, provider, upstreamId, items: lines.length },
      'items went to a batch of a provider',
    );
  } catch (err) {
    await failedToSend(deps, { ...away, provider, model }, err);
  }
}

async function failedToSend(deps: AwayDeps, away: AwayBatch, err: unknown): Promise<void> {
  const { rows, clock, log, signal } = deps;
  const nowMs = clock.now().getTime();
  const error = err instanceof AppError ? err : null;
  const status = Number(error?.details?.['upstream_status'] ?? 0);
  // Whoever answers so has not taken it; of all else nobody knows whether it came.
  const isRefused =
    error !== null && (error.code === 'not_supported' || (status >= 400 && status < 500 && status !== 408));
  if (!isRefused || signal.aborted) {
    log.warn(
      { err, batch: away.batchId, provider: away.provider },
      'whether a batch came to its provider is not known',
    );
    return rows.rest(away, nowMs + searchMs);
  }
  log.warn({ err, batch: away.batchId, provider: away.provider }, 'a provider did not take a batch');
  if (error.code === 'not_supported') return undo(deps, away, { afterMs: 0, failed: false, lane: 'here' });
  if (error.retryable) {
    const afterMs = Math.max(fullMs, (error.retryAfterSeconds ?? 0) * 1_000);
    return undo(deps, away, { afterMs, failed: false });
  }
  await refuseAll(deps, away, error);
}

/** The same failure is what came of each of its items. */
export async function refuseAll(deps: AwayDeps, away: AwayBatch, error: AppError): Promise<void> {
  await deps.rows.claim(away);
  for (let from = 0; ; ) {
    const open = await deps.rows.open(away, from);
    const last = open.at(-1);
    if (last === undefined) break;
    from = last.position + 1;
    await readAll(
      deps,
      away,
      open.map((item) => ({ item, outcome: error })),
    );
  }
  await deps.rows.remove(away);
}

type Outcome = Extract<BatchedCall, { step: 'read' }>['answer'];

/** Has the routes of items word what came of them, and stores that in one transaction. */
export async function readAll(
  deps: AwayDeps,
  away: AwayBatch,
  outcomes: readonly { item: LeasedItem; outcome: Outcome }[],
): Promise<void> {
  const { provider, model } = away;
  const read = async ({ item, outcome: answer }: { item: LeasedItem; outcome: Outcome }): Promise<EndedItem> => {
    const attemptId = lineIdOf(away, item.position);
    const batched = { step: 'read', attemptId, provider: provider!, model: model!, answer } as const;
    const call = { ...callOf(item), batched };
    return { item, requestId: call.requestId, answer: await deps.perform(call, deps.signal) };
  };
  const all = await Promise.all(outcomes.map(read));
  // Whoever is killed between the two reads them once more, and books nothing twice; what is stored is not read again.
  await deps.door.booked();
  await settle(deps, all, away.sentAtMs);
}
