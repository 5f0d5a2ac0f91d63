import type { Attempt } from '../core/attempt.ts';
import type { CallContext } from '../core/call.ts';
import type { AppError } from '../core/errors.ts';
import { columnsOf, type Database, inOrder, statementOver, type Tables } from '../storage/storage.ts';
import { type Limits, reserveEach } from './budgets.ts';

/** What a try may cost, on its way into the budgets. */
export interface Hold {
  attempt: Attempt;
  context: Pick<CallContext, 'requestId' | 'principal'>;
  at: Date;
  limits: Limits;
  /** Nano-USD. */
  amount: bigint;
}

/** In whose name tries are held that outlive the process that sent them: that of no process. */
export const ofBatches = 'batches';

/** Holds of one transaction. */
const mostAtOnce = 100;

/** One that is not held yet. */
interface Waiting {
  hold: Hold;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Why a transaction is given up of which nothing was let through. */
class NothingHeld extends Error {}

/**
 * Reserves what tries may cost, and notes that they are under way. All that wait when a transaction begins go into it: a burst
 * of requests is one write. Each is held or refused as if it came alone, in the order in which they came.
 */
export function createHolds({ database, instance }: { database: Database; instance: string }): {
  /** Rejects with `budget_exceeded`, or with what the database throws; nothing is held then. */
  hold(hold: Hold): Promise<void>;
} {
  const waiting: Waiting[] = [];
  let isRunning = false;

  const holdWaiting = async () => {
    let taken: Waiting[] = [];
    let refusals: (AppError | null)[] = [];
    const heldOf = () => taken.filter((_, index) => refusals[index] === null);
    try {
      await database.transaction(
        async (tables) => {
          taken = waiting.splice(0, mostAtOnce);
          refusals = await reserveEach(
            tables,
            taken.map(({ hold }) => ({ ...hold, principal: hold.context.principal.id })),
          );
          const held = heldOf();
          if (held.length === 0) throw new NothingHeld();
          await insertReservations(
            tables,
            held.map(({ hold }) => rowOf(hold, instance)),
          );
        },
        { durable: false },
      );
    } catch (error) {
      if (taken.length === 0) taken = waiting.splice(0);
      if (!(error instanceof NothingHeld)) {
        for (const one of taken) one.reject(error);
        return;
      }
    }
    for (const [index, { resolve, reject }] of taken.entries()) {
      const refusal = refusals[index] ?? null;
      if (refusal === null) resolve();
      else reject(refusal);
    }
  };
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0) await holdWaiting();
    isRunning = false;
  };
  return {
    hold: (hold) =>
      new Promise((resolve, reject) => {
        waiting.push({ hold, resolve, reject });
        if (!isRunning) void run();
      }),
  };
}

type Row = Tables['reservations'];

const columns = columnsOf<Row>({
  attempt_id: true,
  instance: true,
  at: true,
  request_id: true,
  principal: true,
  provider: true,
  model: true,
  operation: true,
  attempt_index: true,
  amount: true,
  key_name: true,
});

/** Notes tries that are under way. */
export const insertReservations = statementOver<Row, unknown>({
  word: (tables, rows) => tables.insertInto('reservations').values(rows.map((row) => inOrder(columns, row))),
  valuesOf: (row) => columns.map((column) => row[column]),
});

export function rowOf({ attempt, context, at, amount }: Omit<Hold, 'limits'>, instance: string): Row {
  return {
    attempt_id: attempt.id,
    instance: attempt.isBatched ? ofBatches : instance,
    at: BigInt(at.getTime()),
    request_id: context.requestId,
    principal: context.principal.id,
    provider: attempt.provider.id,
    model: attempt.model,
    operation: attempt.operation,
    attempt_index: BigInt(attempt.index),
    amount,
    key_name: context.principal.name,
  };
}
