import type { CloudConfig } from '../config/providers.ts';
import type { Attempt } from '../core/attempt.ts';
import type { CallContext } from '../core/call.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import { type Database, type Notes, type Queries, statementOver } from '../storage/storage.ts';
import { noteAlerts } from './alerts.ts';
import { type BudgetState, type Limits, type Movement, move } from './budgets.ts';
import { insertReservations, rowOf } from './holds.ts';
import { type LedgerEntry, writeEntries } from './ledger.ts';
import { noteOf } from './lost.ts';
import type { OwnBudgets } from './own-budgets.ts';
import type { PriceOf } from './price-book.ts';

/** Rows wait so long for others: one write to the disk for all of them. */
const lingerMs = 25;
/** Under load rows come all the time, and a write takes longer than a row of it: from the beginning of one to the next. */
const betweenWritesMs = 100;
const retryMs = 1_000;
const entriesPerWrite = 100;
/** So many rows wait for a disk that does not take them before the oldest ones are given up. */
const maxWaiting = 50_000;

/** A try that is under way. */
export interface Running {
  attempt: Attempt;
  context: Pick<CallContext, 'requestId' | 'principal'>;
  at: Date;
  price: PriceOf;
  limits: Limits;
  /** Nano-USD; null: nothing is held, not even a row. */
  reserved: bigint | null;
  /** Whether what it holds is in the tables; `perhaps`: nobody knows whether that was committed. */
  isHeldThere: 'yes' | 'no' | 'perhaps';
}

/** One that has ended and is not written yet. */
interface Ended {
  running: Running;
  /** Null: it was not made, and only gives back what it held. */
  entry: LedgerEntry | null;
  /** It may be written all the same. */
  wasTried: boolean;
}

/** What this process keeps of the books until it is in the tables, which nobody else writes. */
export interface Ahead {
  budgets: OwnBudgets;
  notes: Notes;
  /** Name of the process. */
  instance: string;
}

