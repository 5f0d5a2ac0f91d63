/**
 * A process of the `cost` bench, forked like a worker: sends the messages of steps at a given pace, then stays at the
 * same pace without sending, and reports the difference of its processor times.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { WorkerStep } from '../../src/engine/ipc/protocol.ts';
import { createOutbox } from '../../src/engine/worker/outbox.ts';

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
    drafts: { proposed: 0, accepted: 0 },
    milliseconds: task.stepMs,
    endedMs: performance.now(),
  },
});

/** Processor time in microseconds of so many steps. */
async function run(act: (step: WorkerStep) => void): Promise<number> {
  const before = process.cpuUsage();
  for (let made = 0; made < task.steps; made++) {
    act(step());
    await wait(task.stepMs);
  }
  const spent = process.cpuUsage(before);
  return spent.user + spent.system;
}

// Once for the compiler.
await run((made) => outbox.post(made));
const sending = await run((made) => outbox.post(made));
const idling = await run(() => {});
const result: SenderResult = { type: 'result', usPerToken: (sending - idling) / (task.steps * task.streams) };
process.send?.(result, () => process.disconnect());
