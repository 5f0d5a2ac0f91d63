import { AppError } from '../../src/core/errors.ts';
import { promptUsage } from '../../src/core/usage.ts';
import type { WorkerExit, WorkerProcess } from '../../src/ipc/fork.ts';
import type { FromWorker, ToWorker, WorkerItem, WorkerMeasurement, WorkerRequest } from '../../src/ipc/protocol.ts';

/** A request for vectors or scores. */
export type FakeCallMessage = Extract<ToWorker, { type: 'embed' | 'rank' }>;
/** A request for the time of a step. */
export type FakeMeasurement = Extract<ToWorker, { type: 'measure' }>;

/** A worker that speaks the real protocol and does only what a test tells it. */
export interface FakeWorker extends WorkerProcess {
  /** Everything the engine sent, in order. */
  readonly received: ToWorker[];
  /** Requests that were started and have not ended. */
  readonly running: { id: number; request: WorkerRequest }[];
  /** Requests for vectors and scores that have no answer yet. */
  readonly calls: FakeCallMessage[];
  /** Requests for the time of a step that have no answer yet. */
  readonly measurements: FakeMeasurement[];
  emit(message: FromWorker): void;
  /** Sends items as one step. */
  step(...items: WorkerItem[]): void;
  /** The events of a short answer, ended with `stop`. */
  answer(id: number, text: string): void;
  exit(exit: Partial<WorkerExit>): void;
  readonly exited: boolean;
}

export interface FakeWorkerBehaviour {
  /** Answer `load` with `ready` at once; default true. */
  readyAtOnce?: boolean;
  /** Answer pings; default true. */
  pongs?: boolean;
  /** Exit when asked to; default true. */
  obeysShutdown?: boolean;
  /** Confirm cancels; default true. */
  obeysCancel?: boolean;
  /** Answers a measurement at once with these milliseconds; left out: the test answers. */
  stepMs?: (setting: WorkerMeasurement) => number | null;
}

let nextPid = 1_000_000;

export function fakeWorker(behaviour: FakeWorkerBehaviour = {}): FakeWorker {
  const { readyAtOnce = true, pongs = true, obeysShutdown = true, obeysCancel = true } = behaviour;
  const received: ToWorker[] = [];
  const running: { id: number; request: WorkerRequest }[] = [];
  const calls: FakeCallMessage[] = [];
  const measurements: FakeMeasurement[] = [];
  const listeners: ((message: FromWorker) => void)[] = [];
  let onExit: ((exit: WorkerExit) => void) | null = null;
  let exited = false;

  const emit = (message: FromWorker) => {
    if (message.type === 'step') {
      for (const item of message.items) {
        if (!('error' in item) && item.event.type !== 'finish') continue;
        const index = running.findIndex((request) => request.id === item.id);
        if (index !== -1) running.splice(index, 1);
      }
    }
    if ('id' in message) {
      for (const open of [calls, measurements]) {
        const index = open.findIndex((call) => call.id === message.id);
        if (index !== -1) open.splice(index, 1);
      }
    }
    for (const listener of listeners) listener(message);
  };
  const confirmCancel = (id: number) => {
    if (![...calls, ...measurements].some((call) => call.id === id))
      return emit({ type: 'step', items: [finish(id, 'cancelled')], report: null });
    emit({ type: 'refused', id, error: new AppError('client_closed_request', 'cancelled').toWire() });
  };
  const exit = (given: Partial<WorkerExit>) => {
    if (exited) return;
    exited = true;
    onExit?.({ code: null, signal: null, stderrTail: [], ...given });
  };
  const finish = (id: number, reason: 'stop' | 'cancelled'): WorkerItem => ({
    id,
    event: {
      type: 'finish',
      reason,
      rawReason: null,
      stopSequence: null,
      usage: { ...promptUsage(3, 0), outputTokens: 2, reasoningTokens: 0 },
      timings: { queueMs: null, prefillMs: 1, decodeMs: 2 },
    },
  });

  return {
    pid: nextPid++,
    received,
    running,
    calls,
    measurements,
    emit,
    step: (...items) => emit({ type: 'step', items, report: null }),
    answer(id, text) {
      emit({
        type: 'step',
        items: [
          { id, event: { type: 'start', responseId: null, model: 'm', usage: promptUsage(3, 0), warnings: [] } },
          { id, event: { type: 'text-start', blockId: 0 } },
          { id, event: { type: 'text-delta', blockId: 0, text } },
          { id, event: { type: 'text-end', blockId: 0 } },
          finish(id, 'stop'),
        ],
        report: {
          sequences: 1,
          promptTokens: 3,
          decoded: [id],
          prefixes: [],
          drafts: { proposed: 0, accepted: 0 },
          milliseconds: 0,
          endedMs: 0,
        },
      });
    },
    exit,
    get exited() {
      return exited;
    },
    send(message) {
      if (exited) return;
      received.push(message);
      if (message.type === 'load' && readyAtOnce) {
        const { contextTokens, slots, threads } = message.options;
        queueMicrotask(() => emit({ type: 'ready', ready: { contextTokens, slots, threads, warnings: [] } }));
      } else if (message.type === 'ping' && pongs) emit({ type: 'pong', sequence: message.sequence });
      else if (message.type === 'generate') running.push({ id: message.id, request: message.request });
      else if (message.type === 'embed' || message.type === 'rank') calls.push(message);
      else if (message.type === 'measure') {
        measurements.push(message);
        if (!behaviour.stepMs) return;
        const milliseconds = behaviour.stepMs(message.setting);
        queueMicrotask(() => emit({ type: 'measured', id: message.id, milliseconds }));
      } else if (message.type === 'cancel' && obeysCancel) queueMicrotask(() => confirmCancel(message.id));
      else if (message.type === 'shutdown' && obeysShutdown) queueMicrotask(() => exit({ code: 0 }));
    },
    onMessage: (listener) => {
      listeners.push(listener);
    },
    onExit(listener) {
      onExit = listener;
    },
    kill: (signal) => queueMicrotask(() => exit({ signal })),
  };
}

/** Lets every promise that can settle now settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The shortest request; what it asks for does not matter to a fake worker. */
export const anyRequest: WorkerRequest = {
  owner: null,
  promptCache: 'keep',
  model: 'm',
  input: { type: 'text', prompt: 'x' },
  sampling: {},
  format: { type: 'text' },
  topLogprobs: null,
  maxTokens: null,
  stop: [],
};
