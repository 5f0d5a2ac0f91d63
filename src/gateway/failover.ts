import { type AppError, toAppError } from '../core/errors.ts';
import { isContent, type Progress, type StreamEvent } from '../core/events.ts';
import type { Provider } from '../core/provider.ts';
import type { GatewayTarget } from './targets.ts';

type StartEvent = Extract<StreamEvent, { type: 'start' }>;

/** An answer that belongs to its provider for good. */
interface CommittedAnswer extends GatewayTarget {
  start: StartEvent;
  /** Every event from the start on, it and those that were waited for included. */
  events: AsyncIterableIterator<StreamEvent>;
}

/**
 * Asks the targets in order until one has committed itself: with its `start`, or with its first content where the
 * provider says so. A failure before that moves on if another target may do better; the last failure is thrown.
 * `begin`: starts a stream at a target. `onProgress`: sees what happens until then.
 */
export async function firstCommitted(
  targets: readonly GatewayTarget[],
  begin: (target: GatewayTarget) => AsyncIterable<StreamEvent>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<CommittedAnswer> {
  return firstWilling(targets, signal, async (target) => {
    const iterator = begin(target)[Symbol.asyncIterator]();
    try {
      const seen: StreamEvent[] = [];
      let start: StartEvent | null = null;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) throw new Error(`provider ${target.provider.id} ended without an answer`);
        if (value.type === 'progress') {
          onProgress(value);
          continue;
        }
        if (value.type === 'start') start = value;
        if (start === null) throw new Error(`provider ${target.provider.id} began without a start`);
        seen.push(value);
        if (commits(target.provider, value)) return { ...target, start, events: resume(seen, iterator) };
      }
    } catch (error) {
      await iterator.return?.();
      throw error;
    }
  });
}

/** The first target that does what is asked; a failure moves on if another target may do better. */
export async function firstWilling<Result>(
  targets: readonly GatewayTarget[],
  signal: AbortSignal,
  ask: (target: GatewayTarget) => Promise<Result>,
): Promise<Result> {
  let failure: AppError | null = null;
  for (const target of targets) {
    try {
      return await ask(target);
    } catch (error) {
      failure = toAppError(error);
      if (!failure.mayFailOver || signal.aborted) throw failure;
    }
  }
  throw failure ?? new Error('no target was given');
}

/** Whether with this event the answer is the provider's for good. */
function commits(provider: Provider, event: StreamEvent): boolean {
  return provider.commitsAt === 'start' ? event.type === 'start' : isContent(event);
}

/**
 * The events that were pulled already, then the rest. Written out rather than as a generator: a generator that was never
 * started would not hand an early `return` on to the provider.
 */
function resume(seen: StreamEvent[], iterator: AsyncIterator<StreamEvent>): AsyncIterableIterator<StreamEvent> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      const value = seen.shift();
      return value === undefined ? iterator.next() : Promise.resolve({ done: false, value });
    },
    async return() {
      seen.length = 0;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}
