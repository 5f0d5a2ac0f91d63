import { setImmediate as nextTurn } from 'node:timers/promises';
import { packVector } from '../../core/embedding.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { damagedError } from '../../ipc/damaged.ts';
import type { WorkerAnswer, WorkerEmbedRequest, WorkerRankRequest } from '../../ipc/protocol.ts';

/** What the library does for one text at a time; `embedding-runtime.ts` has the real one. */
export interface TextModel {
  /** Tokens that one text may have, the model's own frame ([CLS], [SEP]) included. */
  readonly contextTokens: number;
  readonly vocabularySize: number;
  /** Its vectors say most in their first values, so that they may be cut: the file says so. */
  readonly isMatryoshka: boolean;
  /** Token ids of a text, without the frame. */
  tokenize(text: string): number[];
  /** Number of tokens once the frame is there; a frame that is there already is not put on twice. */
  framedLength(tokens: readonly number[]): number;
  /** The vector of a text, not normalised. Calls wait for each other in order. */
  vectorOf(tokens: readonly number[]): Promise<readonly number[]>;
  /** Number of tokens of a query with a document, as `scoreOf` reads them. */
  pairLength(query: string, document: string): number;
  /** 0 to 1. Calls wait for each other in order. */
  scoreOf(query: string, document: string): Promise<number>;
}

export interface Embedder {
  /** Answers exactly once, never rejects. */
  embed(id: number, request: WorkerEmbedRequest): Promise<WorkerAnswer>;
  /** Answers exactly once, never rejects. */
  rank(id: number, request: WorkerRankRequest): Promise<WorkerAnswer>;
  /** Computes one short text. Rejects when what comes of it is of no use: better the load fails than each request. */
  probe(purpose: 'embed' | 'rank'): Promise<void>;
  /** Ends a request after the text under way; unknown ids are ignored. */
  cancel(id: number): void;
  /** Ends every request with `reason`; resolves when the last text under way is done. */
  stop(reason: AppError): Promise<void>;
}

/** Characters per context token above which a text is not tokenised at all: it could take longer than a heartbeat. */
const maxCharactersPerToken = 64;

/**
 * Vectors and scores, text by text. Requests take turns by the text, as the library serves its callers in order, so a
 * short one does not wait for all of a long one. Everything of a request is checked before any of it is computed.
 * `name`: the model's, for errors that a client sees. `log` takes a line for the operator; the library's own words never reach a client.
 */
