import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { createLauncher } from '../../../src/engine/residents/launcher.ts';
import type { Lease } from '../../../src/engine/residents/lease.ts';
import { createLoadFailures } from '../../../src/engine/residents/load-failures.ts';
import { createManager, type LoadSettings, type ModelRef } from '../../../src/engine/residents/manager.ts';
import { createThreadArbiter } from '../../../src/engine/threads/arbiter.ts';
import { damagedError } from '../../../src/ipc/damaged.ts';
import type { GpuDevice } from '../../../src/machine/gpu/device.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { testCrashGuard } from '../../support/crash-guard.ts';
import { fakeGpu, someGpu } from '../../support/fake-gpu.ts';
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
const settings: LoadSettings = { gpu: 'off', keepAliveMs: 300_000, slots: 2 };
const modelBytes = 100;

/** Only the field that the manager reads. */
const ref = (name: string): ModelRef => ({
  id: `${name}:q4_0`,
  model: name,
  filePath: `/models/${name}.gguf`,
  facts: { tensorBytes: modelBytes } as GgufFacts,
});

/** `memoryBytes`: room in all; every model takes 100. */
function setup(
  options: {
    memoryBytes?: number;
    behaviour?: FakeWorkerBehaviour[];
    maxQueue?: number;
    slotsFor?: (availableBytes: number) => number;
    gpu?: GpuDevice;
    measuredBytes?: number;
    refusal?: (of: 'load' | 'request') => AppError | null;
    stampOf?: (filePath: string) => string;
  } = {},
) {
  const clock = manualClock();
  const { bus, metrics, events } = testBus();
  const log = createLogger('silent');
  const workers: FakeWorker[] = [];
  const alive = () => workers.filter((worker) => !worker.exited);
  const crashes = testCrashGuard(clock);
  const failures = createLoadFailures(() => null);
  const gpu = fakeGpu(options.gpu);
  const environments: Record<string, string>[] = [];
  /** Processes that were left whenever a model was told to be gone. */
  const ends: number[] = [];
  bus.subscribe(({ type }) => {
    if (type === 'model-gone') ends.push(alive().length);
  });
  const manager = createManager({
    launcher: createLauncher({
      fork(environment) {
        environments.push(environment);
        const worker = fakeWorker(options.behaviour?.[workers.length] ?? {});
        workers.push(worker);
        return worker;
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
    gpu,
    memory: {
      plan(_ref, wished, reclaimableBytes, device) {
        const availableBytes = (options.memoryBytes ?? 1_000) - alive().length * modelBytes + reclaimableBytes;
        if (availableBytes < modelBytes) {
          return {
            type: 'refusal',
            neededBytes: modelBytes,
            availableBytes,
            shortfallBytes: modelBytes - availableBytes,
            nearest: null,
            message: 'does not fit',
          };
        }
        return anyPlan({
          contextTokens: wished.contextTokens ?? 512,
          slots: options.slotsFor?.(availableBytes) ?? wished.slots ?? 1,
          gpuLayers: device ? 3 : 0,
          gpuBytes: device ? 1_000 : 0,
        });
      },
      residentBytes: () => modelBytes,
      measure: () => options.measuredBytes ?? null,
      refusal: (of) => options.refusal?.(of) ?? null,
    },
    crashes,
    failures,
    ...(options.stampOf && { stampOf: options.stampOf }),
    maxQueue: options.maxQueue ?? 8,
    clock,
    log,
    bus,
  });
  return { clock, metrics, events, workers, alive, manager, crashes, failures, gpu, environments, ends };
}

/** Starts a request on a lease and leaves it running. */
async function begin(lease: Lease): Promise<void> {
  const iterator = lease.generate(anyRequest, never, () => {})[Symbol.asyncIterator]();
  // Read to the end in the background; a failure is the test's business elsewhere.
  void (async () => {
    while (!(await iterator.next()).done);
  })().catch(() => {});
  await settle();
}

const finishAll = (worker: FakeWorker) => {
  for (const { id } of [...worker.running]) worker.answer(id, 'ok');
};

describe('the manager of loaded models', () => {
  it('loads a model once for everyone who wants it at the same time', async () => {
    const { manager, workers } = setup({ behaviour: [{ readyAtOnce: true }] });
    const leases = await Promise.all([1, 2].map(() => manager.lease(ref('a'), settings, never)));
    expect(workers).toHaveLength(1);
    expect(leases).toHaveLength(2);
    expect(manager.residents()).toMatchObject([{ id: 'a:q4_0', state: 'loaded', busySlots: 2 }]);
  });

  it('counts guessed tokens by whether the model confirmed them', async () => {
    const { manager, workers, metrics } = setup();
    await manager.load(ref('a'), settings);
    for (const drafts of [
      { proposed: 5, accepted: 3 },
      { proposed: 0, accepted: 0 },
      { proposed: 4, accepted: 4 },
    ]) {
      const times = { milliseconds: 1, endedMs: 1 };
      const report = { sequences: 1, decoded: [], promptTokens: 0, prefixes: [], drafts, ...times };
      workers[0]!.emit({ type: 'step', items: [], report });
    }
    const text = await metrics.render();
    expect(text).toContain('hearth_engine_draft_tokens_total{model="a",result="accepted"} 7');
    expect(text).toContain('hearth_engine_draft_tokens_total{model="a",result="rejected"} 2');
  });

  it('runs one load at a time, in the order they were asked for', async () => {
    const { manager, workers } = setup({ behaviour: [{ readyAtOnce: false }, { readyAtOnce: false }] });
    const a = manager.lease(ref('a'), settings, never);
    const b = manager.lease(ref('b'), settings, never);
    await settle();
    expect(workers).toHaveLength(1);
    workers[0]!.emit({
      type: 'ready',
      ready: { contextTokens: 512, slots: 1, threads: 1, warnings: [] },
    });
    await a;
    await settle();
    expect(workers).toHaveLength(2);
    workers[1]!.emit({
      type: 'ready',
      ready: { contextTokens: 512, slots: 1, threads: 1, warnings: [] },
    });
    await b;
  });

  it('unloads a model when it was idle for its keep-alive time, and not while it works', async () => {
    const { manager, clock, workers } = setup();
    const lease = await manager.lease(ref('a'), settings, never);
    await begin(lease);
    clock.advance(1_000_000);
    await settle();
    expect(manager.residents()[0]?.expiresAt).toBeNull();
    expect(workers[0]!.exited).toBe(false);
    finishAll(workers[0]!);
    await settle();
    expect(manager.residents()[0]?.expiresAt).toEqual(new Date(clock.now().getTime() + 300_000));
    clock.advance(299_999);
    await settle();
    expect(workers[0]!.exited).toBe(false);
    clock.advance(1);
    await settle();
    expect(workers[0]!.exited).toBe(true);
    expect(manager.residents()).toEqual([]);
  });

  describe('after a restart', () => {
    const restored = { ...settings, restored: { usedAtMs: -299_000, keepUntilMs: 1_000 } };

    it('gives a model the idle time that it had left, and all of it once it was used', async () => {
      const { manager, clock, workers } = setup();
      await manager.restore(ref('a'), restored);
      expect(manager.uses()).toEqual([{ id: 'a:q4_0', idleMs: 299_000, keepAliveMs: 300_000 }]);
      expect(manager.residents()[0]!.expiresAt).toEqual(new Date(clock.now().getTime() + 1_000));
      await begin(await manager.lease(ref('a'), settings, never));
      expect(manager.uses()).toEqual([{ id: 'a:q4_0', idleMs: 0, keepAliveMs: 300_000 }]);
      finishAll(workers[0]!);
      await settle();
      expect(manager.residents()[0]!.expiresAt).toEqual(new Date(clock.now().getTime() + 300_000));
    });

    it('counts the time that it took to load it', async () => {
      const { manager, clock } = setup();
      clock.advance(400);
      await manager.restore(ref('a'), restored);
      expect(manager.uses()).toEqual([{ id: 'a:q4_0', idleMs: 299_400, keepAliveMs: 300_000 }]);
      expect(manager.residents()[0]!.expiresAt).toEqual(new Date(clock.now().getTime() + 600));
    });

    it('sends no model away for one that comes back, and one that came back as any that people use', async () => {
      const { manager, alive } = setup({ memoryBytes: 2 * modelBytes });
      await manager.load(ref('a'), settings);
      await manager.restore(ref('b'), { ...restored, pin: true });
      await expect(manager.restore(ref('c'), restored)).rejects.toMatchObject({ code: 'model_busy' });
      expect(manager.residents().map(({ model }) => model)).toEqual(['a', 'b']);
      expect(manager.uses()[1]!.keepAliveMs).toBe(Number.POSITIVE_INFINITY);
      await manager.unload('b:q4_0', 'request');
      await manager.restore(ref('d'), restored);
      const background = manager.lease(ref('e'), settings, never, undefined, undefined, { isBackground: true });
      await expect(background).rejects.toMatchObject({ code: 'model_busy' });
      expect(alive()).toHaveLength(2);
      // Whoever asks for another gets its place: it was idle for longer than the one that was loaded by now.
      await manager.lease(ref('e'), settings, never);
      expect(manager.residents().map(({ model }) => model)).toEqual(['a', 'e']);
    });

    it('leaves one as it is that somebody has loaded meanwhile, and lets requests join its load', async () => {
      const { manager, workers } = setup();
      const restoring = manager.restore(ref('a'), restored);
      await Promise.all([restoring, manager.lease(ref('a'), settings, never)]);
      await manager.restore(ref('a'), restored);
      expect(workers).toHaveLength(1);
    });

    it('refuses one that is in quarantine', async () => {
      const { manager, crashes } = setup();
      for (const _ of [1, 2]) crashes.record({ ...ref('a'), during: 'load', reason: 'it crashed' });
      await expect(manager.restore(ref('a'), restored)).rejects.toMatchObject({ code: 'model_quarantined' });
    });
  });

  it('tells that a model is gone once its process is, asked to or not', async () => {
    const { manager, workers, ends } = setup();
    await manager.load(ref('a'), settings);
    await manager.load(ref('b'), settings);
    expect(ends).toEqual([]);
    await manager.unload('a:q4_0', 'request');
    expect(ends).toEqual([1]);
    workers[1]!.exit({ signal: 'SIGSEGV' });
    await settle();
    expect(ends).toEqual([1, 0]);
  });

  it('takes the keep-alive time of the last request: 0 unloads at once, Infinity never', async () => {
    const { manager, clock, workers } = setup();
    (await manager.lease(ref('a'), settings, never, Number.POSITIVE_INFINITY)).release();
    clock.advance(1e7);
    await settle();
    expect(workers[0]!.exited).toBe(false);
    (await manager.lease(ref('a'), settings, never, 0)).release();
    clock.advance(0);
    await settle();
    expect(workers[0]!.exited).toBe(true);
  });

  it('makes room by ending the least recently used idle model, and only as many as needed', async () => {
    const { manager, clock, workers } = setup({ memoryBytes: 200 });
    (await manager.lease(ref('a'), settings, never)).release();
    clock.advance(10);
    (await manager.lease(ref('b'), settings, never)).release();
    clock.advance(10);
    (await manager.lease(ref('a'), settings, never)).release();
    clock.advance(10);
    (await manager.lease(ref('c'), settings, never)).release();
    expect(manager.residents().map((resident) => resident.model)).toEqual(['a', 'c']);
    expect(workers.map((worker) => worker.exited)).toEqual([false, true, false]);
  });

  it('ends an idle model rather than give the next one less than it could have', async () => {
    // The plan gives two slots when there is room for two models, else one.
    const { manager, workers } = setup({ memoryBytes: 250, slotsFor: (bytes) => (bytes >= 200 ? 2 : 1) });
    (await manager.lease(ref('a'), settings, never)).release();
    (await manager.lease(ref('b'), settings, never)).release();
    expect(workers.map((worker) => worker.exited)).toEqual([true, false]);
    expect(manager.residents()).toMatchObject([{ model: 'b', ready: { slots: 2 } }]);
  });

  it('takes less when only a working model is in the way', async () => {
    const { manager, workers } = setup({ memoryBytes: 250, slotsFor: (bytes) => (bytes >= 200 ? 2 : 1) });
    await begin(await manager.lease(ref('a'), settings, never));
    (await manager.lease(ref('b'), settings, never)).release();
    expect(workers.map((worker) => worker.exited)).toEqual([false, false]);
    expect(manager.residents()).toMatchObject([{ ready: { slots: 2 } }, { ready: { slots: 1 } }]);
  });

  it('never ends a working model for room: the load waits for it', async () => {
    const { manager, workers } = setup({ memoryBytes: 100 });
    const lease = await manager.lease(ref('a'), settings, never);
    await begin(lease);
    let got = false;
    const other = manager.lease(ref('b'), settings, never).then((granted) => {
      got = true;
      return granted;
    });
    await settle();
    expect(workers).toHaveLength(1);
    expect(got).toBe(false);
    finishAll(workers[0]!);
    await other;
    expect(workers.map((worker) => worker.exited)).toEqual([true, false]);
  });

  it('refuses with numbers what would not fit even alone', async () => {
    const { manager } = setup({ memoryBytes: 60 });
    await expect(manager.lease(ref('a'), settings, never)).rejects.toMatchObject({
      code: 'insufficient_memory',
      details: { needed_bytes: 100, available_bytes: 60, shortfall_bytes: 40 },
    });
    expect(manager.residents()).toEqual([]);
  });

  it('lets a request wait no longer than its client', async () => {
    const { manager, workers } = setup({ behaviour: [{ readyAtOnce: false }] });
    const gone = new AbortController();
    const lease = manager.lease(ref('a'), settings, gone.signal);
    await settle();
    gone.abort(new AppError('client_closed_request', 'gone'));
    await expect(lease).rejects.toMatchObject({ code: 'client_closed_request' });
    // The load goes on: the next client will want it.
    expect(workers[0]!.exited).toBe(false);
  });

  it('loads again for those who waited when a model is unloaded, and lets the running ones finish first', async () => {
    const { manager, workers } = setup();
    const leases = await Promise.all([1, 2].map(() => manager.lease(ref('a'), settings, never)));
    for (const lease of leases) await begin(lease);
    const waiting = manager.lease(ref('a'), settings, never);
    await settle();
    const unloaded = manager.unload('a:q4_0', 'request');
    await settle();
    expect(workers[0]!.exited).toBe(false);
    finishAll(workers[0]!);
    await unloaded;
    expect(workers[0]!.exited).toBe(true);
    (await waiting).release();
    expect(workers).toHaveLength(2);
  });

  it('leaves a loaded model alone when the same settings are asked for, and loads it again for others', async () => {
    const { manager, workers } = setup();
    await manager.load(ref('a'), settings);
    await manager.load(ref('a'), { ...settings, slots: 2 });
    expect(workers).toHaveLength(1);
    await manager.load(ref('a'), { ...settings, slots: 4 });
    expect(workers.map((worker) => worker.exited)).toEqual([true, false]);
    expect(manager.residents()).toMatchObject([{ ready: { slots: 4 } }]);
  });

  it('starts a fresh worker after a crash, and refuses the model after three', async () => {
    const { manager, workers, metrics, crashes } = setup();
    for (let crash = 0; crash < 3; crash++) {
      const lease = await manager.lease(ref('a'), settings, never);
      await begin(lease);
      workers.at(-1)!.exit({ signal: 'SIGSEGV' });
      await settle();
      expect(manager.residents()).toEqual([]);
    }
    await expect(manager.lease(ref('a'), settings, never)).rejects.toMatchObject({
      code: 'model_quarantined',
      status: 503,
    });
    crashes.forgive('a:q4_0');
    (await manager.lease(ref('a'), settings, never)).release();
    expect(workers).toHaveLength(4);
    expect(await metrics.render()).toContain('hearth_worker_restarts_total{model="a",reason="crash"} 3');
  });

  it('refuses a file that ended its process twice while it was loaded, until somebody asks for it', async () => {
    const { manager, workers, crashes } = setup({ behaviour: [{ readyAtOnce: false }, { readyAtOnce: false }] });
    for (let death = 0; death < 2; death++) {
      const failed = expect(manager.lease(ref('a'), settings, never)).rejects.toMatchObject({
        code: 'model_load_failed',
      });
      await settle();
      workers[death]!.exit({ signal: 'SIGABRT' });
      await failed;
    }
    await expect(manager.lease(ref('a'), settings, never)).rejects.toMatchObject({
      code: 'model_quarantined',
      message: expect.stringContaining('SIGABRT'),
    });
    expect(workers).toHaveLength(2);
    crashes.forgive('a:q4_0');
    (await manager.lease(ref('a'), settings, never)).release();
  });

  it('ends a model that computes no numbers and refuses its file, on a GPU only the GPU', async () => {
    for (const gpu of [undefined, someGpu]) {
      const { manager, workers, crashes, gpu: selector } = setup(gpu ? { gpu } : {});
      const wished: LoadSettings = { ...settings, gpu: gpu ? 'auto' : 'off' };
      const lease = await manager.lease(ref('a'), wished, never);
      const answer = lease.generate(anyRequest, never, () => {})[Symbol.asyncIterator]();
      const failed = expect(answer.next()).rejects.toMatchObject({ code: 'invalid_model_file' });
      await settle();
      workers[0]!.step({ id: workers[0]!.running[0]!.id, error: damagedError('a').toWire() });
      await failed;
      await settle();
      expect(workers[0]!.exited).toBe(true);
      if (gpu) {
        expect(crashes.reasonFor('a:q4_0')).toBeNull();
        expect(selector.told).toContainEqual(expect.stringContaining('blame'));
      } else {
        await expect(manager.lease(ref('a'), wished, never)).rejects.toMatchObject({ code: 'model_quarantined' });
      }
    }
  });

  it('remembers why a load failed, in the library’s own words, until it loads', async () => {
    const { manager, workers, failures } = setup({ behaviour: [{ readyAtOnce: false }] });
    const error = new AppError('model_load_failed', 'It cannot be loaded.', { details: { reason: 'native_load' } });
    const failed = expect(manager.load(ref('a'), settings)).rejects.toMatchObject({
      message: 'It cannot be loaded: missing tensor.',
    });
    await settle();
    workers[0]!.kill = () => workers[0]!.exit({ signal: 'SIGKILL', stderrTail: ['error: missing tensor'] });
    workers[0]!.emit({ type: 'load-failed', error: error.toWire() });
    await failed;
    expect(failures.reasonFor('a:q4_0')).toBe('It cannot be loaded: missing tensor.');
    await manager.load(ref('a'), settings);
    expect(failures.reasonFor('a:q4_0')).toBeNull();
  });

  it('does not go on with a model whose file changed while it was loaded', async () => {
    let stamp = 0;
    const { manager, workers, crashes } = setup({ stampOf: () => `${stamp++}` });
    await expect(manager.load(ref('a'), settings)).rejects.toMatchObject({
      code: 'model_load_failed',
      details: { reason: 'file_changed' },
    });
    expect(workers.map(({ exited }) => exited)).toEqual([true]);
    expect(crashes.reasonFor('a:q4_0')).toBeNull();
    expect(manager.residents()).toEqual([]);
  });

  it('counts and reports a failed load, and forgets it', async () => {
    const { manager, workers, metrics } = setup({ behaviour: [{ readyAtOnce: false }] });
    const lease = manager.lease(ref('a'), settings, never);
    const failed = expect(lease).rejects.toMatchObject({ code: 'model_load_failed' });
    await settle();
    workers[0]!.exit({ signal: 'SIGABRT' });
    await failed;
    expect(manager.residents()).toEqual([]);
    expect(await metrics.render()).toContain('hearth_model_loads_total{model="a",result="model_load_failed"} 1');
    (await manager.lease(ref('a'), settings, never)).release();
  });

  it('ends every worker when it closes, and starts none after', async () => {
    const { manager, workers } = setup();
    (await manager.lease(ref('a'), settings, never)).release();
    await begin(await manager.lease(ref('b'), settings, never));
    await manager.close();
    expect(workers.every((worker) => worker.exited)).toBe(true);
    await expect(manager.lease(ref('c'), settings, never)).rejects.toMatchObject({ code: 'shutting_down' });
  });

  it('ends loads at once when the server stops, those that wait for memory too, while answers go on', async () => {
    const { manager, workers, failures } = setup({ memoryBytes: 200, behaviour: [{}, { readyAtOnce: false }] });
    await begin(await manager.lease(ref('busy'), settings, never));
    const turnedAway = ['a', 'b'].map((name) =>
      expect(manager.lease(ref(name), settings, never)).rejects.toMatchObject({ code: 'shutting_down' }),
    );
    await settle();
    manager.stopLoading();
    await Promise.all(turnedAway);
    expect(workers.map((worker) => worker.exited)).toEqual([false, true]);
    expect(manager.residents().map(({ model }) => model)).toEqual(['busy']);
    expect(failures.reasonFor('a:q4_0')).toBeNull();
    await expect(manager.lease(ref('c'), settings, never)).rejects.toMatchObject({ code: 'shutting_down' });
    await manager.close();
  });

  it('ends a load that is unloaded, tells who waits for it, and blames nobody', async () => {
    const { manager, workers, events, failures } = setup({ behaviour: [{ readyAtOnce: false }] });
    const waiting = expect(manager.lease(ref('a'), settings, never)).rejects.toMatchObject({ code: 'model_busy' });
    await settle();
    await Promise.all([manager.unload('a:q4_0', 'request'), waiting]);
    expect(workers[0]!.exited).toBe(true);
    expect(events.filter(({ type }) => type === 'model-load-failed')).toEqual([]);
    expect(failures.reasonFor('a:q4_0')).toBeNull();
    (await manager.lease(ref('a'), settings, never)).release();
  });

  it('goes on with a load whose client went away, and keeps the model no longer than it is to be kept idle', async () => {
    const { manager, clock, workers } = setup({ behaviour: [{ readyAtOnce: false }] });
    const client = new AbortController();
    const asked = expect(manager.lease(ref('a'), { ...settings, keepAliveMs: 0 }, client.signal)).rejects.toBeDefined();
    await settle();
    client.abort(new AppError('client_closed_request', 'gone'));
    await asked;
    expect(workers[0]!.exited).toBe(false);
    workers[0]!.emit({ type: 'ready', ready: { contextTokens: 512, slots: 1, threads: 1, warnings: [] } });
    await settle();
    clock.advance(1);
    await settle();
    expect(workers[0]!.exited).toBe(true);
  });

  it('does not wait for the requests of a model that is being unloaded when it closes', async () => {
    const { manager, workers } = setup();
    await begin(await manager.lease(ref('a'), settings, never));
    const unloaded = manager.unload('a:q4_0', 'request');
    await settle();
    expect(workers[0]!.exited).toBe(false);
    await Promise.all([manager.close(), unloaded]);
    expect(workers[0]!.exited).toBe(true);
  });

  it('tells once, and as a crash, that a model is gone whose process died while it was unloaded', async () => {
    const { manager, workers, events } = setup();
    await begin(await manager.lease(ref('a'), settings, never));
    const unloaded = manager.unload('a:q4_0', 'request');
    await settle();
    workers[0]!.exit({ signal: 'SIGSEGV' });
    await unloaded;
    const names = { model: 'a', variant: 'a:q4_0' };
    expect(events.filter(({ type }) => type === 'worker-died' || type === 'model-gone')).toEqual([
      { type: 'worker-died', ...names, reason: 'crash' },
      { type: 'model-gone', ...names, reason: 'crash' },
    ]);
  });

  it('tells how long a load took, what it was expected to take and what it took', async () => {
    const { manager, clock, workers, events } = setup({ behaviour: [{ readyAtOnce: false }], measuredBytes: 90 });
    const loading = manager.load(ref('a'), settings);
    await settle();
    clock.advance(700);
    workers[0]!.emit({ type: 'ready', ready: { contextTokens: 512, slots: 1, threads: 1, warnings: [] } });
    await loading;
    expect(events).toEqual([
      { type: 'model-loaded', model: 'a', variant: 'a:q4_0', loadMs: 700, expectedBytes: 0, measuredBytes: 90 },
    ]);
  });

  it('tells how long each request waited for its slot, and not for the load', async () => {
    const { manager, clock, workers, events } = setup();
    const one = { ...settings, slots: 1 };
    const first = await manager.lease(ref('a'), one, never);
    await begin(first);
    const second = manager.lease(ref('a'), one, never);
    await settle();
    clock.advance(250);
    finishAll(workers[0]!);
    await second;
    expect(events.flatMap((event) => (event.type === 'slot-taken' ? [event.waitedMs] : []))).toEqual([0, 250]);
  });

  it('frees every slot and loses no waiter over random schedules', async () => {
    let seed = 12345;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    for (let run = 0; run < 25; run++) {
      const { manager, workers, clock, alive } = setup({ memoryBytes: 200 });
      const outcomes: Promise<string>[] = [];
      for (let action = 0; action < 40; action++) {
        const name = 'abc'[random(3)]!;
        const kind = random(10);
        if (kind < 6) {
          const abort = new AbortController();
          if (random(4) === 0) void settle().then(() => abort.abort(new AppError('client_closed_request', 'gone')));
          outcomes.push(
            manager
              .lease(ref(name), settings, abort.signal)
              .then(async (lease) => {
                for await (const _event of lease.generate(anyRequest, abort.signal, () => {}));
                return 'done';
              })
              .catch((error: AppError) => error.code),
          );
        } else if (kind < 8) void manager.unload(`${name}:q4_0`, 'request');
        else clock.advance(random(400_000));
        await settle();
        expect(alive().length).toBeLessThanOrEqual(2);
        for (const worker of workers) if (random(2) === 0) finishAll(worker);
      }
      let left = outcomes.length;
      for (const outcome of outcomes) void outcome.then(() => left--);
      while (left > 0) {
        for (const worker of workers) finishAll(worker);
        await settle();
      }
      for (const outcome of await Promise.all(outcomes)) expect(['done', 'client_closed_request']).toContain(outcome);
      for (const resident of manager.residents()) expect([resident.busySlots, resident.queueDepth]).toEqual([0, 0]);
      await manager.close();
    }
  });

  it('puts what the plan says onto the GPU, and shows where the model is', async () => {
    const { manager, workers, environments } = setup({ gpu: someGpu });
    await manager.load(ref('a'), { ...settings, gpu: 'auto' });
    expect(workers[0]!.received[0]).toMatchObject({ options: { gpu: { backend: 'vulkan', layers: 3, bytes: 1_000 } } });
    expect(environments).toEqual([someGpu.environment]);
    expect(manager.residents()).toMatchObject([{ gpu: { device: someGpu, layers: 3, bytes: 1_000, reason: null } }]);
  });

  it('loads on the CPU, in a new process, when the one on the GPU dies, and that is no crash of the model', async () => {
    const { manager, workers, crashes } = setup({ gpu: someGpu, behaviour: [{ readyAtOnce: false }] });
    const loading = manager.load(ref('a'), { ...settings, gpu: 'auto' });
    await settle();
    workers[0]!.exit({ signal: 'SIGSEGV' });
    await loading;
    expect(workers).toHaveLength(2);
    expect(workers[1]!.received[0]).toMatchObject({ options: { gpu: null } });
    expect(manager.residents()).toMatchObject([
      {
        state: 'loaded',
        gpu: {
          device: null,
          layers: 0,
          reason: expect.stringMatching(/^loading on Some GPU \(vulkan\) failed: The process .* \(signal SIGSEGV\)/),
        },
      },
    ]);
    crashes.record({ ...ref('a'), during: 'load', reason: 'for a test' });
    expect(crashes.reasonFor('a:q4_0')).toBeNull();
  });

  it('loads a model on the CPU after its process died on the GPU', async () => {
    const { manager, workers, gpu } = setup({ gpu: someGpu });
    await manager.load(ref('a'), { ...settings, gpu: 'auto' });
    workers[0]!.exit({ signal: 'SIGABRT' });
    await settle();
    expect(gpu.told).toEqual(['blame a:q4_0: its process ended on Some GPU (vulkan)']);
    await manager.load(ref('a'), { ...settings, gpu: 'auto' });
    expect(workers[1]!.received[0]).toMatchObject({ options: { gpu: null } });
  });

  it('loads again only for a GPU wish that what it has does not meet', async () => {
    const { manager, workers } = setup({ gpu: someGpu });
    for (const wish of ['auto', 'prefer', 'vulkan', 'off', 'off'] as const) {
      await manager.load(ref('a'), { ...settings, gpu: wish });
    }
    expect(workers.map(({ received }) => received[0])).toMatchObject([
      { options: { gpu: { backend: 'vulkan' } } },
      { options: { gpu: null } },
    ]);
  });

  it('loads again only for another cache than it has', async () => {
    const { manager, workers } = setup();
    for (const kvType of [undefined, 'f16', 'q8_0', 'q8_0', undefined] as const) {
      await manager.load(ref('a'), { ...settings, ...(kvType && { kvType }) });
    }
    expect(workers).toHaveLength(2);
  });

  it('loads nothing while memory is short, but serves what is loaded', async () => {
    let isShort = false;
    const pressed = new AppError('memory_pressure', 'short', { retryAfterSeconds: 10 });
    const { manager, workers } = setup({ refusal: (of) => (isShort && of === 'load' ? pressed : null) });
    (await manager.lease(ref('a'), settings, never)).release();
    isShort = true;
    await expect(manager.lease(ref('b'), settings, never)).rejects.toBe(pressed);
    await expect(manager.load(ref('b'), settings)).rejects.toBe(pressed);
    (await manager.lease(ref('a'), settings, never)).release();
    expect(workers).toHaveLength(1);
    isShort = false;
    (await manager.lease(ref('b'), settings, never)).release();
    expect(workers).toHaveLength(2);
  });

  it('turns requests away when memory is shorter still', async () => {
    const pressed = new AppError('memory_pressure', 'short', { retryAfterSeconds: 10 });
    let isShort = false;
    const { manager } = setup({ refusal: () => (isShort ? pressed : null) });
    (await manager.lease(ref('a'), settings, never)).release();
    isShort = true;
    await expect(manager.lease(ref('a'), settings, never)).rejects.toBe(pressed);
  });

  it('gives memory back to others: the idle model first that was not used for longest, never a busy or pinned one', async () => {
    const { manager, clock, metrics } = setup();
    const ids = () => manager.residents().map(({ id }) => id);
    await manager.load(ref('pinned'), { ...settings, pin: true });
    const busy = await manager.lease(ref('busy'), settings, never);
    await begin(busy);
    for (const name of ['old', 'young']) {
      clock.advance(10);
      (await manager.lease(ref(name), settings, never)).release();
    }
    expect(manager.residents().map(({ endsNext }) => endsNext)).toEqual([false, false, true, false]);
    manager.relieve();
    await settle();
    expect(ids()).toEqual(['pinned:q4_0', 'busy:q4_0', 'young:q4_0']);
    manager.relieve();
    manager.relieve();
    await settle();
    expect(ids()).toEqual(['pinned:q4_0', 'busy:q4_0']);
    expect(await metrics.render()).toContain('hearth_model_unloads_total{model="old",reason="pressure"} 1');
  });

  it('keeps a pinned model past its keep-alive time and past loads that need room, until it is unpinned', async () => {
    const { manager, clock, workers } = setup({ memoryBytes: 100 });
    await manager.load(ref('a'), { ...settings, pin: true, keepAliveMs: 1_000 });
    clock.advance(10_000);
    await settle();
    expect(manager.residents()).toMatchObject([{ id: 'a:q4_0', pinned: true, expiresAt: null }]);
    await expect(manager.load(ref('b'), settings)).rejects.toMatchObject({ code: 'insufficient_memory' });
    await manager.load(ref('a'), { ...settings, keepAliveMs: 1_000 });
    expect(manager.residents()).toMatchObject([{ pinned: true }]);
    await manager.load(ref('a'), { ...settings, pin: false, keepAliveMs: 1_000 });
    clock.advance(1_000);
    await settle();
    expect(workers[0]!.exited).toBe(true);
  });
});
