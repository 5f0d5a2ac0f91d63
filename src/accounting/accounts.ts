import { randomUUID } from 'node:crypto';
import type { CloudConfig } from '../config/providers.ts';
import type { AdmittedAttempt, Attempt, AttemptEnd, AttemptGuard } from '../core/attempt.ts';
import { type CallContext, localProviderId, type Principal } from '../core/call.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import { type Database, type Queries, statementOver } from '../storage/storage.ts';
import { type Alert, noteAlerts } from './alerts.ts';
import { billedOf, nothingBilled } from './billing.ts';
import { hasLimit, type Limits, type Movement, move } from './budgets.ts';
import { createHolds } from './holds.ts';
import { createLease } from './lease.ts';
import { type LedgerEntry, writeEntries, writeUnanswered } from './ledger.ts';
import { type PriceOf, priceOf } from './price-book.ts';
import { costOf, mostOf } from './pricing.ts';

/**
 * Keeps the books of every try at a provider: what it may cost is reserved before, what it did cost is booked after, with a
 * row in the ledger, in one transaction. A try that would go beyond a budget is refused.
 */
export interface Accounts extends AttemptGuard, BatchBooks {
  /** Resolves when everything that has ended is written, or could not be. */
  flush(): Promise<void>;
  /** Writes what is left; no try may be admitted from here on. */
  close(): Promise<void>;
}

/** Tries that go with others in a batch of their provider's: they are admitted in one process, and end in whatever other one. */
export interface BatchBooks extends AttemptGuard {
  /** Goes on with a try that was admitted. Its end is booked once, as of when it was admitted; one that is given up stays held. */
  resume(attempt: Attempt, context: CallContext): Promise<AdmittedAttempt>;
  /**
   * Gives back what tries hold, by their ids. `not-sent`: they were never made. `unanswered`: their provider has them and did not
   * come to them, which costs nothing and is a row of the ledger.
   */
  giveBack(ids: readonly string[], how: 'not-sent' | 'unanswered'): Promise<void>;
}

export interface AccountsDeps {
  database: Database;
  cloud: () => CloudConfig;
  /** What of a principal's tries may be spent. */
  limitsOf: (principal: Principal) => Limits;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error'>;
  bus: Pick<Bus, 'publish'>;
  /** Name of this process, among those that share the database. */
  instance?: string;
}

/** Rows wait so long for others: one write to the disk for all of them. What they have reserved stays so until then. */
const lingerMs = 25;
/** Under load rows come all the time, and a write takes longer than a row of it: from the beginning of one to the next. */
const betweenWritesMs = 100;
const retryMs = 1_000;
const entriesPerWrite = 100;
/** The class of service of batches, as usage and prices name it. */
const batchTier = 'batch';
/** So many rows wait for a disk that does not take them before the oldest ones are given up. */
const maxWaiting = 50_000;

/** A try that is under way. */
interface Running {
  attempt: Attempt;
  context: Pick<CallContext, 'requestId' | 'principal'>;
  at: Date;
  price: PriceOf;
  limits: Limits;
  /** Nano-USD; null: nothing is held, not even a row. */
  reserved: bigint | null;
}

/** One that has ended and is not written yet. */
interface Ended {
  running: Running;
  /** Null: it was not made, and only gives back what it held. */
  entry: LedgerEntry | null;
}

