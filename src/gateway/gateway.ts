import type { Attempt, AttemptGuard } from '../core/attempt.ts';
import { type CallContext, localProviderId } from '../core/call.ts';
import type { ChatRequest, OriginalRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import type { DecisionRequest, DecisionResult } from '../core/decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../core/embedding.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { Progress, StreamEvent, Warning } from '../core/events.ts';
import type { ModelInfo } from '../core/model.ts';
import type {
  KeptAnswerRequest,
  PassedAnswer,
  Provider,
  TokenCount,
  TokensRequest,
  TokensResult,
} from '../core/provider.ts';
import { promptUsage, type Usage, unknownUsage } from '../core/usage.ts';
import type { Bus } from '../observe/bus.ts';
import { beginAttempt, type RunningAttempt } from './attempts.ts';
import { type BatchBooks, eventsOfAnswer, goAlone, planOfAnswer, resumeAttempt, wordRequest } from './batched.ts';
import {
  estimateEmbedding,
  estimateOutput,
  estimatePrompt,
  estimateValue,
  likelyPrompt,
  usualOutputTokens,
} from './estimate.ts';
import { type FailoverPlan, firstCommitted, firstWilling } from './failover.ts';
import type { AdmittedRequest, InboundLimits } from './inbound-limits.ts';
import { meterRequest } from './metering.ts';
import { createModelLists, mergeModels } from './model-lists.ts';
import { guarded, piecesOf } from './pieces.ts';
import { createRetryBudget } from './retries.ts';
import { assertMayLeave, type GatewayTarget, targetsOf } from './targets.ts';

export type { BatchDoor } from './batch-door.ts';
export { goAlone } from './batched.ts';
export type { Breakers, CircuitState, CircuitStatus } from './breaker.ts';
export type { HealthStatus, ProviderHealth, ProvidersHealth } from './health.ts';
export type { InboundLimits } from './inbound-limits.ts';
export type { LimitStatus, ProviderLimitStatus, ProviderLimits } from './provider-limits.ts';
export type { LimitStatus as WindowStatus, LimitStatuses } from './sliding-limits.ts';

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

/** What of a call decides where it may go. */
export type Whereto = Pick<CallContext, 'routing' | 'config' | 'principal'>;

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

/**
 * `providers`: by id, in the order of the configuration, as they are now. `guards`: asked before each try, in order; what
 * holds nothing when it refuses comes first.
 */
export function createGateway(deps: {
  providers: () => ReadonlyMap<string, Provider>;
  guards: readonly AttemptGuard[];
  /** Left out: nothing goes in batches of providers. */
  books?: BatchBooks;
  /** Left out: clients have no limits. */
  inbound?: Pick<InboundLimits, 'admit'>;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  /** 0 to 1. */
  random?: () => number;
}): Gateway {
  const { clock, books = null, random = Math.random } = deps;
  const budget = createRetryBudget();
  const listOf = createModelLists(deps);
  /** Rejects with `rate_limited`, before anything else is done. */
  const admit = async ({ principal }: CallContext, estimatedTokens: number): Promise<AdmittedRequest> =>
    deps.inbound?.admit(principal, estimatedTokens) ?? notLimited;

  const askedFor = (model: string, { routing, config, principal }: Whereto): GatewayTarget[] =>
    targetsOf({ model, wish: routing, config, principal, providers: deps.providers() });

  const planFor = (
    request: Pick<ChatRequest, 'model' | 'original' | 'onlyRelayed' | 'keptBy'>,
    context: CallContext,
  ): FailoverPlan => {
    const { model, onlyRelayed = false, keptBy } = request;
    const asked = askedFor(model, context);
    const all = keptBy === undefined ? asked : asked.filter(({ provider }) => provider.id === keptBy);
    if (all.length === 0) throw notAskedOf(keptBy!);
    const targets = onlyRelayed ? all.filter((target) => relaysIt(request, target)) : all;
    if (targets.length > 0) return { targets, context, clock, budget, random };
    // There was somebody when the request came: the configuration is another one since.
    throw new AppError('not_supported', 'Nobody who may be asked takes the request as it is.', { field: 'model' });
  };

  /** What comes whole, of the first target that gives it. */
  const ask = async <Request extends { model: string }, Result extends { model: string }>(
    operation: Attempt['operation'],
    request: Request,
    context: CallContext,
    call: (provider: Provider, request: Request, context: CallContext) => Promise<Result>,
    options: {
      tried?: (target: GatewayTarget) => void;
      usageOf: (result: Result) => Usage;
      promptTokens: number;
    },
  ): Promise<Result & Answerer> =>
    firstWilling(planFor(request, context), async ({ provider, model, index, context: own }) => {
      options.tried?.({ provider, model });
      const estimate = { promptTokens: options.promptTokens, outputTokens: 0 };
      const running = await beginAttempt(deps, { provider, model, operation, estimate, index }, own);
      try {
        const result = await call(provider, { ...request, model }, own);
        await running.answered(result.model, options.usageOf(result));
        return { ...result, providerId: provider.id, costNanoUsd: running.cost() };
      } catch (error) {
        await running.failed(error);
        throw error;
      }
    });

  /** The same, metered as an answer. */
  const once = async <
    Request extends { model: string },
    Result extends {
      model: string;
      promptTokens: number;
      cachedTokens?: number;
      outputTokens?: number;
      queueMs: number | null;
    },
  >(
    operation: 'embed' | 'rank' | 'decide',
    request: Request,
    context: CallContext,
    call: (provider: Provider, request: Request, context: CallContext) => Promise<Result>,
    /** `prompts`: most of that size that a provider of the cloud may be sent for it. */
    { promptTokens = estimateValue(request), prompts = 1 }: { promptTokens?: number; prompts?: number } = {},
  ): Promise<Result & Answerer> => {
    if (context.batched?.step === 'word') return goAlone(context.batched);
    const meter = meterRequest(deps, context, operation, await admit(context, promptTokens));
    const usageOf = ({ promptTokens, cachedTokens = 0, outputTokens }: Result): Usage => ({
      ...promptUsage(promptTokens, cachedTokens),
      ...(outputTokens !== undefined && { outputTokens }),
    });
    try {
      const result = await ask(operation, request, context, call, {
        tried: meter.tried,
        usageOf,
        promptTokens: promptTokens * prompts,
      });
      meter.committed(result.providerId, result.model);
      meter.answered({ usage: usageOf(result), queueMs: result.queueMs });
      return result;
    } catch (error) {
      throw meter.failed(error);
    }
  };

  return {
    async stream(request, context, onProgress = () => {}) {
      const promptTokens = estimatePrompt(request);
      const attemptOf = ({ provider, model, index = 0 }: GatewayTarget & { index?: number }) => {
        const { mostPromptTokens = Number.POSITIVE_INFINITY, maxOutputTokens = null } =
          provider.capabilities(model) ?? {};
        const estimate = {
          // What is longer is refused there, and costs nothing.
          promptTokens: Math.min(promptTokens, mostPromptTokens),
          outputTokens: estimateOutput(request, maxOutputTokens),
          likelyPromptTokens: () => likelyPrompt(request),
        };
        return { provider, model, operation: 'generate', estimate, index } as const;
      };
      const { batched } = context;
      if (batched?.step === 'word') {
        const { targets } = planFor(request, context);
        return wordRequest({ books, clock }, { request, targets, context }, batched, attemptOf);
      }
      const admitted = batched
        ? notLimited
        : await admit(context, promptTokens + estimateOutput(request, usualOutputTokens));
      const meter = meterRequest(deps, context, 'generate', admitted);
      try {
        const plan = batched
          ? planOfAnswer(deps.providers(), batched, { context, clock, budget, random })
          : planFor(request, context);
        // Of the target that was asked last, which is the one that commits itself.
        let running: RunningAttempt | null = null;
        const { provider, start, relayHead, events } = await firstCommitted(
          plan,
          async (one) => {
            const { provider, model, context: own } = one;
            meter.tried({ provider, model });
            const asked = { ...request, model };
            if (batched) {
              running = await resumeAttempt({ books, clock }, attemptOf(one), batched, own);
              return guarded(eventsOfAnswer(provider, asked, batched, own), running);
            }
            running = await beginAttempt(deps, attemptOf(one), own);
            return guarded(provider.stream(asked, own), running);
          },
          onProgress,
        );
        meter.committed(provider.id, start.model);
        return {
          providerId: provider.id,
          model: start.model,
          fingerprint: start.fingerprint ?? null,
          warnings: start.warnings,
          responseId: start.responseId,
          costNanoUsd: () => running?.cost() ?? null,
          ...piecesOf(meter.watch(events), relayHead),
        };
      } catch (error) {
        throw meter.failed(error);
      }
    },
    embed: (request, context) =>
      once('embed', request, context, (provider, ...wanted) => provider.embed(...wanted), {
        promptTokens: estimateEmbedding(request),
      }),
    rank: (request, context) => once('rank', request, context, (provider, ...wanted) => provider.rank(...wanted)),
    async decide(request, context) {
      // Each question is asked by itself, its options in two orders, where nobody answers them all at once.
      const prompts = request.questions.length * 2;
      const result = await once('decide', request, context, (provider, ...wanted) => provider.decide(...wanted), {
        prompts,
      });
      const refused = result.decisions.filter(({ type }) => type === 'refused').length;
      deps.bus.publish({ type: 'decided', model: result.model, decided: result.decisions.length - refused, refused });
      return result;
    },
    // Requests like all others, of which nothing is generated.
    async count(request, context) {
      await admit(context, 0);
      return ask('count', request, context, countOrEstimate, nothingUsed);
    },
    async tokens(request, context) {
      await admit(context, 0);
      return ask('count', request, context, (provider, ...wanted) => provider.tokens(...wanted), nothingUsed);
    },
    async askKept(id, request, context) {
      await admit(context, 0);
      assertMayLeave(context.config, context.principal);
      const provider = deps.providers().get(id);
      if (provider?.askKept === undefined) {
        throw new AppError('not_found', `The provider "${id}", which keeps it, is not there any more, or is off.`);
      }
      return provider.askKept(request, context);
    },
    mayRelay(original, model, context) {
      try {
        return askedFor(model, context).some(({ provider, model: own }) => provider.relays?.(original, own) ?? false);
      } catch {
        // Whoever asks for the answer is told why.
        return false;
      }
    },
    async models(signal, { cloud }) {
      const asked = [...deps.providers().values()].filter(({ id }) => cloud || id === localProviderId);
      const lists = await Promise.allSettled(asked.map((provider) => listOf(provider, signal)));
      const failure = lists.find((list) => list.status === 'rejected');
      if (failure && lists.every((list) => list.status === 'rejected')) throw toAppError(failure.reason);
      return mergeModels(lists.map((list) => (list.status === 'fulfilled' ? list.value : [])));
    },
    async modelsOf(id, signal) {
      const provider = deps.providers().get(id);
      if (!provider) throw new AppError('not_found', `There is no provider called "${id}".`);
      return listOf(provider, signal);
    },
  };
}

function notAskedOf(keeper: string): AppError {
  return new AppError(
    'invalid_request',
    `What the request goes on from is kept by "${keeper}", which it does not ask.`,
    {
      field: 'keptBy',
      fix: `Ask for a model of "${keeper}", and name no other provider.`,
    },
  );
}

/** Of who counts no tokens for a model an estimate is given: the answer is still to come from there, whoever else counts. */
async function countOrEstimate(provider: Provider, request: ChatRequest, context: CallContext): Promise<TokenCount> {
  try {
    return await provider.count(request, context);
  } catch (thrown) {
    const countsNone =
      thrown instanceof AppError && thrown.code === 'not_supported' && (thrown.field ?? 'model') === 'model';
    if (!countsNone || provider.id === localProviderId) throw thrown;
    return { model: request.model, promptTokens: likelyPrompt(request), isEstimated: true };
  }
}

const notLimited: AdmittedRequest = { settle: () => {} };

const nothingUsed = { usageOf: () => unknownUsage, promptTokens: 0 };

function relaysIt({ original }: Pick<ChatRequest, 'original'>, { provider, model }: GatewayTarget): boolean {
  return original !== undefined && (provider.relays?.(original, model) ?? false);
}
