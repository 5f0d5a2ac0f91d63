import { emitTable } from './automaton/automaton.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import type { Atom } from './gbnf/gbnf.ts';
import { limits } from './gbnf/gbnf.ts';
import { asObject } from './keywords.ts';
import {
  emitPattern,
  lengthOf,
  type Pattern,
  plainPattern,
  type Syntax,
  shortened,
  withLength,
} from './pattern/pattern.ts';
import { exactly, matching, notMatching, readPattern, readTextRules, type TextRules, tableFor } from './texts.ts';

/** Lengths to try where the one that was asked for has too many texts to tell apart. */
const smallerLengths = [128, 32];

/** The string schema's rule. Lengths count characters; an escape is one. `excluded`: schemas that no text may match. */
export function convertString(
  schema: SchemaObject,
  excluded: readonly unknown[],
  place: Place,
  conversion: Conversion,
): Atom {
  const { rules, refuse } = conversion;
  const text = readTextRules(schema, place, conversion);
  const { minLength: min } = text;
  if (min > limits.minimumCount) refuse(place.path, `"minLength" must be at most ${limits.minimumCount}.`);
  if (text.maxLength !== null && text.maxLength < min) refuse(place.path, '"maxLength" is below "minLength".');
  const max = text.maxLength === null ? null : Math.min(text.maxLength, limits.maximumCount);

  const refused = excluded.flatMap((value) => excludedBy(value, place, conversion));
  if (text.patterns.length + text.formats.length + refused.length === 0) {
    if (min === 0 && max === null) return rules.shared('string');
    return rules.add(
      place.hint,
      ['"\\""', rules.repeat(rules.shared('char'), min, max), '"\\""'].filter(Boolean).join(' '),
    );
  }
  return shaped(text, refused, { min, max }, place, conversion);
}

function shaped(
  { patterns, formats }: TextRules,
  refused: readonly Syntax[],
  length: { min: number; max: number | null },
  place: Place,
  conversion: Conversion,
): Atom {
  const written = writtenAs([...patterns, ...formats], refused, length, place, conversion);
  if (typeof written === 'string' && written !== 'none' && written !== 'large') return written;
  // Nothing keeps to both, or it takes too much to find out: `format` is an annotation.
  if (patterns.length > 0 && formats.length > 0) {
    const alone = writtenAs(patterns, refused, length, place, conversion);
    if (alone !== 'none' && alone !== 'large') return alone;
  }
  const keyword = patterns.length > 0 ? 'pattern' : formats.length > 0 ? 'format' : 'not';
  if (written === 'none') {
    const beside = length.min > 0 || length.max !== null ? ' of the length it asks for' : '';
    return conversion.refuse(place.path, `no text that can be written matches its "${keyword}"${beside}.`);
  }
  return conversion.refuse(
    place.path,
    `its "${keyword}" takes too much to keep, together with what stands beside it.`,
    'Use a simpler pattern, or smaller lengths.',
  );
}

/** A rule for the texts that match all of `all` and none of `refused`, within a length. */
function writtenAs(
  all: readonly Syntax[],
  refused: readonly Syntax[],
  length: { min: number; max: number | null },
  place: Place,
  conversion: Conversion,
): Atom | 'none' | 'large' {
  const [only] = all;
  const demands = [...all.map(matching), ...refused.map(notMatching)];
  const plain = demands.length === 1 && only !== undefined ? plainPattern(only) : null;
  if (plain !== null) {
    const narrowed = withLength(plain, length.min, length.max);
    if (narrowed !== null) return plainRule(narrowed, place, conversion) ?? 'none';
  }
  const table = tableFor(demands, [length], conversion);
  if (table !== 'large') return table === 'none' ? 'none' : quotedTable(table);
  if (plain !== null && length.max !== null) {
    const cut = shortened(plain, length.max);
    if (cut !== null && lengthOf(cut).min >= length.min) {
      const rule = plainRule(cut, place, conversion);
      if (rule !== null) return rule;
    }
  }
  const shorter = smallerLengths.filter((max) => max >= length.min && max <= (length.max ?? max));
  const smaller = tableFor(
    demands,
    shorter.map((max) => ({ min: length.min, max })),
    conversion,
  );
  if (typeof smaller === 'object') return quotedTable(smaller);
  return 'large';

  function quotedTable(found: Exclude<typeof table, string>): Atom {
    const inside = emitTable(found, place.hint, conversion.rules);
    return conversion.rules.add(place.hint, `"\\"" ${inside}`);
  }
}

/** The texts that a schema has: given ones, or a pattern's. */
function excludedBy(value: unknown, place: Place, conversion: Conversion): Syntax[] {
  const { pattern, const: fixed, enum: listed } = asObject(value) ?? {};
  if (typeof pattern === 'string') return [readPattern(pattern, place.path, conversion)];
  return (Array.isArray(listed) ? listed : [fixed]).map((text) => exactly(String(text)));
}

function plainRule(pattern: Pattern, place: Place, { rules }: Conversion): Atom | null {
  const text = emitPattern(pattern, rules);
  return text === null ? null : rules.add(place.hint, `"\\"" ${text} "\\""`.replace('  ', ' '));
}
