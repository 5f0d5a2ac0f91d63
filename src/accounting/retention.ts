import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database, Queries, Tables } from '../storage/storage.ts';
import { startOf } from './periods.ts';
import { dayMs } from './sums.ts';

/** How often it is looked for what is too old. */
const lookMs = 3_600_000;
/** So many rows go in one transaction: few enough that nobody who waits for the database notices. */
const rowsPerPortion = 200;
/** Between two portions; requests come first. */
const pauseMs = 50;
/** What was spent and noted in periods is kept so long after their beginning: longer than any runs, and anybody asks. */
const periodsKeptMs = 62 * dayMs;

/** Cleans the ledger and the budgets in the background. */
export interface Retention {
  /** Takes away what is too old at this moment; resolves when nothing is left of it, or the database takes no more. */
  clean(): Promise<void>;
  /** Stops after the portion that runs. */
  close(): Promise<void>;
}

/**
 * Keeps rows of the ledger for some days (`keepDays`, as it is configured now). What they come to is kept beyond that, as sums of
 * each day by key, provider and model, so that no total changes. Spending and alerts of past periods go with no trace: what was
 * spent stands in the ledger and its sums. The first look is a moment after the start.
 */
export function createRetention(deps: {
  database: Database;
  keepDays: () => number;
  clock: Clock;
  log: Pick<Logger, 'info' | 'error'>;
}): Retention {
  const { database, clock, log } = deps;
  let isClosed = false;
  /** Ends the pause that runs. */
  let endPause = () => {};
  let cleaning: Promise<void> | null = null;

  const wait = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const over = clock.after(pauseMs, resolve);
    endPause = resolve;
    await promise;
    over.cancel();
  };
  const cleanAll = async () => {
    const now = clock.now();
    const before = startOf('day', new Date(now.getTime() - deps.keepDays() * dayMs));
    let count = 0;
    for (let moved = rowsPerPortion; moved === rowsPerPortion && !isClosed; count += moved) {
      if (count > 0) await wait();
      moved = await database.transaction((tables) => sumUp(tables, before), { durable: false });
    }
    await database.transaction((tables) => forgetPeriods(tables, new Date(now.getTime() - periodsKeptMs)), {
      durable: false,
    });
    if (count > 0) log.info({ count, before: before.toISOString() }, 'old rows of the ledger are kept as sums of days');
  };
  const clean = () => {
    cleaning ??= cleanAll()
      .catch((err: unknown) => log.error({ err }, 'what is old in the ledger cannot be taken away'))
      .finally(() => {
        cleaning = null;
      });
    return cleaning;
  };
  const first = clock.after(pauseMs, () => void clean());
  const timer = clock.every(lookMs, () => void clean());

  return {
    clean,
    async close() {
      isClosed = true;
      first.cancel();
      timer.cancel();
      endPause();
      await cleaning;
    },
  };
}

/** Moves the oldest rows to the sums of their days; returns how many. What another process took meanwhile is not among them. */
async function sumUp(tables: Queries, before: Date): Promise<number> {
  const oldest = tables
    .selectFrom('ledger')
    .select('attempt_id')
    .where('at', '<', BigInt(before.getTime()))
    .orderBy('at')
    .limit(rowsPerPortion);
  const rows = await tables.deleteFrom('ledger').where('attempt_id', 'in', oldest).returningAll().execute();
  if (rows.length > 0) await addToDays(tables, daysOf(rows));
  return rows.length;
}

function daysOf(rows: readonly Tables['ledger'][]): Tables['ledger_days'][] {
  const days = new Map<string, Tables['ledger_days']>();
  for (const row of rows) {
    const { principal, provider, model, left_house } = row;
    const day = row.at / BigInt(dayMs);
    const key = JSON.stringify([String(day), principal, provider, model, String(left_house)]);
    const sums = days.get(key) ?? {
      ...{ day, principal, provider, model, left_house, key_name: null },
      ...{ cost: 0n, unknown_costs: 0n, attempts: 0n, prompt_tokens: 0n, output_tokens: 0n },
    };
    const prompt = [row.input_tokens, row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens];
    days.set(key, {
      ...sums,
      key_name: row.key_name ?? sums.key_name,
      cost: sums.cost + (row.cost ?? 0n),
      unknown_costs: sums.unknown_costs + (row.cost === null ? 1n : 0n),
      attempts: sums.attempts + 1n,
      prompt_tokens: prompt.reduce<bigint>((sum, count) => sum + (count ?? 0n), sums.prompt_tokens),
      output_tokens: sums.output_tokens + (row.output_tokens ?? 0n),
    });
  }
  // In one order always, so that no two that wait for each other's rows wait for ever.
  return [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sums]) => sums);
}

async function addToDays(tables: Queries, days: readonly Tables['ledger_days'][]): Promise<void> {
  await tables
    .insertInto('ledger_days')
    .values(days)
    .onConflict((conflict) =>
      conflict.columns(['day', 'principal', 'provider', 'model', 'left_house']).doUpdateSet((row) => {
        const added = (name: 'cost' | 'unknown_costs' | 'attempts' | 'prompt_tokens' | 'output_tokens') =>
          sql<bigint>`${row.ref(`ledger_days.${name}`)} + ${row.ref(`excluded.${name}`)}`;
        return {
          key_name: sql<string | null>`coalesce(${row.ref('excluded.key_name')}, ${row.ref('ledger_days.key_name')})`,
          cost: added('cost'),
          unknown_costs: added('unknown_costs'),
          attempts: added('attempts'),
          prompt_tokens: added('prompt_tokens'),
          output_tokens: added('output_tokens'),
        };
      }),
    )
    .execute();
}

async function forgetPeriods(tables: Queries, before: Date): Promise<void> {
  const at = BigInt(before.getTime());
  // One that something is still reserved in belongs to a try that runs.
  await tables.deleteFrom('spending').where('starts_at', '<', at).where('reserved', '=', 0n).execute();
  await tables.deleteFrom('budget_alerts').where('starts_at', '<', at).execute();
}
