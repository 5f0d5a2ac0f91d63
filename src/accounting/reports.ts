import { sql } from 'kysely';
import type { Budget, CloudConfig } from '../config/providers.ts';
import { anonymous } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import type { Database, Tables } from '../storage/storage.ts';
import { type Alert, levelOf } from './alerts.ts';
import { everyone, limitOf } from './budgets.ts';
import { type Period, periods, startOf } from './periods.ts';
import { dayMs, type Range, sumsBy, type Totals } from './sums.ts';

export type { Range, Totals } from './sums.ts';

export interface ModelTotals extends Totals {
  provider: string;
  model: string;
}

/** A day in UTC, as `2026-11-29`. */
export interface DayTotals extends Totals {
  day: string;
}

/** What was answered for one key with one model in a day, here or elsewhere. */
export interface PrivacyTotals extends DayTotals {
  principal: string;
  /** Of its key, as it was called last; null: unknown. */
  keyName: string | null;
  provider: string;
  model: string;
  leftHouse: boolean;
}

/** A row of the ledger, as people read it. */
export type Entry = Tables['ledger'];

/** A budget in its current period. */
export interface BudgetNow {
  period: Period;
  limit: bigint;
  spent: bigint;
  reserved: bigint;
}

/** A note that a budget is nearly spent, or wholly, in its current period. */
export interface ActiveAlert extends Pick<Alert, 'scope' | 'period' | 'level' | 'limit' | 'spent'> {
  at: Date;
  /** Of the key whose budget it is; null: that of all together, or unknown. */
  keyName: string | null;
}

/** Whose spending it is, and what of it is known. */
interface Holder {
  name: string;
  /** Null: as all keys. */
  budget: Budget | null;
}

/** What the ledger and the budgets tell. Rows of this machine, which cost nothing, count only where they are wanted. */
export interface Reports {
  byModel(range: Range, options: { withLocal: boolean }): Promise<ModelTotals[]>;
  /** Days without a row are left out. */
  byDay(range: Range, options: { withLocal: boolean }): Promise<DayTotals[]>;
  privacy(range: Range): Promise<PrivacyTotals[]>;
  /** The latest first; `total` counts all of the range. Rows that were summed up are in neither. */
  entries(
    range: Range,
    options: { limit: number; provider: string | null; withLocal: boolean },
  ): Promise<{ entries: Entry[]; total: number }>;
  /** Of the budget of all together, and of each key by its own. */
  alerts(): Promise<ActiveAlert[]>;
  /** Those of all requests together that are set. */
  budgets(): Promise<BudgetNow[]>;
}

/**
 * `holderOf`: what is known of a principal of the ledger; null: it is none of a key that opens anything, `anonymous` and holders
 * of tokens among them.
 */
