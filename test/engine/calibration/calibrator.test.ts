import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { type CalibratorLoad, calibratedBatch, createCalibrator } from '../../../src/engine/calibration/calibrator.ts';
import type { Calibration, CalibrationKey } from '../../../src/engine/calibration/run-calibration.ts';
import type { WorkerMeasurement } from '../../../src/ipc/protocol.ts';
import type { CpuReading } from '../../../src/machine/cpu-reader.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { settle } from '../../support/fake-worker.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { testBus } from '../../support/test-bus.ts';

const idleMs = 5_000;
const calm: CpuReading = { waitingShare: 0, frozenCores: 0, idleCores: 2 };

type Answer = (setting: WorkerMeasurement, signal: AbortSignal) => Promise<number | null>;

/** Two threads decode slower than one; a prompt is read faster with both, whatever the chunk. */
const stepMs = ({ phase, tokens, threads }: WorkerMeasurement) =>
  phase === 'decode' ? (2 + threads * 2) * tokens : (tokens * 0.5) / threads;

interface World {
  clock: ReturnType<typeof manualClock>;
  stored: Map<string, Calibration>;
}

/** Restarts share what `world` holds. */
function setup(
  options: {
    world?: World;
    machine?: Partial<Omit<CalibrationKey, 'model'>>;
    modifiedMs?: number;
    tuneThreads?: boolean;
    reading?: () => CpuReading;
    answer?: Answer;
    isCalm?: () => boolean;
  } = {},
) {
  const world = options.world ?? { clock: manualClock(), stored: new Map() };
  const { clock, stored } = world;
  const { bus, metrics } = testBus();
  const measured: WorkerMeasurement[] = [];
  const tuned: [string, number, number][] = [];
  const given: [string, readonly number[], number][] = [];
  const onTuned: string[] = [];
  const calibrator = createCalibrator({
    store: {
      load: async (key) => stored.get(JSON.stringify(key)) ?? null,
      async save(key, calibration) {
        if (!calibration.provisional) stored.set(JSON.stringify(key), calibration);
      },
    },
    newCpuReader: () => ({ read: options.reading ?? (() => calm) }),
    fileFacts: async () => ({ bytes: 1_000, modifiedMs: options.modifiedMs ?? 7 }),
    machine: { cpuModel: 'Atom', cores: 2, engineVersion: '1', ...options.machine },
    tuneThreads: options.tuneThreads ?? true,
    libuvChoices: [1, 2],
    calm: options.isCalm ?? (() => true),
    onTuned: (id) => void onTuned.push(id),
    clock,
    log: createLogger('silent'),
    bus,
  });
  const answer: Answer = options.answer ?? (async (setting) => stepMs(setting));
  const load = async (id: string, change: Partial<CalibratorLoad> & { worksOn?: string } = {}) => {
    const { worksOn = 'off', ...rest } = change;
    const known = await calibrator.begin({
      id,
      model: id,
      filePath: `/models/${id}.gguf`,
      purpose: 'generate',
      gpu: 'off',
      ...rest,
    });
    calibrator.loaded(id, {
      gpu: worksOn,
      maxThreads: 2,
      contextTokens: 4_096,
      batchTokens: 512,
      async measure(setting, signal) {
        measured.push(setting);
        const ms = await answer(setting, signal);
        // A step takes the time that it reports.
        if (ms !== null) clock.advance(ms);
        return ms;
      },
      tune: ({ decodeThreads, prefillThreads }) => void tuned.push([id, decodeThreads, prefillThreads]),
      setCalibration: ({ costOfTokens, libuvThreads }) => void given.push([id, costOfTokens, libuvThreads]),
    });
    return known;
  };
  const wait = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  const results = async () =>
    Object.fromEntries(
      (await metrics.calibrations.get()).values.map(({ labels, value }) => [`${labels.model} ${labels.result}`, value]),
    );
  return { calibrator, world, measured, tuned, given, onTuned, load, wait, results };
}

