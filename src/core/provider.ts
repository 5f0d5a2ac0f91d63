import type { CallContext } from './call.ts';
import type { ChatRequest, OriginalRequest } from './chat.ts';
import type { Dialect } from './content.ts';
import type { DecisionRequest, DecisionResult } from './decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from './embedding.ts';
import type { ProviderEvent } from './events.ts';
import type { Capabilities, ModelInfo } from './model.ts';
import type { ProviderBatches } from './provider-batch.ts';

/** Whether a provider can be asked at the moment, as far as is known without asking it. */
export interface ProviderStatus {
  state: 'ready' | 'degraded' | 'unavailable';
  /** Why it is not ready; null: it is. */
  reason: string | null;
}

/** Whether what a provider wants to be asked is there: its key is set, is missing, or none is needed as far as is known. */
export type KeyState = 'set' | 'missing' | 'not_needed';

export function keyStateOf(hasKey: boolean, { state }: ProviderStatus): KeyState {
  if (hasKey) return 'set';
  return state === 'unavailable' ? 'missing' : 'not_needed';
}

/** Tokens of a request, its template and tools included. */
export interface TokenCount {
  model: string;
  promptTokens: number;
  /** Nobody counts them for the model, and this is about what they are. Left out: it is exact. */
  isEstimated?: boolean;
  /** What the provider said, where the request passed to it as it came. Left out: it did not. */
  answer?: Readonly<Record<string, unknown>>;
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

/** What is asked about an answer that a provider keeps under an id of its own, as the dialect has it. */
export interface KeptAnswerRequest {
  dialect: Dialect;
  method: 'get' | 'post' | 'delete';
  /** As the dialect itself names it, its query included: `/v1/responses/resp_1?stream=true`. */
  path: string;
  /** Whether events are asked for. */
  isStream: boolean;
}

/** An answer that passes as it came; of a stream in whole records. Whoever gets it iterates `bytes`, which throws `AppError`s. */
export interface PassedAnswer {
  status: number;
  /** In lower case, `content-type` among them. */
  headers: Readonly<Record<string, string>>;
  bytes: AsyncIterableIterator<Uint8Array>;
}

/**
 * A source of answers: the local engine or a cloud service. Contract: `test/contracts/provider.contract.ts`.
 * `stream` must release everything it holds when its iterator returns or its signal aborts. All methods throw and reject
 * with `AppError` only; their `field` is a path in the request as the core has it.
 */
export interface Provider {
  readonly id: string;
  /** Where it is reached, for people; left out: nowhere, or where its own client finds it. */
  readonly baseUrl?: string;
  /**
   * From which event on an answer is this provider's, and nobody else is tried. `start`: it begins only when the work has
   * begun; `content`: it may still fail between its start and its first content, as upstreams do.
   */
  readonly commitsAt: 'start' | 'content';
  /** Relays where it speaks the dialect of `request.original`. */
  stream(request: ChatRequest, context: CallContext): AsyncIterable<ProviderEvent>;
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
  /**
   * Whether a request that came so, in this dialect and for this path, passes to one of its models as it came. Left out: none
   * does.
   */
  relays?(original: Pick<OriginalRequest, 'dialect' | 'path'>, model: string): boolean;
  /** Asks about an answer of a relayed request that it keeps. Left out: it keeps none. */
  askKept?(request: KeptAnswerRequest, context: CallContext): Promise<PassedAnswer>;
  /** Its way to answer many requests within a day. Left out: it has none, or it is not to be used. */
  readonly batches?: ProviderBatches;
  /** Asks nobody. */
  status(): ProviderStatus;
  /** Another one has taken its place: lets go of its connections once the requests that it has have ended. */
  retire?(): void;
  /** Asks, as cheaply as it can, whether it would answer; rejects where not. Left out: there is nobody to ask. */
  probe?(signal: AbortSignal): Promise<void>;
}
