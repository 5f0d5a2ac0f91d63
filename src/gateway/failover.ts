import { abortable, endedWith } from '../core/abortable.ts';
import { type CallContext, localProviderId } from '../core/call.ts';
import { type Clock, delay } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { heardOf, isContent, type Progress, type ProviderEvent, type StreamEvent } from '../core/events.ts';
import { type Flow, flowOf, flowOfFunctions } from '../core/flow.ts';
import type { Provider } from '../core/provider.ts';
import { type RetryBudget, retryDelayMs } from './retries.ts';
import type { GatewayTarget } from './targets.ts';

type StartEvent = Extract<StreamEvent, { type: 'start' }>;
export type RelayHead = Extract<ProviderEvent, { type: 'relay-head' }>;

/** Clients give up after some 15 s without an event: an answer that has begun and has no content by then is let through. */
const contentPatienceMs = 8_000;

/** What one request may try. */
export interface FailoverPlan {
  /** In order. */
  targets: readonly GatewayTarget[];
  context: CallContext;
  clock: Clock;
  budget: RetryBudget;
  /** 0 to 1. */
  random: () => number;
}

/** One try, as it is handed to whoever makes it. */
export interface Try extends GatewayTarget {
  /** 0 for the first of the request. */
  index: number;
  /** The request's, ended by its deadline, too. */
  context: CallContext;
}

/** An answer that belongs to its provider for good. */
interface CommittedAnswer extends GatewayTarget {
  start: StartEvent;
  /** The head of an answer that passes as it came; null: it is told in the common words. */
  relayHead: RelayHead | null;
  /** Every event but progress from the first on, those that were waited for included. */
  events: Flow<ProviderEvent>;
}

/**
 * Asks the targets in order until one has committed itself: with its `start`, or with its first content where the
 * provider says so. A failure before that moves on if another target may do better; the last failure is thrown.
 * `begin`: starts a stream at a target. `onProgress`: sees what happens until then.
 */
export async function firstCommitted(
  plan: FailoverPlan,
  begin: (one: Try) => Promise<AsyncIterable<ProviderEvent>>,
  onProgress: (progress: Progress) => void,
): Promise<CommittedAnswer> {
  const { targets, clock } = plan;
  const ask = async (one: Try): Promise<CommittedAnswer> => {
    const iterator = flowOf(await begin(one));
    try {
      const seen: ProviderEvent[] = [];
      let start: StartEvent | null = null;
      let relayHead: RelayHead | null = null;
      const committed = (pending: Promise<IteratorResult<ProviderEvent>> | null): CommittedAnswer => ({
        provider: one.provider,
        model: one.model,
        start: start!,
        relayHead,
        events: resume(seen, iterator, pending),
      });
      for (;;) {
        const coming: Promise<IteratorResult<ProviderEvent>> = iterator.next();
        const result: IteratorResult<ProviderEvent> | null =
          start === null ? await coming : await orLate(coming, clock, one.context.signal);
        if (result === null) return committed(coming);
        if (result.done) throw new Error(`provider ${one.provider.id} ended without an answer`);
        const value: ProviderEvent = result.value;
        if (value.type === 'progress') {
          onProgress(value);
          if (one.index < targets.length - 1) refuseLongWait(value, one.context, clock);
          continue;
        }
        if (value.type === 'relay-head') relayHead = value;
        seen.push(value);
        let hasCommitted = false;
        for (const heard of heardOf(value)) {
          if (heard.type === 'start') start = heard;
          if (start === null) throw new Error(`provider ${one.provider.id} began without a start`);
          hasCommitted ||= commits(one.provider, heard);
        }
        if (hasCommitted) return committed(null);
      }
    } catch (error) {
      await iterator.return();
      throw error;
    }
  };
  return firstWilling(plan, ask, onProgress);
}

/**
 * The first target that does what is asked. A failure moves on to the next target if that may do better. When all have
 * failed, those of the cloud that may do better later are asked again, after a wait, as far as the plan's limits go; this
 * machine is not, since it has its own way with that. More than one failure becomes `all_providers_failed`, which lists them.
 * `onProgress`: is told of each such wait.
 */
