import { describe, expect, it, test } from 'vitest';
import {
  type CalibrationDeps,
  defaultLibuvThreads,
  type MeasuredSetting,
  modelIdentity,
  runCalibration,
} from '../../../src/engine/calibration/run-calibration.ts';
import type { CpuReader } from '../../../src/machine/cpu-reader.ts';
import { manualClock } from '../../support/manual-clock.ts';

/** Repeatable noise from 0 to 1. */
function noise(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Processors that something waited for. */
const waiting = (waitingShare: number | null): CpuReader => ({
  read: () => ({ waitingShare, frozenCores: 0, idleCores: null }),
});

/** Calibrates a machine on which a step takes `msOf` its setting; the clock moves by as much. */
async function calibrate(msOf: (setting: MeasuredSetting) => number, options: Partial<CalibrationDeps> = {}) {
  const clock = manualClock();
  const measured: MeasuredSetting[] = [];
  const calibration = await runCalibration({
    async measure(setting) {
      measured.push(setting);
      const ms = msOf(setting);
      clock.advance(ms);
      return { ms };
    },
    cpu: waiting(0.2),
    clock,
    cores: 4,
    batchTokens: 512,
    ...options,
  });
  return { calibration, measured, elapsedMs: clock.monotonicMs() };
}

/** A sound machine: twice the threads take half the time; a token more costs half of the first, or 1/8 in a prefill. */
const linear = ({ phase, tokens, threads }: MeasuredSetting) => {
  const perToken = phase === 'prefill' ? 0.125 : 0.5;
  return (16 * (1 + perToken * (tokens - 1))) / threads;
};

describe('calibration', () => {
  it('uses all cores where more threads are faster', async () => {
    const { calibration } = await calibrate(linear, { cores: 6 });
    expect(calibration).toMatchObject({ decodeThreads: 6, prefillThreads: 6, libuvThreads: 2 });
    expect(calibration!.decodeTokensPerSecond).toEqual({ 1: 62.5, 2: 125, 4: 250, 6: 375 });
    expect(calibration!.measuredAt).toMatch(/^2026-01-01T00:00:0\d\.\d{3}Z$/);
  });

  it('never uses a thread count that collapses, and does not spend the budget on it', async () => {
    const { calibration, measured } = await calibrate((setting) => (setting.threads > 2 ? 1_500 : linear(setting)));
    expect(calibration).toMatchObject({ decodeThreads: 2 });
    expect(measured.filter(({ threads }) => threads > 2)).toHaveLength(1);
    expect(calibration!.costOfTokens).toHaveLength(16);
  });

  it('does not take more threads for less than five per cent', async () => {
    const flat = (gain: number) => (setting: MeasuredSetting) =>
      linear({ ...setting, threads: 1 }) * (1 - gain * Math.log2(setting.threads));
    expect((await calibrate(flat(0.02))).calibration).toMatchObject({ decodeThreads: 1, prefillThreads: 1 });
    expect((await calibrate(flat(0.1))).calibration).toMatchObject({ decodeThreads: 4, prefillThreads: 4 });
  });

  it('finds threads of prefill apart from those of decoding', async () => {
    const memoryBound = (setting: MeasuredSetting) =>
      linear({ ...setting, threads: setting.phase === 'decode' ? Math.min(2, setting.threads) : setting.threads });
    expect((await calibrate(memoryBound)).calibration).toMatchObject({ decodeThreads: 2, prefillThreads: 4 });
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('is not led astray by noise (%d)', async (seed) => {
    const random = noise(seed);
    // Every fifth step is hit by something three times as long as itself, all of them by up to a tenth.
    const noisy = (setting: MeasuredSetting) =>
      linear({ ...setting, threads: setting.threads > 2 ? 0.2 : setting.threads }) *
      (1 + 0.1 * random()) *
      (random() < 0.2 ? 3 : 1);
    const { calibration } = await calibrate(noisy, { budgetMs: 6_000 });
    expect(calibration!.decodeThreads).toBe(2);
    expect(calibration!.prefillThreads).toBe(2);
  });

  it('takes the smallest batch that is as fast as any, and none below the gear change', async () => {
    // Tokens per second of a prefill as measured on three models, by chunk.
    const measured = (perSecond: Record<number, number>) => (setting: MeasuredSetting) =>
      setting.phase === 'prefill' ? (setting.tokens * 100) / perSecond[setting.tokens]! : linear(setting);
    const batchOf = async (perSecond: Record<number, number>, batchTokens = 512) =>
      (await calibrate(measured(perSecond), { batchTokens })).calibration!.batchTokens;
    expect(await batchOf({ 16: 243, 64: 317, 128: 330, 256: 333, 512: 345 })).toBe(128);
    expect(await batchOf({ 16: 205, 64: 305, 128: 299, 256: 313, 512: 300 })).toBe(64);
    expect(await batchOf({ 16: 376, 64: 482, 128: 556, 256: 560, 512: 527 })).toBe(128);
    expect(await batchOf({ 16: 500, 64: 300, 128: 300, 256: 300, 512: 300 })).toBe(64);
    expect(await batchOf({ 16: 100, 64: 200, 128: 300, 256: 400, 512: 500 }, 128)).toBe(128);
    expect(await batchOf({ 16: 100, 32: 100 }, 32)).toBe(32);
  });

  it('gives the cost of every number of tokens, a straight line between the measured ones', async () => {
    const { calibration } = await calibrate(linear);
    expect(calibration!.costOfTokens).toHaveLength(16);
    expect(calibration!.costOfTokens.slice(0, 5)).toEqual([1, 1.5, 2, 2.5, 3]);
    expect(calibration!.costOfTokens[15]).toBe(8.5);
  });

  it('never lets a cost fall', async () => {
    const odd: Record<number, number> = { 1: 10, 2: 8, 4: 20, 8: 15, 16: 40 };
    const { calibration } = await calibrate((setting) =>
      setting.phase === 'decode' ? odd[setting.tokens]! : linear(setting),
    );
    const curve = calibration!.costOfTokens;
    expect(curve).toEqual(curve.toSorted((a, b) => a - b));
    expect([curve[1], curve[3], curve[7], curve[15]]).toEqual([1, 2, 2, 4]);
  });

  it('chooses among pool sizes when it can switch them, the smaller at a tie', async () => {
    const withPool = (best: number) => (setting: MeasuredSetting) =>
      linear(setting) * (setting.libuvThreads === best ? 1 : 1.3);
    const libuvChoices = [4, 1, 2];
    expect((await calibrate(withPool(1), { libuvChoices })).calibration!.libuvThreads).toBe(1);
    expect((await calibrate(withPool(4), { libuvChoices })).calibration!.libuvThreads).toBe(4);
    expect((await calibrate(linear, { libuvChoices })).calibration!.libuvThreads).toBe(1);
  });
});

describe('others on the processors', () => {
  const collapse = (setting: MeasuredSetting) => (setting.threads > 1 ? 900 : linear(setting));

  it('make a calibration worthless', async () => {
    expect((await calibrate(collapse, { cpu: waiting(0.9) })).calibration).toBeNull();
    expect((await calibrate(linear, { cpu: waiting(0.9) })).calibration).toBeNull();
  });

  it('are seen by the few steps on several threads, when most run on one', async () => {
    let threads = 1;
    const cpu: CpuReader = { read: () => waiting(threads > 1 ? 0.95 : 0).read() };
    const { calibration, measured } = await calibrate(
      (setting) => {
        threads = setting.threads;
        return setting.threads > 1 ? 200 : linear(setting);
      },
      { cpu },
    );
    expect(measured.filter((setting) => setting.threads > 1).length).toBeLessThan(measured.length / 4);
    expect(calibration).toBeNull();
  });

  it('may be what made threads collapse where the kernel does not tell, so that is not final', async () => {
    const blind = await calibrate(collapse, { cpu: waiting(null) });
    expect(blind.calibration).toMatchObject({ decodeThreads: 1, provisional: true });
    expect((await calibrate(linear, { cpu: waiting(null) })).calibration!.provisional).toBe(false);
    // Here nobody waited: the threads collapse by themselves, or by a quota that nobody told of.
    const told = await calibrate(collapse, { cpu: waiting(0.1) });
    expect(told.calibration).toMatchObject({ decodeThreads: 1, provisional: false });
  });
});

describe('the budget', () => {
  test.each([1, 10, 100, 1_000])('is kept, but for one step, on a machine %d times as slow', async (factor) => {
    let longestMs = 0;
    const { elapsedMs } = await calibrate((setting) => {
      const ms = linear(setting) * factor;
      longestMs = Math.max(longestMs, ms);
      return ms;
    });
    expect(elapsedMs).toBeLessThanOrEqual(3_000 + longestMs);
  });

  it('is kept to the step where steps are as long as expected', async () => {
    const { elapsedMs } = await calibrate((setting) => linear(setting) * 40, { budgetMs: 5_000 });
    expect(elapsedMs).toBeLessThanOrEqual(5_000);
  });

  it('leaves defaults for what it had no time for', async () => {
    const { calibration, measured } = await calibrate((setting) => linear(setting) * 100, { budgetMs: 3_500 });
    expect(measured.map(({ threads }) => threads)).toEqual([1, 1]);
    expect(calibration).toMatchObject({ decodeThreads: 4, prefillThreads: 4, batchTokens: 512, costOfTokens: [1] });
    expect(calibration!.decodeTokensPerSecond).toEqual({ 1: 0.625 });
    expect(calibration!.prefillTokensPerSecond).toEqual({});
  });

  it('gives nothing when not one step fits, or none can be timed', async () => {
    expect((await calibrate(() => 60_000)).calibration).toBeNull();
    expect((await calibrate(() => Number.NaN)).calibration).toBeNull();
  });
});

it('measures nothing that a single core, or a small context, cannot do', async () => {
  const { calibration, measured } = await calibrate(linear, { cores: 1, batchTokens: 100 });
  expect(calibration).toMatchObject({ decodeThreads: 1, prefillThreads: 1, libuvThreads: 1 });
  expect(measured.every(({ threads, tokens }) => threads === 1 && tokens <= 100)).toBe(true);
});

it('passes on that a step failed', async () => {
  const clock = manualClock();
  const measure = () => Promise.reject(new Error('the worker is gone'));
  await expect(runCalibration({ measure, clock, cpu: waiting(0), cores: 2, batchTokens: 64 })).rejects.toThrow(
    'the worker is gone',
  );
});

it('tells files apart by name, size and time', () => {
  const file = { name: 'm.gguf', bytes: 10, modifiedMs: 1_700_000_000_000.4 };
  expect(modelIdentity(file)).toBe(modelIdentity({ ...file, modifiedMs: 1_700_000_000_000 }));
  expect(new Set([file, { ...file, bytes: 11 }, { ...file, name: 'n.gguf' }].map(modelIdentity)).size).toBe(3);
});

test.each([
  [1, 1],
  [2, 1],
  [4, 2],
  [8, 4],
  [64, 4],
])('%d cores get a pool of %d', (cores, expected) => {
  expect(defaultLibuvThreads(cores)).toBe(expected);
});