/** A measurement that a test answers by hand. */
function byHand() {
  const open: { resolve: (ms: number | null) => void; signal: AbortSignal }[] = [];
  const answer: Answer = (_setting, signal) =>
    new Promise((resolve, reject) => {
      open.push({ resolve, signal });
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { open, answer };
}

describe('the calibrator', () => {
  it('knows how fast files are that it measured before, also where they are not loaded', async () => {
    const first = setup();
    await first.load('a');
    await first.wait(idleMs);
    const { decodeTokensPerSecond, prefillTokensPerSecond } = first.calibrator.resultOf('a')!;
    const pace = { decode: decodeTokensPerSecond[1], prompt: Math.max(...Object.values(prefillTokensPerSecond)) };
    expect(first.calibrator.paceOf('a')).toEqual(pace);

    const { calibrator } = setup({ world: first.world });
    const file = (id: string) => ({ id, filePath: `/models/${id}.gguf`, purpose: 'generate' as const });
    expect(calibrator.paceOf('a')).toBeNull();
    await calibrator.lookUp([file('a'), file('b')]);
    expect([calibrator.paceOf('a'), calibrator.paceOf('b')]).toEqual([pace, null]);
    // What was measured with other kernels is not this machine's any more.
    const other = setup({ world: first.world, machine: { engineVersion: '1+built' } });
    await other.calibrator.lookUp([file('a')]);
    expect(other.calibrator.paceOf('a')).toBeNull();
  });

  it('measures a model that was idle for five seconds, uses and keeps the result', async () => {
    const { calibrator, world, measured, tuned, given, onTuned, load, wait, results } = setup();
    expect(await load('a')).toBeNull();
    await wait(idleMs - 1);
    expect(measured).toEqual([]);
    await wait(1);
    expect(measured[0]).toEqual({ phase: 'decode', tokens: 1, threads: 1, libuvThreads: 1 });
    expect(calibrator.resultOf('a')).toMatchObject({ decodeThreads: 1, prefillThreads: 2, batchTokens: 64 });
    expect(tuned).toEqual([['a', 1, 2]]);
    const { costOfTokens, libuvThreads } = calibrator.resultOf('a')!;
    expect(given).toEqual([['a', costOfTokens, libuvThreads]]);
    expect(costOfTokens).toHaveLength(16);
    expect(new Set(measured.map((setting) => setting.libuvThreads))).toEqual(new Set([1, 2]));
    expect(onTuned).toEqual(['a']);
    expect([...world.stored.values()]).toEqual([calibrator.resultOf('a')]);
    expect(await results()).toEqual({ 'a measured': 1 });
    const count = measured.length;
    await wait(10 * idleMs);
    expect(measured).toHaveLength(count);
  });

  it('does not measure again after a restart, and the load uses what is stored', async () => {
    const first = setup();
    await first.load('a');
    await first.wait(idleMs);
    const second = setup({ world: first.world });
    expect(await second.load('a')).toEqual(first.calibrator.resultOf('a'));
    expect(second.tuned).toEqual([['a', 1, 2]]);
    await second.wait(10 * idleMs);
    expect(second.measured).toEqual([]);
    expect(await second.results()).toEqual({ 'a stored': 1 });
  });

  it.each([
    ['another processor', { machine: { cpuModel: 'Xeon' } }],
    ['another number of cores', { machine: { cores: 4 } }],
    ['another engine', { machine: { engineVersion: '2' } }],
    ['another file under the same name', { modifiedMs: 8 }],
  ])('measures again for %s', async (_what, change) => {
    const first = setup();
    await first.load('a');
    await first.wait(idleMs);
    const second = setup({ world: first.world, ...change });
    expect(await second.load('a')).toBeNull();
    await second.wait(idleMs);
    expect(await second.results()).toEqual({ 'a measured': 1 });
    expect(first.world.stored.size).toBe(2);
  });

  it('gives way to a request at the next step, keeps nothing, and waits twice as long before it tries again', async () => {
    const { open, answer } = byHand();
    const { calibrator, world, measured, tuned, load, wait, results } = setup({ answer });
    await load('a');
    await wait(idleMs);
    expect(open).toHaveLength(1);
    calibrator.setBusy('a', true);
    expect(open[0]!.signal.aborted).toBe(true);
    await settle();
    expect(measured).toHaveLength(1);
    expect(calibrator.resultOf('a')).toBeNull();
    expect([tuned, world.stored.size]).toEqual([[], 0]);
    expect(await results()).toEqual({ 'a interrupted': 1 });
    calibrator.setBusy('a', false);
    await wait(2 * idleMs - 1);
    expect(measured).toHaveLength(1);
    await wait(1);
    expect(measured).toHaveLength(2);
  });

  it('gives way to another model that works or is loaded, and only measures when all are idle', async () => {
    const { open, answer } = byHand();
    const { calibrator, load, wait } = setup({ answer });
    await load('a');
    await load('b', { purpose: 'embed' });
    calibrator.setBusy('b', true);
    await wait(10 * idleMs);
    expect(open).toHaveLength(0);
    calibrator.setBusy('b', false);
    await wait(idleMs);
    expect(open).toHaveLength(1);
    calibrator.setBusy('b', true);
    expect(open[0]!.signal.aborted).toBe(true);
    calibrator.setBusy('b', false);
    await settle();
    await wait(2 * idleMs);
    expect(open).toHaveLength(2);
    void load('c');
    expect(open[1]!.signal.aborted).toBe(true);
  });

  it('measures one model after the other, and embedders and models on a GPU never', async () => {
    const { measured, load, wait, results } = setup();
    await load('a');
    await load('b');
    await load('e', { purpose: 'embed' });
    await load('g', { gpu: 'auto', worksOn: 'vulkan' });
    await wait(idleMs);
    expect(await results()).toEqual({ 'a measured': 1 });
    await wait(idleMs);
    expect(await results()).toEqual({ 'a measured': 1, 'b measured': 1 });
    const count = measured.length;
    await wait(10 * idleMs);
    expect(measured).toHaveLength(count);
  });

  it('sets the threads of a model that was asked to use a GPU and has none, but not its batch', async () => {
    const first = setup();
    await first.load('a');
    await first.wait(idleMs);
    const { load, tuned } = setup({ world: first.world });
    expect(await load('a', { gpu: 'auto' })).toBeNull();
    expect(tuned).toEqual([['a', 1, 2]]);
  });

  it('leaves the threads alone where the operator has set them', async () => {
    const { calibrator, tuned, given, load, wait } = setup({ tuneThreads: false });
    await load('a');
    await wait(idleMs);
    expect(calibrator.resultOf('a')).toMatchObject({ decodeThreads: 1, batchTokens: 64 });
    expect(tuned).toEqual([]);
    expect(given).toHaveLength(1);
  });

  it('waits while others need the cores', async () => {
    let isCalm = false;
    const { measured, load, wait } = setup({ isCalm: () => isCalm });
    await load('a');
    await wait(4 * idleMs);
    expect(measured).toEqual([]);
    isCalm = true;
    await wait(idleMs);
    expect(measured.length).toBeGreaterThan(0);
  });

  it('keeps nothing when others used the processors meanwhile, and tries again later', async () => {
    let waitingShare = 0.9;
    const { calibrator, load, wait, results } = setup({ reading: () => ({ ...calm, waitingShare }) });
    await load('a');
    await wait(idleMs);
    expect(calibrator.resultOf('a')).toBeNull();
    expect(await results()).toEqual({ 'a disturbed': 1 });
    waitingShare = 0;
    await wait(2 * idleMs);
    expect(await results()).toEqual({ 'a disturbed': 1, 'a measured': 1 });
  });

  it('uses a provisional result and does not store it', async () => {
    const { calibrator, world, tuned, load, wait, results } = setup({
      reading: () => ({ ...calm, waitingShare: null }),
      answer: async (setting) => (setting.threads === 2 ? 10 : 1) * setting.tokens,
    });
    await load('a');
    await wait(idleMs);
    expect(calibrator.resultOf('a')).toMatchObject({ provisional: true, decodeThreads: 1 });
    expect(tuned).toEqual([['a', 1, 1]]);
    expect(world.stored.size).toBe(0);
    expect(await results()).toEqual({ 'a provisional': 1 });
  });

  it('tries again later when the worker has no place for a step', async () => {
    let room = false;
    const { load, wait, results, measured } = setup({ answer: async (setting) => (room ? stepMs(setting) : null) });
    await load('a');
    await wait(idleMs);
    expect(measured).toHaveLength(1);
    expect(await results()).toEqual({ 'a interrupted': 1 });
    room = true;
    await wait(2 * idleMs);
    expect(await results()).toEqual({ 'a interrupted': 1, 'a measured': 1 });
  });

  it('never measures a file again whose worker died of it, until the server is started anew', async () => {
    const died = new AppError('worker_crashed', 'died', { details: { reason: 'crash' } });
    const { calibrator, measured, load, wait, results } = setup({
      answer: () => {
        calibrator.forget('a');
        return Promise.reject(died);
      },
    });
    await load('a');
    await wait(idleMs);
    expect(measured).toHaveLength(1);
    expect(await results()).toEqual({ 'a failed': 1 });
    await load('a');
    await wait(100 * idleMs);
    expect(measured).toHaveLength(1);
  });

  it('ends with the model, and with the server', async () => {
    const { open, answer } = byHand();
    const { calibrator, load, wait, results } = setup({ answer });
    await load('a');
    await wait(idleMs);
    calibrator.forget('a');
    expect(open[0]!.signal.aborted).toBe(true);
    await settle();
    await load('b');
    await wait(idleMs);
    calibrator.close();
    expect(open[1]!.signal.aborted).toBe(true);
    await settle();
    expect(await results()).toEqual({ 'a interrupted': 1, 'b interrupted': 1 });
    await wait(100 * idleMs);
    expect(open).toHaveLength(2);
  });
});

describe('the batch of a load', () => {
  const calibration = (batchTokens: number, measured: number[]) =>
    ({ batchTokens, prefillTokensPerSecond: Object.fromEntries(measured.map((tokens) => [tokens, 1])) }) as Calibration;

  it.each([
    ['planned, when nothing is known', 512, null, 512],
    ['planned, when the largest measured was the fastest', 512, calibration(256, [64, 128, 256]), 512],
    ['smaller, when a larger one was no faster', 512, calibration(256, [64, 256, 512]), 256],
    ['never so small that decoders push a prompt below 64 tokens', 512, calibration(64, [64, 512]), 128],
    ['never larger than planned', 128, calibration(256, [64, 256, 512]), 128],
  ])('is %s', (_what, planned, known, expected) => {
    expect(calibratedBatch(planned, known)).toBe(expected);
  });
});
