import type { Attempt, AttemptGuard } from '../core/attempt.ts';
import { type CallContext, localProviderId } from '../core/call.ts';
import type { ChatRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Provider, TokenCount } from '../core/provider.ts';
import { promptUsage, type Usage, unknownUsage } from '../core/usage.ts';
import type { Bus } from '../observe/bus.ts';
import { beginAttempt } from './attempts.ts';
import { goAlone } from './batched.ts';
import { estimateEmbedding, estimateValue, likelyPrompt } from './estimate.ts';
import { firstWilling } from './failover.ts';
import type { Admit } from './inbound-limits.ts';
import { meterRequest } from './metering.ts';
import type { Plans } from './plans.ts';
import type { Answerer, Gateway } from './port.ts';
import type { GatewayTarget } from './targets.ts';

interface WholeDeps {
  guards: readonly AttemptGuard[];
  admit: Admit;
  plans: Plans;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
}

/** What comes whole and is an answer of a model, with what it took. */
interface WholeResult {
  model: string;
  promptTokens: number;
  cachedTokens?: number;
  outputTokens?: number;
  queueMs: number | null;
}

/** How a provider is asked. */
type Call<Request, Result> = (provider: Provider, request: Request, context: CallContext) => Promise<Result>;

/** The operations of the gateway whose answers come whole. */
export function createWholeAnswers(deps: WholeDeps): Pick<Gateway, 'embed' | 'rank' | 'decide' | 'count' | 'tokens'> {
  return {
    embed: (request, context) =>
      answered(deps, 'embed', request, context, (provider, ...wanted) => provider.embed(...wanted), {
        promptTokens: estimateEmbedding(request),
      }),
    rank: (request, context) =>
      answered(deps, 'rank', request, context, (provider, ...wanted) => provider.rank(...wanted)),
    async decide(request, context) {
      // Each question is asked by itself, its options in two orders, where nobody answers them all at once.
      const prompts = request.questions.length * 2;
      const result = await answered(
        deps,
        'decide',
        request,
        context,
        (provider, ...wanted) => provider.decide(...wanted),
        { prompts },
      );
      const refused = result.decisions.filter(({ type }) => type === 'refused').length;
      deps.bus.publish({ type: 'decided', model: result.model, decided: result.decisions.length - refused, refused });
      return result;
    },
    // Requests like all others, of which nothing is generated.
    async count(request, context) {
      await deps.admit(context, 0);
      return ask(deps, 'count', request, context, countOrEstimate, nothingUsed);
    },
    async tokens(request, context) {
      await deps.admit(context, 0);
      return ask(deps, 'count', request, context, (provider, ...wanted) => provider.tokens(...wanted), nothingUsed);
    },
  };
}

const nothingUsed = { usageOf: () => unknownUsage, promptTokens: 0 };

/** What comes whole, of the first target that gives it. */
async function ask<Request extends { model: string }, Result extends { model: string }>(
  deps: WholeDeps,
  operation: Attempt['operation'],
  request: Request,
  context: CallContext,
  call: Call<Request, Result>,
  options: {
    tried?: (target: GatewayTarget) => void;
    usageOf: (result: Result) => Usage;
    promptTokens: number;
  },
): Promise<Result & Answerer> {
  return firstWilling(deps.plans.of(request, context), async ({ provider, model, index, context: own }) => {
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
}

/** The same, metered as an answer. */
async function answered<Request extends { model: string }, Result extends WholeResult>(
  deps: WholeDeps,
  operation: 'embed' | 'rank' | 'decide',
  request: Request,
  context: CallContext,
  call: Call<Request, Result>,
  /** `prompts`: most of that size that a provider of the cloud may be sent for it. */
  { promptTokens = estimateValue(request), prompts = 1 }: { promptTokens?: number; prompts?: number } = {},
): Promise<Result & Answerer> {
  if (context.batched?.step === 'word') return goAlone(context.batched);
  const meter = meterRequest(deps, context, operation, await deps.admit(context, promptTokens));
  try {
    const result = await ask(deps, operation, request, context, call, {
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
}

function usageOf({ promptTokens, cachedTokens = 0, outputTokens }: WholeResult): Usage {
  return { ...promptUsage(promptTokens, cachedTokens), ...(outputTokens !== undefined && { outputTokens }) };
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
