import { convertRoot } from './convert.ts';
import { createRefuse, createRuleBook, limits } from './gbnf/gbnf.ts';

export { charClass, limits, literal } from './gbnf/gbnf.ts';
export { checkGivenGrammar } from './given.ts';

interface GrammarOptions {
  /** Field of the request that carried the schema, for errors; left out: `format`. */
  field?: string;
  /** Milliseconds of a steady clock. Without it the conversion has no time budget; the size limits hold always. */
  now?: () => number;
}

/**
 * A GBNF grammar (rule `root`) whose texts are the JSON values that a schema allows, for llama.cpp's grammar engine.
 * Every text it allows is valid; not every valid text is allowed: README.md lists where it is narrower.
 * Throws `invalid_request` that names the keyword and its place for what is unsupported, contradictory or over a limit
 * of `limits.ts`. Such a grammar never reaches the engine, whose native code an oversized one can crash.
 */
export function schemaToGrammar(schema: unknown, options: GrammarOptions = {}): string {
  const refuse = createRefuse(options.field ?? 'format');
  if (isDeeper(schema, limits.jsonDepth)) refuse('#', `it is nested over ${limits.jsonDepth} deep.`);
  const rules = createRuleBook({ refuse, now: options.now ?? (() => 0) });
  return rules.print(convertRoot(schema, { rules, refuse }));
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
