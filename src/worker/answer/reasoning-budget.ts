import { quoted } from '../families/families.ts';
import type { GrammarSource } from '../sequence/sequence.ts';
import type { OutputParser } from './output-parser.ts';

/** How much a model may still think. */
export interface ReasoningBudget {
  /** One more token of reasoning was generated. */
  spend(): void;
  /** The grammar that closes the reasoning once all is spent, and before and behind it the given one. */
  bind(grammar: GrammarSource | null): GrammarSource;
}

/** Told apart from the grammars of formats and calls, which count from 0. */
const closingId = -1;

/**
 * A budget of `tokens`, the `closeTokens` included that the text `close` takes which ends reasoning. The model is made to
 * write it, so that it goes on with its answer instead of being cut off.
 */
export function createReasoningBudget(
  { tokens, close, closeTokens }: { tokens: number; close: string; closeTokens: number },
  parser: Pick<OutputParser, 'inReasoning'>,
): ReasoningBudget {
  // The last token of the closing text is no reasoning any more.
  let left = tokens - (closeTokens - 1);
  const closing = { gbnf: `root ::= ${quoted(close)}\n`, id: closingId };
  return {
    spend() {
      left--;
    },
    bind: (grammar) => ({
      current: () => (parser.inReasoning && left <= 0 ? closing : (grammar?.current() ?? null)),
    }),
  };
}
