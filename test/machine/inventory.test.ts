import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createInventory, type StartCalls } from '../../src/machine/inventory.ts';
import { manualClock } from '../support/manual-clock.ts';

/** What the library says of a NAS, serial numbers included. */
const said: Record<string, unknown> = {
  cpu: {
    manufacturer: 'Intel',
    brand: 'Celeron J4125',
    cores: 4,
    physicalCores: 4,
    speed: 2,
    speedMax: 2.7,
    cache: { l1d: 1, l1i: 1, l2: 4_194_304, l3: 0 },
    flags: 'sse4_2',
  },
  baseboard: { manufacturer: 'Synology', model: 'DS920+', serial: 'SECRET-1', assetTag: 'SECRET-2' },
  blockDevices: [
    { name: 'sda', type: 'disk', size: 4e12, physical: 'HDD', model: 'WD Red', serial: 'SECRET-3', removable: false },
    { name: 'sda1', type: 'part', size: 1e9, physical: '', model: '', uuid: 'SECRET-4', removable: false },
    { name: 'nvme0n1', type: 'disk', size: 5e11, physical: 'SSD', model: '', removable: false },
    { name: 'sr0', type: 'disk', size: 0, physical: '', model: 'DVD', removable: true },
    { name: 'zram0', type: 'disk', size: 1e9, physical: 'SSD', model: '', removable: false },
  ],
  cpuTemperature: { main: 41, max: 43, cores: [41, 43] },
};

/** Answers that a test gives by hand, and how often the machine was looked at. */
function byHand() {
  const looks: { result: (call: string, value: unknown) => void; end: () => void; isStopped: boolean }[] = [];
  const startCalls: StartCalls = (_calls, onResult, onEnd) => {
    const look = { result: onResult, end: onEnd, isStopped: false };
    looks.push(look);
    return {
      stop: () => {
        look.isStopped = true;
      },
    };
  };
  return { looks, startCalls };
}

describe('the inventory', () => {
  it('is what the library says, in our terms and without serial numbers', async () => {
    const { looks, startCalls } = byHand();
    const inventory = createInventory({ clock: manualClock(), startCalls })();
    for (const [call, value] of Object.entries(said)) looks[0]!.result(call, value);
    expect(await inventory).toEqual({
      processor: {
        name: 'Intel Celeron J4125',
        physicalCores: 4,
        logicalCores: 4,
        baseGhz: 2,
        maxGhz: 2.7,
        l2CacheBytes: 4_194_304,
        l3CacheBytes: null,
      },
      board: { vendor: 'Synology', model: 'DS920+' },
      disks: [
        { name: 'sda', model: 'WD Red', kind: 'hdd', sizeBytes: 4e12, isRemovable: false },
        { name: 'nvme0n1', model: null, kind: 'ssd', sizeBytes: 5e11, isRemovable: false },
      ],
      temperatures: { processorCelsius: 41, hottestCoreCelsius: 43 },
    });
    expect(JSON.stringify(await inventory)).not.toContain('SECRET');
    expect(looks[0]!.isStopped).toBe(true);
  });

  it('has null for what does not answer in time, and ends the look', async () => {
    const clock = manualClock();
    const { looks, startCalls } = byHand();
    const inventory = createInventory({ clock, startCalls })();
    looks[0]!.result('baseboard', said['baseboard']);
    clock.advance(8_000);
    expect(await inventory).toMatchObject({ processor: null, board: { model: 'DS920+' }, disks: null });
    expect(looks[0]!.isStopped).toBe(true);
  });

  it.each([
    ['nothing', { cpu: null, baseboard: null, blockDevices: null, cpuTemperature: null }],
    ['nothing that is known', { cpu: { brand: 1 }, baseboard: 'x', blockDevices: [{}], cpuTemperature: {} }],
    ['empty texts', { cpu: { ...Object(said['cpu']), manufacturer: '', brand: '' }, baseboard: { model: '-' } }],
  ])('is null where the library says %s', async (_title, answers) => {
    const { looks, startCalls } = byHand();
    const inventory = createInventory({ clock: manualClock(), startCalls })();
    for (const [call, value] of Object.entries(answers)) looks[0]!.result(call, value);
    looks[0]!.end();
    expect(await inventory).toEqual({ processor: null, board: null, disks: null, temperatures: null });
  });

  it('is looked at once for all who ask within ten seconds', async () => {
    const clock = manualClock();
    const { looks, startCalls } = byHand();
    const inventory = createInventory({ clock, startCalls });
    const first = inventory();
    expect(inventory()).toBe(first);
    looks[0]!.end();
    await first;
    clock.advance(10_000);
    void inventory();
    expect(looks).toHaveLength(1);
    clock.advance(1);
    void inventory();
    expect(looks).toHaveLength(2);
  });

  it('of this machine comes from a thread of its own', async () => {
    // A container tells neither board nor temperature, and perhaps no disk.
    const { processor } = await createInventory({ clock: systemClock })();
    expect(processor?.logicalCores).toBeGreaterThan(0);
  });
});
