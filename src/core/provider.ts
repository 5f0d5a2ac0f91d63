import type { ChatRequest } from './chat.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from './embedding.ts';
import type { StreamEvent } from './events.ts';

/** What travels beside a request through gateway and provider. */
export interface CallContext {
  /** Aborted when the client is gone or the server wants the request to end; the reason is an `AppError` if it matters. */
  signal: AbortSignal;
  /** For logs and tracing; matches `[A-Za-z0-9_-]{1,64}`. */
  requestId: string;
}

/**
 * A source of answers: the local engine or a cloud service.
 * `stream` must release everything it holds when its iterator returns or its signal aborts, and throws only `AppError`.
 * `embed` and `rank` are for providers that can, and keep the same promise.
 */
export interface Provider {
  readonly id: string;
  stream(request: ChatRequest, context: CallContext): AsyncIterable<StreamEvent>;
  embed?(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult>;
  rank?(request: RankRequest, context: CallContext): Promise<RankResult>;
}
