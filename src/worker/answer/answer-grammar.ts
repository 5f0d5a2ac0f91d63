import type { OutputFormat } from '../../core/chat.ts';
import { anyJsonGrammar, checkGivenGrammar, schemaToGrammar } from '../grammar/grammar.ts';
import type { GrammarSource } from '../sequence/sequence.ts';
import type { OutputParser } from './output-parser.ts';

/**
 * The grammar of a whole answer, or null for free text. `nowMs`: a steady clock, for the budget of the conversion.
 * Throws `invalid_request` naming the keyword of the schema that cannot be kept, or what is wrong with a grammar.
 */
export function formatGrammar(format: OutputFormat, nowMs: () => number): string | null {
  switch (format.type) {
    case 'text':
      return null;
    case 'json':
      return anyJsonGrammar();
    case 'json-schema':
      return schemaToGrammar(format.schema, { now: nowMs });
    case 'grammar':
      return checkGivenGrammar(format.gbnf);
  }
}

/** Binds the answer from its first token, once reasoning is over. */
export function bindAnswer(gbnf: string, parser: OutputParser): GrammarSource {
  return { current: () => (parser.inReasoning ? null : { gbnf, id: 0 }) };
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
