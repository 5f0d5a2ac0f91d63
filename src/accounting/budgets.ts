import { sql } from 'kysely';
import type { Budget } from '../config/providers.ts';
import { AppError } from '../core/errors.ts';
import { formatUsd } from '../core/money.ts';
import { columnsOf, inOrder, type Queries, statementOver, type Tables } from '../storage/storage.ts';
import { endOf, type Period, type PeriodStart, periods, startsOf } from './periods.ts';

/** What may be spent by one who asks: with all others together, and alone. */
export interface Limits {
  all: Budget;
  own: Budget;
}

/** The row of what everybody spends together. */
export const everyone = '';

/** Money that is taken from, or given back to, the budgets of one principal. */
export interface Movement {
  principal: string;
  /** The time whose periods it belongs to: when its try began. */
  at: Date;
  spent: bigint;
  reserved: bigint;
}

/** A budget as it is now. */
export interface BudgetState {
  /** `everyone`, or a principal. */
  scope: string;
  period: Period;
  startsAt: Date;
  spent: bigint;
  reserved: bigint;
}

const field = { day: 'daily', week: 'weekly', month: 'monthly' } as const;

export function limitOf(budget: Budget, period: Period): bigint | null {
  return budget[field[period]];
}

export function periodWord(period: Period): 'daily' | 'weekly' | 'monthly' {
  return field[period];
}

/** Whether any budget was set for whoever asks; where none is, nothing may be spent. */
export function hasLimit({ all, own }: Limits): boolean {
  return periods.some((period) => limitOf(all, period) !== null || limitOf(own, period) !== null);
}

/** Money that is to be taken from all budgets of a principal, or from none. */
export interface Wish {
  principal: string;
  at: Date;
  amount: bigint;
  limits: Limits;
}

/**
 * Takes amounts from budgets, in the order in which they are given, each from all budgets of its principal or from none. Returns
 * for each why it was refused (`budget_exceeded`); null: it was taken.
 */
export async function reserveEach(tables: Queries, wishes: readonly Wish[]): Promise<(AppError | null)[]> {
  const taken = budgetsOf(wishes.map(movementOf));
  // As if all could be: whoever else writes these budgets waits from here on, and what is refused is given back below.
  const states = await add(tables, taken);
  // What is there then is what the only one would leave.
  if (wishes.length === 1) return [refusalOf(states, wishes[0]!)];
  const left = new Map(states.map((state) => [keyOf(state), state]));
  for (const [key, { reserved }] of taken) {
    const state = left.get(key)!;
    left.set(key, { ...state, reserved: state.reserved - reserved });
  }
  const refusals = wishes.map((wish) => {
    const rows = [...budgetsOf([movementOf(wish)])].map(([key, { reserved }]) => {
      const state = left.get(key)!;
      return { key, state: { ...state, reserved: state.reserved + reserved } };
    });
    const refusal = refusalOf(
      rows.map(({ state }) => state),
      wish,
    );
    if (refusal === null) for (const { key, state } of rows) left.set(key, state);
    return refusal;
  });
  const refused = wishes.filter((_, index) => refusals[index] !== null);
  // Where all are, whoever asks gives the transaction up.
  if (refused.length > 0 && refused.length < wishes.length) {
    await move(
      tables,
      refused.map((wish) => movementOf({ ...wish, amount: -wish.amount })),
    );
  }
  return refusals;
}

/** Why a wish cannot be met that would leave its budgets so; null: it can. */
export function refusalOf(states: readonly BudgetState[], { limits, amount, at }: Wish): AppError | null {
  for (const state of states) {
    const limit = limitOf(state.scope === everyone ? limits.all : limits.own, state.period);
    if (limit !== null && state.spent + state.reserved > limit) return exceeded(state, limit, amount, at);
  }
  return null;
}

function movementOf({ principal, at, amount }: Wish): Movement {
  return { principal, at, spent: 0n, reserved: amount };
}

/** Books movements; what of them belongs to one budget is one change of its row. Returns the rows as they are then. */
export function move(tables: Queries, movements: readonly Movement[]): Promise<BudgetState[]> {
  return add(tables, budgetsOf(movements));
}

