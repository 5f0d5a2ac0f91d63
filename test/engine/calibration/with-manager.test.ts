import { describe, expect, it } from 'vitest';
import { createCalibrator } from '../../../src/engine/calibration/calibrator.ts';
import type { Calibration } from '../../../src/engine/calibration/run-calibration.ts';
import { createLauncher } from '../../../src/engine/residents/launcher.ts';
import { createLoadFailures } from '../../../src/engine/residents/load-failures.ts';
import { createManager, type ModelRef } from '../../../src/engine/residents/manager.ts';
import { createThreadArbiter } from '../../../src/engine/threads/arbiter.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { testCrashGuard } from '../../support/crash-guard.ts';
import { fakeGpu } from '../../support/fake-gpu.ts';
import {
  anyRequest,
  type FakeWorker,
  type FakeWorkerBehaviour,
  fakeWorker,
  settle,
} from '../../support/fake-worker.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { anyPlan } from '../../support/plans.ts';
import { testBus } from '../../support/test-bus.ts';

const never = new AbortController().signal;
const settings = { gpu: 'off', keepAliveMs: Number.POSITIVE_INFINITY } as const;
/** Large enough for more than one thread. */
const facts = { tensorBytes: 2 ** 30 } as GgufFacts;
const ref: ModelRef = { id: 'a:q4_0', model: 'a', filePath: '/models/a.gguf', facts };

/** The real manager and calibrator on four cores over fake workers. */
function setup(options: { behaviour?: FakeWorkerBehaviour; tuneThreads?: boolean; stored?: Calibration } = {}) {
  const clock = manualClock();
  const { bus, metrics } = testBus();
  const log = createLogger('silent');
  const workers: FakeWorker[] = [];
  const stored: Calibration[] = options.stored ? [options.stored] : [];
  const calibrator = createCalibrator({
    store: { load: async () => stored[0] ?? null, save: async (_key, found) => void stored.push(found) },
    newCpuReader: () => ({ read: () => ({ waitingShare: 0, frozenCores: 0, idleCores: 4 }) }),
    fileFacts: async () => ({ bytes: 1, modifiedMs: 1 }),
    machine: { cpuModel: 'Atom', cores: 4, engineVersion: '1' },
    tuneThreads: options.tuneThreads ?? true,
    libuvChoices: [1, 2, 4],
    calm: () => true,
    onTuned: () => {},
    clock,
    log,
    bus,
  });
  const manager = createManager({
    launcher: createLauncher({
      fork() {
        workers.push(fakeWorker(options.behaviour));
        return workers.at(-1)!;
      },
      arbiter: createThreadArbiter(4),
      contention: { observeStep: () => {}, forget: () => {} },
      libuvThreads: 1,
      vaultFor: () => null,
      drafts: true,
      loadTimeoutMs: 60_000,
      clock,
      log,
      bus,
    }),
    gpu: fakeGpu(),
    memory: {
      plan: () => anyPlan({ contextTokens: 4_096, slots: 1, batchTokens: 512, threads: 4 }),
      residentBytes: () => 1,
      measure: () => null,
      refusal: () => null,
    },
    calibrator,
    failures: createLoadFailures(() => null),
    crashes: testCrashGuard(clock),
    maxQueue: 8,
    clock,
    log,
    bus,
  });
  const idle = async () => {
    clock.advance(5_000);
    await settle();
  };
  const threadsOf = (worker: FakeWorker) => worker.received.filter(({ type }) => type === 'threads').at(-1);
  const results = async () => (await metrics.calibrations.get()).values.map(({ labels }) => labels.result);
  return { manager, workers, stored, calibrator, idle, threadsOf, results };
}

const twoAreFastest: FakeWorkerBehaviour = {
  stepMs: ({ phase, tokens, threads }) =>
    phase === 'decode' ? (threads === 2 ? 5 : 9) + tokens : (tokens * 2) / threads,
};

const known: Calibration = {
  decodeThreads: 2,
  prefillThreads: 4,
  libuvThreads: 3,
  batchTokens: 256,
  decodeTokensPerSecond: { 1: 100, 2: 190, 4: 100 },
  prefillTokensPerSecond: { 64: 100, 256: 200, 512: 200 },
  costOfTokens: [1, 1.5],
  measuredAt: '2026-01-01T00:00:00.000Z',
  provisional: false,
};

