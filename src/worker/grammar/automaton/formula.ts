import { TooLargeError } from './too-large.ts';

/**
 * What must still hold, as alternatives of demands: each clause is an ascending list of literals, all of which hold.
 * Literal `2 * atom` demands the atom, `2 * atom + 1` its opposite. No clause: nothing can match; an empty one: all does.
 */
export type Formula = readonly (readonly number[])[];

export const never: Formula = [];
export const always: Formula = [[]];

/** More clauses than any pattern that a person writes needs. */
const maxClauses = 256;

export function atom(id: number): Formula {
  return [[2 * id]];
}

export function or(formulas: readonly Formula[]): Formula {
  return simplified(formulas.flat());
}

export function and(a: Formula, b: Formula): Formula {
  if (a.length === 0 || b.length === 0) return never;
  if (a[0]!.length === 0) return b;
  if (b[0]!.length === 0) return a;
  if (a.length * b.length > maxClauses * 16) throw new TooLargeError();
  return simplified(a.flatMap((left) => b.map((right) => joined(left, right)).filter((clause) => clause !== null)));
}

export function not(formula: Formula): Formula {
  return formula.reduce<Formula>((sum, clause) => and(sum, simplified(clause.map((literal) => [literal ^ 1]))), always);
}

/** The formula with each atom replaced by what it has become. */
export function substitute(formula: Formula, becomes: (atom: number) => Formula): Formula {
  return or(
    formula.map((clause) =>
      clause.reduce<Formula>((sum, literal) => {
        if (sum.length === 0) return sum;
        const value = becomes(literal >> 1);
        return and(sum, (literal & 1) === 1 ? not(value) : value);
      }, always),
    ),
  );
}

/** Both clauses as one; null when they contradict each other. */
function joined(a: readonly number[], b: readonly number[]): readonly number[] | null {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const all = [...new Set([...a, ...b])].sort((left, right) => left - right);
  return all.some((literal, index) => (literal & 1) === 1 && all[index - 1] === literal - 1) ? null : all;
}

/** In one order, without clauses that a shorter one makes superfluous: equal formulas become equal texts. */
function simplified(clauses: Formula): Formula {
  if (clauses.length < 2) return clauses;
  if (clauses.some((clause) => clause.length === 0)) return always;
  const different = new Map(clauses.map((clause) => [clause.join(), clause]));
  const sorted = [...different.values()].sort((a, b) => a.length - b.length || compare(a, b));
  const kept: (readonly number[])[] = [];
  for (const clause of sorted) {
    const isImplied = kept.some(
      (shorter) => shorter.length < clause.length && shorter.every((x) => clause.includes(x)),
    );
    if (!isImplied) kept.push(clause);
  }
  if (kept.length > maxClauses) throw new TooLargeError();
  return kept;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, literal] of a.entries()) if (literal !== b[index]) return literal - b[index]!;
  return 0;
}
