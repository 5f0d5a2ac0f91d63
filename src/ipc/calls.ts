import type { Decision } from '../core/decision.ts';
import { unpackVector } from '../core/embedding.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { TokensResult } from '../core/provider.ts';
import type {
  ToWorker,
  WorkerAnswer,
  WorkerDecisionRequest,
  WorkerEmbedRequest,
  WorkerMeasurement,
  WorkerRankRequest,
  WorkerRequest,
  WorkerTokensRequest,
} from './protocol.ts';

/** Requests that have one answer instead of a stream. */
export interface Calls {
  /**
   * Asks for vectors, in the order of the inputs. An abort cancels it in the worker and rejects with its reason at
   * once; the close of the channel rejects it too. `onSettled` runs exactly once, when the worker is done with it.
   */
  embed(
    request: WorkerEmbedRequest,
    signal: AbortSignal,
    onSettled: () => void,
  ): Promise<{ vectors: number[][]; promptTokens: number }>;
  /** Asks for scores, in the order of the documents; otherwise as `embed`. */
  rank(
    request: WorkerRankRequest,
    signal: AbortSignal,
    onSettled: () => void,
  ): Promise<{ scores: number[]; promptTokens: number }>;
  /** Asks for decisions, in the order of the questions; otherwise as `embed`. */
  decide(
    request: WorkerDecisionRequest,
    signal: AbortSignal,
    onSettled: () => void,
  ): Promise<{ decisions: Decision[]; promptTokens: number; cachedTokens: number }>;
  /** Counts the tokens of a request's prompt and generates nothing; otherwise as `embed`. */
  count(request: WorkerRequest, signal: AbortSignal, onSettled: () => void): Promise<{ promptTokens: number }>;
  /** Turns text into tokens, or tokens into text; otherwise as `embed`. */
  tokens(
    request: WorkerTokensRequest,
    signal: AbortSignal,
    onSettled: () => void,
  ): Promise<Omit<TokensResult, 'model'>>;
  /**
   * Runs one step for its time; milliseconds, null when the worker could not. It needs no slot: the worker does it
   * between requests, and one that arrives meanwhile waits for this one step. An abort rejects as in `embed`.
   */
  measure(setting: WorkerMeasurement, signal: AbortSignal): Promise<number | null>;
}

/** The open calls of one channel, which owns the port and the ids. */
export function createCalls(deps: { send: (message: ToWorker) => void; newId: () => number }): Calls & {
  /** Takes the worker's answer; one for an id that is not open is dropped. */
  deliver(answer: WorkerAnswer): void;
  close(reason: AppError): void;
} {
  const open = new Map<number, { settle: (answer: WorkerAnswer) => void; fail: (reason: AppError) => void }>();
  let closed: AppError | null = null;

  const ask = (
    message: (id: number) => ToWorker,
    signal: AbortSignal,
    onSettled: () => void,
  ): Promise<Exclude<WorkerAnswer, { type: 'refused' }>> => {
    if (closed || signal.aborted) {
      onSettled();
      return Promise.reject(closed ?? toAppError(signal.reason));
    }
    const id = deps.newId();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        // The call stays open: the slot is free only when the worker has confirmed.
        deps.send({ type: 'cancel', id });
        reject(toAppError(signal.reason));
      };
      const end = () => {
        open.delete(id);
        signal.removeEventListener('abort', onAbort);
        onSettled();
      };
      open.set(id, {
        settle(answer) {
          end();
          if (answer.type === 'refused') reject(AppError.fromWire(answer.error));
          else resolve(answer);
        },
        fail(reason) {
          end();
          reject(reason);
        },
      });
      signal.addEventListener('abort', onAbort, { once: true });
      deps.send(message(id));
    });
  };

  return {
    async embed(request, signal, onSettled) {
      const answer = await ask((id) => ({ type: 'embed', id, request }), signal, onSettled);
      if (answer.type !== 'embedded')
        throw new Error(`the worker answered a request for vectors with "${answer.type}"`);
      return { vectors: answer.packed.map(unpackVector), promptTokens: answer.promptTokens };
    },
    async rank(request, signal, onSettled) {
      const answer = await ask((id) => ({ type: 'rank', id, request }), signal, onSettled);
      if (answer.type !== 'ranked') throw new Error(`the worker answered a request for scores with "${answer.type}"`);
      return { scores: answer.scores, promptTokens: answer.promptTokens };
    },
    async decide(request, signal, onSettled) {
      const answer = await ask((id) => ({ type: 'decide', id, request }), signal, onSettled);
      if (answer.type !== 'decided') throw new Error(`the worker answered a request to decide with "${answer.type}"`);
      const { decisions, promptTokens, cachedTokens } = answer;
      return { decisions, promptTokens, cachedTokens };
    },
    async count(request, signal, onSettled) {
      const answer = await ask((id) => ({ type: 'count', id, request }), signal, onSettled);
      if (answer.type !== 'counted') throw new Error(`the worker answered a request for a count with "${answer.type}"`);
      return { promptTokens: answer.promptTokens };
    },
    async tokens(request, signal, onSettled) {
      const answer = await ask((id) => ({ type: 'tokens', id, request }), signal, onSettled);
      if (answer.type !== 'tokens') throw new Error(`the worker answered a request for tokens with "${answer.type}"`);
      const { text, tokens, pieces } = answer;
      return { text, tokens, ...(pieces && { pieces }) };
    },
    async measure(setting, signal) {
      const answer = await ask(
        (id) => ({ type: 'measure', id, setting }),
        signal,
        () => {},
      );
      if (answer.type !== 'measured') throw new Error(`the worker answered a measurement with "${answer.type}"`);
      return answer.milliseconds;
    },
    deliver(answer) {
      open.get(answer.id)?.settle(answer);
    },
    close(reason) {
      closed = reason;
      for (const call of [...open.values()]) call.fail(reason);
    },
  };
}
