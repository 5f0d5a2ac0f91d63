import { describe, expect, it } from 'vitest';
import { type MeasuredSetting, measureInRounds, type Sample } from '../../../src/engine/calibration/rounds.ts';
import { manualClock } from '../../support/manual-clock.ts';

const setting = (tokens: number, threads = 1): MeasuredSetting => ({
  phase: 'decode',
  tokens,
  threads,
  libuvThreads: 1,
});

/** Measures with times by call for each setting, in order; the last one repeats. */
async function measure(
  settings: { setting: MeasuredSetting; ms: number[] }[],
  budget: { repeatUntilMs: number; endMs: number; like?: Sample },
) {
  const clock = manualClock();
  const order: number[] = [];
  const samples = await measureInRounds({
    async measure(wanted) {
      const index = settings.findIndex((each) => each.setting === wanted);
      const times = settings[index]!.ms;
      const ms = times[order.filter((each) => each === index).length] ?? times.at(-1)!;
      order.push(index);
      clock.advance(ms);
      return { ms };
    },
    clock,
    settings: settings.map((each) => each.setting),
    like: budget.like ?? null,
    ...budget,
  });
  return { samples, order, elapsedMs: clock.monotonicMs() };
}

describe('rounds', () => {
  it('take settings in turn, five times at most', async () => {
    const settings = [1, 2].map((threads) => ({ setting: setting(1, threads), ms: [10] }));
    const { order } = await measure(settings, { repeatUntilMs: 1_000, endMs: 1_000 });
    expect(order).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('give the median, and the lower of two', async () => {
    const five = await measure([{ setting: setting(1), ms: [90, 10, 12, 11, 80] }], { repeatUntilMs: 1e4, endMs: 1e4 });
    expect(five.samples[0]!.ms).toBe(12);
    const two = await measure([{ setting: setting(1), ms: [30, 50] }], { repeatUntilMs: 60, endMs: 1e4 });
    expect(two.order).toHaveLength(2);
    expect(two.samples[0]!.ms).toBe(30);
  });

  it('repeat a slow setting only within its share of the time', async () => {
    const settings = [
      { setting: setting(1, 1), ms: [10] },
      { setting: setting(1, 2), ms: [200] },
    ];
    const { order } = await measure(settings, { repeatUntilMs: 600, endMs: 3_000 });
    expect(order.filter((index) => index === 0)).toHaveLength(5);
    expect(order.filter((index) => index === 1)).toHaveLength(1);
  });

  it('leave out what would outlast the end, by the setting before it or by the one it is like', async () => {
    const settings = [1, 16].map((tokens) => ({ setting: setting(tokens), ms: [tokens * 10] }));
    const { order } = await measure(settings, { repeatUntilMs: 160, endMs: 160 });
    expect(order).not.toContain(1);
    const like = { setting: setting(1), ms: 500 };
    expect((await measure(settings, { repeatUntilMs: 400, endMs: 400, like })).samples).toEqual([]);
  });
});