export function createReports(deps: {
  database: Pick<Database, 'tables'>;
  cloud: () => CloudConfig;
  holderOf: (principal: string) => Holder | null;
  clock: Pick<Clock, 'now'>;
}): Reports {
  const { cloud, clock } = deps;
  const { tables } = deps.database;
  const rowsOf = ({ since, until }: Range, withLocal: boolean) => {
    const rows = tables
      .selectFrom('ledger')
      .where('at', '>=', BigInt(since.getTime()))
      .where('at', '<', BigInt(until.getTime()));
    return withLocal ? rows : rows.where('left_house', '=', 1n);
  };
  /** Spending of the current periods, by scope and period. */
  const current = async (scopes: 'all' | 'everyone') => {
    const now = clock.now();
    const query = tables
      .selectFrom('spending')
      .selectAll()
      .where((row) =>
        row.or(
          periods.map((period) =>
            row.and([row('period', '=', period), row('starts_at', '=', BigInt(startOf(period, now).getTime()))]),
          ),
        ),
      );
    return (scopes === 'all' ? query : query.where('scope', '=', everyone)).execute();
  };

  /** Null: a key that is no more, which spends nothing again. */
  const budgetOf = (principal: string): Budget | null => {
    const { keyBudget, jwt } = cloud();
    const holder = deps.holderOf(principal);
    if (holder !== null) return holder.budget ?? keyBudget;
    return principal === anonymous.id || jwt !== null ? keyBudget : null;
  };
  /** With the names that the ledger has of those who hold no key. */
  const named = async (alerts: ActiveAlert[]): Promise<ActiveAlert[]> => {
    const nameless = alerts.filter(({ scope, keyName }) => scope !== everyone && keyName === null);
    if (nameless.length === 0) return alerts;
    const found = await tables
      .selectFrom('ledger')
      .where('at', '>=', BigInt(Math.min(...periods.map((period) => startOf(period, clock.now()).getTime()))))
      .where('principal', 'in', [...new Set(nameless.map(({ scope }) => scope))])
      .select(['principal', sql<string | null>`max(key_name)`.as('name')])
      .groupBy('principal')
      .execute();
    const names = new Map(found.map(({ principal, name }) => [principal, name]));
    return alerts.map((alert) => ({ ...alert, keyName: alert.keyName ?? names.get(alert.scope) ?? null }));
  };

  return {
    async byModel(range, { withLocal }) {
      const groups = await sumsBy(tables, range, { by: ['provider', 'model'], withLocal });
      return groups.map(({ provider, model, totals }) => ({ provider, model, ...totals })).sort(byCost);
    },
    async byDay(range, { withLocal }) {
      const groups = await sumsBy(tables, range, { by: ['day'], withLocal });
      return groups.map(({ day, totals }) => ({ day: toDay(day), ...totals })).sort(byDay);
    },
    async privacy(range) {
      const by = ['day', 'principal', 'provider', 'model', 'left_house'] as const;
      const groups = await sumsBy(tables, range, { by, withLocal: true });
      return groups
        .map(({ day, principal, key_name, provider, model, left_house, totals }) => ({
          ...{ day: toDay(day), principal, keyName: key_name, provider, model, leftHouse: left_house === 1n },
          ...totals,
        }))
        .sort((a, b) => byDay(a, b) || a.principal.localeCompare(b.principal) || a.model.localeCompare(b.model));
    },
    async entries(range, { limit, provider, withLocal }) {
      const all = rowsOf(range, withLocal);
      const wanted = provider === null ? all : all.where('provider', '=', provider);
      const { total } = await wanted.select(({ fn }) => fn.countAll<bigint>().as('total')).executeTakeFirstOrThrow();
      const entries = await wanted
        .selectAll()
        .orderBy('at', 'desc')
        .orderBy('attempt_id', 'desc')
        .limit(limit)
        .execute();
      return { entries, total: Number(total) };
    },
    async alerts() {
      const { budget, alertAt } = cloud();
      const states = await current('all');
      const notes = await tables.selectFrom('budget_alerts').selectAll().execute();
      const alerts = states.flatMap((state): ActiveAlert[] => {
        const { scope, spent, starts_at: startsAt } = state;
        const period = state.period as Period;
        const bound = scope === everyone ? budget : budgetOf(scope);
        const limit = bound && limitOf(bound, period);
        const level = limit === null ? null : levelOf(spent, limit, alertAt);
        if (limit === null || level === null) return [];
        const note = notes.find(
          (one) => one.scope === scope && one.period === period && one.starts_at === startsAt && one.level === level,
        );
        // Where the configuration changed since, nobody noted when.
        const at = note ? new Date(Number(note.at)) : clock.now();
        return [{ scope, period, level, limit, spent, at, keyName: deps.holderOf(scope)?.name ?? null }];
      });
      return named(alerts);
    },
    async budgets() {
      const { budget } = cloud();
      const states = await current('everyone');
      return limitsOf(budget).map(({ period, limit }) => {
        const state = states.find((one) => one.period === period);
        return { period, limit, spent: state?.spent ?? 0n, reserved: state?.reserved ?? 0n };
      });
    },
  };
}

function limitsOf(budget: Budget): { period: Period; limit: bigint }[] {
  return periods.flatMap((period) => {
    const limit = limitOf(budget, period);
    return limit === null ? [] : [{ period, limit }];
  });
}

function toDay(days: bigint): string {
  return new Date(Number(days) * dayMs).toISOString().slice(0, 10);
}

function byDay(a: { day: string }, b: { day: string }): number {
  return a.day < b.day ? -1 : a.day > b.day ? 1 : 0;
}

function byCost(a: ModelTotals, b: ModelTotals): number {
  if (a.cost !== b.cost) return a.cost > b.cost ? -1 : 1;
  return `${a.provider} ${a.model}`.localeCompare(`${b.provider} ${b.model}`);
}