export function createEmbedder(deps: { name: string; model: TextModel; log: (line: string) => void }): Embedder {
  const { model, name } = deps;
  const running = new Map<number, { ended: AppError | null; done: Promise<unknown> }>();

  const run = (id: number, work: (step: () => Promise<void>) => Promise<WorkerAnswer>): Promise<WorkerAnswer> => {
    const request: { ended: AppError | null; done: Promise<unknown> } = { ended: null, done: Promise.resolve() };
    running.set(id, request);
    // Lets messages in between two texts, a cancel above all.
    const step = async () => {
      await nextTurn();
      if (request.ended) throw request.ended;
    };
    const done = work(step)
      .catch((error: unknown): WorkerAnswer => {
        const failure = toAppError(error);
        if (failure.code === 'internal_error') deps.log(`request: ${String(failure.cause ?? failure)}`);
        return { type: 'refused', id, error: failure.toWire() };
      })
      .finally(() => running.delete(id));
    request.done = done;
    return done;
  };

  return {
    embed: (id, { inputs, dimensions, truncate = false }) =>
      run(id, async (step) => {
        const texts: number[][] = [];
        let promptTokens = 0;
        for (const [index, input] of inputs.entries()) {
          await step();
          const field = `inputs.${index}`;
          const read =
            typeof input === 'string' ? tokensOf(truncate ? begin(input) : input, field) : checkTokens(input, field);
          const tokens = truncate ? fitted(read) : read;
          promptTokens += checkLength(model.framedLength(tokens), field);
          texts.push(tokens);
        }
        const packed: string[] = [];
        for (const tokens of texts) {
          await step();
          packed.push(packVector(normalise(cut(await model.vectorOf(tokens), dimensions), name)));
        }
        return { type: 'embedded', id, packed, promptTokens };
      }),
    rank: (id, { query, documents }) =>
      run(id, async (step) => {
        checkCharacters(query, 'query');
        let promptTokens = 0;
        for (const [index, document] of documents.entries()) {
          await step();
          const field = `documents.${index}`;
          checkCharacters(document, field);
          promptTokens += checkLength(model.pairLength(query, document), field);
        }
        const scores: number[] = [];
        for (const document of documents) {
          await step();
          scores.push(finite(await model.scoreOf(query, document), name));
        }
        return { type: 'ranked', id, scores, promptTokens };
      }),
    async probe(purpose) {
      if (purpose === 'rank') finite(await model.scoreOf('Hello', 'Hello'), name);
      else normalise(await model.vectorOf(model.tokenize('Hello')), name);
    },
    cancel(id) {
      const request = running.get(id);
      if (request) request.ended ??= new AppError('client_closed_request', 'The request was cancelled.');
    },
    async stop(reason) {
      for (const request of running.values()) request.ended ??= reason;
      await Promise.all([...running.values()].map((request) => request.done));
    },
  };

  function cut(vector: readonly number[], dimensions: number | null): readonly number[] {
    if (dimensions === null || dimensions === vector.length) return vector;
    if (!model.isMatryoshka || dimensions > vector.length) throw dimensionsError(vector.length, dimensions, model);
    return vector.slice(0, dimensions);
  }

  function tokensOf(text: string, field: string): number[] {
    checkCharacters(text, field);
    return model.tokenize(text);
  }

  /** No more of a text than could be read of it. */
  function begin(text: string): string {
    return text.slice(0, model.contextTokens * maxCharactersPerToken).toWellFormed();
  }

  /** As many tokens as fit, with the frame around them. */
  function fitted(tokens: number[]): number[] {
    const excess = model.framedLength(tokens) - model.contextTokens;
    return excess <= 0 ? tokens : tokens.slice(0, -excess);
  }

  function checkCharacters(text: string, field: string): void {
    if (text.length > model.contextTokens * maxCharactersPerToken) {
      throw tooLong(field, Math.ceil(text.length / maxCharactersPerToken), model.contextTokens);
    }
  }

  function checkTokens(tokens: number[], field: string): number[] {
    const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= model.vocabularySize);
    if (wrong === undefined) return tokens;
    throw new AppError('invalid_request', `The tokens have ${wrong}, which is none of this model.`, {
      field,
      fix: `Its tokens are 0 to ${model.vocabularySize - 1}.`,
    });
  }

  function checkLength(tokenCount: number, field: string): number {
    if (tokenCount <= model.contextTokens) return tokenCount;
    throw tooLong(field, tokenCount, model.contextTokens);
  }
}

/** Of length 1, in 32-bit floats. Throws when a model gives no direction at all, which only a broken file does. */
function normalise(vector: readonly number[], name: string): number[] {
  const length = finite(Math.hypot(...vector), name);
  if (length === 0) throw damagedError(name, 'gives vectors without a direction');
  return vector.map((value) => Math.fround(value / length));
}

function finite(value: number, name: string): number {
  if (!Number.isFinite(value)) throw damagedError(name);
  return value;
}

/** A model reads a text at once or not at all; cutting it silently would give the vector of another text. */
function tooLong(field: string, promptTokens: number, contextTokens: number): AppError {
  return new AppError(
    'context_length_exceeded',
    `${field === 'query' ? 'The query' : 'The text'} has ${promptTokens} tokens; this model reads ${contextTokens} at once.`,
    {
      field,
      fix: 'Split the text.',
      details: { prompt_tokens: promptTokens, context_tokens: contextTokens },
    },
  );
}

function dimensionsError(made: number, asked: number, { isMatryoshka }: TextModel): AppError {
  return new AppError('invalid_request', `The vectors of this model have ${made} dimensions, not ${asked}.`, {
    field: 'dimensions',
    fix: `Leave the number out, or ask for ${made}${isMatryoshka ? ' or less' : ''}.`,
  });
}
