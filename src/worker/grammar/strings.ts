import type { Conversion, Place, SchemaObject } from './context.ts';
import { formatPattern } from './formats.ts';
import type { Atom } from './gbnf/gbnf.ts';
import { limits, step } from './gbnf/gbnf.ts';
import { createReader } from './keywords.ts';
import { emitPattern, type Pattern, PatternError, parsePattern, withLength } from './pattern/pattern.ts';

/** The string schema's rule. Lengths count characters; an escape is one. */
export function convertString(schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules, refuse } = conversion;
  const read = createReader(schema, place, conversion);
  const min = read.count('minLength') ?? 0;
  const wishedMax = read.count('maxLength');
  if (min > limits.minimumCount) refuse(place.path, `"minLength" must be at most ${limits.minimumCount}.`);
  if (wishedMax !== null && wishedMax < min) refuse(place.path, '"maxLength" is below "minLength".');
  const max = wishedMax === null ? null : Math.min(wishedMax, limits.maximumCount);

  const pattern = shapeOf(read.text('pattern'), read.text('format'), place, conversion);
  if (pattern === null) {
    if (min === 0 && max === null) return rules.shared('string');
    return rules.add(
      place.hint,
      ['"\\""', rules.repeat(rules.shared('char'), min, max), '"\\""'].filter(Boolean).join(' '),
    );
  }
  const narrowed = withLength(pattern, min, max);
  if (narrowed === null) {
    return refuse(
      place.path,
      `"${read.has('minLength') ? 'minLength' : 'maxLength'}" cannot be combined with this "pattern" or "format".`,
      'Put the length into the pattern.',
    );
  }
  const text = emitPattern(narrowed, rules);
  if (text === null) return refuse(step(place.path, 'pattern'), '"pattern" asks for control characters.');
  return rules.add(place.hint, `"\\"" ${text} "\\""`.replace('  ', ' '));
}

/**
 * The pattern that a string must match, or null for any text. `pattern` is an assertion and goes before `format`, an
 * annotation. The exception are look-around patterns beside a known format: libraries write them for `email`, and the
 * format says the same.
 */
function shapeOf(pattern: string | null, format: string | null, place: Place, { refuse }: Conversion): Pattern | null {
  const known = format === null ? null : formatPattern(format);
  if (pattern === null) return known;
  try {
    return parsePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    if (error.lookAround && known !== null) return known;
    return refuse(
      step(place.path, 'pattern'),
      `"pattern" ${error.message}, which is not supported.`,
      'Use literals, classes, groups, alternatives and quantifiers between ^ and $.',
    );
  }
}