/** Writes what was held and what has ended, many at a time, again and again where the disk does not take it. */
export interface Writer {
  /** What it holds was taken from the budgets of this process. Throws where it cannot be noted. */
  began(running: Running): void;
  /** `entry`: null: it was not made, and only gives back what it held. */
  ended(running: Running, entry: LedgerEntry | null): void;
  isBusy(): boolean;
  /** The last write has failed. */
  isFailing(): boolean;
  /** Resolves when all that was there is written, or could not be. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** `ahead`: null: others write the tables, too, which have all of it at once. */
export function createWriter(deps: {
  database: Database;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error'>;
  cloud: () => CloudConfig;
  ahead: Ahead | null;
}): Writer {
  const { database, clock, log, cloud, ahead } = deps;
  /** Those that are held ahead of the tables, with the numbers of their notes. */
  const unwritten = new Map<Running, number>();
  /** Those among them that have not ended. */
  const begun = new Set<Running>();
  let waiting: Ended[] = [];
  let timer: Timer | null = null;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;
  let isFailing = false;
  let wroteMs = Number.NEGATIVE_INFINITY;

  /** One transaction: of all that has begun, and of some that have ended. */
  const write = async (batch: readonly Ended[]) => {
    let holds: Running[] = [];
    let written = new Map<Running, number>();
    let movements: Movement[] = [];
    const work = async (tables: Queries) => {
      holds = [...begun];
      begun.clear();
      const there = await heldAmong(tables, holds);
      const fresh = holds.filter((one) => !there.has(one.attempt.id));
      const { states, limits } = await settle(tables, batch, { holds: fresh, instance: ahead?.instance ?? '' });
      const all = [...holds, ...batch.map(({ running }) => running)];
      written = new Map(all.flatMap((one) => (unwritten.has(one) ? [[one, unwritten.get(one)!]] : [])));
      movements = [...written.keys()].map(heldBy).concat(batch.flatMap(endOf));
      ahead?.budgets.wrote(movements, states);
      for (const one of written.keys()) unwritten.delete(one);
      for (const one of holds) one.isHeldThere = 'yes';
      return noteAlerts(tables, states, { limits, alertAt: cloud().alertAt, now: clock.now() });
    };
    try {
      // Where no money and nobody outside is in it, small disks are spared a sync for each batch.
      const durable = batch.some(({ running }) => running.reserved !== null);
      const alerts = await database.transaction(work, { durable });
      waiting = waiting.slice(batch.length);
      for (const alert of alerts) log.warn(alert, 'a budget is nearly spent, or wholly');
    } catch (error) {
      ahead?.budgets.failed(movements);
      for (const [one, number] of written) unwritten.set(one, number);
      for (const one of batch) one.wasTried = true;
      const ended = new Set(waiting.map(({ running }) => running));
      for (const one of holds) {
        one.isHeldThere = 'perhaps';
        if (!ended.has(one)) begun.add(one);
      }
      throw error;
    }
  };

  const writeAll = async () => {
    try {
      // What comes meanwhile waits for the next time.
      const due = waiting.length;
      if (due === 0 && begun.size > 0) await write([]);
      for (let done = 0; done < due; done += entriesPerWrite) {
        await write(waiting.slice(0, Math.min(due - done, entriesPerWrite)));
      }
      if (isFailing) log.warn({}, 'the ledger is written again');
      isFailing = false;
      ahead?.notes.dropBefore(firstOf(unwritten.values()));
      if (waiting.length > 0 || begun.size > 0) scheduleNext();
    } catch (err) {
      if (!isFailing) log.error({ err, waiting: waiting.length }, 'the ledger cannot be written; its rows wait');
      isFailing = true;
      const givenUp = waiting.slice(0, -maxWaiting);
      if (givenUp.length > 0) log.error({ count: givenUp.length }, 'rows of the ledger are given up');
      for (const { running } of givenUp) unwritten.delete(running);
      waiting = waiting.slice(-maxWaiting);
      if (!isClosed) schedule(retryMs);
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
  const scheduleNext = () => {
    if (timer === null) schedule(Math.max(lingerMs, wroteMs + betweenWritesMs - clock.monotonicMs()));
  };
  return {
    began(running) {
      // Of a batch that is to be sent only once it is in the tables, nothing is lost.
      unwritten.set(running, running.attempt.isBatched ? Number.POSITIVE_INFINITY : ahead!.notes.add(noteOf(running)));
      begun.add(running);
      scheduleNext();
    },
    ended(running, entry) {
      const ended: Ended = { running, entry, wasTried: false };
      for (const movement of endOf(ended)) ahead?.budgets.add(movement);
      begun.delete(running);
      if (entry === null && running.isHeldThere === 'no') unwritten.delete(running);
      else waiting.push(ended);
      if (waiting.length === entriesPerWrite) void flush();
      else scheduleNext();
    },
    isBusy: () => waiting.length > 0 || begun.size > 0,
    isFailing: () => isFailing,
    flush,
    async close(): Promise<void> {
      isClosed = true;
      await flush();
      timer?.cancel();
    },
  };
}

/** The smallest of many numbers; infinite: there are none. */
function firstOf(numbers: Iterable<number>): number {
  let first = Number.POSITIVE_INFINITY;
  for (const number of numbers) first = Math.min(first, number);
  return first;
}

/** What a try takes from the budgets. */
function heldBy({ context, at, reserved }: Running): Movement {
  return { principal: context.principal.id, at, spent: 0n, reserved: reserved ?? 0n };
}

/** What becomes of that at its end. What has no known price by what was served has cost no more than what it might have. */
function endOf({ running, entry }: Ended): Movement[] {
  const { context, at, reserved } = running;
  if (reserved === null) return [];
  return [
    { principal: context.principal.id, at, spent: entry === null ? 0n : (entry.cost ?? reserved), reserved: -reserved },
  ];
}

/**
 * Books what has ended, and gives back what it held; holds what has begun. What was booked already is not booked again: a database
 * that breaks while it commits does not say whether it did, and all is written once more then.
 */
async function settle(
  tables: Queries,
  batch: readonly Ended[],
  { holds, instance }: { holds: readonly Running[]; instance: string },
): Promise<{ states: BudgetState[]; limits: Map<string, Limits> }> {
  const held = batch.filter(
    ({ running, wasTried }) => running.reserved !== null && (wasTried || running.isHeldThere !== 'no'),
  );
  const released = new Map((await release(tables, held.map(idOf))).map((row) => [row.attempt_id, row.amount]));
  // What another process has taken for lost meanwhile was given back already, and is booked all the same.
  const gone = held.map(idOf).filter((id) => !released.has(id));
  const booked = gone.length === 0 ? new Set<string>() : await bookedOf(tables, gone);
  const fresh = batch.filter((one) => !booked.has(idOf(one)));
  const moved = fresh.filter(({ running }) => running.reserved !== null);
  const movements = moved.flatMap((one) =>
    endOf(one).map((movement) => ({ ...movement, reserved: -(released.get(idOf(one)) ?? 0n) })),
  );
  const states = await move(tables, [...movements, ...holds.map(heldBy)]);
  await insertReservations(
    tables,
    holds.map((one) => rowOf({ ...one, amount: one.reserved ?? 0n }, instance)),
  );
  const entries = fresh.flatMap(({ entry }) => entry ?? []);
  if (entries.length > 0) await writeEntries(tables, entries);
  return { states, limits: new Map(moved.map(({ running }) => [running.context.principal.id, running.limits])) };
}

const idOf = ({ running }: Ended): string => running.attempt.id;

const release = statementOver<string, { attempt_id: string; amount: bigint }>({
  word: (tables, ids) =>
    tables.deleteFrom('reservations').where('attempt_id', 'in', ids).returning(['attempt_id', 'amount']),
  valuesOf: (id) => [id],
});

/** Ids of those of which nobody knew whether they are held in the tables, and that are. */
async function heldAmong(tables: Queries, holds: readonly Running[]): Promise<Set<string>> {
  const ids = holds.filter(({ isHeldThere }) => isHeldThere === 'perhaps').map(({ attempt }) => attempt.id);
  if (ids.length === 0) return new Set();
  const rows = await tables.selectFrom('reservations').select('attempt_id').where('attempt_id', 'in', ids).execute();
  return new Set(rows.map((row) => row.attempt_id));
}

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
