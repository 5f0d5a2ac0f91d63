import type { Attempt, AttemptGuard } from '../core/attempt.ts';
import type { CallContext } from '../core/call.ts';
import type { ChatRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import type { ProviderEvent } from '../core/events.ts';
import type { Provider } from '../core/provider.ts';
import type { Bus } from '../observe/bus.ts';
import { beginAttempt, type RunningAttempt } from './attempts.ts';
import { type BatchBooks, eventsOfAnswer, planOfAnswer, resumeAttempt, wordRequest } from './batched.ts';
import { estimateOutput, estimatePrompt, likelyPrompt, usualOutputTokens } from './estimate.ts';
import { type FailoverPlan, firstCommitted, type Try } from './failover.ts';
import { type Admit, type AdmittedRequest, notLimited } from './inbound-limits.ts';
import { meterRequest } from './metering.ts';
import { guarded, piecesOf } from './pieces.ts';
import type { Plans } from './plans.ts';
import type { BegunAnswer, Gateway } from './port.ts';
import type { GatewayTarget } from './targets.ts';

interface StreamDeps {
  providers: () => ReadonlyMap<string, Provider>;
  guards: readonly AttemptGuard[];
  books: BatchBooks | null;
  admit: Admit;
  plans: Plans;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
}

/** One try, with what it is likely to take. */
type AttemptOf = (target: GatewayTarget & { index?: number }) => Omit<Attempt, 'id'>;

/** How a request comes to its answer: by itself, or as one of a batch that was answered. */
interface Course {
  admit(): Promise<AdmittedRequest>;
  plan(): FailoverPlan;
  /** `request`: with the target's own name of the model. */
  begin(
    one: Try,
    request: ChatRequest,
  ): Promise<{ running: RunningAttempt; events: () => AsyncIterable<ProviderEvent> }>;
}

/** `stream` of the gateway. */
export function createStreams(deps: StreamDeps): Gateway['stream'] {
  return async (request, context, onProgress = () => {}) => {
    const promptTokens = estimatePrompt(request);
    const attemptOf = attemptsOf(request, promptTokens);
    const { batched } = context;
    if (batched?.step === 'word') {
      const { targets } = deps.plans.of(request, context);
      return wordRequest(deps, { request, targets, context }, batched, attemptOf);
    }
    const course = batched
      ? answeredCourse(deps, { context, batched, attemptOf })
      : ownCourse(deps, { request, context, promptTokens, attemptOf });
    return follow(deps, course, { request, context, onProgress });
  };
}

function attemptsOf(request: ChatRequest, promptTokens: number): AttemptOf {
  return ({ provider, model, index = 0 }) => {
    const { mostPromptTokens = Number.POSITIVE_INFINITY, maxOutputTokens = null } = provider.capabilities(model) ?? {};
    const estimate = {
      // What is longer is refused there, and costs nothing.
      promptTokens: Math.min(promptTokens, mostPromptTokens),
      outputTokens: estimateOutput(request, maxOutputTokens),
      likelyPromptTokens: () => likelyPrompt(request),
    };
    return { provider, model, operation: 'generate', estimate, index };
  };
}

function ownCourse(
  deps: StreamDeps,
  asked: { request: ChatRequest; context: CallContext; promptTokens: number; attemptOf: AttemptOf },
): Course {
  const { request, context, promptTokens, attemptOf } = asked;
  return {
    admit: () => deps.admit(context, promptTokens + estimateOutput(request, usualOutputTokens)),
    plan: () => deps.plans.of(request, context),
    async begin(one, own) {
      const running = await beginAttempt(deps, attemptOf(one), one.context);
      return { running, events: () => one.provider.stream(own, one.context) };
    },
  };
}

/** It was let in with its batch, and whoever has answered it is asked for nothing more. */
function answeredCourse(
  deps: StreamDeps,
  asked: { context: CallContext; batched: Parameters<typeof planOfAnswer>[1]; attemptOf: AttemptOf },
): Course {
  const { context, batched, attemptOf } = asked;
  return {
    admit: async () => notLimited,
    plan: () => planOfAnswer(deps.providers(), batched, { context, ...deps.plans.limits }),
    async begin(one, own) {
      const running = await resumeAttempt(deps, attemptOf(one), batched, one.context);
      return { running, events: () => eventsOfAnswer(one.provider, own, batched, one.context) };
    },
  };
}

/** From the arrival of a request to the answer that has begun, metered whatever becomes of it. */
async function follow(
  deps: StreamDeps,
  course: Course,
  { request, context, onProgress }: { request: ChatRequest; context: CallContext; onProgress: OnProgress },
): Promise<BegunAnswer> {
  const meter = meterRequest(deps, context, 'generate', await course.admit());
  try {
    // Of the target that was asked last, which is the one that commits itself.
    let running: RunningAttempt | null = null;
    const begin = async (one: Try) => {
      const { provider, model } = one;
      meter.tried({ provider, model });
      const begun = await course.begin(one, { ...request, model });
      running = begun.running;
      return guarded(begun.events(), running);
    };
    const { provider, start, relayHead, events } = await firstCommitted(course.plan(), begin, onProgress);
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
}

type OnProgress = NonNullable<Parameters<Gateway['stream']>[2]>;
