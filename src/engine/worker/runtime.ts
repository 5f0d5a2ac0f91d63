import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { WorkerOptions } from '../ipc/protocol.ts';
import { loadFailure, loadModel, startLibrary } from './library.ts';
import { evaluateOptions } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { createVocabulary, type Vocabulary } from './vocabulary.ts';

/** A loaded model with its slots: everything of node-llama-cpp that the rest of the worker sees. */
export interface Runtime {
  readonly sequences: readonly Sequence[];
  readonly contextTokens: number;
  readonly batchTokens: number;
  readonly gpu: string;
  readonly gpuReason: string | null;
  readonly vocabulary: Vocabulary;
  readonly templateSource: string | null;
  readonly bosText: string;
  readonly eosText: string;
  /** Token ids of a prompt in pieces, with the start token exactly once if the model wants one. */
  tokenize(pieces: readonly string[]): number[];
  detokenize(tokens: number[]): string;
  isEnd(token: number): boolean;
  setThreads(threads: number): void;
  /** Frees sequences, context, model and library in that order; nothing may be running. */
  dispose(): Promise<void>;
}

/** Loads a model as told. Throws `model_load_failed` with what an operator can do; native text only goes to stderr. */
export async function createRuntime(options: WorkerOptions): Promise<Runtime> {
  const { llama, gpuReason } = await startLibrary(options);
  const model = await loadModel(llama, options);
  const context = await createContext(model, options);
  // Ids equal the order of these calls, and sequences are never disposed: slot n is sequence n for ever.
  const sequences = Array.from({ length: options.slots }, (_, slot) =>
    toSequence(context.getSequence({ checkpoints: { max: 4, interval: false, maxMemory: 256 * 1024 * 1024 } }), slot),
  );
  llama.maxThreads = options.threads;

  const metadata = model.fileInfo.metadata;
  const ggml = metadata.tokenizer?.ggml;
  const template = metadata.tokenizer?.chat_template;
  const bos = model.tokens.bos;
  return {
    sequences,
    contextTokens: options.contextTokens,
    batchTokens: context.batchSize,
    gpu: llama.gpu === false ? 'off' : llama.gpu,
    gpuReason,
    vocabulary: createVocabulary({
      model: ggml?.model ?? '',
      tokens: (ggml?.tokens ?? []) as string[],
      types: (ggml?.token_type ?? null) as number[] | null,
    }),
    templateSource: typeof template === 'string' && template.trim() !== '' ? template : null,
    bosText: model.tokens.bosString ?? '',
    eosText: model.tokens.eosString ?? '',
    tokenize(pieces) {
      const tokens: number[] = [];
      pieces.forEach((piece, index) => {
        // Only the first piece stands at the start of the text, where SentencePiece puts a space in front.
        tokens.push(...(index === 0 ? model.tokenize(piece, true) : model.tokenize(piece, true, 'trimLeadingSpace')));
      });
      if (bos !== null && model.tokens.shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos);
      return tokens;
    },
    detokenize: (tokens) => model.detokenize(tokens as Token[]),
    isEnd: (token) => model.isEogToken(token as Token),
    setThreads(threads) {
      llama.maxThreads = Math.max(1, Math.min(threads, options.maxThreads));
    },
    async dispose() {
      await context.dispose();
      await model.dispose();
      await llama.dispose();
    },
  };
}

async function createContext(model: LlamaModel, options: WorkerOptions): Promise<LlamaContext> {
  try {
    return await model.createContext({
      contextSize: options.contextTokens,
      sequences: options.slots,
      batchSize: options.batchTokens,
      threads: options.maxThreads,
      flashAttention: options.flashAttention ? 'auto' : false,
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

function toSequence(native: LlamaContextSequence, slot: number): Sequence {
  // Any number is handed through to the strategy unchanged: the slot index orders the batch.
  const evaluationPriority = slot as 1;
  const windowTokens = native.model.fileInsights.swaSize ?? null;
  /** Sliding-window models keep only the window: a cut inside what was dropped must not be reused. */
  const reusable = (tokens: readonly number[]): number => {
    const common = Math.min(native.compareContextTokens(tokens as Token[]).firstDifferentIndex, tokens.length - 1);
    if (common <= 0) return 0;
    if (common === native.nextTokenIndex) return common;
    if (windowTokens !== null) {
      const firstCell = native.stateCellsStartIndex;
      if (firstCell > 0 && firstCell > common - windowTokens) return 0;
    }
    return common;
  };
  return {
    get length() {
      return native.nextTokenIndex;
    },
    reusablePrefix: reusable,
    async adapt(tokens) {
      const common = reusable(tokens);
      if (common === 0) await native.clearHistory();
      // Without a shift: shifted keys are only an approximation of the ones a fresh run would compute.
      else await native.adaptStateToTokens(tokens.slice(0, common) as Token[], false);
      return native.nextTokenIndex;
    },
    prefill: (tokens) => native.evaluateWithoutGeneratingNewTokens(tokens as Token[], { evaluationPriority }),
    generate(tokens, sampling, generated) {
      const iterator = native.evaluate(tokens as Token[], {
        ...evaluateOptions(sampling, generated),
        evaluationPriority,
      });
      return {
        async next() {
          const result = await iterator.next();
          if (result.done) throw new Error('the generation ended by itself');
          return result.value;
        },
        async stop() {
          await iterator.return();
        },
      };
    },
    reset: () => native.clearHistory(),
  };
}
