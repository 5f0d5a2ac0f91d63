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

/** What can be done with formulas; every result is in one order, so that equal formulas become equal texts. */
export interface Algebra {
  or(formulas: readonly Formula[]): Formula;
  and(a: Formula, b: Formula): Formula;
  not(formula: Formula): Formula;
  /** The formula with each literal replaced by what it has become. */
  substitute(formula: Formula, becomes: (literal: number) => Formula): Formula;
}

/** `spend`: told of each literal and clause that is looked at; may throw. All throw `TooLargeError` over `maxClauses`. */
export function createAlgebra(spend: (work: number) => void): Algebra {
  const algebra: Algebra = {
    or: (formulas) => simplified(formulas.flat()),
    and(a, b) {
      if (a.length === 0 || b.length === 0) return never;
      if (a[0]!.length === 0) return b;
      if (b[0]!.length === 0) return a;
      if (a.length * b.length > maxClauses * 16) throw new TooLargeError();
      return simplified(a.flatMap((left) => b.map((right) => joined(left, right)).filter((clause) => clause !== null)));
    },
    not: (formula) =>
      formula.reduce<Formula>(
        (sum, clause) => algebra.and(sum, simplified(clause.map((literal) => [literal ^ 1]))),
        always,
      ),
    substitute(formula, becomes) {
      const clauses = formula.map((clause) => {
        let all = always;
        for (const literal of clause) {
          spend(1);
          all = algebra.and(all, becomes(literal));
          if (all.length === 0) break;
        }
        return all;
      });
      return clauses.length === 1 ? clauses[0]! : algebra.or(clauses);
    },
  };
  return algebra;

  /** Both clauses as one; null when they contradict each other. */
  function joined(a: readonly number[], b: readonly number[]): readonly number[] | null {
    spend(a.length + b.length);
    const all: number[] = [];
    for (let left = 0, right = 0; left < a.length || right < b.length; ) {
      const [own, other] = [a[left] ?? Number.POSITIVE_INFINITY, b[right] ?? Number.POSITIVE_INFINITY];
      const literal = Math.min(own, other);
      if (own === literal) left++;
      if (other === literal) right++;
      if ((literal & 1) === 1 && all.at(-1) === literal - 1) return null;
      all.push(literal);
    }
    return all;
  }

  /** In one order, without clauses that a shorter one makes superfluous. */
  function simplified(clauses: Formula): Formula {
    if (clauses.length < 2) return clauses;
    if (clauses.some((clause) => clause.length === 0)) return always;
    const different = new Map(clauses.map((clause) => [clause.join(), clause]));
    const sorted = [...different.values()].sort((a, b) => a.length - b.length || compare(a, b));
    const kept: (readonly number[])[] = [];
    for (const clause of sorted) {
      spend(clause.length + kept.length);
      if (!kept.some((shorter) => shorter.length < clause.length && isWithin(shorter, clause))) kept.push(clause);
    }
    if (kept.length > maxClauses) throw new TooLargeError();
    return kept;
  }
}

function isWithin(shorter: readonly number[], longer: readonly number[]): boolean {
  let place = 0;
  for (const literal of shorter) {
    while (place < longer.length && longer[place]! < literal) place++;
    if (longer[place] !== literal) return false;
  }
  return true;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, literal] of a.entries()) if (literal !== b[index]) return literal - b[index]!;
  return 0;
}
