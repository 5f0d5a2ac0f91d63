import { getModuleVersion, type LlamaContext, LlamaGrammar, type LlamaModel, type Token } from 'node-llama-cpp';
import type { WorkerOptions } from '../../ipc/protocol.ts';
import type { StateFormat } from '../prefix/prefix.ts';
import type { Sequence } from '../sequence/sequence.ts';
import { createVocabulary, type Vocabulary } from '../text/text.ts';
import { checkpointOptions } from './checkpoints.ts';
import { DraftPredictor } from './draft-predictor.ts';
import { fingerprintOf } from './fingerprint.ts';
import { acceptsSeveralGuesses, findEvaluateOnly } from './internals.ts';
import { findStepDriver, type InOrder } from './internals-step.ts';
import { loadFailure, loadModel, startLibrary } from './library.ts';
import { toSequence } from './slot-sequence.ts';

/** A loaded model with its slots: everything of node-llama-cpp that the rest of the worker sees. */
export interface Runtime {
  readonly sequences: readonly Sequence[];
  readonly contextTokens: number;
  readonly batchTokens: number;
  /** Bytes of its weights. */
  readonly modelBytes: number;
  /** What decides whether a stored state fits. */
  readonly stateFormat: StateFormat;
  readonly vocabulary: Vocabulary;
  readonly templateSource: string | null;
  /** As the file calls them: `general.architecture`, `tokenizer.ggml.model`. */
  readonly architecture: string;
  readonly tokenizerModel: string;
  readonly bosText: string;
  readonly eosText: string;
  /** See `fingerprintOf`. */
  readonly fingerprint: string;
  /** Token ids of a prompt in pieces, with the start token exactly once if the model wants one. */
  tokenize(pieces: readonly string[]): number[];
  /** Tokens of text that goes on where other text stands before it. */
  tokenizeFurther(text: string): number[];
  /** Token ids of a text alone. `controlsAreText`: names of control tokens in it are text. */
  tokenizeText(text: string, how: { addStart: boolean; controlsAreText: boolean }): number[];
  /** `showsControls`: control tokens by their names; left out: they are nothing. */
  detokenize(tokens: number[], showsControls?: boolean): string;
  /** Tokens around what is to be filled in; null: the model has none. */
  readonly infill: { prefix: number; suffix: number; middle: number } | null;
  isEnd(token: number): boolean;
  /** Whether llama.cpp can read a grammar. */
  acceptsGrammar(gbnf: string): boolean;
  setThreads(threads: number): void;
  /** Evaluates tokens at the end of a slot's sequence and samples nothing; null: the library has no way to. */
  readonly evaluate: ((slot: number, tokens: number[], logits: 'all' | 'last') => Promise<void>) | null;
  /** Frees sequences, context, model and library in that order; nothing may be running. */
  dispose(): Promise<void>;
}

