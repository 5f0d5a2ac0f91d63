import { AppError, toAppError, type WireError } from '../core/errors.ts';
import type { StreamEvent } from '../core/events.ts';
import { type Calls, createCalls } from './calls.ts';
import type { FromWorker, StepReport, ToWorker, WorkerItem, WorkerRequest, WorkerStep } from './protocol.ts';

/** The two ends of a process boundary, as little of it as the channel needs; tests pass a fake. */
interface Port {
  send(message: ToWorker): void;
  onMessage(listener: (message: FromWorker) => void): void;
}

export interface RequestHooks {
  /** A token was generated, whether or not there is text to show for it. `stepEndedMs`: as `StepReport.endedMs`. */
  onToken: (stepEndedMs: number) => void;
  /** The worker is done with the request and its slot is free; called exactly once, also when the channel closes. */
  onSettled: () => void;
}

interface Channel extends Calls {
  /**
   * Starts a request and yields its events. An abort or an early return cancels it in the worker; an abort is thrown
   * as its reason. Fails with the reason of the channel's close.
   */
  generate(request: WorkerRequest, signal: AbortSignal, hooks: RequestHooks): AsyncIterableIterator<StreamEvent>;
  /** Fails every pending request with `reason` and every later one; idempotent. */
  close(reason: AppError): void;
}

/** Events of one request that arrived and were not taken yet; the worker is never slowed by a slow reader. */
interface Inbox {
  queue: WorkerItem[];
  wake: (() => void) | null;
  hooks: RequestHooks;
}

/**
 * Matches requests and events by id over one port. Every request races the channel's close, so none can hang on a
 * dead worker. `onStep` sees the report of each step, `onFailure` each failure, before the request that it ends.
 */
export function createChannel(deps: {
  port: Port;
  onStep: (report: StepReport) => void;
  onFailure?: (error: WireError) => void;
}): Channel {
  const inboxes = new Map<number, Inbox>();
  let nextId = 1;
  let closed: AppError | null = null;
  const calls = createCalls({ send: deps.port.send, newId: () => nextId++ });

  const deliver = (item: WorkerItem) => {
    if ('error' in item) deps.onFailure?.(item.error);
    const inbox = inboxes.get(item.id);
    if (!inbox) return;
    inbox.queue.push(item);
    if ('error' in item || item.event.type === 'finish') {
      inboxes.delete(item.id);
      inbox.hooks.onSettled();
    }
    inbox.wake?.();
  };

  const takeStep = ({ items, report }: WorkerStep) => {
    if (report) {
      deps.onStep(report);
      for (const id of report.decoded) inboxes.get(id)?.hooks.onToken(report.endedMs);
    }
    for (const item of items) deliver(item);
  };

  deps.port.onMessage((message) => {
    if (message.type === 'step') takeStep(message);
    else if (message.type === 'steps') for (const step of message.steps) takeStep(step);
    else if ('id' in message) {
      if (message.type === 'refused') deps.onFailure?.(message.error);
      calls.deliver(message);
    }
  });

  async function* generate(
    request: WorkerRequest,
    signal: AbortSignal,
    hooks: RequestHooks,
  ): AsyncGenerator<StreamEvent> {
    if (closed || signal.aborted) {
      hooks.onSettled();
      throw closed ?? toAppError(signal.reason);
    }
    const id = nextId++;
    const inbox: Inbox = { queue: [], wake: null, hooks };
    inboxes.set(id, inbox);
    // A generator that awaits cannot be returned from outside: the abort has to wake it.
    const onAbort = () => inbox.wake?.();
    signal.addEventListener('abort', onAbort);
    deps.port.send({ type: 'generate', id, request });
    let ended = false;
    try {
      while (true) {
        if (signal.aborted) throw toAppError(signal.reason);
        const item = inbox.queue.shift();
        if (item === undefined) {
          if (closed) {
            ended = true;
            throw closed;
          }
          await new Promise<void>((resolve) => {
            inbox.wake = resolve;
          });
          inbox.wake = null;
          continue;
        }
        if ('error' in item) {
          ended = true;
          throw AppError.fromWire(item.error);
        }
        if (item.event.type === 'finish') ended = true;
        yield item.event;
        if (ended) return;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      // The inbox stays until the worker confirms: the slot is free only then.
      if (!ended && !closed && inboxes.has(id)) deps.port.send({ type: 'cancel', id });
    }
  }

  return {
    generate,
    embed: calls.embed,
    rank: calls.rank,
    decide: calls.decide,
    count: calls.count,
    tokens: calls.tokens,
    measure: calls.measure,
    close(reason) {
      if (closed) return;
      closed = reason;
      calls.close(reason);
      const open = [...inboxes.values()];
      inboxes.clear();
      for (const inbox of open) {
        inbox.hooks.onSettled();
        inbox.wake?.();
      }
    },
  };
}