/** Opens the books: what processes have left reserved that are no more is released first. */
export async function openAccounts(deps: AccountsDeps): Promise<Accounts> {
  const { database, cloud, clock, bus } = deps;
  const instance = deps.instance ?? randomUUID();
  const writer = createWriter(deps);
  const holds = createHolds({ database, instance });
  let held = 0;
  const lease = await createLease({ ...deps, instance, isBusy: () => held > 0 || writer.isBusy() });

  const admit = async (attempt: Attempt, context: CallContext): Promise<Running> => {
    const at = clock.now();
    const { requestId, principal } = context;
    const model = attempt.model;
    const price = priceOf(cloud(), { provider: attempt.provider.id, model, at });
    const limits = deps.limitsOf(principal);
    const running = { attempt, context: { requestId, principal }, at, price, limits };
    if (attempt.provider.id === localProviderId) return { ...running, reserved: null };
    const amount = attempt.operation === 'count' ? 0n : amountOf(running, cloud());
    if (amount > 0n && !database.isKept) {
      throw new AppError('storage_unavailable', 'Nothing may be spent while the ledger cannot be kept.');
    }
    await orUnavailable(holds.hold({ ...running, amount }));
    return { ...running, reserved: amount };
  };

  const admittedOf = (running: Running): AdmittedAttempt => {
    const isHeldHere = running.reserved !== null && !running.attempt.isBatched;
    if (isHeldHere) held++;
    let cost: bigint | null = null;
    return {
      mostNanoUsd: running.price.type === 'unknown' ? null : running.reserved,
      cost: () => cost,
      async ended(end) {
        const entry = end.outcome === 'not-asked' ? null : entryOf(running, end);
        cost = entry?.cost ?? null;
        if (isHeldHere) held--;
        writer.add({ running, entry });
        if (entry !== null) bus.publish(settledEvent(entry, running));
      },
    };
  };

  return {
    admit: async (attempt, context) => admittedOf(await admit(attempt, context)),
    async resume(attempt, { requestId, principal }) {
      const row = await database.tables
        .selectFrom('reservations')
        .select(['at', 'amount'])
        .where('attempt_id', '=', attempt.id)
        .executeTakeFirst();
      const at = row === undefined ? clock.now() : new Date(Number(row.at));
      const price = priceOf(cloud(), { provider: attempt.provider.id, model: attempt.model, at });
      const limits = deps.limitsOf(principal);
      const reserved = row?.amount ?? 0n;
      const admitted = admittedOf({ attempt, context: { requestId, principal }, at, price, limits, reserved });
      // Its answer is there and will be read again.
      return { ...admitted, ended: async (end) => (end.outcome === 'cancelled' ? undefined : admitted.ended(end)) };
    },
    giveBack: (ids, how) => giveBack(database, ids, how),
    flush: () => writer.flush(),
    async close() {
      await writer.close();
      await lease.end();
    },
  };
}

/**
 * The most that a try may cost. Throws `budget_exceeded` where that is unknown, or where no budget was ever set, and
 * `model_not_found` where it is unknown as the provider has no such model.
 */
function amountOf({ attempt, price, limits }: Omit<Running, 'reserved'>, cloud: CloudConfig): bigint {
  const { provider, model, estimate, isBatched } = attempt;
  if (price.type === 'free') return 0n;
  if (price.type === 'unknown') {
    if (cloud.unknownPricesAllowed) return 0n;
    if (provider.nameOf(model) === null) {
      throw new AppError('model_not_found', `${provider.id} has no model called "${model}".`, { field: 'model' });
    }
    throw new AppError('budget_exceeded', `Nobody knows what ${model} of ${provider.id} costs.`, {
      fix: 'Write its price into the configuration, or set budgets.unknown_prices to "allow".',
      details: { reason: 'unknown_price', provider: provider.id, model },
    });
  }
  if (!hasLimit(limits)) {
    throw new AppError('budget_exceeded', `${model} of ${provider.id} costs money, and no budget is set.`, {
      fix: 'Set budgets.daily, weekly or monthly in the configuration.',
      details: { reason: 'no_budget', provider: provider.id, model },
    });
  }
  return mostOf(estimate, price.price, isBatched ? batchTier : null);
}

function entryOf({ attempt, context, at, price }: Running, end: AttemptEnd): LedgerEntry {
  const billed = billedOf(end, attempt);
  const entry = { attempt, requestId: context.requestId, principal: context.principal, at, end };
  if (billed === null) return { ...entry, billed: { ...nothingBilled, usage: end.usage }, cost: 0n };
  if (price.type === 'free') return { ...entry, billed, cost: 0n };
  if (price.type === 'unknown') return { ...entry, billed, cost: null };
  const { nanoUsd, isEstimated } = costOf(billed.usage, price.price);
  return { ...entry, billed: { ...billed, isEstimated: billed.isEstimated || isEstimated }, cost: nanoUsd };
}

function settledEvent({ cost }: LedgerEntry, { attempt: { provider, model } }: Running) {
  // A name that no provider knows is the client's, and no label for a metric.
  const name = provider.nameOf(model) ?? 'unknown';
  return { type: 'attempt-settled', provider: provider.id, model: name, costNanoUsd: cost } as const;
}

