import { describe, expect, it } from 'vitest';
import type { LocalModel } from '../../../../src/engine/engine.ts';
import { divideMemory } from '../../../../src/http/native/events/memory-parts.ts';
import { createFakeEngine, modelInfo } from '../../../support/fake-engine.ts';
import { anyExpectedBytes, anyPlan } from '../../../support/plans.ts';

const status = {
  budgetBytes: 900,
  reserveBytes: 100,
  availableBytes: 500,
  usedBytes: 200,
  source: 'host',
};

/** A model whose process has so much, by the plan that it was loaded with. */
async function resident(name: string, residentBytes: number | null, expected: object): Promise<LocalModel> {
  const engine = createFakeEngine([modelInfo({ name })]);
  const model = await engine.load(name, {});
  Object.assign(model.loaded!, {
    residentBytes,
    plan: anyPlan({ expectedBytes: { ...anyExpectedBytes(0), ...expected } }),
  });
  return model;
}

const sumOf = ({ reserveBytes, freeBytes, othersBytes, serverBytes, models }: ReturnType<typeof divideMemory>) =>
  reserveBytes + freeBytes + othersBytes + serverBytes + models.reduce((sum, { totalBytes }) => sum + totalBytes, 0);

describe('the parts of the memory', () => {
  it('add up to the whole machine, with a model and without', async () => {
    const empty = divideMemory(status, []);
    expect(empty).toMatchObject({ totalBytes: 1_000, freeBytes: 500, serverBytes: 200, othersBytes: 200, models: [] });
    expect(sumOf(empty)).toBe(1_000);
    const model = await resident('a', 150, { weights: 90, kvCache: 40 });
    const parts = divideMemory(status, [model]);
    expect(parts).toMatchObject({ serverBytes: 50, othersBytes: 200 });
    expect(parts.models).toEqual([{ model: 'a', totalBytes: 150, weightsBytes: 90, cacheBytes: 40, workBytes: 20 }]);
    expect(sumOf(parts)).toBe(1_000);
  });

  it('count the pages of a file that the kernel could drop once: as the model that uses them', async () => {
    const model = await resident('a', 150, { mappedWeights: 100, kvCache: 20 });
    const parts = divideMemory(status, [model]);
    expect(parts).toMatchObject({ freeBytes: 400, othersBytes: 300 });
    expect(sumOf(parts)).toBe(1_000);
  });

  it('never claim more for weights and cache than the process was measured to have', async () => {
    const parts = divideMemory(status, [await resident('a', 60, { weights: 90, kvCache: 40 })]);
    expect(parts.models).toEqual([{ model: 'a', totalBytes: 60, weightsBytes: 20, cacheBytes: 40, workBytes: 0 }]);
  });

  it('leave out a model that was not measured yet, and are never negative', async () => {
    const model = await resident('a', null, { weights: 90 });
    expect(divideMemory(status, [model]).models).toEqual([]);
    const tight = divideMemory({ ...status, availableBytes: 0, usedBytes: 2_000 }, []);
    expect(tight).toMatchObject({ freeBytes: 0, othersBytes: 0, totalBytes: 2_100 });
    expect(sumOf(tight)).toBe(2_100);
  });
});
