import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExpectedMemory } from '../../../src/core/plan.ts';
import { planGpuLayers, ramBeside, usableGpuBytes } from '../../../src/engine/memory/gpu-layers.ts';
import { type GgufFacts, readGgufSource } from '../../../src/store/gguf/gguf.ts';
import { bufferSource, tinyGguf } from '../../support/gguf-writer.ts';
import { anyExpectedBytes } from '../../support/plans.ts';

const tiny = await readGgufSource(bufferSource(tinyGguf()));
const mib = 2 ** 20;

const bytes = fc.integer({ min: 0, max: 2 ** 34 });
const models = fc
  .record({
    layerBytes: fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { maxLength: 64 }),
    outputBytes: bytes,
    embeddingBytes: bytes,
    tiedEmbedding: fc.boolean(),
    headCountKv: fc.oneof(
      fc.integer({ min: 1, max: 64 }),
      fc.array(fc.integer({ min: 0, max: 64 }), { maxLength: 64 }),
    ),
    fullAttentionInterval: fc.option(fc.integer({ min: 1, max: 8 }), { nil: null }),
  })
  .map((some): GgufFacts => {
    const layers = some.layerBytes.reduce((sum, layer) => sum + layer, 0);
    return { ...tiny, ...some, tensorBytes: layers + some.outputBytes + some.embeddingBytes };
  });
const wholes = fc.record({ kvCache: bytes, compute: bytes, batchTokens: fc.integer({ min: 1, max: 4_096 }) });

/** A model that was read into memory, without a GPU. */
function wholeOf(weights: number, kvCache: number): ExpectedMemory {
  return { ...anyExpectedBytes(weights), kvCache, atLoad: weights + kvCache, total: weights + kvCache };
}

describe('layers for a GPU', () => {
  // Ten layers of 100, an output of 50, a cache of 10 a layer, 5 to compute in (4 of them for the score of the only
  // token), and room for one layer on the way.
  const model: GgufFacts = {
    ...tiny,
    layerBytes: Array.from({ length: 10 }, () => 100),
    outputBytes: 50,
    tiedEmbedding: false,
    embeddingBytes: 50,
    tensorBytes: 1_100,
    headCountKv: 2,
    vocabularySize: 1,
  };
  const whole = { kvCache: 100, compute: 1, batchTokens: 1 };

  it.each([
    [0, 0, 0],
    [154, 0, 0],
    [155, 1, 155],
    [264, 1, 155],
    [265, 2, 265],
    [1_254, 10, 1_145],
    [1_255, 11, 1_255],
    [9_999, 11, 1_255],
  ])('into %i bytes go %i, the output first, and take %i', (usable, layers, total) => {
    const share = planGpuLayers(model, whole, usable);
    expect([share.layers, share.bytes.total]).toEqual([layers, total]);
  });

  it('count a tied embedding as output, since the other copy stays with the CPU', () => {
    const tied = { ...model, tiedEmbedding: true, outputBytes: 0, embeddingBytes: 50, tensorBytes: 1_050 };
    expect(planGpuLayers(tied, whole, 155)).toMatchObject({ layers: 1, bytes: { weights: 50 } });
    const parts = wholeOf(1_050, 100);
    const ram = ramBeside(parts, tied, planGpuLayers(tied, whole, 155), { backend: 'vulkan', kind: 'discrete' });
    expect(ram.weights).toBe(1_050);
  });

  it('bound the cache of each layer where which layers have one is unknown', () => {
    const hybrid = { ...model, fullAttentionInterval: 5 };
    // Two of ten have a cache; the last one may.
    expect(planGpuLayers(hybrid, whole, 305)).toMatchObject({ layers: 2, bytes: { kvCache: 50 } });
  });

  it('bound the cache of each layer where some keep a window only', () => {
    // One of ten keeps everything, so it may be the one that holds nearly all of it.
    const sliding = { ...model, slidingLayers: Array.from({ length: 10 }, (_, layer) => layer !== 8) };
    expect(planGpuLayers(sliding, whole, 305)).toMatchObject({ layers: 2, bytes: { kvCache: 10 } });
    expect(planGpuLayers(sliding, whole, 505)).toMatchObject({ layers: 3, bytes: { kvCache: 100 } });
  });

  it('have a row of scores for every token of a batch, unless the model is an encoder', () => {
    const words = { ...model, vocabularySize: 1_000 };
    const compute = (facts: GgufFacts) => planGpuLayers(facts, { ...whole, batchTokens: 8 }, 99_999).bytes.compute;
    expect(compute(words)).toBe(1 + 100 + 8 * 1_000 * 4);
    expect(compute({ ...words, isEncoder: true })).toBe(1 + 100);
  });

  it('never take more than is usable, and never fewer with more of it', () => {
    fc.assert(
      fc.property(models, wholes, bytes, bytes, (facts, given, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)].map((usable) => {
          const share = planGpuLayers(facts, given, usable);
          expect(share.bytes.total).toBeLessThanOrEqual(usable);
          expect(share.bytes.total).toBeGreaterThanOrEqual(0);
          expect(share.layers).toBeLessThanOrEqual(facts.layerBytes.length + 1);
          return share;
        });
        expect(less!.layers).toBeLessThanOrEqual(more!.layers);
        expect(less!.bytes.total).toBeLessThanOrEqual(more!.bytes.total);
      }),
    );
  });

  it('leave at least what is not on the GPU in the machine’s memory', () => {
    fc.assert(
      fc.property(models, wholes, bytes, (facts, given, usable) => {
        const share = planGpuLayers(facts, given, usable);
        const parts = wholeOf(facts.tensorBytes, given.kvCache);
        const ram = ramBeside(parts, facts, share, { backend: 'cuda', kind: 'discrete' });
        fc.pre(share.layers > 0);
        expect(ram.weights + share.bytes.weights).toBeGreaterThanOrEqual(facts.tensorBytes - 1);
        expect(ram.kvCache + share.bytes.kvCache).toBeGreaterThanOrEqual(given.kvCache - 1);
        expect(ram.total).toBeGreaterThanOrEqual(ram.weights + ram.kvCache - 1);
      }),
    );
  });

  it('change nothing when none fit', () => {
    const parts = wholeOf(1_100, 100);
    const share = planGpuLayers(model, whole, 154);
    expect(ramBeside(parts, model, share, { backend: 'cuda', kind: 'discrete' })).toEqual(parts);
  });

  it('move nothing out of the memory that an integrated GPU shares', () => {
    const share = planGpuLayers(model, whole, 9_999);
    const parts = wholeOf(1_100, 100);
    const ram = ramBeside(parts, model, share, { backend: 'vulkan', kind: 'integrated' });
    expect(ram).toMatchObject({ weights: 1_100, kvCache: 100 });
    expect(ram.total).toBeGreaterThan(parts.total);
  });
});

describe('what models may take of a device', () => {
  it.each([
    ['a small one keeps 256 MiB', 2_048, 2_048, 1_792],
    ['a large one keeps 6 %', 80_000, 79_000, 74_200],
    ['one that others have filled gives nothing', 8_192, 100, 0],
  ])('%s', (_title, totalMib, freeMib, usableMib) => {
    expect(usableGpuBytes({ totalBytes: totalMib * mib, freeBytes: freeMib * mib }) / mib).toBe(usableMib);
  });
});
