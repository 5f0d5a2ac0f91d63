import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import { startRealWorker } from './real-worker.ts';
import { type ScheduleCase, scheduleCases } from './schedule-cases.ts';
import { type Load, play, schedules, wholeOf } from './schedules.ts';

/** Every second conversation of the schedules, and each once more with a seed. */
const some = scheduleCases.filter((_, index) => index % 2 === 0);
const cases: ScheduleCase[] = some.flatMap(({ name, request }, index) => [
  { name, request },
  { name: `${name}, seed ${index}`, request: { ...request, sampling: { temperature: 1.2, seed: index } } },
]);

/**
 * Compares whole answers, greedy ones and those of a seed, with what an idle worker with one slot and one thread says to them,
 * over `count` random schedules. `root`: the installation whose libraries are tried; `modelPath`: left out, the built-in model.
 */
export async function expectEqualAnswers(how: { root: string; modelPath?: string; count: number }): Promise<void> {
  const { count, ...where } = how;
  const alone = await startRealWorker({ ...where, slots: 1, vaultFolder: null, drafts: false });
  const cold: unknown[] = [];
  for (const { request } of cases) cold.push(wholeOf((await alone.ask(coldly(request)))!));
  await alone.stop();
  const requests = cases.map(({ request }) => request);
  const playAndCompare = async (load: Load, vaultFolder: string) => {
    const worker = await startRealWorker({ ...where, slots: load.slots, vaultFolder, drafts: true, threads: 2 });
    try {
      const { answers } = await play(worker, load, requests);
      for (const { arrival, answer } of answers) {
        if (!arrival.isSampled) expect(wholeOf(answer), cases[arrival.index]!.name).toEqual(cold[arrival.index]);
      }
    } finally {
      await worker.stop();
    }
  };
  await fc.assert(
    fc.asyncProperty(schedules(cases.length), async (loads) => {
      const vaultFolder = await mkdtemp(join(tmpdir(), 'hearth-equal-'));
      try {
        for (const load of loads) await playAndCompare(load, vaultFolder);
      } finally {
        await rm(vaultFolder, { recursive: true, force: true });
      }
    }),
    { numRuns: count, endOnFailure: true },
  );
}

const coldly = (request: WorkerRequest): WorkerRequest => ({ ...request, promptCache: 'none' });
