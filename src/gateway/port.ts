import type { CallContext } from '../core/call.ts';
import type { ChatRequest, OriginalRequest } from '../core/chat.ts';
import type { DecisionRequest, DecisionResult } from '../core/decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../core/embedding.ts';
import type { Progress, StreamEvent, Warning } from '../core/events.ts';
import type { ModelInfo } from '../core/model.ts';
import type { KeptAnswerRequest, PassedAnswer, TokenCount, TokensRequest, TokensResult } from '../core/provider.ts';
import type { Whereto } from './plans.ts';

/** An answer that has begun: which provider and model give it, and its events from the first one on. */
export interface BegunAnswer {
  providerId: string;
  model: string;
  /** As its provider tells it; null: it does not. */
  fingerprint: string | null;
  /** What of the request its provider does not honour. */
  warnings: readonly Warning[];
  /** The provider's own id of the answer; null: it has none. */
  responseId: string | null;
  /** From the `start` on. Of a relayed answer it is what was understood; iterate this or the bytes, never both. */
  events: AsyncIterableIterator<StreamEvent>;
  /** What it has cost in nano-USD, once it has ended; null: unknown, or nobody keeps books. */
  costNanoUsd(): bigint | null;
  /** The answer as its provider sends it, in the client's own dialect; null: it has to be worded from `events`. */
  relay: RelayedAnswer | null;
}

/** An answer that passes as it came. `bytes` throws whatever its provider throws. */
export type RelayedAnswer = PassedAnswer;

/** Who has answered what came whole, and what it has cost in nano-USD; null: unknown, or nobody keeps books. */
export interface Answerer {
  providerId: string;
  costNanoUsd: bigint | null;
}

/** The one door between dialects and providers. */
export interface Gateway {
  /**
   * Starts an answer and waits until a provider has committed itself to it. Rejects with an `AppError` while the dialect
   * can still choose a status line; after that a failure is thrown by `events`. Whoever gets the answer must iterate
   * `events` or return its iterator, or the slot stays taken until the signal aborts.
   * `onProgress`: is told what happens until then.
   */
  stream(request: ChatRequest, context: CallContext, onProgress?: (progress: Progress) => void): Promise<BegunAnswer>;
  /** Vectors of texts. Rejects with an `AppError`, `not_supported` where the provider has none. */
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult & Answerer>;
  /** Scores of documents; otherwise as `embed`. */
  rank(request: RankRequest, context: CallContext): Promise<RankResult & Answerer>;
  /** Probabilities of the options of closed questions; otherwise as `embed`. */
  decide(request: DecisionRequest, context: CallContext): Promise<DecisionResult & Answerer>;
  /**
   * Tokens of a request's prompt, template and tools included; nothing is generated. Where a provider does not count them, they
   * are estimated, which the count says. Otherwise as `embed`.
   */
  count(request: ChatRequest, context: CallContext): Promise<TokenCount & Answerer>;
  /** Text as tokens of a model, or tokens as text. Otherwise as `embed`. */
  tokens(request: TokensRequest, context: CallContext): Promise<TokensResult & Answerer>;
  /**
   * Asks the provider that keeps an answer about it; nothing is generated. Rejects with `not_found` where that provider is
   * not there any more, and with `forbidden` where nothing may leave.
   */
  askKept(provider: string, request: KeptAnswerRequest, context: CallContext): Promise<RelayedAnswer>;
  /** Whether a request that came so may pass to somebody who speaks its dialect. False where it may go nowhere at all. */
  mayRelay(original: Pick<OriginalRequest, 'dialect' | 'path'>, model: string, context: Whereto): boolean;
  /**
   * Every model that can be asked for, by a name that leads to it, those of this machine first; `cloud`: those of other
   * providers too. A service that does not answer has those that it last told, and delays nobody for longer than two
   * seconds. Rejects when none can tell.
   */
  models(signal: AbortSignal, options: { cloud: boolean }): Promise<ModelInfo[]>;
  /** Those of one provider, by its own ids. Rejects where it cannot tell; of one that is not there with `not_found`. */
  modelsOf(provider: string, signal: AbortSignal): Promise<ModelInfo[]>;
}
