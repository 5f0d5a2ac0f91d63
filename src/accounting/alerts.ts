import type { Queries } from '../storage/storage.ts';
import { type BudgetState, everyone, type Limits, limitOf } from './budgets.ts';

/** That a budget is spent to the share that its owner wants to hear of, or wholly. */
export interface Alert extends BudgetState {
  level: 'warning' | 'exceeded';
  limit: bigint;
}

/** How far a budget is spent; null: not so far that anybody should know. `alertAt`: share, 0 to 1. */
export function levelOf(spent: bigint, limit: bigint, alertAt: number): Alert['level'] | null {
  if (spent >= limit) return 'exceeded';
  // In thousandths, so that no float touches the money.
  return spent * 1_000n >= limit * BigInt(Math.round(alertAt * 1_000)) ? 'warning' : null;
}

/** Notes those budgets whose alert is new in their period, and returns them. `limits`: by principal. */
export async function noteAlerts(
  tables: Queries,
  states: readonly BudgetState[],
  { limits, alertAt, now }: { limits: ReadonlyMap<string, Limits>; alertAt: number; now: Date },
): Promise<Alert[]> {
  const [any] = limits.values();
  const alerts = states.flatMap((state): Alert[] => {
    const budget = state.scope === everyone ? any?.all : limits.get(state.scope)?.own;
    const limit = budget ? limitOf(budget, state.period) : null;
    const level = limit === null ? null : levelOf(state.spent, limit, alertAt);
    return limit === null || level === null ? [] : [{ ...state, level, limit }];
  });
  if (alerts.length === 0) return [];
  const added = await tables
    .insertInto('budget_alerts')
    .values(
      alerts.map(({ scope, period, startsAt, level }) => ({
        scope,
        period,
        starts_at: BigInt(startsAt.getTime()),
        level,
        at: BigInt(now.getTime()),
      })),
    )
    .onConflict((conflict) => conflict.columns(['scope', 'period', 'starts_at', 'level']).doNothing())
    .returning(['scope', 'period', 'level'])
    .execute();
  const isNew = ({ scope, period, level }: Alert) =>
    added.some((row) => row.scope === scope && row.period === period && row.level === level);
  return alerts.filter(isNew);
}