describe('a loaded model', () => {
  it('is calibrated when it is idle, and decodes with the threads that were fastest', async () => {
    const { manager, workers, stored, calibrator, idle, threadsOf, results } = setup({ behaviour: twoAreFastest });
    await manager.load(ref, settings);
    await idle();
    expect(stored).toMatchObject([{ decodeThreads: 2, prefillThreads: 4 }]);
    expect(calibrator.resultOf('a:q4_0')).toBe(stored[0]);
    expect(threadsOf(workers[0]!)).toEqual({ type: 'threads', threads: 2, prefillThreads: 4 });
    expect(await results()).toEqual(['measured']);
  });

  it('is measured on as many threads as its load allows, and on no request’s slot', async () => {
    const { manager, workers, idle } = setup({ behaviour: twoAreFastest });
    await manager.load(ref, settings);
    await idle();
    const measured = workers[0]!.received.filter((message) => message.type === 'measure');
    expect(new Set(measured.map(({ setting }) => setting.threads))).toEqual(new Set([1, 2, 4]));
    expect(Math.max(...measured.map(({ setting }) => setting.tokens))).toBe(512);
    expect(manager.residents()[0]).toMatchObject({ busySlots: 0, queueDepth: 0 });
  });

  it('is loaded with pool, batch and threads that are known', async () => {
    const { manager, workers, idle, threadsOf, results } = setup({ stored: known });
    await manager.load(ref, settings);
    expect(workers[0]!.received[0]).toMatchObject({
      type: 'load',
      options: { batchTokens: 256, maxThreads: 4, libuvThreads: 3 },
    });
    expect(threadsOf(workers[0]!)).toEqual({ type: 'threads', threads: 2, prefillThreads: 4 });
    expect(workers[0]!.received).toContainEqual({ type: 'calibrated', costOfTokens: [1, 1.5], libuvThreads: 3 });
    await idle();
    expect(workers[0]!.measurements).toEqual([]);
    expect(await results()).toEqual(['stored']);
  });

  it('keeps the threads that the operator has set', async () => {
    const { manager, workers, threadsOf } = setup({ stored: known, tuneThreads: false });
    await manager.load(ref, settings);
    expect(threadsOf(workers[0]!)).toEqual({ type: 'threads', threads: 4, prefillThreads: 4 });
    expect(workers[0]!.received[0]).toMatchObject({ options: { batchTokens: 256 } });
  });

  it('answers a request that arrives amid a measurement after this one step, with the threads as before', async () => {
    const { manager, workers, stored, idle, threadsOf, results } = setup();
    await manager.load(ref, settings);
    await idle();
    const worker = workers[0]!;
    const [step] = worker.measurements;
    expect(worker.measurements).toHaveLength(1);
    const lease = await manager.lease(ref, settings, never);
    const answer = lease.generate(anyRequest, never, () => {})[Symbol.asyncIterator]();
    const first = answer.next();
    await settle();
    expect(worker.received.slice(-2)).toMatchObject([{ type: 'cancel', id: step!.id }, { type: 'generate' }]);
    worker.answer(worker.running[0]!.id, 'ok');
    expect((await first).value).toMatchObject({ type: 'start' });
    while (!(await answer.next()).done);
    expect(worker.received.filter(({ type }) => type === 'measure')).toHaveLength(1);
    expect(threadsOf(worker)).toEqual({ type: 'threads', threads: 4, prefillThreads: 4 });
    expect(stored).toEqual([]);
    expect(await results()).toEqual(['interrupted']);
  });

  it('is loaded again when its worker dies amid a measurement, and is not measured again', async () => {
    const { manager, workers, idle, results } = setup();
    await manager.load(ref, settings);
    await idle();
    workers[0]!.exit({ signal: 'SIGSEGV' });
    await settle();
    expect(manager.residents()).toEqual([]);
    expect(await results()).toEqual(['failed']);
    await manager.load(ref, settings);
    await idle();
    await idle();
    expect(workers).toHaveLength(2);
    expect(workers[1]!.measurements).toEqual([]);
    expect(manager.residents()).toMatchObject([{ state: 'loaded' }]);
  });

  it('can be unloaded amid a measurement', async () => {
    const { manager, workers, idle, results } = setup();
    await manager.load(ref, settings);
    await idle();
    await manager.unload(ref.id, 'request');
    expect(workers[0]!.exited).toBe(true);
    await settle();
    expect(await results()).toEqual(['interrupted']);
  });
});
