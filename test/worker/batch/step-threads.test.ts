import { describe, expect, it } from 'vitest';
import { createStepThreads } from '../../../src/worker/batch/step-threads.ts';

function setup() {
  const applied: number[] = [];
  const threads = createStepThreads({ threads: 4, apply: (count) => void applied.push(count) });
  return { threads, applied };
}

describe('the threads of a step', () => {
  it('are those of the load until others are granted', () => {
    const { threads, applied } = setup();
    threads.use('prefill');
    threads.use('decode');
    expect(applied).toEqual([]);
  });

  it('change only where the kind of step does', () => {
    const { threads, applied } = setup();
    threads.grant({ decode: 2, prefill: 3 });
    expect(applied).toEqual([]);
    for (const kind of ['prefill', 'prefill', 'decode', 'decode', 'prefill'] as const) threads.use(kind);
    expect(applied).toEqual([3, 2, 3]);
  });

  it('are others for a measurement, and as granted again for the next step', async () => {
    const { threads, applied } = setup();
    const measured = threads.within(1, async () => [...applied]);
    threads.grant({ decode: 2, prefill: 2 });
    expect(await measured).toEqual([1]);
    expect(applied).toEqual([1]);
    threads.use('decode');
    expect(applied).toEqual([1, 2]);
  });
});
