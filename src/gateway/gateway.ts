import type { CallContext } from '../core/call.ts';
import type { ChatRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import type { DecisionRequest, DecisionResult } from '../core/decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../core/embedding.ts';
import { toAppError } from '../core/errors.ts';
import type { Progress, StreamEvent, Warning } from '../core/events.ts';
import type { ModelInfo } from '../core/model.ts';
import type { Provider, TokenCount, TokensRequest, TokensResult } from '../core/provider.ts';
import { promptUsage } from '../core/usage.ts';
import type { Bus } from '../observe/bus.ts';
import { firstCommitted, firstWilling } from './failover.ts';
import { meterRequest } from './metering.ts';
import { type GatewayTarget, targetsOf } from './targets.ts';

/** An answer that has begun: which provider and model give it, and its events from the first one on. */
export interface BegunAnswer {
  providerId: string;
  model: string;
  /** As its provider tells it; null: it does not. */
  fingerprint: string | null;
  /** What of the request its provider does not honour. */
  warnings: readonly Warning[];
  events: AsyncIterableIterator<StreamEvent>;
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
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult & { providerId: string }>;
  /** Scores of documents; otherwise as `embed`. */
  rank(request: RankRequest, context: CallContext): Promise<RankResult & { providerId: string }>;
  /** Probabilities of the options of closed questions; otherwise as `embed`. */
  decide(request: DecisionRequest, context: CallContext): Promise<DecisionResult & { providerId: string }>;
  /** Tokens of a request's prompt, template and tools included; nothing is generated. Otherwise as `embed`. */
  count(request: ChatRequest, context: CallContext): Promise<TokenCount & { providerId: string }>;
  /** Text as tokens of a model, or tokens as text. Otherwise as `embed`. */
  tokens(request: TokensRequest, context: CallContext): Promise<TokensResult & { providerId: string }>;
  /** Every model that can be asked for; a provider that cannot tell at the moment has none. Rejects when none can. */
  models(signal: AbortSignal): Promise<ModelInfo[]>;
}

/** `providers`: by id. */
export function createGateway(deps: {
  providers: ReadonlyMap<string, Provider>;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
}): Gateway {
  const { providers } = deps;
  const targetsFor = ({ model }: { model: string }, { routing, config }: CallContext): GatewayTarget[] =>
    targetsOf({ model, wish: routing, config, providers });

  /** An answer that comes whole, of the first target that gives one. */
  const once = async <
    Request extends { model: string },
    Result extends { model: string; promptTokens: number; cachedTokens?: number; queueMs: number | null },
  >(
    operation: 'embed' | 'rank' | 'decide',
    request: Request,
    context: CallContext,
    ask: (provider: Provider, request: Request) => Promise<Result>,
  ): Promise<Result & { providerId: string }> => {
    const meter = meterRequest(deps, context, operation);
    try {
      return await firstWilling(targetsFor(request, context), context.signal, async (target) => {
        const { provider, model } = target;
        meter.tried(target);
        const result = await ask(provider, { ...request, model });
        meter.committed(provider.id, result.model);
        meter.answered({ usage: promptUsage(result.promptTokens, result.cachedTokens ?? 0), queueMs: result.queueMs });
        return { ...result, providerId: provider.id };
      });
    } catch (error) {
      throw meter.failed(error);
    }
  };

  return {
    async stream(request, context, onProgress = () => {}) {
      const meter = meterRequest(deps, context, 'generate');
      try {
        const { provider, start, events } = await firstCommitted(
          targetsFor(request, context),
          (target) => {
            meter.tried(target);
            return target.provider.stream({ ...request, model: target.model }, context);
          },
          onProgress,
          context.signal,
        );
        meter.committed(provider.id, start.model);
        return {
          providerId: provider.id,
          model: start.model,
          fingerprint: start.fingerprint ?? null,
          warnings: start.warnings,
          events: meter.watch(events),
        };
      } catch (error) {
        throw meter.failed(error);
      }
    },
    embed: (request, context) => once('embed', request, context, (provider, wanted) => provider.embed(wanted, context)),
    rank: (request, context) => once('rank', request, context, (provider, wanted) => provider.rank(wanted, context)),
    async decide(request, context) {
      const result = await once('decide', request, context, (provider, wanted) => provider.decide(wanted, context));
      const refused = result.decisions.filter(({ type }) => type === 'refused').length;
      deps.bus.publish({ type: 'decided', model: result.model, decided: result.decisions.length - refused, refused });
      return result;
    },
    count: (request, context) =>
      firstWilling(targetsFor(request, context), context.signal, async ({ provider, model }) => ({
        ...(await provider.count({ ...request, model }, context)),
        providerId: provider.id,
      })),
    tokens: (request, context) =>
      firstWilling(targetsFor(request, context), context.signal, async ({ provider, model }) => ({
        ...(await provider.tokens({ ...request, model }, context)),
        providerId: provider.id,
      })),
    async models(signal) {
      const lists = await Promise.allSettled([...providers.values()].map((provider) => provider.models(signal)));
      const failure = lists.find((list) => list.status === 'rejected');
      if (failure && lists.every((list) => list.status === 'rejected')) throw toAppError(failure.reason);
      return lists.flatMap((list) => (list.status === 'fulfilled' ? list.value : []));
    },
  };
}
