import type { Llama, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import { AppError } from '../../core/errors.ts';
import { damagedError } from '../../ipc/damaged.ts';
import type { Generation, GenerationSettings, Sequence } from '../sequence/sequence.ts';
import { type Checkpoints, createCheckpoints } from './checkpoints.ts';
import type { DraftPredictor } from './draft-predictor.ts';
import { type Guesses, generateSampled } from './generate-sampled.ts';
import { createGrammarFollower } from './grammar-follower.ts';
import { findStateCopy, watchSampling } from './internals.ts';
import type { StepDriver } from './internals-step.ts';
import { createPicker, seededRandom } from './picker.ts';
import { candidateOptions, randomSeed } from './sampler.ts';

/** Sequences by the interface that the loop sees, to find the library's one of a neighbour. */
const knownOf = new WeakMap<Sequence, { llamaSequence: LlamaContextSequence; checkpoints: Checkpoints }>();

/**
 * A slot over one sequence of the library. `slot`: its id in the context, which orders the batch; `driver`: that of its
 * context, or null where everything is left to the library; `modelName`: for errors that a client sees.
 */
export function toSequence(deps: {
  llamaSequence: LlamaContextSequence;
  slot: number;
  llama: Llama;
  predictor: DraftPredictor | null;
  driver: StepDriver | null;
  modelName: string;
}): Sequence {
  const { llamaSequence, slot, llama, predictor, driver, modelName } = deps;
  const { model } = llamaSequence;
  const watch = watchSampling(llamaSequence) ?? { takeFault: () => null, expect: () => {} };
  /** One evaluation of the library: what its sampler could not do is thrown as what it was. */
  const looked = async <Result>(evaluation: Promise<Result>): Promise<Result> => {
    watch.takeFault();
    const outcome = await evaluation.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    // A guess may have met it, and the token before it be sound; what the sequence holds is not known then.
    const fault = watch.takeFault();
    if (fault?.type === 'failed') throw fault.error;
    if (fault) throw fault.type === 'no-score' ? noScoreError() : damagedError(modelName);
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };
  // Any number is handed through to the strategy unchanged: the slot index orders the batch.
  const evaluationPriority = slot as 1;
  const checkpoints = createCheckpoints(llamaSequence);
  /** The library goes on counting guesses that an answer left behind when it ended; nobody will ever take them. */
  let abandoned = 0;
  const guesses: Guesses = {
    unused: () => llamaSequence.tokenPredictions.unused - abandoned,
    abandon() {
      abandoned = llamaSequence.tokenPredictions.unused;
    },
    async drop() {
      if (guesses.unused() <= 0) return;
      guesses.abandon();
      const { nextTokenIndex: start, contextSize: end } = llamaSequence;
      await llamaSequence.eraseContextTokenRanges([{ start, end }]);
    },
    begin() {
      if (!predictor) return false;
      predictor.hasGuessed = false;
      return predictor.guess();
    },
  };
  const follow = createGrammarFollower(model, llama, () => predictor?.hasGuessed ?? true);
  let hasSwitched = () => false;
  const sequence: Sequence = {
    get length() {
      return llamaSequence.nextTokenIndex;
    },
    reusablePrefix: checkpoints.reusable,
    adapt: (tokens) => checkpoints.cut(checkpoints.reusable(tokens)),
    needsCheckpoints: checkpoints.isNeeded,
    checkpoint: checkpoints.take,
    copyable: checkpoints.copyable,
    async copyFrom(other, length) {
      const source = knownOf.get(other);
      const copy = findStateCopy(llamaSequence);
      if (!source || !copy || other.copyable(length) !== length) return false;
      return checkpoints.copied(source.checkpoints, () => copy(source.llamaSequence, length), length);
    },
    prefill(tokens) {
      driver?.joinLibrary();
      return llamaSequence.evaluateWithoutGeneratingNewTokens(tokens as Token[], { evaluationPriority });
    },
    generate(tokens, how) {
      guesses.abandon();
      // A grammar lives in the library's sampler.
      const picks = !how.grammar && needsPicker(how, model);
      // What our own code chooses may differ from what the library sampled, and its guesses were verified by that.
      if (predictor) predictor.source = picks ? null : (how.drafts ?? null);
      hasSwitched = () => false;
      const guarded = (generation: Generation): Generation => ({
        next: () => looked(generation.next()),
        stop: generation.stop,
      });
      if (picks) {
        const generation = generatePicked(llamaSequence, evaluationPriority, tokens as Token[], how);
        return guarded({
          next() {
            driver?.joinLibrary();
            return generation.next();
          },
          stop: generation.stop,
        });
      }
      const generation = generateSampled(tokens as Token[], how, {
        llamaSequence,
        slot,
        driver,
        watch,
        guesses,
        grammar: how.grammar && follow(how.grammar),
      });
      hasSwitched = generation.hasSwitched;
      return guarded(generation);
    },
    async score(tokens, candidates) {
      guesses.abandon();
      if (predictor) predictor.source = null;
      hasSwitched = () => false;
      driver?.joinLibrary();
      return looked(scoreNext(llamaSequence, evaluationPriority, tokens as Token[], candidates as Token[]));
    },
    draft: predictor && {
      get limit() {
        return predictor.limit;
      },
      set limit(tokens) {
        predictor.limit = tokens;
      },
      get ready() {
        return hasSwitched() ? 0 : guesses.unused();
      },
      takeProposed: () => predictor.takeProposed(),
    },
    tokens: () => llamaSequence.contextTokens,
    async saveState(path) {
      await llamaSequence.saveStateToFile(path);
    },
    async loadState(path) {
      // The library would keep the checkpoints of the old state.
      await checkpoints.clear();
      await llamaSequence.loadStateFromFile(path, { acceptRisk: true });
    },
    reset: checkpoints.clear,
  };
  knownOf.set(sequence, { llamaSequence, checkpoints });
  return sequence;
}

/** The wishes of a request left no token a finite score: a penalty near 0 divides by it, and all others have bounds that do not. */
function noScoreError(): AppError {
  return new AppError('invalid_request', 'With these sampling settings no token has a finite score.', {
    field: 'sampling.repeatPenalty',
    fix: 'Use smaller penalties and biases.',
  });
}

/** What the library's sampler cannot do, or only at a forbidding price. */
function needsPicker({ topLogprobs, sampling }: GenerationSettings, model: LlamaModel): boolean {
  const { ignoreEnd = false, minTokens = 0, logitBias = {}, typicalP = 1 } = sampling;
  const biasesEnd = Object.keys(logitBias).some((token) => model.isEogToken(Number(token) as Token));
  return topLogprobs !== null || ignoreEnd || minTokens > 0 || typicalP < 1 || biasesEnd;
}

/**
 * Shares of the next token's distribution. The greedy sampler leaves the whole vocabulary as it is, and its choice is the
 * largest score, against which the library weighs all others.
 */
async function scoreNext(
  llamaSequence: LlamaContextSequence,
  evaluationPriority: 1,
  tokens: Token[],
  candidates: Token[],
): Promise<number[]> {
  const last = tokens.length - 1;
  const generateNext = {
    token: true,
    totalLogitWeight: true,
    logits: { filter: { tokens: candidates, includeSelected: true } },
    options: { temperature: 0 },
  };
  const input = tokens.map((token, index): Token | [Token, { generateNext: typeof generateNext }] =>
    index === last ? [token, { generateNext }] : token,
  );
  const outputs = await llamaSequence.controlledEvaluate(input, { evaluationPriority });
  const { token, logits, totalLogitWeight } = outputs[last]?.next ?? {};
  const most = token === null || token === undefined ? undefined : logits?.get(token);
  if (most === undefined || totalLogitWeight === undefined) throw new Error('the library gave no scores');
  return candidates.map((candidate) => {
    const logit = logits?.get(candidate);
    // Left out is not the same as a score of nothing.
    if (logit === undefined) throw new Error(`the library gave no score for token ${candidate}`);
    return Math.exp(logit - most) / totalLogitWeight;
  });
}

/** The library gives the best candidates, our own code chooses, and the choice is handed back. */
function generatePicked(
  llamaSequence: LlamaContextSequence,
  evaluationPriority: 1,
  tokens: Token[],
  how: GenerationSettings,
): Generation {
  const { model } = llamaSequence;
  const picker = createPicker({
    sampling: how.sampling,
    topLogprobs: how.topLogprobs,
    isEnd: (token) => model.isEogToken(token as Token),
    random: seededRandom(how.sampling.seed ?? randomSeed()),
  });
  const iterator = llamaSequence.evaluateWithMetadata(
    tokens,
    { probabilities: true },
    { ...candidateOptions(how.sampling, how.generated, llamaSequence, how.topLogprobs), evaluationPriority },
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
