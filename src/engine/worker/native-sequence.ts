import {
  type Llama,
  type LlamaContextSequence,
  LlamaGrammar,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import type { DraftPredictor } from './draft/predictor.ts';
import { type Checkpoints, createCheckpoints } from './native-checkpoints.ts';
import { createPicker, seededRandom } from './picker.ts';
import { candidateOptions, evaluateOptions, randomSeed } from './sampler.ts';
import type { Generation, GenerationSettings, GrammarSource, Sequence } from './sequence.ts';

/** Sequences by the interface that the loop sees, to find the native one of a neighbour. */
const nativeOf = new WeakMap<Sequence, { native: LlamaContextSequence; checkpoints: Checkpoints }>();

/** Not public: the copy that the library's decision contexts use. Looked for, never taken for granted. */
interface CopySource {
  _copyStateFromOtherSequence?: (other: LlamaContextSequence, upToTokenIndex: number) => Promise<boolean>;
}

/** A slot over one sequence of the library. `slot`: its id in the context, which orders the batch. */
export function toSequence(
  native: LlamaContextSequence,
  slot: number,
  llama: Llama,
  predictor: DraftPredictor | null,
): Sequence {
  const { model } = native;
  // Any number is handed through to the strategy unchanged: the slot index orders the batch.
  const evaluationPriority = slot as 1;
  const checkpoints = createCheckpoints(native);
  /** The library goes on counting guesses that an answer left behind when it ended; nobody will ever take them. */
  let abandoned = 0;
  const sequence: Sequence = {
    get length() {
      return native.nextTokenIndex;
    },
    reusablePrefix: checkpoints.reusable,
    adapt: (tokens) => checkpoints.cut(checkpoints.reusable(tokens)),
    needsCheckpoints: checkpoints.isNeeded,
    checkpoint: checkpoints.take,
    copyable: checkpoints.copyable,
    async copyFrom(other, length) {
      const source = nativeOf.get(other);
      const copy = (native as CopySource)._copyStateFromOtherSequence?.bind(native);
      if (!source || !copy || other.copyable(length) !== length) return false;
      return checkpoints.copied(source.checkpoints, () => copy(source.native, length), length);
    },
    prefill: (tokens) => native.evaluateWithoutGeneratingNewTokens(tokens as Token[], { evaluationPriority }),
    generate(tokens, how) {
      abandoned = native.tokenPredictions.unused;
      // A grammar lives in the library's sampler.
      const picks = !how.grammar && needsPicker(how, model);
      // What our own code chooses may differ from what the library sampled, and its guesses were verified by that.
      if (predictor) predictor.source = picks ? null : (how.drafts ?? null);
      return picks
        ? generatePicked(native, evaluationPriority, tokens as Token[], how)
        : generateNative(native, evaluationPriority, tokens as Token[], how, llama);
    },
    draft: predictor && {
      get limit() {
        return predictor.limit;
      },
      set limit(tokens) {
        predictor.limit = tokens;
      },
      get ready() {
        return native.tokenPredictions.unused - abandoned;
      },
      takeProposed: () => predictor.takeProposed(),
    },
    tokens: () => native.contextTokens,
    async saveState(path) {
      await native.saveStateToFile(path);
    },
    async loadState(path) {
      // The library would keep the checkpoints of the old state.
      await checkpoints.clear();
      await native.loadStateFromFile(path, { acceptRisk: true });
    },
    reset: checkpoints.clear,
  };
  nativeOf.set(sequence, { native, checkpoints });
  return sequence;
}

/** What the library's sampler cannot do, or only at a forbidding price. */
function needsPicker({ topLogprobs, sampling }: GenerationSettings, model: LlamaModel): boolean {
  const { ignoreEnd = false, minTokens = 0, logitBias = {} } = sampling;
  const biasesEnd = Object.keys(logitBias).some((token) => model.isEogToken(Number(token) as Token));
  return topLogprobs !== null || ignoreEnd || minTokens > 0 || biasesEnd;
}

/** The library samples; the usual way. */
function generateNative(
  native: LlamaContextSequence,
  evaluationPriority: 1,
  tokens: Token[],
  how: GenerationSettings,
  llama: Llama,
): Generation {
  const state = how.grammar && followGrammar(how.grammar, native.model, llama);
  // One generator fewer per token than the library's shorter call.
  const iterator = native.evaluateWithMetadata(
    tokens,
    {},
    {
      ...evaluateOptions(how.sampling, how.generated, native),
      ...(state && { grammarEvaluationState: state }),
      evaluationPriority,
    },
  );
  return {
    async next() {
      const result = await iterator.next();
      if (result.done) throw new Error('the generation ended by itself');
      return { token: result.value.token, logprob: null, top: [] };
    },
    async stop() {
      await iterator.return();
    },
  };
}

/** The state that binds the next token, begun anew whenever the source begins anew. */
function followGrammar(
  source: GrammarSource,
  model: LlamaModel,
  llama: Llama,
): () => LlamaGrammarEvaluationState | undefined {
  let state: LlamaGrammarEvaluationState | undefined;
  let id: number | null = null;
  return () => {
    const current = source.current();
    if (!current) return undefined;
    if (current.id !== id) {
      id = current.id;
      state = new LlamaGrammarEvaluationState({ model, grammar: new LlamaGrammar(llama, { grammar: current.gbnf }) });
    }
    return state;
  };
}

/** The library gives the best candidates, our own code chooses, and the choice is handed back. */
function generatePicked(
  native: LlamaContextSequence,
  evaluationPriority: 1,
  tokens: Token[],
  how: GenerationSettings,
): Generation {
  const { model } = native;
  const picker = createPicker({
    sampling: how.sampling,
    topLogprobs: how.topLogprobs,
    isEnd: (token) => model.isEogToken(token as Token),
    random: seededRandom(how.sampling.seed ?? randomSeed()),
  });
  const iterator = native.evaluateWithMetadata(
    tokens,
    { probabilities: true },
    { ...candidateOptions(how.sampling, how.generated, native, how.topLogprobs), evaluationPriority },
  );
  let chosen: Token | undefined;
  return {
    async next() {
      const result = await (chosen === undefined ? iterator.next() : iterator.next(chosen));
      if (result.done) throw new Error('the generation ended by itself');
      const picked = picker.pick(result.value.probabilities, how.generated.length);
      chosen = picked.token as Token;
      return picked;
    },
    async stop() {
      await iterator.return();
    },
  };
}