/** The same of changes by `keyOf`. */
async function add(tables: Queries, changes: ReadonlyMap<string, Row>): Promise<BudgetState[]> {
  // In one order always, so that no two that wait for each other's rows wait for ever.
  const ordered = [...changes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  return (await addSpending(tables, ordered)).map(stateOf);
}

type Row = Tables['spending'];

/** A row of the tables. */
export function stateOf({ scope, period, starts_at, spent, reserved }: Row): BudgetState {
  return { scope, period: period as Period, startsAt: new Date(Number(starts_at)), spent, reserved };
}

const columns = columnsOf<Row>({
  scope: true,
  period: true,
  starts_at: true,
  spent: true,
  reserved: true,
});

const addSpending = statementOver<Row, Row>({
  word: (tables, rows) =>
    tables
      .insertInto('spending')
      .values(rows.map((row) => inOrder(columns, row)))
      .onConflict((conflict) =>
        conflict.columns(['scope', 'period', 'starts_at']).doUpdateSet((row) => ({
          spent: sql<bigint>`${row.ref('spending.spent')} + ${row.ref('excluded.spent')}`,
          reserved: sql<bigint>`${row.ref('spending.reserved')} + ${row.ref('excluded.reserved')}`,
        })),
      )
      .returningAll(),
  valuesOf: (row) => columns.map((name) => row[name]),
});

/** The change of each budget by all of the movements, by `keyOf`. */
export function budgetsOf(movements: readonly Movement[]): Map<string, Row> {
  const rows = new Map<string, Row>();
  /** Mostly many movements are those of a few principals on one day. */
  const latest = new Map<string, { starts: readonly PeriodStart[]; rows: Row[] }>();
  const rowsOf = (principal: string, starts: readonly PeriodStart[]): Row[] => {
    const known = latest.get(principal);
    if (known?.starts === starts) return known.rows;
    const found = budgetsAt(principal, starts).map(({ scope, period, startsAt, key }) => {
      const row = rows.get(key) ?? { scope, period, starts_at: BigInt(startsAt.getTime()), spent: 0n, reserved: 0n };
      rows.set(key, row);
      return row;
    });
    latest.set(principal, { starts, rows: found });
    return found;
  };
  for (const { principal, at, spent, reserved } of movements) {
    if (spent === 0n && reserved === 0n) continue;
    for (const row of rowsOf(principal, startsOf(at))) {
      row.spent += spent;
      row.reserved += reserved;
    }
  }
  return rows;
}

/** The budgets that a principal spends from in the periods that began so, with their `keyOf`. */
export function budgetsAt(
  principal: string,
  starts: readonly PeriodStart[],
): (Pick<BudgetState, 'scope' | 'period' | 'startsAt'> & { key: string })[] {
  return starts.flatMap((start) =>
    [everyone, principal].map((scope) => ({ ...start, scope, key: keyOf({ scope, ...start }) })),
  );
}

/** Tells budgets apart. */
export function keyOf({ scope, period, startsAt }: Pick<BudgetState, 'scope' | 'period' | 'startsAt'>): string {
  return `${period} ${startsAt.getTime()} ${scope}`;
}

/** What requests that run may cost and will not comes back when they end. */
const runningSeconds = 1;

/** Where nothing but requests that run stands in the way, it says that it is worth another try. */
function exceeded({ scope, period, spent, reserved }: BudgetState, limit: bigint, amount: bigint, at: Date): AppError {
  const whose = scope === everyone ? '' : ' of this key';
  const others = reserved - amount;
  const isForNow = spent + amount <= limit;
  const running = others > 0n ? `, $${formatUsd(others)} may be by requests that run` : '';
  return new AppError(
    'budget_exceeded',
    `The ${periodWord(period)} budget${whose} of $${formatUsd(limit)} does not allow it: $${formatUsd(spent)} are spent${running}, and this may cost $${formatUsd(amount)}.`,
    {
      fix: isForNow
        ? 'Ask again when they have ended, ask for a shorter answer, or raise the budget.'
        : 'Ask for a shorter answer, wait for the next period, or raise the budget.',
      ...(isForNow && { retryAfterSeconds: runningSeconds }),
      details: {
        reason: 'budget',
        period: periodWord(period),
        scope: scope === everyone ? 'all' : 'key',
        limit_usd: formatUsd(limit),
        spent_usd: formatUsd(spent),
        reserved_usd: formatUsd(others),
        estimate_usd: formatUsd(amount),
        resets_at: endOf(period, at).toISOString(),
      },
    },
  );
}
