import {
  createMachine,
  createWork,
  type Demand,
  type Machine,
  type Table,
  TooLargeError,
  tableOf,
} from './automaton/automaton.ts';
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

/** Least and most characters; `max` null means without end. */
export interface Range {
  min: number;
  max: number | null;
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

/** What was worked out, and what that cost: a schema comes again with the next request. */
interface Found {
  table: Table | 'none' | 'large';
  work: number;
}

const maxKept = 64;
const kept = new Map<string, Found>();

/**
 * All texts that keep to the demands and can be written, of the first of some lengths for which that is not too much;
 * `none` without any, `large` over the limits for all of them. What is known already counts as if it were worked out
 * again, so that what came before changes no answer.
 */
export function tableFor(
  demands: readonly Demand[],
  lengths: readonly Range[],
  { rules }: Pick<Conversion, 'rules'>,
): Found['table'] {
  const key = JSON.stringify([lengths, demands]);
  let found = kept.get(key);
  if (found === undefined) {
    found = workedOut(demands, lengths);
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value!);
    kept.set(key, found);
  }
  rules.tick(found.work);
  return found.table;
}

function workedOut(demands: readonly Demand[], lengths: readonly Range[]): Found {
  const work = createWork(limits.automatonWork);
  let machine: Machine | null = null;
  for (const { min, max } of lengths) {
    try {
      work.allow(limits.automatonWork);
      // What it knows of the text holds for every length.
      machine ??= createMachine(demands, work);
      const options = { minLength: min, maxLength: max, writable, maxRows: limits.automatonRows, work };
      return { table: tableOf(machine, options) ?? 'none', work: work.spent };
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
    }
  }
  return { table: 'large', work: work.spent };
}

/**
 * Whether a text keeps to the demands, in one step a character. `tick`: told what it cost. Throws `TooLargeError`.
 */
export function keepsTo(demands: readonly Demand[], text: string, tick: (work: number) => void): boolean {
  const work = createWork(limits.automatonWork);
  try {
    return reads(createMachine(demands, work), text);
  } finally {
    tick(limits.stepWork + work.spent);
  }
}

function reads(machine: Machine, text: string): boolean {
  let state = machine.start;
  for (const character of text) {
    if (state.isDead) return false;
    state = machine.next(state, machine.classOf(character.codePointAt(0)!));
  }
  return machine.accepts(state);
}
