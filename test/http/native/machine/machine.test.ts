import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
});
afterEach(async () => {
  await harness.close();
});

const authorization = { authorization: 'Bearer secret-key' };

describe.each(['/machine', '/api/v1/machine'])('GET %s', (url) => {
  it('shows what the machine is made of, with units', async () => {
    harness.inventory.current = {
      processor: {
        name: 'Intel Celeron J4125',
        physicalCores: 4,
        logicalCores: 4,
        baseGhz: 2,
        maxGhz: 2.7,
        l2CacheBytes: 4 * 2 ** 20,
        l3CacheBytes: null,
      },
      board: { vendor: 'Synology', model: 'DS920+' },
      disks: [{ name: 'sda', model: 'WD Red', kind: 'hdd', sizeBytes: 4e12, isRemovable: false }],
      temperatures: { processorCelsius: 41, hottestCoreCelsius: 43 },
    };
    const response = await harness.send('GET', url, undefined, authorization);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      processor: {
        name: 'Intel Celeron J4125',
        physical_cores: 4,
        logical_cores: 4,
        base_ghz: 2,
        max_ghz: 2.7,
        l2_cache_bytes: 4_194_304,
        l3_cache_bytes: null,
      },
      board: { vendor: 'Synology', model: 'DS920+' },
      disks: [{ name: 'sda', model: 'WD Red', kind: 'hdd', size_bytes: 4e12, is_removable: false }],
      temperatures: { processor_celsius: 41, hottest_core_celsius: 43 },
    });
  });

  it('shows null for what it does not tell, and nothing without the key', async () => {
    const response = await harness.send('GET', url, undefined, authorization);
    expect(response.json()).toEqual({ processor: null, board: null, disks: null, temperatures: null });
    expect((await harness.send('GET', url)).statusCode).toBe(401);
  });
});
