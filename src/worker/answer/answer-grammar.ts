import type { OutputFormat, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import { createGrammarParts, type GrammarDeps, quoted, type ToolCallForm } from '../families/families.ts';
import { anyJsonGrammar, checkGivenGrammar, convertSchema, limits, needsCheck } from '../grammar/grammar.ts';
import type { GrammarSource } from '../sequence/sequence.ts';
import type { OutputParser } from './output-parser.ts';

/**
 * The grammar of a whole answer, or null for free text. `nowMs`: a steady clock, for the budget of the conversion;
 * `mostUnique`: as `GrammarOptions` has it. `isOpen`: the answer has to be checked. Throws `invalid_request` naming the
 * keyword of the schema that can be neither kept nor checked, or what is wrong with a grammar.
 */
export function formatGrammar(
  format: OutputFormat,
  how: { nowMs: () => number; mostUnique: number | null },
): { gbnf: string; isOpen: boolean } | null {
  if (format.type === 'text') return null;
  if (format.type === 'json') return { gbnf: anyJsonGrammar(), isOpen: false };
  if (format.type === 'grammar') return { gbnf: checkGivenGrammar(format.gbnf), isOpen: false };
  const { gbnf, open } = convertSchema(format.schema, { now: how.nowMs, mostUnique: how.mostUnique });
  return { gbnf, isOpen: needsCheck(open) };
}

/** The grammar of an answer that is either text of a format, or calls as the family writes them. */
export function formatOrCalls(
  gbnf: string,
  form: ToolCallForm,
  tools: readonly ToolDefinition[],
  how: GrammarDeps,
): string {
  const { prefix, gbnf: call } = form.requireCall({ tools, named: null, how });
  if (gbnf.length + call.length > limits.outputCharacters) {
    throw new AppError('invalid_request', 'The grammar of the format and the tools together is too large.', {
      field: 'format',
      fix: 'Use fewer tools, or a smaller schema.',
    });
  }
  const parts = createGrammarParts(how);
  const begun = prefix === '' ? '' : `${quoted(prefix)} `;
  const one = parts.add(`${begun}${parts.embed(call)}`);
  const several = prefix === '' ? one : `${one} ("\\n"? ${one})*`;
  return parts.print(`${parts.embed(gbnf)} | ${several}`);
}

/** Binds the answer from its first token, once reasoning is over. */
export function bindAnswer(gbnf: string, parser: OutputParser): GrammarSource {
  return { current: () => (parser.inAnswer ? { gbnf, id: 0 } : null) };
}

/** The grammar of the first of two that binds at a place. Their ids must differ. */
export function eitherOf(first: GrammarSource, second: GrammarSource | null): GrammarSource {
  return { current: () => first.current() ?? second?.current() ?? null };
}

/**
 * Binds calls from their opening to their end. `opened`: the grammar of what follows the beginning that was written for
 * the model; null when it begins calls itself. `gbnf`: the grammar of any other call; null leaves them free. A call is
 * left free, too, when the token that completed its marker already carried a part of what follows.
 */
export function bindToolCalls(
  grammars: { opened: string | null; gbnf: string | null },
  parser: OutputParser,
): GrammarSource {
  return {
    current() {
      const id = parser.boundCall;
      if (id === null) return null;
      const gbnf = id === 1 && grammars.opened !== null ? grammars.opened : grammars.gbnf;
      return gbnf === null ? null : { gbnf, id };
    },
  };
}
