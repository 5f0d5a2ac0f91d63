import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createMemorySpeed } from '../../src/machine/memory-speed.ts';

describe('the speed of the memory', () => {
  it('is measured once, and is one that a machine can have', async () => {
    let looks = 0;
    const clock = {
      monotonicMs() {
        looks++;
        return systemClock.monotonicMs();
      },
    };
    const speed = createMemorySpeed({ clock });
    const bytesPerSecond = await speed();
    expect(bytesPerSecond).toBeGreaterThan(10e6);
    expect(bytesPerSecond).toBeLessThan(2e12);
    const before = looks;
    expect(await speed()).toBe(bytesPerSecond);
    expect(looks).toBe(before);
  });

  it('is of the quickest try', async () => {
    let nowMs = 0;
    let count = 0;
    // Every second look ends a try: of 9, 8, 7 … milliseconds, and none of less than 4.
    const monotonicMs = () => {
      if (count++ % 2 === 1) nowMs += Math.max(4, 9 - (count >> 1));
      return nowMs;
    };
    expect(await createMemorySpeed({ clock: { monotonicMs } })()).toBeCloseTo(((16 * 2 ** 20) / 4) * 1_000 * 0.65, 0);
  });

  it('is 0 where no time passes', async () => {
    expect(await createMemorySpeed({ clock: { monotonicMs: () => 5 } })()).toBe(0);
  });
});
