import type { Attempt, AttemptGuard } from '../core/attempt.ts';
import type { BatchedCall, CallContext } from '../core/call.ts';
import { localProviderId } from '../core/call.ts';
import type { ChatRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { ProviderEvent, StreamEvent } from '../core/events.ts';
import type { Provider } from '../core/provider.ts';
import { beginAttempt, type RunningAttempt } from './attempts.ts';
import type { FailoverPlan } from './failover.ts';
import type { GatewayTarget } from './targets.ts';

/** What keeps the books of tries that go in batches. */
export interface BatchBooks extends AttemptGuard {
  resume(attempt: Attempt, context: CallContext): ReturnType<AttemptGuard['admit']>;
  giveBack(ids: readonly string[], how: 'not-sent' | 'unanswered'): Promise<void>;
  /** Resolves when everything that has ended is written, or could not be. */
  flush(): Promise<void>;
}

interface BatchedDeps {
  books: BatchBooks | null;
  clock: Clock;
}

type Step<Name extends BatchedCall['step']> = Extract<BatchedCall, { step: Name }>;

/** The class of service in which batches are computed, as prices name it. */
const batchTier = 'batch';

/**
 * Words a request for a batch of the first provider that would be asked, and reserves what it may cost. Always rejects: with what
 * a client would be told by whom the request is refused, or, once `decided` was told, with what is no answer.
 */
export async function wordRequest(
  deps: BatchedDeps,
  { request, targets, context }: { request: ChatRequest; targets: readonly GatewayTarget[]; context: CallContext },
  step: Step<'word'>,
  attemptOf: (target: GatewayTarget) => Omit<Attempt, 'id'>,
): Promise<never> {
  const target = targets[0]!;
  const { provider, model } = target;
  const { batches } = provider;
  if (batches === undefined || deps.books === null || provider.id === localProviderId) return goAlone(step);
  try {
    const worded = batches.word({ ...request, model }, context);
    const attempt = { ...attemptOf(target), id: step.attemptId, isBatched: true };
    const running = await beginAttempt({ guards: [deps.books], clock: deps.clock }, attempt, context);
    step.decided({ type: 'worded', provider: provider.id, model, request: worded, mostNanoUsd: running.most() });
  } catch (error) {
    // Somebody else of its chain may do better with it.
    if (targets.length > 1 && toAppError(error).mayFailOver) return goAlone(step);
    throw error;
  }
  throw noAnswer();
}

/** What of a batch cannot go with others. */
export function goAlone(step: Step<'word'>): never {
  step.decided({ type: 'alone' });
  throw noAnswer();
}

function noAnswer(): AppError {
  return new AppError('client_closed_request', 'It is answered later, with others.');
}

/** The one provider that has answered, and nobody is asked again. Throws `not_found` where it is not there any more. */
export function planOfAnswer(
  providers: ReadonlyMap<string, Provider>,
  step: Step<'read'>,
  { context, ...rest }: Pick<FailoverPlan, 'context' | 'clock' | 'budget' | 'random'>,
): FailoverPlan {
  const provider = providers.get(step.provider);
  if (provider?.batches === undefined) {
    throw new AppError(
      'not_found',
      `The provider "${step.provider}", which has answered, is not there any more, or is off.`,
    );
  }
  const { config } = context;
  const once = { ...config, retries: { ...config.retries, maxAttempts: 1 } };
  return { targets: [{ provider, model: step.model }], context: { ...context, config: once }, ...rest };
}

/** The try whose answer is there. */
export function resumeAttempt(
  { books, clock }: BatchedDeps,
  attempt: Omit<Attempt, 'id'>,
  step: Step<'read'>,
  context: CallContext,
): Promise<RunningAttempt> {
  const guards = books === null ? [] : [{ admit: books.resume }];
  return beginAttempt({ guards, clock }, { ...attempt, id: step.attemptId, isBatched: true }, context);
}

/** Its events, at the price of batches: what the answer itself says of its class of service is that of single requests. */
export async function* eventsOfAnswer(
  provider: Provider,
  request: ChatRequest,
  { answer }: Step<'read'>,
  context: CallContext,
): AsyncGenerator<ProviderEvent> {
  if (answer instanceof AppError) throw answer;
  for await (const event of provider.batches!.read(request, answer, context)) {
    if (event.type === 'relay') yield event.heard === undefined ? event : { ...event, heard: event.heard.map(inBatch) };
    else yield event.type === 'relay-head' ? event : inBatch(event);
  }
}

function inBatch(event: StreamEvent): StreamEvent {
  if (event.type !== 'start' && event.type !== 'finish') return event;
  return { ...event, usage: { ...event.usage, servedTier: batchTier } };
}
