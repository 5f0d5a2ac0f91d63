import { type RawBuilder, sql } from 'kysely';
import type { Database, Tables } from '../storage/storage.ts';

/** From `since` on and before `until`. */
export interface Range {
  since: Date;
  until: Date;
}

/** Sums of some rows of the ledger. Money in nano-USD. */
export interface Totals {
  /** Of those rows whose cost is known. */
  cost: bigint;
  /** Rows whose cost is not. */
  unknownCosts: number;
  attempts: number;
  /** Caches included. */
  promptTokens: number;
  outputTokens: number;
}

type Name = 'day' | 'principal' | 'provider' | 'model' | 'left_house';

/** One group of rows: what they have in common, and their sums. */
export type Group<By extends Name> = Pick<Tables['ledger_days'], By | 'key_name'> & { totals: Totals };

export const dayMs = 86_400_000;

/** Days since 1970; times are never negative, so whole division is the same everywhere. */
export const dayOf: RawBuilder<bigint> = sql<bigint>`at / ${sql.raw(String(dayMs))}`;

/** PostgreSQL makes sums of BIGINT wider, and gives them as texts. */
const whole = (sum: string) => sql<bigint>`cast(coalesce(${sql.raw(sum)}, 0) as bigint)`;
const ofRows = [
  whole('sum(cost)').as('cost'),
  whole('sum(case when cost is null then 1 else 0 end)').as('unknown_costs'),
  whole('count(*)').as('attempts'),
  whole(
    'sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0))',
  ).as('prompt_tokens'),
  whole('sum(coalesce(output_tokens, 0))').as('output_tokens'),
  sql<string | null>`max(key_name)`.as('key_name'),
] as const;
const ofDays = [
  ...(['cost', 'unknown_costs', 'attempts', 'prompt_tokens', 'output_tokens'] as const).map((name) =>
    whole(`sum(${name})`).as(name),
  ),
  sql<string | null>`max(key_name)`.as('key_name'),
] as const;

/**
 * Sums of a range by what its rows have in common: of the ledger, and of the days that are left of rows that are gone. Such a
 * day counts where it begins in the range. One query, so that a row which is moved meanwhile counts once.
 */
export async function sumsBy<const By extends Name>(
  tables: Database['tables'],
  { since, until }: Range,
  options: { by: readonly By[]; withLocal: boolean },
): Promise<Group<By>[]> {
  const { by, withLocal } = options;
  const [sinceMs, untilMs] = [BigInt(since.getTime()), BigInt(until.getTime())];
  const rows = tables
    .selectFrom('ledger')
    .where('at', '>=', sinceMs)
    .where('at', '<', untilMs)
    .$if(!withLocal, (query) => query.where('left_house', '=', 1n))
    .select([...by.map((name) => (name === 'day' ? dayOf : sql.ref(name)).as(name)), ...ofRows])
    .groupBy(by.map((name) => (name === 'day' ? dayOf : sql.ref(name))));
  const days = tables
    .selectFrom('ledger_days')
    .where('day', '>=', (sinceMs + BigInt(dayMs - 1)) / BigInt(dayMs))
    .where('day', '<', (untilMs + BigInt(dayMs - 1)) / BigInt(dayMs))
    .$if(!withLocal, (query) => query.where('left_house', '=', 1n))
    .select([...by.map((name) => sql.ref(name).as(name)), ...ofDays])
    .groupBy(by.map((name) => sql.ref(name)));
  const found = (await rows.unionAll(days as never).execute()) as unknown as readonly Row[];
  const groups = Map.groupBy(found, (row) => JSON.stringify(by.map((name) => String(row[name]))));
  return [...groups.values()].map((same) => {
    const key_name = same.find((row) => row.key_name !== null)?.key_name ?? null;
    return { ...same[0]!, key_name, totals: toTotals(same) } as unknown as Group<By>;
  });
}

type Row = Tables['ledger_days'];

function toTotals(rows: readonly Row[]): Totals {
  const sum = (name: 'cost' | 'unknown_costs' | 'attempts' | 'prompt_tokens' | 'output_tokens') =>
    rows.reduce((all, row) => all + row[name], 0n);
  return {
    cost: sum('cost'),
    unknownCosts: Number(sum('unknown_costs')),
    attempts: Number(sum('attempts')),
    promptTokens: Number(sum('prompt_tokens')),
    outputTokens: Number(sum('output_tokens')),
  };
}
