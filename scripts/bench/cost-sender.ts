/**
 * A process of the `cost` bench, forked like a worker: sends the messages of steps at a given pace, in turn with stretches
 * at the same pace without sending, and reports the difference of its processor times.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { WorkerStep } from '../../src/ipc/protocol.ts';
import { createOutbox } from '../../src/worker/outbox.ts';
import { processorMsOf } from './processes.ts';

export interface SenderTask {
  streams: number;
  steps: number;
  stepMs: number;
}

export interface SenderResult {
  type: 'result';
  usPerToken: number;
}

const task = JSON.parse(process.argv[2]!) as SenderTask;
const outbox = createOutbox((message) => void process.send?.(message, undefined, undefined, () => {}));

const step = (): WorkerStep => ({
  items: Array.from({ length: task.streams }, (_, id) => ({
    id,
    event: { type: 'text-delta' as const, blockId: 0, text: ' token' },
  })),
  report: {
    sequences: task.streams,
    decoded: Array.from({ length: task.streams }, (_, id) => id),
    promptTokens: 0,
    prefixes: [],
    drafts: { proposed: 0, accepted: 0 },
    milliseconds: task.stepMs,
    endedMs: performance.now(),
  },
});

/** So many steps with and as many without sending, in turn: the speed of a shared machine changes within seconds. */
const stepsOfTurn = 50;

/** Processor time in microseconds of so many steps. */
async function run(steps: number, act: (step: WorkerStep) => void): Promise<number> {
  const beforeMs = processorMsOf(process.pid);
  for (let made = 0; made < steps; made++) {
    act(step());
    await wait(task.stepMs);
  }
  outbox.flush();
  return (processorMsOf(process.pid) - beforeMs) * 1000;
}

const send = (made: WorkerStep) => outbox.post(made);
// Once for the compiler.
await run(task.steps, send);
const turns = Math.ceil(task.steps / stepsOfTurn);
let spentUs = 0;
for (let turn = 0; turn < turns; turn++) {
  spentUs += (await run(stepsOfTurn, send)) - (await run(stepsOfTurn, () => {}));
}
const result: SenderResult = { type: 'result', usPerToken: spentUs / (turns * stepsOfTurn * task.streams) };
process.send?.(result, () => process.disconnect());
