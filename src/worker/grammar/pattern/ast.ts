import type { CharSet } from '../gbnf/gbnf.ts';

/** A regular expression of the safe subset: no look-around, no references to groups. */
export type Pattern =
  | { type: 'set'; set: CharSet }
  | { type: 'sequence'; items: readonly Pattern[] }
  | { type: 'choice'; items: readonly Pattern[] }
  /** `item` never matches the empty text: the engine takes such a repetition for left recursion. */
  | { type: 'repeat'; item: Pattern; min: number; max: number | null };

/** Shortest and longest match in characters; `max` null means without end. */
interface Length {
  min: number;
  max: number | null;
}

export const empty: Pattern = { type: 'sequence', items: [] };

/** The length of what a pattern matches. */
export function lengthOf(pattern: Pattern): Length {
  switch (pattern.type) {
    case 'set':
      return { min: 1, max: 1 };
    case 'sequence':
      return pattern.items
        .map(lengthOf)
        .reduce((sum, next) => ({ min: sum.min + next.min, max: plus(sum.max, next.max) }), {
          min: 0,
          max: 0,
        });
    case 'choice': {
      const lengths = pattern.items.map(lengthOf);
      const maxima = lengths.map((length) => length.max);
      return {
        min: Math.min(...lengths.map((length) => length.min)),
        max: maxima.includes(null) ? null : Math.max(...maxima.map((max) => max ?? 0)),
      };
    }
    case 'repeat': {
      const item = lengthOf(pattern.item);
      const max = pattern.max === null || item.max === null ? null : pattern.max * item.max;
      return { min: item.min * pattern.min, max };
    }
  }
}

/** A repetition in the form that the engine can take. */
export function repeated(item: Pattern, min: number, max: number | null): Pattern {
  if (max === 0) return empty;
  const solid = lengthOf(item).min > 0;
  const inner = solid ? item : nonEmpty(item);
  if (inner === null) return empty;
  const least = solid ? min : 0;
  if (least === 1 && max === 1) return inner;
  // (a+)* is a*: without this every further character could be read in many ways.
  if (inner.type === 'repeat' && inner.max === null && inner.min <= 1 && max === null && least <= 1) {
    return { ...inner, min: least === 0 ? 0 : inner.min };
  }
  return { type: 'repeat', item: inner, min: least, max };
}

/** The pattern without its empty match; null when it has no other. */
function nonEmpty(pattern: Pattern): Pattern | null {
  if (lengthOf(pattern).min > 0) return pattern;
  switch (pattern.type) {
    case 'set':
      return pattern;
    case 'repeat':
      return { ...pattern, min: 1 };
    case 'choice':
      return choiceOf(pattern.items.map(nonEmpty).filter((item) => item !== null));
    case 'sequence':
      // The first item that is not empty may be any; all before it are.
      return choiceOf(
        pattern.items.flatMap((item, index) => {
          const first = nonEmpty(item);
          return first === null
            ? []
            : [{ type: 'sequence' as const, items: [first, ...pattern.items.slice(index + 1)] }];
        }),
      );
  }
}

function choiceOf(items: Pattern[]): Pattern | null {
  return items.length === 0 ? null : items.length === 1 ? items[0]! : { type: 'choice', items };
}

/**
 * Narrows a pattern to texts of `min` to `max` characters. Returns null where the subset cannot say it: only a
 * pattern with one repeated character of variable length can be narrowed, the rest must lie within the bounds already.
 */
export function withLength(pattern: Pattern, min: number, max: number | null): Pattern | null {
  const length = lengthOf(pattern);
  if (length.min >= min && (max === null || (length.max !== null && length.max <= max))) return pattern;
  if (pattern.type === 'choice') {
    const possible = pattern.items.filter((item) => {
      const own = lengthOf(item);
      return (own.max === null || own.max >= min) && (max === null || own.min <= max);
    });
    const narrowed = possible.map((item) => withLength(item, min, max)).filter((item) => item !== null);
    return narrowed.length < possible.length ? null : choiceOf(narrowed);
  }
  const items = pattern.type === 'sequence' ? pattern.items : [pattern];
  const variable = items.filter((item) => lengthOf(item).min !== lengthOf(item).max);
  const only = variable[0];
  if (variable.length !== 1 || only === undefined) return null;
  const rest = length.min - lengthOf(only).min;
  const ownMax = max === null ? null : max - rest;
  const narrowed =
    only.type === 'repeat' ? narrowRepeat(only, min - rest, ownMax) : withLength(only, min - rest, ownMax);
  return narrowed === null ? null : { type: 'sequence', items: items.map((item) => (item === only ? narrowed : item)) };
}

function narrowRepeat(
  pattern: Pattern & { type: 'repeat' },
  minLength: number,
  maxLength: number | null,
): Pattern | null {
  const item = lengthOf(pattern.item);
  if (item.min !== 1 || item.max !== 1) return null;
  const min = Math.max(pattern.min, minLength);
  const max = pattern.max === null ? maxLength : maxLength === null ? pattern.max : Math.min(pattern.max, maxLength);
  return max !== null && max < min ? null : { ...pattern, min, max };
}

/**
 * Texts of a pattern of at most `max` characters, not all of them: what may go on without end shares the characters
 * that are left. Null when even the shortest text is longer.
 */
export function shortened(pattern: Pattern, max: number): Pattern | null {
  const length = lengthOf(pattern);
  if (length.max !== null && length.max <= max) return pattern;
  if (length.min > max) return null;
  switch (pattern.type) {
    case 'set':
      return pattern;
    case 'choice':
      return choiceOf(pattern.items.map((item) => shortened(item, max)).filter((item) => item !== null));
    case 'sequence': {
      const lengths = pattern.items.map(lengthOf);
      const variable = lengths.filter((own) => own.max !== own.min).length;
      const share = Math.floor((max - length.min) / variable);
      const items = pattern.items.map((item, index) => shortened(item, lengths[index]!.min + share)!);
      return { type: 'sequence', items };
    }
    case 'repeat': {
      const item = lengthOf(pattern.item);
      const isFixed = item.min === item.max;
      // Of a part that varies itself, some repetitions of some characters.
      const most = isFixed ? Math.floor(max / item.min) : Math.floor(Math.sqrt(max / item.min));
      const count = Math.max(pattern.min, Math.min(pattern.max ?? most, most));
      const inner = count === 0 ? null : shortened(pattern.item, Math.floor(max / count));
      return inner === null ? empty : { type: 'repeat', item: inner, min: pattern.min, max: count };
    }
  }
}

function plus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}
