import type { BatchLine, BatchLineAnswer, BatchLineResult, WordedRequest } from './batch-line.ts';
import type { CallContext } from './call.ts';
import type { ChatRequest } from './chat.ts';
import { AppError } from './errors.ts';
import type { ProviderEvent } from './events.ts';

/** A batch as its service knows it. */
export interface SentBatch {
  /** The service's own id of it. */
  id: string;
  /** Whether it is ours for certain; else its results will tell. */
  isCertain: boolean;
}

/** How far a batch of a service is. */
export interface BatchProgress {
  /** `failed`: the service took none of it; whatever results it has are read all the same. */
  state: 'running' | 'ended' | 'failed';
  /** Of a failed one: why; null: it did not say. */
  reason: string | null;
  /** Whether the same may be taken later, as where the account has too much under way. */
  mayComeAgain: boolean;
}

/** How a batch is found again of which it is not known whether it was sent. */
export interface BatchTrace {
  /** Our id of it. */
  name: string;
  /** How many requests it has. */
  count: number;
  /** When its sending began; clocks of two machines may differ by minutes. */
  sentAt: Date;
  /** Ids of batches of the service that are known to be others. */
  others: ReadonlySet<string>;
}

/** Whether a failure says that a service does not have what is asked for at all. */
export function lacksBatches(error: unknown): boolean {
  return error instanceof AppError && [404, 405, 501].includes(Number(error.details?.['upstream_status']));
}

/** A failure to ask about a batch, where the service does not know it. */
export function unknownBatch(error: unknown, provider: string): unknown {
  if (!(error instanceof AppError) || error.details?.['upstream_status'] !== 404) return error;
  return new AppError('not_found', `${provider} does not know the batch any more.`, { cause: error });
}

/**
 * A service's own way to answer many requests within a day, for less. All methods that ask it reject with `AppError`s, those
 * with `not_supported` where the service does not have it after all.
 */
export interface ProviderBatches {
  /** Most requests, and bytes, of one batch. */
  limits: { requests: number; bytes: number };
  /**
   * A request as its batches take it. Throws what `stream` throws for what it cannot word, and `not_supported` for what only
   * goes by itself. Asks nobody.
   */
  word(request: ChatRequest, context: Pick<CallContext, 'hops'>): WordedRequest;
  /** The answer to a request that was worded so, as `stream` would tell it. Asks nobody. */
  read(request: ChatRequest, answer: BatchLineAnswer, context: CallContext): AsyncIterable<ProviderEvent>;
  /** Sends requests of one group. `name`: our id, by which `find` finds it. Returns the service's id of the batch. */
  submit(batch: { name: string; lines: readonly BatchLine[] }, signal: AbortSignal): Promise<string>;
  /** The batch that was sent under this name, as far as the service can tell; null: there is none. */
  find(trace: BatchTrace, signal: AbortSignal): Promise<SentBatch | null>;
  /** Rejects with `not_found` where the service does not know it. */
  progress(id: string, signal: AbortSignal): Promise<BatchProgress>;
  /** What there is of results, once it has ended, in any order. */
  results(id: string, signal: AbortSignal): AsyncIterable<BatchLineResult>;
  /** The service begins nothing more of it; that may take its time. May reject where it has ended meanwhile. */
  cancel(id: string, signal: AbortSignal): Promise<void>;
  /** What the service keeps of an ended one is removed, as far as it lets us. */
  forget(id: string, signal: AbortSignal): Promise<void>;
}
