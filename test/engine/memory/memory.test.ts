import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createEngineMemory } from '../../../src/engine/memory/memory.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { readGgufSource } from '../../../src/store/gguf/gguf.ts';
import { bufferSource, tinyGguf } from '../../support/gguf-writer.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { anyExpectedBytes, anyPlan } from '../../support/plans.ts';
import { testBus } from '../../support/test-bus.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));

const mib = 2 ** 20;
const facts = await readGgufSource(bufferSource(tinyGguf()));

/** `rollup`: what the system says of the process 7. */
function setup(rollup: string | null) {
  return createEngineMemory({
    memory: {
      readFile: (path) => (path === '/proc/7/smaps_rollup' ? rollup : null),
      budget: () => ({ totalBytes: 4e9, availableBytes: 4e9, reserveBytes: 0, source: 'host', limits: [] }),
    },
    dataFolder: folder,
    threadsFor: () => 1,
    onShort: () => {},
    clock: manualClock(),
    log: createLogger('silent'),
    bus: testBus().bus,
  });
}

const file = { id: 'm:q4_0', facts };
const plan = anyPlan({ useMmap: false, expectedBytes: anyExpectedBytes(100 * mib) });

describe('the measurement of a load', () => {
  it('is what the process has of the memory', () => {
    expect(setup('Rss: 102400 kB\n').measure(file, plan, 7)).toBe(100 * mib);
  });

  it('corrects the next plan of the file', () => {
    const memory = setup('Rss: 122880 kB\n');
    const planned = memory.planner.plan(file, {}, 0);
    if (planned.type !== 'plan') throw new Error(planned.message);
    memory.measure(file, { ...planned, expectedBytes: anyExpectedBytes(100 * mib) }, 7);
    expect(memory.planner.plan(file, {}, 0)).toMatchObject({ expectedBytes: { correction: 20 * mib } });
  });

  it('is none where the system does not tell, and none of a load that put layers on a GPU', () => {
    expect(setup(null).measure(file, plan, 7)).toBeNull();
    expect(setup('Rss: 102400 kB\n').measure(file, anyPlan({ gpuLayers: 2 }), 7)).toBeNull();
  });
});
