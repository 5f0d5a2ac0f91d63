import { AppError } from '../../core/errors.ts';
import { createCheck } from './check.ts';
import { convertRoot, type OpenKeyword } from './convert.ts';
import { finiteValues } from './finite.ts';
import { createRefuse, createRuleBook, limits } from './gbnf/gbnf.ts';
import { createReferences } from './refs.ts';

export type { Violation } from './check.ts';
export type { OpenKeyword } from './convert.ts';
export { charClass, limits, literal } from './gbnf/gbnf.ts';
export { checkGivenGrammar, readable as readableGrammar } from './given/given.ts';

interface GrammarOptions {
  /** Field of the request that carried the schema, for errors; left out: `format`. */
  field?: string;
  /** What the schema is called in errors; left out: "The JSON schema". */
  subject?: string;
  /** Milliseconds of a steady clock. Without it the conversion has no time budget; the other limits hold always. */
  now?: () => number;
  /** Pointer to the part whose values are meant; left out: the whole. */
  entry?: string;
  /** How long an array may get whose items have to differ in a way that no grammar keeps; null: as the schema says. */
  mostUnique?: number | null;
}

/** As `convertSchema`, for who cannot check values: what the grammar leaves open is refused by name. */
export function schemaToGrammar(schema: unknown, options: GrammarOptions = {}): string {
  const { gbnf, open } = convertSchema(schema, options);
  const [first] = open;
  if (first === undefined) return gbnf;
  const refuse = createRefuse(options.field ?? 'format', options.subject);
  return refuse(
    first.path,
    `the keyword "${first.keyword}" is not supported here.`,
    'Leave it out, and check the value afterwards.',
  );
}

/**
 * A GBNF grammar (rule `root`) whose texts are the JSON values that a schema allows, for llama.cpp's grammar engine, and
 * the keywords that it leaves open. Every text is valid but for those; not every valid text is allowed: README.md lists
 * where it is narrower. Throws `invalid_request` that names the keyword and its place for what can be neither kept nor
 * checked, is contradictory or over a limit of `limits.ts`. Such a grammar never reaches the engine, whose native code
 * an oversized one can crash.
 */
export function convertSchema(
  schema: unknown,
  options: GrammarOptions = {},
): { gbnf: string; open: readonly OpenKeyword[] } {
  const refuse = createRefuse(options.field ?? 'format', options.subject);
  if (isDeeper(schema, limits.jsonDepth)) refuse('#', `it is nested over ${limits.jsonDepth} deep.`);
  const rules = createRuleBook({ refuse, now: options.now ?? (() => 0) });
  const { entry = '#', mostUnique = null } = options;
  const { atom, open } = convertRoot(schema, { rules, refuse, entry, mostUnique });
  return { gbnf: rules.print(atom), open };
}

/**
 * Whether a value has to be checked for what its grammar leaves open. A `oneOf` whose branches nothing tells apart counts
 * as `anyOf`: most who write one mean that, and hardly a value would fit one branch alone.
 */
export function needsCheck(open: readonly OpenKeyword[]): boolean {
  return open.some(({ keyword }) => keyword !== 'oneOf');
}

/**
 * Checks values against a schema: `whole` finished ones, `unique` those that are not complete yet, of which only a
 * repeated item counts. Throws `invalid_request` where a value cannot be checked.
 */
export function createValueCheck(
  schema: unknown,
  options: Pick<GrammarOptions, 'field' | 'subject'> & { countsBranches?: boolean } = {},
) {
  const { countsBranches = false } = options;
  const refuse = createRefuse(options.field ?? 'format', options.subject);
  const references = createReferences(schema);
  const checkOf = (only: string | null) => {
    const check = createCheck({ references, refuse, tick: () => {} }, { only, countsBranches });
    return (value: unknown) => check(schema, { root: references.whole, path: '#' }, value);
  };
  return { whole: checkOf(null), unique: checkOf('uniqueItems') };
}

/** The values that a part of a schema lists, each once; null when it does not, or cannot be read. */
export function listedValues(schema: unknown, entry: string): readonly unknown[] | null {
  const refuse = createRefuse('format');
  const rules = createRuleBook({ refuse, now: () => 0 });
  const references = createReferences(schema);
  const check = createCheck({ references, refuse, tick: rules.tick });
  const target = references.find(entry, references.whole);
  if (target === null || isDeeper(schema, limits.jsonDepth)) return null;
  try {
    return finiteValues(
      target.schema,
      { root: target.root, path: target.path, hint: '', depth: 0 },
      { rules, refuse, references, isValid: (part, place, value) => check(part, place, value) === null },
    );
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** The grammar of any JSON object, for `json_object` mode. */
export function anyJsonGrammar(): string {
  return schemaToGrammar({ type: 'object' });
}

/** Level by level, without recursion: everything after this may recurse, `JSON.stringify` included. */
function isDeeper(value: unknown, levels: number): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return false;
}