/** Loads a model as told. `inOrder`: as `ThreadPool` in `worker/batch` has it. Throws `model_load_failed` with what an operator can do; the library's own words only go to stderr. */
export async function createRuntime(options: WorkerOptions, inOrder: InOrder): Promise<Runtime> {
  const llama = await startLibrary(options);
  const model = await loadModel(llama, options);
  const context = await createContext(model, options);
  const guesses = options.drafts && supportsDrafts(model);
  // Ids equal the order of these calls, and sequences are never disposed: slot n is sequence n for ever.
  const slots = Array.from({ length: options.slots }, () => {
    const predictor = guesses ? new DraftPredictor() : null;
    const llamaSequence = context.getSequence({
      checkpoints: checkpointOptions(options.slots),
      ...(predictor && { tokenPredictor: predictor }),
    });
    return { llamaSequence, predictor };
  });
  const llamaSequences = slots.map(({ llamaSequence }) => llamaSequence);
  const evaluators = llamaSequences.map(findEvaluateOnly);
  const driver = findStepDriver({ context, sequences: llamaSequences, inOrder });
  const sequences = slots.map((own, slot) => toSequence({ ...own, slot, llama, driver, modelName: options.model }));
  llama.maxThreads = options.threads;
  await probe(sequences[0]!, model);

  /** Asked for every token, and a call into the library each time. */
  const ends = new Map<number, boolean>();
  const metadata = model.fileInfo.metadata;
  const ggml = metadata.tokenizer?.ggml;
  const template = metadata.tokenizer?.chat_template;
  const bos = model.tokens.bos;
  const withStart = (tokens: number[]) =>
    bos !== null && model.tokens.shouldPrependBosToken && tokens[0] !== bos ? [bos, ...tokens] : tokens;
  return {
    sequences,
    contextTokens: options.contextTokens,
    batchTokens: context.batchSize,
    modelBytes: model.size,
    stateFormat: {
      // A GPU rounds otherwise than the CPU, and its layers lie otherwise.
      engineVersion: [await getModuleVersion(), llama.llamaCppRelease.release, options.gpu?.backend ?? []]
        .flat()
        .join(' '),
      contextTokens: options.contextTokens,
      slots: options.slots,
      kvType: options.kvType,
      flashAttention: options.flashAttention,
      slidingWindow: model.fileInsights.swaSize ?? null,
      cuttable: !model.fileInsights.isRecurrent && !model.fileInsights.isHybrid,
    },
    vocabulary: createVocabulary({
      model: ggml?.model ?? '',
      tokens: (ggml?.tokens ?? []) as string[],
      types: (ggml?.token_type ?? null) as number[] | null,
    }),
    templateSource: typeof template === 'string' && template.trim() !== '' ? template : null,
    architecture: metadata.general.architecture,
    tokenizerModel: ggml?.model ?? '',
    bosText: model.tokens.bosString ?? '',
    eosText: model.tokens.eosString ?? '',
    fingerprint: await fingerprintOf(options.modelPath, llama.llamaCppRelease.release),
    tokenize(pieces) {
      const tokens: number[] = [];
      pieces.forEach((piece, index) => {
        // Only the first piece stands at the start of the text, where SentencePiece puts a space in front.
        tokens.push(...(index === 0 ? model.tokenize(piece, true) : model.tokenize(piece, true, 'trimLeadingSpace')));
      });
      return withStart(tokens);
    },
    tokenizeText(text, { addStart, controlsAreText }) {
      const tokens = [...model.tokenize(text, !controlsAreText)];
      return addStart ? withStart(tokens) : tokens;
    },
    tokenizeFurther: (text) => [...model.tokenize(text, true, 'trimLeadingSpace')],
    detokenize: (tokens, showsControls = false) => model.detokenize(tokens as Token[], showsControls),
    infill: infillOf(model),
    isEnd(token) {
      const known = ends.get(token);
      if (known !== undefined) return known;
      const isEnd = model.isEogToken(token as Token);
      ends.set(token, isEnd);
      return isEnd;
    },
    acceptsGrammar(gbnf) {
      try {
        new LlamaGrammar(llama, { grammar: gbnf });
        return true;
      } catch {
        // Its own words name a place in native code, and say nothing that a client could use.
        return false;
      }
    },
    setThreads(threads) {
      llama.maxThreads = Math.max(1, Math.min(threads, options.maxThreads));
    },
    evaluate: evaluators.includes(null)
      ? null
      : (slot, tokens, logits) => evaluators[slot]!(slot, tokens as Token[], logits),
    async dispose() {
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}

function infillOf({ tokens }: LlamaModel): Runtime['infill'] {
  const { prefix, suffix, middle } = tokens.infill;
  return prefix === null || suffix === null || middle === null ? null : { prefix, suffix, middle };
}

/** Runs one step, so that a model whose weights are no numbers fails its load and not a request. */
async function probe(sequence: Sequence, model: LlamaModel): Promise<void> {
  const tokens = model.tokenize('Hello', true).slice(0, 8);
  const generation = sequence.generate(tokens.length > 0 ? tokens : [0], {
    sampling: { temperature: 0 },
    generated: [],
    topLogprobs: null,
    grammar: null,
  });
  try {
    await generation.next();
  } finally {
    await generation.stop();
    await sequence.reset();
  }
}

/**
 * Guesses need the patched library (`patches/`): as published it never accepts more than one guess a step. On models with
 * a recurrent state or a sliding window a refuted guess would have to be taken back through a checkpoint every time.
 */
function supportsDrafts(model: LlamaModel): boolean {
  const { isRecurrent, isHybrid, swaSize } = model.fileInsights;
  return acceptsSeveralGuesses() && !isRecurrent && !isHybrid && swaSize === undefined;
}

async function createContext(model: LlamaModel, options: WorkerOptions): Promise<LlamaContext> {
  try {
    return await model.createContext({
      contextSize: options.contextTokens,
      sequences: options.slots,
      batchSize: options.batchTokens,
      threads: options.maxThreads,
      flashAttention: options.flashAttention ? 'auto' : false,
      // The library calls these experimental; what they give is compared with 16 bits in a test.
      ...(options.kvType === 'q8_0' && { experimentalKvCacheKeyType: 'Q8_0', experimentalKvCacheValueType: 'Q8_0' }),
      failedCreationRemedy: false,
      ignoreMemorySafetyChecks: true,
      batching: {
        dispatchSchedule: 'nextCycle',
        // llama.cpp cuts a batch wherever sequence ids are not consecutive, so the order must be the slots' order;
        // the step loop never queues more than one batch holds, so everything goes in.
        itemPrioritizationStrategy: ({ items }) =>
          [...items]
            .sort((a, b) => a.evaluationPriority - b.evaluationPriority)
            .map((item) => ({ item, processAmount: item.tokens.length })),
      },
    });
  } catch (error) {
    throw loadFailure('The context for this model could not be created.', 'native_context', error);
  }
}
