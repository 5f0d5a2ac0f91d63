import { createMachine, type Demand, type Table, TooLargeError, tableOf } from './automaton/automaton.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import { formatSyntax } from './formats.ts';
import { limits, step } from './gbnf/gbnf.ts';
import { createReader } from './keywords.ts';
import { PatternError, parseSyntax, type Syntax, writable } from './pattern/pattern.ts';
import { valuesOf } from './several.ts';

/** What the keywords of a string say about its text. */
export interface TextRules {
  patterns: readonly Syntax[];
  /** Known formats. Annotations, as JSON Schema has it: where they contradict a pattern, the pattern counts. */
  formats: readonly Syntax[];
  minLength: number;
  maxLength: number | null;
}

/** Reads the keywords of a string; refuses what cannot be read. */
export function readTextRules(schema: SchemaObject, place: Place, conversion: Pick<Conversion, 'refuse'>): TextRules {
  const read = createReader(schema, place, conversion);
  return {
    patterns: texts('pattern').map((source) => readPattern(source, step(place.path, 'pattern'), conversion)),
    formats: texts('format').flatMap((name) => formatSyntax(name) ?? []),
    minLength: read.count('minLength') ?? 0,
    maxLength: read.count('maxLength'),
  };

  function texts(keyword: string): string[] {
    return valuesOf(schema[keyword]).map((value) =>
      typeof value === 'string'
        ? value
        : conversion.refuse(step(place.path, keyword), `"${keyword}" must be a string.`),
    );
  }
}

/** Reads one regular expression of a client; `path`: where it stands. */
export function readPattern(source: string, path: string, { refuse }: Pick<Conversion, 'refuse'>): Syntax {
  try {
    return parseSyntax(source);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return refuse(
      path,
      `"pattern" ${error.message}, which is not supported.`,
      'Use literals, classes, groups, alternatives, quantifiers, anchors and look-around.',
    );
  }
}

export function matching(syntax: Syntax): Demand {
  return { syntax, negated: false };
}

export function notMatching(syntax: Syntax): Demand {
  return { syntax, negated: true };
}

/** A pattern that is exactly this text. */
export function exactly(text: string): Syntax {
  const characters = Array.from(text, (character): Syntax => {
    const code = character.codePointAt(0)!;
    return { type: 'set', set: [[code, code]] };
  });
  return { type: 'sequence', items: [{ type: 'start' }, ...characters, { type: 'end' }] };
}

/** Tables that were worked out: a schema comes again with the next request. */
const maxKept = 64;
const kept = new Map<string, Table | 'none' | 'large'>();

/** All texts of a length that keep to the demands and can be written; `none` without any, `large` over the limits. */
export function tableFor(
  demands: readonly Demand[],
  length: { min: number; max: number | null },
  { rules }: Pick<Conversion, 'rules'>,
): Table | 'none' | 'large' {
  const key = JSON.stringify([demands, length]);
  const known = kept.get(key);
  if (known !== undefined) return known;
  const found = workedOut(demands, length, rules.tick);
  if (kept.size >= maxKept) kept.delete(kept.keys().next().value!);
  kept.set(key, found);
  return found;
}

function workedOut(
  demands: readonly Demand[],
  length: { min: number; max: number | null },
  tick: () => void,
): Table | 'none' | 'large' {
  try {
    const table = tableOf(createMachine(demands), {
      minLength: length.min,
      maxLength: length.max,
      writable,
      maxRows: limits.automatonRows,
      tick,
    });
    return table ?? 'none';
  } catch (error) {
    if (error instanceof TooLargeError) return 'large';
    throw error;
  }
}

/** Whether a text keeps to the demands, in one step a character. Throws `TooLargeError`. */
export function keepsTo(demands: readonly Demand[], text: string): boolean {
  const machine = createMachine(demands);
  let state = machine.start;
  for (const character of text) {
    if (state.isDead) return false;
    state = machine.next(state, character.codePointAt(0)!);
  }
  return machine.accepts(state);
}
