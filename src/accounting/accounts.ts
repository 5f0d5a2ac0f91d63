import { randomUUID } from 'node:crypto';
import type { CloudConfig } from '../config/providers.ts';
import type { AdmittedAttempt, Attempt, AttemptEnd, AttemptGuard } from '../core/attempt.ts';
import { type CallContext, localProviderId, type Principal } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';
import { billedOf, nothingBilled } from './billing.ts';
import { hasLimit, type Limits, move } from './budgets.ts';
import { createHolds } from './holds.ts';
import { createLease } from './lease.ts';
import { type LedgerEntry, writeUnanswered } from './ledger.ts';
import { holdWhatWasNoted } from './lost.ts';
import { createOwnBudgets } from './own-budgets.ts';
import { priceOf } from './price-book.ts';
import { costOf, mostOf } from './pricing.ts';
import { type Ahead, createWriter, type Running, type Writer } from './writer.ts';

/**
 * Keeps the books of every try at a provider: what it may cost is reserved before, what it did cost is booked after, with a
 * row in the ledger, in one transaction. A try that would go beyond a budget is refused.
 */
export interface Accounts extends AttemptGuard, BatchBooks {
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
  /** Resolves when everything that has ended is written, or could not be. */
  flush(): Promise<void>;
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

/** The class of service of batches, as usage and prices name it. */
const batchTier = 'batch';

/** Opens the books: what processes have left reserved that are no more is released first. */
export async function openAccounts(deps: AccountsDeps): Promise<Accounts> {
  const { database, cloud, clock, bus } = deps;
  const instance = deps.instance ?? randomUUID();
  const { notes } = database;
  const ahead: Ahead | null = notes === null ? null : { budgets: createOwnBudgets(database), notes, instance };
  const writer = createWriter({ ...deps, ahead });
  const hold = ahead === null ? holdingInTables(database, instance) : holdingAhead(ahead, writer);
  let held = 0;
  if (ahead !== null) await holdWhatWasNoted(database, ahead.notes);
  const lease = await createLease({
    ...deps,
    instance,
    isBusy: () => held > 0 || writer.isBusy(),
    onReleased: () => ahead?.budgets.forget(),
  });

  const admit = (attempt: Attempt, { requestId, principal }: CallContext): Running | Promise<Running> => {
    const at = clock.now();
    const model = attempt.model;
    const price = priceOf(cloud(), { provider: attempt.provider.id, model, at });
    const limits = deps.limitsOf(principal);
    const context = { requestId, principal };
    const running: Running = { attempt, context, at, price, limits, reserved: null, isHeldThere: 'no' };
    if (attempt.provider.id === localProviderId) return running;
    const amount = attempt.operation === 'count' ? 0n : amountOf(running, cloud());
    if (amount > 0n && !database.isKept) {
      throw new AppError('storage_unavailable', 'Nothing may be spent while the ledger cannot be kept.');
    }
    running.reserved = amount;
    const waits = orUnavailable(() => hold(running, amount));
    return waits ? waits.then(() => running) : running;
  };

  const admittedOf = (running: Running): AdmittedAttempt => {
    const isHeldHere = running.reserved !== null && !running.attempt.isBatched;
    if (isHeldHere) held++;
    let cost: bigint | null = null;
    return {
      mostNanoUsd: running.price.type === 'unknown' ? null : running.reserved,
      cost: () => cost,
      ended(end) {
        const entry = end.outcome === 'not-asked' ? null : entryOf(running, end);
        cost = entry?.cost ?? null;
        if (isHeldHere) held--;
        writer.ended(running, entry);
        if (entry !== null) bus.publish(settledEvent(entry, running));
      },
    };
  };

  return {
    admit(attempt, context) {
      const running = admit(attempt, context);
      return running instanceof Promise ? running.then(admittedOf) : admittedOf(running);
    },
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
      const context = { requestId, principal };
      const admitted = admittedOf({ attempt, context, at, price, limits, reserved, isHeldThere: 'yes' });
      // Its answer is there and will be read again.
      return { ...admitted, ended: (end) => (end.outcome === 'cancelled' ? undefined : admitted.ended(end)) };
    },
    giveBack: (ids, how) => giveBack(database, ids, how).finally(() => ahead?.budgets.forget()),
    flush: () => writer.flush(),
    async close() {
      await writer.close();
      await lease.end();
    },
  };
}

/**
 * Takes what a try may cost from its budgets. Throws, or rejects with, `budget_exceeded`, and where the books cannot be kept; nothing is
 * held then.
 */
type Holding = (running: Running, amount: bigint) => void | Promise<void>;

/** In the tables, where others see it at once. */
function holdingInTables(database: Database, instance: string): Holding {
  const holds = createHolds({ database, instance });
  return async (running, amount) => {
    await holds.hold({ ...running, amount });
    running.isHeldThere = 'yes';
  };
}

/** In this process, which notes it; the tables have it a moment later. */
function holdingAhead({ budgets }: Ahead, writer: Writer): Holding {
  const note = (running: Running, amount: bigint) => {
    try {
      writer.began(running);
    } catch (error) {
      budgets.add({ principal: running.context.principal.id, at: running.at, spent: 0n, reserved: -amount });
      throw error;
    }
  };
  /** It outlives this process, whose notes nobody else goes on with. */
  const write = async (running: Running) => {
    await writer.flush();
    if (running.isHeldThere === 'yes') return;
    writer.ended(running, null);
    throw new Error('the ledger cannot be written');
  };
  return (running, amount) => {
    if (writer.isFailing()) throw new Error('the ledger cannot be written');
    const { context, at, limits, attempt } = running;
    const noted = () => {
      note(running, amount);
      return attempt.isBatched ? write(running) : undefined;
    };
    const waits = budgets.reserve({ principal: context.principal.id, at, limits, amount });
    return waits ? waits.then(noted) : noted();
  };
}

/**
 * The most that a try may cost. Throws `budget_exceeded` where that is unknown, or where no budget was ever set, and
 * `model_not_found` where it is unknown as the provider has no such model.
 */
function amountOf({ attempt, price, limits }: Running, cloud: CloudConfig): bigint {
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

function orUnavailable(act: () => void | Promise<void>): void | Promise<void> {
  try {
    const waits = act();
    return waits?.catch(unavailable);
  } catch (error) {
    return unavailable(error);
  }
}

/** What a refusal is not says that the books cannot be kept. */
function unavailable(error: unknown): never {
  if (error instanceof AppError) throw error;
  throw new AppError('storage_unavailable', 'What a request costs cannot be booked at the moment.', { cause: error });
}
