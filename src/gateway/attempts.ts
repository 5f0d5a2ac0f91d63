import { randomUUID } from 'node:crypto';
import type { AdmittedAttempt, Attempt, AttemptEnd, AttemptGuard } from '../core/attempt.ts';
import type { CallContext } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { type AppError, toAppError } from '../core/errors.ts';
import { heardOf, isContent, type ProviderEvent } from '../core/events.ts';
import { type Usage, unknownUsage } from '../core/usage.ts';
import { likelyThirdsOf } from './text-tokens.ts';

/** A try that all guards let through. Exactly one of its endings is called; a later one does nothing. */
export interface RunningAttempt {
  /** Sees every event of its answer, in order; a `finish` ends it. */
  see(event: ProviderEvent): void;
  /** It came whole. */
  answered(model: string, usage: Usage): Promise<void>;
  /** What it threw, or the reason of the signal that ended it. */
  failed(thrown: unknown): Promise<void>;
  /** The client wants no more of it. */
  cancelled(): Promise<void>;
  hasEnded(): boolean;
  /** What it has cost in nano-USD, once it has ended; null: unknown, or nobody keeps books. */
  cost(): bigint | null;
  /** The most that it may cost in nano-USD; null: unknown, or nobody keeps books. */
  most(): bigint | null;
}

/**
 * Asks the guards in order and lets a try begin, by an id of its own where it has none; rejects with what the first of them says that refuses, after those before
 * it were told that nothing was asked.
 */
export async function beginAttempt(
  deps: { guards: readonly AttemptGuard[]; clock: Clock },
  what: Omit<Attempt, 'id'> & { id?: string },
  context: CallContext,
): Promise<RunningAttempt> {
  const attempt: Attempt = { id: `att_${randomUUID()}`, ...what };
  const admitted: AdmittedAttempt[] = [];
  const beganMs = deps.clock.monotonicMs();
  const seen = {
    usage: unknownUsage,
    thirds: 0,
    reasoningThirds: 0,
    outputTokens: null as number | null,
    model: null as string | null,
    firstContentMs: null as number | null,
  };
  let hasEnded = false;
  const end = async (outcome: AttemptEnd['outcome'], error: AppError | null) => {
    if (hasEnded) return;
    hasEnded = true;
    const report: AttemptEnd = {
      outcome,
      error,
      usage: seen.usage,
      seenOutputTokens: seen.outputTokens ?? Math.ceil(seen.thirds / 3),
      seenReasoningTokens: Math.ceil(seen.reasoningThirds / 3),
      latencyMs: deps.clock.monotonicMs() - beganMs,
      firstContentMs: seen.firstContentMs,
      answeredModel: seen.model,
    };
    const waits: Promise<void>[] = [];
    for (const one of admitted) {
      const done = one.ended(report);
      if (done) waits.push(done);
    }
    if (waits.length > 0) await Promise.all(waits);
  };
  try {
    for (const guard of deps.guards) {
      const one = guard.admit(attempt, context);
      admitted.push(one instanceof Promise ? await one : one);
    }
    // Whoever went while the guards were asked must not be billed for what nobody saw.
    context.signal.throwIfAborted();
  } catch (error) {
    await end('not-asked', toAppError(error));
    throw error;
  }
  const see = (event: ProviderEvent): void => {
    if (event.type === 'relay') {
      for (const heard of heardOf(event)) see(heard);
    } else if (event.type === 'start') {
      seen.usage = event.usage;
      seen.model = event.model;
    } else if (event.type === 'finish') {
      seen.usage = event.usage;
      // It goes on at its provider, who does not tell us what it comes to: as much as it may be.
      if (event.reason === 'paused' && event.usage.outputTokens === null)
        seen.outputTokens = what.estimate.outputTokens;
      void end('answered', null);
    } else if (isContent(event)) {
      seen.firstContentMs ??= deps.clock.monotonicMs() - beganMs;
      const thirds = thirdsOf(event);
      seen.thirds += thirds;
      if (event.type === 'reasoning-delta') seen.reasoningThirds += thirds;
    }
  };
  return {
    see,
    async answered(model, usage) {
      Object.assign(seen, { model, usage, firstContentMs: deps.clock.monotonicMs() - beganMs });
      await end('answered', null);
    },
    async failed(thrown) {
      const error = toAppError(thrown);
      await end(context.signal.aborted || error.code === 'client_closed_request' ? 'cancelled' : 'failed', error);
    },
    cancelled: () => end('cancelled', null),
    hasEnded: () => hasEnded,
    cost: () => admitted.find((one) => one.cost !== undefined)?.cost?.() ?? null,
    most: () => admitted.find((one) => one.mostNanoUsd !== undefined)?.mostNanoUsd ?? null,
  };
}

/** What an event has generated, in thirds of a token. */
export function thirdsOf(event: ProviderEvent): number {
  switch (event.type) {
    case 'text-delta':
    case 'reasoning-delta':
      return likelyThirdsOf(event.text);
    case 'tool-call-delta':
      return likelyThirdsOf(event.argumentsText);
    case 'tool-call-start':
      return likelyThirdsOf(event.name);
    default:
      return 0;
  }
}
