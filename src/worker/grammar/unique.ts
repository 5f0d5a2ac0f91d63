import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { constant } from './literals.ts';

/** So few values may come in any order; more come in the order in which they are listed. */
const anyOrder = 7;
const mostRules = 1_500;

/**
 * A rule for arrays of different values of a list, at least `min` and at most `max` of them. Null when a value cannot be
 * written, or it takes too many rules.
 */
export function uniqueArray(
  values: readonly unknown[],
  { min, max }: { min: number; max: number },
  hint: string,
  rules: RuleBook,
): Atom | null {
  const atoms = values.map((value) => constant(value, rules)).filter((atom) => atom !== null);
  const counted = Math.max(min, max < atoms.length ? max : 0);
  if (atoms.length < values.length || max === 0 || atoms.length < min) return null;
  if (atoms.length > anyOrder && atoms.length * (counted + 1) > mostRules) return null;
  const ws = rules.shared('ws');
  const items = atoms.length <= anyOrder ? inAnyOrder() : inListedOrder();
  const body = `${items} ${ws}`;
  return rules.add(hint, `"[" ${ws} ${min === 0 ? `(${body})?` : body} "]"`);

  /** What has been written is a set, as bits. */
  function inAnyOrder(): Atom {
    const known = new Map<number, string>();
    const following = (used: number, count: number): string => {
      if (count >= max || count >= atoms.length) return '';
      let text = known.get(used);
      if (text === undefined) {
        const next = rules.add(`${hint}-next`, `"," ${ws} ${picked(used, count)}`);
        text = count < min ? next : `${next}?`;
        known.set(used, text);
      }
      return text;
    };
    const picked = (used: number, count: number): Atom => {
      const ways = atoms.flatMap((atom, index) => {
        const bit = 1 << index;
        return (used & bit) !== 0 ? [] : [`${atom} ${following(used | bit, count + 1)}`.trimEnd()];
      });
      return rules.add(`${hint}-pick`, ways.join(' | '));
    };
    return picked(0, 0);
  }

  /** What has been written is a place in the list, and how many were taken of what is before it. */
  function inListedOrder(): Atom {
    const known = new Map<string, Atom | null>();
    const picked = (from: number, count: number): Atom | null => {
      if (from === atoms.length || atoms.length - from < min - count) return null;
      const own = Math.min(count, counted);
      const key = `${from} ${own}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const next = count + 1 >= max ? null : picked(from + 1, count + 1);
      const ends = count + 1 >= min;
      const more = next === null ? '' : `("," ${ws} ${next})${ends ? '?' : ''}`;
      const ways = next === null && !ends ? [] : [`${atoms[from]!} ${more}`.trimEnd()];
      const later = picked(from + 1, count);
      if (later !== null) ways.push(later);
      const found = ways.length === 0 ? null : rules.add(`${hint}-pick`, ways.join(' | '));
      known.set(key, found);
      return found;
    };
    return picked(0, 0)!;
  }
}