export async function firstWilling<Result>(
  plan: FailoverPlan,
  ask: (one: Try) => Promise<Result>,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Result> {
  const { clock, budget, random } = plan;
  const { retries } = plan.context.config;
  const deadline = deadlineOf(plan);
  const failures: Failure[] = [];
  budget.earn();
  try {
    let round: readonly GatewayTarget[] = plan.targets;
    for (let number = 0; ; number++) {
      const failedNow: Failure[] = [];
      for (const [place, target] of round.entries()) {
        const index = failures.length;
        // The first round is the chain as its owner wrote it; only what is asked again counts as a retry, the first of it before the wait.
        const mayTry = number === 0 || (index < retries.maxAttempts && (place === 0 || budget.spend()));
        if (!mayTry) throw whole(failures);
        try {
          return await ask({ ...target, index, context: deadline.context });
        } catch (thrown) {
          const error = toAppError(deadline.reasonOf(thrown));
          const failure = { ...target, error };
          failures.push(failure);
          failedNow.push(failure);
          if (plan.context.signal.aborted) throw error;
          if (!error.mayFailOver) throw failures.length === 1 ? error : withTried(error, failures);
        }
      }
      const again = failedNow.filter(({ provider, error }) => provider.id !== localProviderId && error.retryable);
      const waitMs = retryDelayMs(
        again.map(({ error }) => error),
        { round: number, limits: retries, random },
      );
      const isTooLate = waitMs !== null && deadline.atMs !== null && clock.monotonicMs() + waitMs >= deadline.atMs;
      if (waitMs === null || isTooLate || failures.length >= retries.maxAttempts) throw whole(failures);
      // Nobody waits for a retry that is not to be had.
      if (!budget.spend()) throw whole(failures);
      onProgress({ type: 'progress', stage: 'retrying', waitMs });
      await delay(clock, waitMs, deadline.context.signal);
      round = again;
    }
  } finally {
    deadline.cancel();
  }
}

/** What is said of a request, and of no provider's state. */
const refusals: ReadonlySet<string> = new Set(['model_not_found', 'budget_exceeded', 'not_supported']);

interface Failure extends GatewayTarget {
  error: AppError;
}

/**
 * One failure as it is; several as one that lists them. Of one provider alone the upstream's own words stay. Where nobody was
 * asked since none of them has the model, or none may be paid, that is what is wrong, and no outage.
 */
function whole(failures: readonly Failure[]): AppError {
  const last = failures.at(-1)!;
  if (failures.length === 1) return last.error;
  const codes = new Set(failures.map(({ error }) => error.code));
  if (codes.size === 1 && refusals.has(last.error.code)) return withTried(last.error, failures);
  const names = [...new Set(failures.map(({ provider }) => provider.id))];
  const upstream = names.length === 1 ? last.error.upstream : null;
  return new AppError('all_providers_failed', `Nobody could answer: ${describe(failures)}`, {
    details: triedOf(failures),
    ...(upstream && { upstream }),
    cause: last.error,
  });
}

/** A failure that ends a chain, with those before it. */
function withTried(error: AppError, failures: readonly Failure[]): AppError {
  return new AppError(error.code, error.message, {
    ...(error.field !== null && { field: error.field }),
    ...(error.fix !== null && { fix: error.fix }),
    ...(error.retryAfterSeconds !== null && { retryAfterSeconds: error.retryAfterSeconds }),
    ...(error.upstream && { upstream: error.upstream }),
    details: { ...error.details, ...triedOf(failures) },
    cause: error,
  });
}

function triedOf(failures: readonly Failure[]): Record<string, unknown> {
  return {
    providers_tried: [...new Set(failures.map(({ provider }) => provider.id))],
    errors: failures.map(({ provider, model, error }) => ({
      provider: provider.id,
      model,
      code: error.code,
      message: error.message,
      ...(error.retryAfterSeconds !== null && { retry_after_seconds: error.retryAfterSeconds }),
    })),
  };
}

/** The last failure of each provider, in the order in which they were first asked, with how often it was tried. */
function describe(failures: readonly Failure[]): string {
  const byProvider = new Map<string, Failure[]>();
  for (const failure of failures) {
    const { id } = failure.provider;
    byProvider.set(id, [...(byProvider.get(id) ?? []), failure]);
  }
  return [...byProvider]
    .map(([id, tries]) => {
      // That a provider rests is no cause, and it was not asked: the failure before it is.
      const asked = tries.filter(({ error }) => error.code !== 'circuit_open');
      const told = asked.at(-1) ?? tries.at(-1)!;
      return `${id}: ${told.error.message}${asked.length > 1 ? ` (${asked.length} tries)` : ''}`;
    })
    .join(' ');
}

/**
 * The request's context, ended at its deadline until somebody has committed: its own, or, where it may leave the house, the
 * configured one.
 */
function deadlineOf(plan: FailoverPlan) {
  const { context, clock, targets } = plan;
  const { requestTimeoutMs } = context.config;
  const isRemote = targets.some(({ provider }) => provider.id !== localProviderId);
  const own = requestTimeoutMs === null || !isRemote ? null : clock.monotonicMs() + requestTimeoutMs;
  const atMs = context.deadlineMs ?? own;
  if (atMs === null) return { context, atMs, reasonOf: (thrown: unknown) => thrown, cancel: () => {} };
  const { signal, end } = endedWith([context.signal]);
  let isLate = false;
  const timer = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
    isLate = !signal.aborted;
    end(new AppError('deadline_exceeded', 'Nothing of the answer was there in time.'));
  });
  return {
    context: { ...context, signal },
    atMs,
    // Whatever a provider throws when it is ended, this is why.
    reasonOf: (thrown: unknown) => (isLate ? signal.reason : thrown),
    cancel: () => timer.cancel(),
  };
}