/** Writes what has ended, many at a time, again and again where the disk does not take it. */
function createWriter({ database, clock, log, cloud }: AccountsDeps) {
  let waiting: Ended[] = [];
  let timer: Timer | null = null;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;
  let wroteMs = Number.NEGATIVE_INFINITY;

  const writeAll = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, entriesPerWrite);
      try {
        // Where no money and nobody outside is in it, small disks are spared a sync for each batch.
        const durable = batch.some(({ running }) => running.reserved !== null);
        const alerts = await database.transaction(
          (tables) => settle(tables, batch, { now: clock.now(), cloud: cloud() }),
          { durable },
        );
        waiting = waiting.slice(batch.length);
        for (const alert of alerts) log.warn(alert, 'a budget is nearly spent, or wholly');
      } catch (err) {
        log.error({ err, waiting: waiting.length }, 'the ledger cannot be written');
        if (waiting.length > maxWaiting) waiting = waiting.slice(-maxWaiting);
        if (!isClosed) schedule(retryMs);
        return;
      }
    }
  };
  const flush = () => {
    timer?.cancel();
    timer = null;
    wroteMs = clock.monotonicMs();
    writing = writing.then(writeAll);
    return writing;
  };
  const schedule = (afterMs: number) => {
    timer ??= clock.after(afterMs, () => void flush());
  };
  return {
    add(ended: Ended): void {
      waiting.push(ended);
      if (waiting.length === entriesPerWrite) void flush();
      else if (timer === null) schedule(Math.max(lingerMs, wroteMs + betweenWritesMs - clock.monotonicMs()));
    },
    isBusy: () => waiting.length > 0,
    flush,
    async close(): Promise<void> {
      isClosed = true;
      await flush();
    },
  };
}

/**
 * Books what has ended, and gives back what it held. What was booked already is not booked again: a database that breaks while it
 * commits does not say whether it did, and all is written once more then.
 */
async function settle(
  tables: Queries,
  batch: readonly Ended[],
  { now, cloud }: { now: Date; cloud: CloudConfig },
): Promise<Alert[]> {
  const held = batch.filter(({ running }) => running.reserved !== null);
  const released = new Map((await release(tables, held.map(idOf))).map((row) => [row.attempt_id, row.amount]));
  // What another process has taken for lost meanwhile was given back already, and is booked all the same.
  const gone = held.map(idOf).filter((id) => !released.has(id));
  const booked = gone.length === 0 ? new Set<string>() : await bookedOf(tables, gone);
  const fresh = batch.filter((one) => !booked.has(idOf(one)));
  const moved = fresh.filter(({ running }) => running.reserved !== null);
  const movements = moved.map(
    ({ running, entry }): Movement => ({
      principal: running.context.principal.id,
      at: running.at,
      // What has no known price by what was served has cost no more than what it might have.
      spent: entry === null ? 0n : (entry.cost ?? running.reserved ?? 0n),
      reserved: -(released.get(running.attempt.id) ?? 0n),
    }),
  );
  const states = await move(tables, movements);
  const entries = fresh.flatMap(({ entry }) => entry ?? []);
  if (entries.length > 0) await writeEntries(tables, entries);
  const limits = new Map(moved.map(({ running }) => [running.context.principal.id, running.limits]));
  return noteAlerts(tables, states, { limits, alertAt: cloud.alertAt, now });
}

const idOf = ({ running }: Ended): string => running.attempt.id;

const idsPerRelease = 100;

async function giveBack(database: Database, ids: readonly string[], how: 'not-sent' | 'unanswered'): Promise<void> {
  for (let from = 0; from < ids.length; from += idsPerRelease) {
    const some = ids.slice(from, from + idsPerRelease);
    await database.transaction(async (tables) => {
      const rows = await tables.deleteFrom('reservations').where('attempt_id', 'in', some).returningAll().execute();
      if (rows.length === 0) return;
      await move(
        tables,
        rows.map(({ principal, at, amount }) => ({
          principal,
          at: new Date(Number(at)),
          spent: 0n,
          reserved: -amount,
        })),
      );
      if (how === 'unanswered') await writeUnanswered(tables, rows);
    });
  }
}

const release = statementOver<string, { attempt_id: string; amount: bigint }>({
  word: (tables, ids) =>
    tables.deleteFrom('reservations').where('attempt_id', 'in', ids).returning(['attempt_id', 'amount']),
  valuesOf: (id) => [id],
});

/** Those of the ids that have their row by their own end. */
async function bookedOf(tables: Queries, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tables
    .selectFrom('ledger')
    .select('attempt_id')
    .where('attempt_id', 'in', ids)
    .where('outcome', '<>', 'lost')
    .execute();
  return new Set(rows.map((row) => row.attempt_id));
}

async function orUnavailable(done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('storage_unavailable', 'What a request costs cannot be booked at the moment.', { cause: error });
  }
}
