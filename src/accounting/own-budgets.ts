import type { Database, Queries } from '../storage/storage.ts';
import { type BudgetState, budgetsOf, keyOf, type Movement, refusalOf, stateOf, type Wish } from './budgets.ts';

/**
 * Budgets of tables that nobody but this process writes: what the tables have, and what is on its way there. Whoever asks is told at
 * once, and the tables are written later, for many at a time.
 */
export interface OwnBudgets {
  /** Takes an amount from all budgets of its principal, or rejects with `budget_exceeded`, or with what the database throws. */
  reserve(wish: Wish): Promise<void>;
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

/** `database`: written by this process alone. */
export function createOwnBudgets(database: Pick<Database, 'transaction'>): OwnBudgets {
  /** As the tables have them, by `keyOf`. */
  const known = new Map<string, Pick<BudgetState, 'spent' | 'reserved'>>();
  /** What is not in the tables yet. */
  const ahead = new Map<string, Pick<BudgetState, 'spent' | 'reserved'>>();

  const add = (movements: readonly Movement[], sign: 1n | -1n) => {
    for (const [key, row] of budgetsOf(movements)) {
      const before = ahead.get(key) ?? { spent: 0n, reserved: 0n };
      const after = { spent: before.spent + sign * row.spent, reserved: before.reserved + sign * row.reserved };
      if (after.spent === 0n && after.reserved === 0n) ahead.delete(key);
      else ahead.set(key, after);
    }
  };
  const learn = (states: readonly BudgetState[]) => {
    for (const state of states) known.set(keyOf(state), state);
  };
  const load = async (tables: Queries, wanted: readonly BudgetState[]) => {
    const rows = await tables
      .selectFrom('spending')
      .selectAll()
      .where('scope', 'in', [...new Set(wanted.map(({ scope }) => scope))])
      .where('starts_at', 'in', [...new Set(wanted.map(({ startsAt }) => BigInt(startsAt.getTime())))])
      .execute();
    if (known.size > mostKnown) known.clear();
    // Those that have no row.
    learn(wanted.map((state) => ({ ...state, spent: 0n, reserved: 0n })));
    learn(rows.map(stateOf));
  };
  return {
    async reserve(wish) {
      const movement = { principal: wish.principal, at: wish.at, spent: 0n, reserved: wish.amount };
      const wanted = [...budgetsOf([movement]).values()].map(stateOf);
      while (wanted.some((state) => !known.has(keyOf(state)))) {
        await database.transaction((tables) => load(tables, wanted), { durable: false });
      }
      const states = wanted.map((state) => {
        const key = keyOf(state);
        const [there, coming] = [known.get(key)!, ahead.get(key)];
        const spent = there.spent + (coming?.spent ?? 0n);
        return { ...state, spent, reserved: there.reserved + (coming?.reserved ?? 0n) + wish.amount };
      });
      const refusal = refusalOf(states, wish);
      if (refusal !== null) throw refusal;
      add([movement], 1n);
    },
    add: (movement) => add([movement], 1n),
    wrote(movements, states) {
      add(movements, -1n);
      learn(states);
    },
    failed(movements) {
      add(movements, 1n);
      known.clear();
    },
    forget: () => known.clear(),
  };
}