/** Throws where others are there that can be asked, and the wait here would end after the deadline. */
function refuseLongWait(progress: Progress, { deadlineMs }: CallContext, clock: Clock): void {
  if (progress.stage !== 'queued' || progress.estimateMs === null || deadlineMs === null) return;
  if (clock.monotonicMs() + progress.estimateMs <= deadlineMs) return;
  throw new AppError('queue_full', 'The wait for this model would be longer than the request can wait.');
}

/** What comes, or null when it does not come for a while. Rejects as it does, and with the reason of the signal. */
function orLate<Result>(coming: Promise<Result>, clock: Clock, signal: AbortSignal): Promise<Result | null> {
  let withdraw = () => {};
  const late = abortable<Result | null>(signal, (resolve) => {
    const timer = clock.after(contentPatienceMs, () => resolve(null));
    withdraw = () => {
      timer.cancel();
      // The wait is over: the signal forgets it.
      resolve(null);
    };
    return timer.cancel;
  });
  return Promise.race([coming, late]).finally(withdraw);
}

/** Whether with this event the answer is the provider's for good. A block that has only been opened says nothing yet. */
function commits(provider: Provider, event: StreamEvent): boolean {
  if (provider.commitsAt === 'start') return event.type === 'start';
  return isContent(event) && event.type !== 'text-start' && event.type !== 'reasoning-start';
}

/** The events that were pulled already, the one that is on its way, then the rest. */
function resume(
  seen: ProviderEvent[],
  rest: Flow<ProviderEvent>,
  pending: Promise<IteratorResult<ProviderEvent>> | null,
): Flow<ProviderEvent> {
  let coming = pending;
  // It may fail before anybody asks for it.
  coming?.catch(() => {});
  const flow: Flow<ProviderEvent> = flowOfFunctions<ProviderEvent>({
    next() {
      const value = seen.shift();
      if (value !== undefined) return Promise.resolve({ done: false, value });
      const first = coming;
      coming = null;
      return first ?? rest.next();
    },
    async each(take) {
      try {
        while (seen.length > 0) take(seen.shift()!);
        if (coming !== null) {
          const { done, value } = await flow.next();
          if (done) return;
          take(value);
        }
      } catch (error) {
        await rest.return();
        throw error;
      }
      return rest.each(take);
    },
    async return() {
      seen.length = 0;
      return rest.return();
    },
  });
  return flow;
}
