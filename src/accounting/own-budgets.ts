import type { Database, Queries } from '../storage/storage.ts';
import { type BudgetState, budgetsAt, keyOf, type Movement, refusalOf, stateOf, type Wish } from './budgets.ts';
import { type PeriodStart, startsOf } from './periods.ts';

/**
 * Budgets of tables that nobody but this process writes: what the tables have, and what is on its way there. Whoever asks is told at
 * once, and the tables are written later, for many at a time.
 */
export interface OwnBudgets {
  /**
   * Takes an amount from all budgets of its principal, or throws `budget_exceeded`. A promise, which rejects so too, or with what the
   * database throws, only where they have to be read first.
   */
  reserve(wish: Wish): void | Promise<void>;
  /** Is to be written. */
  add(movement: Movement): void;
  /** What was added is in the tables, whose rows are `states`; for the transaction that has written it. */
  wrote(movements: readonly Movement[], states: readonly BudgetState[]): void;
  /** The transaction was not committed, or nobody knows. */
  failed(movements: readonly Movement[]): void;
  /** Somebody else has changed the tables. */
  forget(): void;
}

/** Beyond so many what is known is forgotten: periods end, and keys go. */
const mostKnown = 10_000;

/** One budget. */
interface Own extends BudgetState {
  /** `spent` and `reserved` are what the tables have. */
  isKnown: boolean;
  /** What is not in the tables yet. */
  spentAhead: bigint;
  reservedAhead: bigint;
}

/** `database`: written by this process alone. */
export function createOwnBudgets(database: Pick<Database, 'transaction'>): OwnBudgets {
  /** By `keyOf`. */
  const budgets = new Map<string, Own>();
  /** Of each principal, those of the day on which it was last asked for. */
  const latest = new Map<string, { starts: readonly PeriodStart[]; own: readonly Own[] }>();

  const budgetOf = ({ key, ...budget }: ReturnType<typeof budgetsAt>[number]): Own => {
    const known = budgets.get(key);
    if (known !== undefined) return known;
    const own = { ...budget, spent: 0n, reserved: 0n, isKnown: false, spentAhead: 0n, reservedAhead: 0n };
    budgets.set(key, own);
    return own;
  };
  const ownOf = (principal: string, at: Date): readonly Own[] => {
    const starts = startsOf(at);
    const known = latest.get(principal);
    if (known?.starts === starts) return known.own;
    if (budgets.size > mostKnown) dropOld();
    const own = budgetsAt(principal, starts).map(budgetOf);
    latest.set(principal, { starts, own });
    return own;
  };
  const dropOld = () => {
    latest.clear();
    for (const [key, own] of budgets) if (own.spentAhead === 0n && own.reservedAhead === 0n) budgets.delete(key);
  };
  const add = ({ principal, at, spent, reserved }: Movement, sign: 1n | -1n) => {
    for (const own of ownOf(principal, at)) {
      own.spentAhead += sign * spent;
      own.reservedAhead += sign * reserved;
    }
  };
  const forget = () => {
    for (const own of budgets.values()) own.isKnown = false;
  };
  const load = async (tables: Queries, wanted: readonly Own[]) => {
    const rows = await tables
      .selectFrom('spending')
      .selectAll()
      .where('scope', 'in', [...new Set(wanted.map(({ scope }) => scope))])
      .where('starts_at', 'in', [...new Set(wanted.map(({ startsAt }) => BigInt(startsAt.getTime())))])
      .execute();
    // Those that have no row.
    for (const own of wanted) Object.assign(own, { spent: 0n, reserved: 0n, isKnown: true });
    learn(rows.map(stateOf));
  };
  const learn = (states: readonly BudgetState[]) => {
    for (const state of states) {
      const own = budgets.get(keyOf(state));
      if (own !== undefined) Object.assign(own, { spent: state.spent, reserved: state.reserved, isKnown: true });
    }
  };
  const reserve = (wish: Wish): void | Promise<void> => {
    if (wish.amount === 0n) return;
    const own = ownOf(wish.principal, wish.at);
    if (own.some(({ isKnown }) => !isKnown)) {
      return database.transaction((tables) => load(tables, own), { durable: false }).then(() => reserve(wish));
    }
    const refusal = refusalOf(own.map(withAhead(wish.amount)), wish);
    if (refusal !== null) throw refusal;
    for (const one of own) one.reservedAhead += wish.amount;
  };
  return {
    reserve,
    add: (movement) => add(movement, 1n),
    wrote(movements, states) {
      for (const movement of movements) add(movement, -1n);
      learn(states);
    },
    failed(movements) {
      for (const movement of movements) add(movement, 1n);
      forget();
    },
    forget,
  };
}

/** As it is with what is on its way, and with an amount that is asked for. */
function withAhead(amount: bigint): (own: Own) => BudgetState {
  return ({ scope, period, startsAt, spent, reserved, spentAhead, reservedAhead }) => ({
    scope,
    period,
    startsAt,
    spent: spent + spentAhead,
    reserved: reserved + reservedAhead + amount,
  });
}
