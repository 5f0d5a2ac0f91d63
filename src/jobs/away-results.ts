import type { BatchLineResult } from '../core/batch-line.ts';
import { AppError } from '../core/errors.ts';
import type { ProviderBatches } from '../core/provider-batch.ts';
import type { AwayBatch } from './away-rows.ts';
import { type AwayDeps, lineIdOf, readAll } from './away-send.ts';
import { waitFor, waitOf } from './failures.ts';
import type { LeasedItem } from './items.ts';

/** Results that are read at a time, in one transaction. */
const atOnce = 50;

/** Reads what came of a batch that has ended, each result once, and forgets it there and here. */
export async function readResults(deps: AwayDeps, away: AwayBatch, batches: ProviderBatches): Promise<void> {
  const { rows, log, signal } = deps;
  const id = away.upstreamId!;
  await rows.claim(away);
  let portion: Line[] = [];
  let isOurs = away.isCertain;
  for await (const result of batches.results(id, signal)) {
    signal.throwIfAborted();
    const position = positionOf(away, result);
    if (position === null && !isOurs) return isAnothers(deps, away, id);
    isOurs = true;
    if (position === null) continue;
    portion.push({ position, result });
    if (portion.length < atOnce) continue;
    await take(deps, away, portion);
    portion = [];
  }
  await take(deps, away, portion);
  await giveUpRest(deps, away);
  await batches.forget(id, signal).catch((err: unknown) => {
    log.debug({ err, batch: away.batchId, upstreamId: id }, 'a provider keeps a batch that has ended');
  });
  await rows.remove(away);
}

interface Line {
  position: number;
  result: BatchLineResult;
}

function positionOf(away: AwayBatch, { customId }: BatchLineResult): number | null {
  const prefix = lineIdOf(away, 0).slice(0, -1);
  const number = customId.startsWith(prefix) ? customId.slice(prefix.length) : '';
  return /^\d{1,9}$/.test(number) ? Number(number) : null;
}

/** It was taken for ours by its size and its time; ours is still to be found. */
async function isAnothers({ rows, clock, log }: AwayDeps, away: AwayBatch, id: string): Promise<void> {
  log.warn({ batch: away.batchId, provider: away.provider, upstreamId: id }, 'a batch that was found is not ours');
  const others = JSON.stringify([...away.others, id]);
  await rows.rest(away, clock.now().getTime(), { state: 'sending', upstream_id: null, is_certain: 1n, others });
}

async function take(deps: AwayDeps, away: AwayBatch, lines: readonly Line[]): Promise<void> {
  const found = await deps.rows.at(
    away,
    lines.map(({ position }) => position),
  );
  const results = new Map(lines.map(({ position, result }) => [position, result]));
  const unanswered: LeasedItem[] = [];
  const outcomes: Parameters<typeof readAll>[2][number][] = [];
  for (const item of found) {
    const result = results.get(item.position)!;
    if (result.type === 'answered') outcomes.push({ item, outcome: result.answer });
    else unanswered.push(item);
  }
  await readAll(deps, away, outcomes);
  await giveUp(deps, away, unanswered);
  await deps.rows.keep(away, {});
}

/** What the provider did not name among its results. */
async function giveUpRest(deps: AwayDeps, away: AwayBatch): Promise<void> {
  for (let from = 0; ; ) {
    const open = await deps.rows.open(away, from);
    const last = open.at(-1);
    if (last === undefined) return;
    from = last.position + 1;
    await giveUp(deps, away, open);
  }
}

/** The provider did not come to these: of a batch that is closed they are over, else they are asked for once more. */
async function giveUp(deps: AwayDeps, away: AwayBatch, unanswered: readonly LeasedItem[]): Promise<void> {
  if (unanswered.length === 0) return;
  const { items, door } = deps;
  const failure = { code: 'upstream_timeout', retryable: true, retryAfterSeconds: null } as const;
  const isLast = (item: LeasedItem) => away.closing === null && waitFor(item, failure) === null;
  const over = unanswered.filter(isLast);
  const others = unanswered.filter((item) => !isLast(item));
  await door.giveBack(
    others.map(({ position }) => lineIdOf(away, position)),
    'unanswered',
  );
  for (const item of others) await items.putBack(item, { afterMs: waitOf(item), failed: true });
  const message = `${away.provider} did not come to it, although it was asked several times.`;
  const outcome = new AppError('upstream_timeout', message);
  await readAll(
    deps,
    away,
    over.map((item) => ({ item, outcome })),
  );
}
