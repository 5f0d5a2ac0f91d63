import type { WorkerRequest } from '../../ipc/protocol.ts';
import type { DraftSource, GrammarSource } from '../sequence/sequence.ts';
import { answerKey } from './answer-key.ts';
import { noteBinding } from './binding.ts';
import { createEarlierAnswers } from './earlier-answers.ts';
import { createForcedTexts } from './forced-text.ts';
import { inOrder } from './in-order.ts';
import { createOwnTextSource } from './own-text.ts';
import { createPrediction, type Prediction } from './prediction.ts';

export { createDraftController, type DraftController } from './controller.ts';
export { allowsDrafts } from './eligibility.ts';

/** What guesses at answers need to know of one request. */
export interface TaskDrafts {
  /**
   * Called once, before the first token. `generated`: the tokens of the answer so far. Returns where guesses come from,
   * and the grammar to use in place of the given one, which is watched.
   */
  begin(
    generated: readonly number[],
    grammar: GrammarSource | null,
  ): { source: DraftSource; grammar: GrammarSource | null };
  /** What the text that the request predicted has brought so far; null: it predicted none. */
  predicted(): ReturnType<Prediction['counts']> | null;
  /** Takes an answer that came to its end; one that was cancelled is never given. */
  keep(generated: readonly number[]): void;
}

/** The guesses for one request with this prompt. */
export type DraftFactory = (request: WorkerRequest, prompt: readonly number[]) => TaskDrafts;

/** The sources of guesses of one model, and what they keep between requests. */
export function createDraftFactory(model: {
  vocabulary: { bytesOf(token: number): Uint8Array | null };
  tokenizeFurther(text: string): number[];
}): DraftFactory {
  const earlier = createEarlierAnswers();
  const forced = createForcedTexts({
    bytesOf: (token) => model.vocabulary.bytesOf(token),
    tokenize: (text) => model.tokenizeFurther(text),
  });
  return (request, prompt) => {
    const key = answerKey(request);
    const { prediction: text = '' } = request;
    let prediction: Prediction | null = null;
    return {
      begin(generated, grammar) {
        const bound = grammar && noteBinding(grammar, generated);
        prediction = text === '' ? null : createPrediction(() => model.tokenizeFurther(text), generated);
        // The surest first.
        const sources: DraftSource[] = [
          ...(bound ? [forced.source(bound, generated)] : []),
          ...(prediction ? [prediction] : []),
          createOwnTextSource(prompt, generated),
          ...(key === null ? [] : [earlier.source(key, generated)]),
        ];
        return { source: inOrder(sources), grammar: bound };
      },
      predicted: () => prediction?.counts() ?? null,
      keep(generated) {
        if (key !== null) earlier.add(key, generated);
      },
    };
  };
}
