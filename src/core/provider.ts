import type { CallContext } from './call.ts';
import type { ChatRequest } from './chat.ts';
import type { DecisionRequest, DecisionResult } from './decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from './embedding.ts';
import type { StreamEvent } from './events.ts';
import type { Capabilities, ModelInfo } from './model.ts';

/** Whether a provider can be asked at the moment, as far as is known without asking it. */
export interface ProviderStatus {
  state: 'ready' | 'degraded' | 'unavailable';
  /** Why it is not ready; null: it is. */
  reason: string | null;
}

/** Tokens of a request, its template and tools included. */
export interface TokenCount {
  model: string;
  promptTokens: number;
}

/**
 * What is to be read as tokens of a model: a text, tokens themselves, or the prompt that a conversation becomes. The start
 * token of a text is left out unless it is asked for; of a prompt it is there where the model wants one.
 */
export interface TokensRequest extends ChatRequest {
  addStart?: boolean;
  /** Names of control tokens in a text (`<|im_end|>`) are text; left out: they are the tokens. */
  controlsAreText?: boolean;
  /** Each token is wanted by itself, too. */
  wantsPieces?: boolean;
}

export interface TokensResult {
  model: string;
  /** What the tokens stand for, control tokens by their names. */
  text: string;
  tokens: number[];
  /** Per token: `bytes` are exact where `text` may show U+FFFD for a part of a character. Left out unless wanted. */
  pieces?: { text: string; bytes: number[] }[];
}

/**
 * A source of answers: the local engine or a cloud service. Contract: `test/contracts/provider.contract.ts`.
 * `stream` must release everything it holds when its iterator returns or its signal aborts. All methods throw and reject
 * with `AppError` only; their `field` is a path in the request as the core has it.
 */
export interface Provider {
  readonly id: string;
  /**
   * From which event on an answer is this provider's, and nobody else is tried. `start`: it begins only when the work has
   * begun; `content`: it may still fail between its start and its first content, as upstreams do.
   */
  readonly commitsAt: 'start' | 'content';
  stream(request: ChatRequest, context: CallContext): AsyncIterable<StreamEvent>;
  /** Rejects with `not_supported` where it has none; so do `rank`, `decide`, `count` and `tokens`. */
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult>;
  rank(request: RankRequest, context: CallContext): Promise<RankResult>;
  decide(request: DecisionRequest, context: CallContext): Promise<DecisionResult>;
  /** Exactly what `stream` would count as prompt tokens; generates nothing. */
  count(request: ChatRequest, context: CallContext): Promise<TokenCount>;
  /** Text as tokens of the model, or tokens as text; generates nothing. */
  tokens(request: TokensRequest, context: CallContext): Promise<TokensResult>;
  /** Every model that can be asked for, by id. */
  models(signal: AbortSignal): Promise<ModelInfo[]>;
  /** The own name of one of its models, by any of its names; null: it has none of that name, as far as it knows. */
  nameOf(model: string): string | null;
  /** Of one of its models, by any of its names; null: it has no such model, as far as it knows. */
  capabilities(model: string): Capabilities | null;
  /** Asks nobody. */
  status(): ProviderStatus;
}
