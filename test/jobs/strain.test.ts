import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { PowerState } from '../../src/core/machine.ts';
import { createStrain, type StrainSettings } from '../../src/jobs/strain.ts';
import { manualClock } from '../support/manual-clock.ts';

interface Machine {
  isShort: boolean;
  celsius: number | null;
  power: PowerState | null;
  ups: PowerState | null;
}

/** A machine that is well, but for `before`, and what `next` makes of it. */
async function watched(before: Partial<Machine>, settings: Partial<StrainSettings> = {}) {
  const machine: Machine = { isShort: false, celsius: null, power: null, ups: null, ...before };
  const clock = manualClock();
  const logged: object[] = [];
  const note = (facts: object) => void logged.push(facts);
  const strain = createStrain({
    settings: () => ({ pauseAboveCelsius: 80, runOnBattery: false, ...settings }),
    readers: {
      isMemoryShort: () => machine.isShort,
      processorCelsius: async () => machine.celsius,
      power: async () => machine.power,
      ups: async () => machine.ups,
    },
    clock,
    log: { warn: note, info: note },
  });
  await nextTurn();
  return {
    strain,
    logged,
    async next(changed: Partial<Machine>) {
      Object.assign(machine, changed);
      clock.advance(10_000);
      await nextTurn();
      return strain.reason();
    },
  };
}

describe('a machine', () => {
  it('that is hot rests until it has cooled down by five degrees', async () => {
    const { next, logged, strain } = await watched({ celsius: 80 });
    expect(strain.reason()).toBeNull();
    expect(await next({ celsius: 80.1 })).toBe('temperature');
    expect(await next({ celsius: 75.1 })).toBe('temperature');
    expect(await next({ celsius: 75 })).toBeNull();
    expect(await next({ celsius: 80 })).toBeNull();
    expect(logged).toMatchObject([
      { reason: 'temperature', celsius: 80.1 },
      { reason: 'temperature', celsius: 75 },
    ]);
  });

  it('whose sensors are gone, or that nobody gave a limit, is not hot', async () => {
    const { next } = await watched({ celsius: 99 });
    expect(await next({ celsius: null })).toBeNull();
    const { strain } = await watched({ celsius: 99 }, { pauseAboveCelsius: null });
    expect(strain.reason()).toBeNull();
  });

  it.each([
    [{ power: 'battery' }, 'battery', null],
    [{ power: 'low' }, 'battery', 'battery'],
    [{ ups: 'battery' }, 'ups', null],
    [{ ups: 'low' }, 'ups', 'ups'],
    [{ ups: 'mains', power: 'mains' }, null, null],
    [{ ups: 'low', power: 'low', celsius: 90, isShort: true }, 'ups', 'ups'],
    [{ isShort: true }, 'memory', 'memory'],
  ] as const)('with %j rests for %s; where it may run on battery, for %s', async (machine, reason, running) => {
    expect((await watched(machine)).strain.reason()).toBe(reason);
    expect((await watched(machine, { runOnBattery: true })).strain.reason()).toBe(running);
  });

  it('says once that it rests, and once that it does not', async () => {
    const { next, logged } = await watched({});
    await next({ ups: 'battery' });
    await next({ ups: 'battery' });
    await next({ ups: 'low' });
    await next({ ups: 'mains' });
    await next({ ups: 'mains' });
    expect(logged).toMatchObject([
      { reason: 'ups', ups: 'battery' },
      { reason: 'ups', ups: 'mains' },
    ]);
  });
});
