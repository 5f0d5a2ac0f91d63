import type { LlamaEmbeddingContext, LlamaModel, LlamaRankingContext, Token } from 'node-llama-cpp';
import { AppError } from '../../core/errors.ts';
import type { WorkerOptions } from '../../ipc/protocol.ts';
import type { TextModel } from '../embedder/embedder.ts';
import { loadFailure, loadModel, startLibrary } from './library.ts';

/** A loaded model that makes vectors or scores: everything of node-llama-cpp that the embedder sees. */
export interface EmbeddingRuntime {
  readonly model: TextModel;
  setThreads(threads: number): void;
  /** Frees context, model and library in that order; nothing may be running. */
  dispose(): Promise<void>;
}

/** Loads a model for `embed` or `rank`. Throws `model_load_failed`; the library's own words only go to stderr. */
export async function createEmbeddingRuntime(options: WorkerOptions): Promise<EmbeddingRuntime> {
  const llama = await startLibrary(options);
  const model = await loadModel(llama, options);
  const contextOptions = {
    // The library wants one cell more than a text has tokens.
    contextSize: options.contextTokens + 1,
    // Encoders look at a text as a whole: the plan gives them a batch as long as the context. With the library's own
    // 512 only the last part of a longer text would count, and nothing would say so.
    batchSize: options.batchTokens,
    threads: options.maxThreads,
    // The server planned before.
    ignoreMemorySafetyChecks: true,
  };
  const contextFailure = (error: unknown) =>
    loadFailure('The context for this model could not be created.', 'native_context', error);
  let texts: TextModel;
  let context: { dispose(): Promise<void> };
  if (options.purpose === 'rank') {
    const ranking = await model.createRankingContext(contextOptions).catch((error: unknown) => {
      throw contextFailure(error);
    });
    context = ranking;
    texts = rankingModel(model, ranking, options.contextTokens);
  } else {
    const embedding = await model.createEmbeddingContext(contextOptions).catch((error: unknown) => {
      throw contextFailure(error);
    });
    context = embedding;
    texts = embeddingModel(model, embedding, options.contextTokens);
  }
  llama.maxThreads = options.threads;
  return {
    model: texts,
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

function embeddingModel(model: LlamaModel, context: LlamaEmbeddingContext, contextTokens: number): TextModel {
  return {
    ...shared(model, contextTokens),
    framedLength: (tokens) => context.calculateInputLength(nonEmpty(model, tokens)),
    // The library puts the frame on by itself, unless it is there.
    vectorOf: async (tokens) => (await context.getEmbeddingFor(nonEmpty(model, tokens))).vector,
    pairLength: () => refuse('ranks no documents'),
    scoreOf: () => refuse('ranks no documents'),
  };
}

function rankingModel(model: LlamaModel, context: LlamaRankingContext, contextTokens: number): TextModel {
  return {
    ...shared(model, contextTokens),
    framedLength: () => refuse('makes no embeddings'),
    vectorOf: () => refuse('makes no embeddings'),
    pairLength: (query, document) => context.calculateInputLength(query, document),
    scoreOf: (query, document) => context.rank(query, document),
  };
}

function shared(
  model: LlamaModel,
  contextTokens: number,
): Pick<TextModel, 'contextTokens' | 'vocabularySize' | 'isMatryoshka' | 'tokenize'> {
  return {
    contextTokens,
    vocabularySize: model.fileInfo.metadata.tokenizer.ggml.tokens.length,
    isMatryoshka: saysMatryoshka(model.fileInfo.metadata),
    // Without special tokens: "[SEP]" in a client's text is text.
    tokenize: (text) => model.tokenize(text),
  };
}

/** A file says it by a tag of its model card, or by a key of its own that lists the lengths. */
function saysMatryoshka(metadata: object): boolean {
  const general: unknown = Reflect.get(metadata, 'general');
  const tags: unknown = typeof general === 'object' && general !== null ? Reflect.get(general, 'tags') : null;
  if (Array.isArray(tags) && tags.some((tag) => typeof tag === 'string' && /matryoshka/i.test(tag))) return true;
  return Object.values(metadata).some(
    (part: unknown) => typeof part === 'object' && part !== null && Object.hasOwn(part, 'matryoshka_dimensions'),
  );
}

/** A text of spaces may have no tokens, and the library gives no vector for none: the first of the frame stands in. */
function nonEmpty(model: LlamaModel, tokens: readonly number[]): Token[] {
  const first = model.tokens.bos ?? model.tokens.eos;
  return (tokens.length === 0 && first !== null ? [first] : tokens) as Token[];
}

/** The server asks a model only for what its header says it can do. */
function refuse(what: string): never {
  throw new AppError('invalid_request', `This model ${what}.`, { field: 'model' });
}
