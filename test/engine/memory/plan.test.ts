import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectBytes, type LoadShape } from '../../../src/engine/memory/expect.ts';
import { kvBytesPerToken, slotCache } from '../../../src/engine/memory/kv-cache.ts';
import { type LoadPlan, type LoadRefusal, type PlanInput, planLoad } from '../../../src/engine/memory/plan.ts';
import { repackRulesOf } from '../../../src/engine/memory/repack.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { readGgufSource } from '../../../src/store/gguf/gguf.ts';
import { bufferSource, tinyGguf } from '../../support/gguf-writer.ts';

const gib = 2 ** 30;
/** As on a machine with AVX2 and nothing more. */
const rules = repackRulesOf(null, 'x64');
const rest = { repackRules: rules, threads: 2, gpu: null, correctionBytes: () => 0 };
const tiny = await readGgufSource(bufferSource(tinyGguf()));

/** Shape of Qwen2.5-7B-Instruct in Q4_K_M. */
const qwen7b: GgufFacts = {
  ...tiny,
  architecture: 'qwen2',
  tensorBytes: 4_677_120_000,
  parameterCount: 7_615_616_512,
  quantization: 'q4_k_m',
  trainedContextTokens: 32_768,
  blockCount: 28,
  embeddingLength: 3_584,
  headCount: 28,
  headCountKv: 4,
  vocabularySize: 152_064,
  tiedEmbedding: false,
  embeddingBytes: 306_000_000,
  embeddingType: 'q4_k',
  mergeCount: 151_387,
  feedForwardLength: 18_944,
  bytesByType: { q4_k: 3_900_000_000, q6_k: 776_000_000, f32: 1_120_000 },
};

function plan(
  facts: GgufFacts,
  availableBytes: number,
  wish: PlanInput['wish'] = {},
  totalBytes = availableBytes,
): LoadPlan {
  const result = planLoad({ facts, wish, budget: { availableBytes, totalBytes }, ...rest });
  if (result.type !== 'plan') throw new Error(result.message);
  return result;
}

function refusal(facts: GgufFacts, availableBytes: number, wish: PlanInput['wish'] = {}): LoadRefusal {
  const result = planLoad({ facts, wish, budget: { availableBytes, totalBytes: availableBytes }, ...rest });
  if (result.type !== 'refusal') throw new Error('it fits');
  return result;
}

describe('the key-value cache', () => {
  test.each<[string, Partial<GgufFacts>, number]>([
    ['Qwen2.5-7B: 56 KiB', {}, 56 * 1_024],
    ['Llama-3.1-8B: 128 KiB', { blockCount: 32, headCount: 32, headCountKv: 8, embeddingLength: 4_096 }, 128 * 1_024],
    ['own lengths of keys and values', { keyLength: 256, valueLength: 128 }, 28 * 4 * (256 + 128) * 2],
    ['heads that differ per layer', { headCountKv: [4, 0, 2] }, 6 * 256 * 2],
    ['no own number of key-value heads', { headCountKv: null }, 28 * 28 * 256 * 2],
    ['full attention in every fourth layer', { fullAttentionInterval: 4 }, 7 * 4 * 256 * 2],
    ['an encoder', { isEncoder: true }, 0],
    ['a model without attention', { hasNoAttention: true }, 0],
  ])('%s per token', (_title, facts, bytes) => {
    expect(kvBytesPerToken({ ...qwen7b, ...facts })).toBe(bytes);
  });
});

describe('the cache of a slot', () => {
  const slot = { contextTokens: 32_768, batchTokens: 512, kvType: 'f16' } as const;
  /** Gemma 3 4B: 34 layers, 4 key-value heads of 256, a window of 1,024 in five of six. */
  const gemma: GgufFacts = {
    ...qwen7b,
    architecture: 'gemma3',
    blockCount: 34,
    headCount: 8,
    headCountKv: 4,
    keyLength: 256,
    valueLength: 256,
    slidingWindow: 1_024,
    slidingLayers: Array.from({ length: 34 }, (_, layer) => layer % 6 < 5),
  };

  test('holds every token in layers without a window, and window and batch in the others', () => {
    expect(slotCache(gemma, slot)).toEqual({ fullBytes: 5 * 4_096 * 32_768, slidingBytes: 29 * 4_096 * 1_536 });
    // Rounded up to 256 cells, but never more than the context.
    expect(slotCache(gemma, { ...slot, batchTokens: 500 }).slidingBytes).toBe(29 * 4_096 * 1_536);
    expect(slotCache(gemma, { ...slot, contextTokens: 1_000 }).slidingBytes).toBe(29 * 4_096 * 1_000);
  });

  test('counts the heads of each layer where they differ', () => {
    const heads = Array.from({ length: 34 }, (_, layer) => (layer % 6 < 5 ? 2 : 8));
    const { fullBytes, slidingBytes } = slotCache({ ...gemma, headCountKv: heads }, slot);
    expect(fullBytes).toBe(5 * 8 * 1_024 * 32_768);
    expect(slidingBytes).toBe(29 * 2 * 1_024 * 1_536);
  });

  test('is full where it is not known which layers have a window', () => {
    expect(slotCache({ ...gemma, slidingLayers: null }, slot)).toEqual({
      fullBytes: 34 * 4_096 * 32_768,
      slidingBytes: 0,
    });
    expect(slotCache({ ...gemma, isEncoder: true }, slot)).toEqual({ fullBytes: 0, slidingBytes: 0 });
  });

  test('is part of what a load takes, and windows that are put aside are part of the work space', () => {
    const shape: LoadShape = { ...slot, slots: 2, useMmap: false };
    const { fullBytes, slidingBytes } = slotCache(gemma, slot);
    const some = expectBytes(gemma, shape, rules);
    expect(some.kvCache).toBe(2 * (fullBytes + slidingBytes));
    const full = expectBytes({ ...gemma, slidingLayers: null }, shape, rules);
    expect(some.compute - full.compute).toBe(256 * 2 ** 20);
    const small = expectBytes({ ...gemma, slidingWindow: 1 }, { ...shape, slots: 1, batchTokens: 1 }, rules);
    const smallFull = expectBytes({ ...gemma, slidingLayers: null }, { ...shape, slots: 1, batchTokens: 1 }, rules);
    expect(small.compute - smallFull.compute).toBe(6 * 29 * 4_096 * 256);
  });
});

describe('a load that is forced', () => {
  test('is planned with the least settings, and says what is missing', () => {
    const { neededBytes } = refusal(qwen7b, 2 * gib);
    const forced = plan(qwen7b, 2 * gib, { force: true });
    expect(forced).toMatchObject({ isForced: true, slots: 1, contextTokens: 2_048, batchTokens: 128, kvType: 'q8_0' });
    expect(forced.expectedBytes.total).toBe(neededBytes);
    expect(forced.notes.at(-1)).toMatch(/^needs \S+ GB where 2\.1 GB are available, and is loaded all the same/);
  });

  test('keeps to the wish for the context', () => {
    expect(plan(qwen7b, 2 * gib, { force: true, contextTokens: 32_768, slots: 3 })).toMatchObject({
      isForced: true,
      contextTokens: 32_768,
      slots: 3,
    });
  });

  test('that fits is like any other', () => {
    expect(plan(qwen7b, 64 * gib, { force: true })).toEqual(plan(qwen7b, 64 * gib));
  });
});

describe('a wish for how the cache is kept', () => {
  test('is kept, with room and without', () => {
    expect(plan(qwen7b, 64 * gib, { kvType: 'q8_0' })).toMatchObject({ kvType: 'q8_0', notes: [] });
    const inHalf = refusal(qwen7b, 2 * gib, { kvType: 'q8_0' }).neededBytes;
    const inFull = refusal(qwen7b, 2 * gib, { kvType: 'f16' }).neededBytes;
    expect(inFull).toBeGreaterThan(inHalf);
    expect(plan(qwen7b, inFull, { kvType: 'f16' })).toMatchObject({ kvType: 'f16' });
    expect(refusal(qwen7b, inFull - 1, { kvType: 'f16' }).shortfallBytes).toBe(1);
  });

  test('is told where the model cannot have it', () => {
    const odd = { ...qwen7b, keyLength: 100, valueLength: 100 };
    const { kvType, notes } = plan(odd, 64 * gib, { kvType: 'q8_0' });
    expect(kvType).toBe('f16');
    expect(notes).toEqual([expect.stringContaining('16 bits')]);
  });
});

describe('expected bytes', () => {
  const shape: LoadShape = { contextTokens: 4_096, slots: 2, batchTokens: 256, useMmap: false, kvType: 'f16' };
  const expected = (facts: Partial<GgufFacts> = {}, changes: Partial<LoadShape> = {}) =>
    expectBytes({ ...qwen7b, ...facts }, { ...shape, ...changes }, rules);

  test('a mapped file stays beside the copies of what is repacked, of an unmapped one only the rest stays', () => {
    const repackedWeights = 3_900_000_000 - 306_000_000;
    expect(expected({}, { useMmap: true })).toMatchObject({
      mappedWeights: 4_677_120_000,
      weights: 0,
      repackedWeights,
    });
    expect(expected()).toMatchObject({ mappedWeights: 0, weights: 4_677_120_000 - repackedWeights, repackedWeights });
  });

  test('a tied embedding is kept plain to look tokens up and repacked as the output, not so in an encoder', () => {
    const tied = expected({ tiedEmbedding: true });
    expect(tied.weights + tied.repackedWeights).toBe(4_677_120_000 + 306_000_000);
    const encoder = expected({ tiedEmbedding: true, isEncoder: true });
    expect(encoder.weights + encoder.repackedWeights).toBe(4_677_120_000);
  });

  test('the parts add up, and slots pay for cache, state and the states they put aside', () => {
    const bytes = expected({ recurrentStateBytes: 1_000_000 });
    expect(bytes.kvCache).toBe(2 * 4_096 * 56 * 1_024 + 2 * 1_000_000 * (1 + 6));
    const large = expected({ recurrentStateBytes: 100 * 2 ** 20 });
    expect(large.kvCache).toBe(2 * 4_096 * 56 * 1_024 + 200 * 2 ** 20 + 256 * 2 ** 20);
    const huge = expected({ recurrentStateBytes: 2 ** 30 });
    expect(huge.kvCache).toBe(2 * 4_096 * 56 * 1_024 + 2 * 2 ** 30 + 2 * 2 ** 30);
    const { mappedWeights, weights, repackedWeights, kvCache, vocabulary, process, correction } = bytes;
    expect(bytes.atLoad).toBe(mappedWeights + weights + repackedWeights + kvCache + vocabulary + process + correction);
    expect(bytes.total).toBe(bytes.atLoad + bytes.compute);
  });

  test('a cache of 8 bits takes 34 bytes for 32 numbers', () => {
    expect(expected({}, { kvType: 'q8_0' }).kvCache).toBe((expected().kvCache / 64) * 34);
  });

  test('what an earlier load took beyond the estimate is added', () => {
    const corrected = expectBytes(qwen7b, shape, rules, -5_000_000);
    expect(corrected.total).toBe(expected().total - 5_000_000);
  });

  test('a large vocabulary costs process memory and a row of scores: of each slot, or of each token where vectors are made', () => {
    const small = expected({ vocabularySize: 32_000, mergeCount: 0 });
    expect(expected().vocabulary - small.vocabulary).toBeGreaterThan(80e6);
    expect(expected().compute - small.compute).toBe(2 * (152_064 - 32_000) * 16);
    const encoder = expected({ isEncoder: true }).compute - expected({ isEncoder: true, vocabularySize: 0 }).compute;
    expect(encoder).toBe(256 * 152_064 * 4);
  });

  test('without the fused kernel every head pays for every token of the context', () => {
    const narrow = expected({ keyLength: 32, valueLength: 32 });
    expect(narrow.compute - expected().compute).toBe(256 * 4_096 * 28 * 4);
  });

  test('a mixture of experts has a row of each expert of a token', () => {
    const experts = { count: 64, used: 8, feedForwardLength: 1_024 };
    const dense = { embeddingLength: 2_048, feedForwardLength: 1_024 };
    const more = expected({ ...dense, experts }).compute - expected(dense).compute;
    expect(more).toBe(256 * 4 * (3 * 2_048 + 8 * (2_048 + 1_024) - 8 * 2_048 - 2 * 1_024));
    // A few narrow ones take less than attention does.
    expect(expected({ ...dense, experts: { ...experts, used: 1 } }).compute).toBe(expected(dense).compute);
    const unnamed = { ...experts, feedForwardLength: null };
    expect(expected({ ...dense, experts: unnamed })).toEqual(expected({ ...dense, experts }));
  });
});

describe('the plan', () => {
  test.each([
    [5 * gib, 1],
    [8 * gib, 2],
    [16 * gib, 4],
  ])('a budget of %d bytes gives %d slots', (totalBytes, slots) => {
    expect(plan(tiny, 4 * gib, {}, totalBytes).slots).toBe(slots);
  });

  test('without a wish the context is 8,192 tokens, or what the model was trained with', () => {
    expect(plan(qwen7b, 32 * gib)).toMatchObject({ contextTokens: 8_192, slots: 4, batchTokens: 512, notes: [] });
    expect(plan(tiny, gib).contextTokens).toBe(512);
    expect(plan({ ...tiny, trainedContextTokens: null }, gib).contextTokens).toBe(8_192);
    expect(plan({ ...tiny, trainedContextTokens: 100 }, gib)).toMatchObject({ contextTokens: 100, batchTokens: 100 });
  });

  test('a wish is rounded up to 256 tokens and cut to the trained context with a note', () => {
    expect(plan(qwen7b, 32 * gib, { contextTokens: 1_000 }).contextTokens).toBe(1_024);
    const cut = plan(tiny, gib, { contextTokens: 100_000 });
    expect(cut.contextTokens).toBe(512);
    expect(cut.notes).toEqual(['context reduced from 100000 to the 512 tokens that the model was trained with']);
  });

  test('a file that repacks is not mapped, another one is', () => {
    expect(plan(qwen7b, 32 * gib).useMmap).toBe(false);
    expect(plan({ ...qwen7b, bytesByType: { q6_k: 4_677_120_000 } }, 32 * gib).useMmap).toBe(true);
  });

  test('an encoder takes its whole context in one batch', () => {
    expect(plan({ ...tiny, isEncoder: true, trainedContextTokens: 2_048 }, gib)).toMatchObject({
      contextTokens: 2_048,
      batchTokens: 2_048,
    });
  });
});

describe('the ladder', () => {
  const bytes = (slots: number, contextTokens: number, batchTokens: number, kvType: LoadShape['kvType'] = 'f16') =>
    expectBytes(qwen7b, { slots, contextTokens, batchTokens, useMmap: false, kvType }, rules).total;

  test.each<[[slots: number, contextTokens: number, batchTokens: number, kvType?: LoadShape['kvType']], notes: number]>(
    [
      [[4, 8_192, 512], 0],
      [[3, 8_192, 512], 1],
      [[1, 8_192, 512], 1],
      [[1, 4_096, 512], 2],
      [[1, 2_048, 512], 2],
      [[1, 2_048, 256], 3],
      [[1, 2_048, 128], 3],
      [[1, 2_048, 128, 'q8_0'], 4],
    ],
  )('memory for exactly %j gives exactly that', ([slots, contextTokens, batchTokens, kvType = 'f16'], notes) => {
    const result = plan(qwen7b, bytes(slots, contextTokens, batchTokens, kvType), {}, 16 * gib);
    expect(result).toMatchObject({ slots, contextTokens, batchTokens, kvType });
    expect(result.notes).toHaveLength(notes);
  });

  test('wished slots and a wished context are never reduced', () => {
    const wish = { slots: 4, contextTokens: 8_192 };
    expect(plan(qwen7b, bytes(4, 8_192, 128), wish)).toMatchObject({ ...wish, batchTokens: 128 });
    expect(plan(qwen7b, bytes(4, 8_192, 128) - 1, wish)).toMatchObject({ ...wish, kvType: 'q8_0' });
    expect(refusal(qwen7b, bytes(4, 8_192, 128, 'q8_0') - 1, wish).shortfallBytes).toBe(1);
  });

  test('a refusal names the shortfall and the settings that would fit', () => {
    const neededBytes = bytes(2, 8_192, 128, 'q8_0');
    const refused = refusal(qwen7b, neededBytes, { slots: 4, contextTokens: 8_192 });
    expect(refused.nearest).toEqual({ contextTokens: 8_192, slots: 2, neededBytes });
    expect(refused.message).toBe(
      'needs 6.0 GB, 5.4 GB are available; it would fit with 2 slots of 8192 tokens (models.parallel, models.context_length).',
    );
  });

  test('a model larger than the memory is refused without a way to fit', () => {
    const refused = refusal(qwen7b, 2 * gib);
    expect(refused).toMatchObject({
      availableBytes: 2 * gib,
      nearest: null,
      shortfallBytes: bytes(1, 2_048, 128, 'q8_0') - 2 * gib,
    });
    expect(refused.message).toMatch(/^needs \d\.\d GB, 2\.1 GB are available; choose a smaller model/);
  });

  test('a refusal names what an operator keeps away, where another value of it would help', () => {
    const needed = bytes(1, 2_048, 128, 'q8_0');
    const words = (missing: number, limitBytes: number | null) => {
      const availableBytes = needed - missing;
      const kept = { reserveBytes: 256 * 2 ** 20, limitBytes };
      const outcome = planLoad({
        facts: qwen7b,
        wish: {},
        budget: { availableBytes, totalBytes: needed, kept },
        ...rest,
      });
      return outcome.type === 'refusal' ? outcome.message : null;
    };
    expect(words(1_000, null)).toContain('; engine.memory_reserve leaves 256MiB to others.');
    expect(words(2 ** 30, null)).not.toContain('engine.');
    expect(words(2 ** 30, 4 * gib)).toContain('; engine.memory_limit allows 4096MiB.');
  });

  test('whatever the numbers, a plan fits and a refusal does not', () => {
    const amount = fc.integer({ min: 0, max: 64 * gib });
    const wish = fc.record(
      { contextTokens: fc.integer({ min: 1, max: 300_000 }), slots: fc.integer({ min: 1, max: 32 }) },
      { requiredKeys: [] },
    );
    const trained = fc.option(fc.integer({ min: 1, max: 2 ** 28 }));
    fc.assert(
      fc.property(
        amount,
        amount,
        wish,
        trained,
        fc.boolean(),
        (availableBytes, totalBytes, wished, trainedContextTokens, isEncoder) => {
          const facts = { ...qwen7b, trainedContextTokens, isEncoder };
          const result = planLoad({ facts, wish: wished, budget: { availableBytes, totalBytes }, ...rest });
          if (result.type === 'refusal') {
            expect(result.shortfallBytes).toBeGreaterThan(0);
            if (result.nearest) expect(result.nearest.neededBytes).toBeLessThanOrEqual(availableBytes);
            return;
          }
          expect(result.expectedBytes.total).toBeLessThanOrEqual(availableBytes);
          expect(result.contextTokens % 256 === 0 || result.contextTokens === trainedContextTokens).toBe(true);
          if (wished.slots !== undefined) expect(result.slots).toBe(wished.slots);
          const least = Math.min(wished.contextTokens ?? 1, trainedContextTokens ?? Number.POSITIVE_INFINITY);
          expect(result.contextTokens).toBeGreaterThanOrEqual(least);
        },
      ),
      { seed: 7, numRuns: 1_000 },
    );
  });
});

describe('a plan with a GPU', () => {
  // 28 layers of 150 MB and an output of 477 MB.
  const facts: GgufFacts = {
    ...qwen7b,
    layerBytes: Array.from({ length: 28 }, () => 150_000_000),
    outputBytes: 477_000_000,
  };
  const card = (freeBytes: number) => ({ backend: 'cuda', kind: 'discrete', totalBytes: 12 * gib, freeBytes }) as const;
  const planOn = (freeBytes: number, availableBytes = 32 * gib) =>
    planLoad({
      facts,
      wish: {},
      budget: { availableBytes, totalBytes: availableBytes },
      ...rest,
      gpu: card(freeBytes),
    });

  test('moves everything there when it fits, and counts it apart from the machine’s memory', () => {
    const onCpu = plan(facts, 32 * gib);
    const onGpu = planOn(11 * gib);
    if (onGpu.type !== 'plan') throw new Error(onGpu.message);
    expect(onGpu.gpuLayers).toBe(29);
    expect(onGpu.gpuBytes).toBeLessThanOrEqual(11 * gib);
    expect(onGpu.expectedBytes.total).toBeLessThan(onCpu.expectedBytes.total - 4_000_000_000);
    expect(onCpu).toMatchObject({ gpuLayers: 0, gpuBytes: 0 });
  });

  test('moves a part when the rest does not fit', () => {
    const onGpu = planOn(4 * gib);
    if (onGpu.type !== 'plan') throw new Error(onGpu.message);
    expect(onGpu.gpuLayers).toBeGreaterThan(1);
    expect(onGpu.gpuLayers).toBeLessThan(29);
  });

  test('leaves all on the CPU when not even the output fits', () => {
    expect(planOn(gib / 2)).toMatchObject({ gpuLayers: 0, gpuBytes: 0 });
  });

  test('loads a model that the machine’s own memory could not take', () => {
    expect(refusal(facts, 3 * gib).type).toBe('refusal');
    expect(planOn(11 * gib, 3 * gib)).toMatchObject({ type: 'plan', gpuLayers: 29 });
  });

  test('does without the GPU when its driver is what would be too much', () => {
    const onCpu = plan(facts, 32 * gib, { contextTokens: 8_192, slots: 1 });
    const availableBytes = onCpu.expectedBytes.total;
    const input = {
      facts,
      wish: { contextTokens: 8_192, slots: 1 },
      budget: { availableBytes, totalBytes: availableBytes },
    };
    const integrated = { ...card(11 * gib), kind: 'integrated' } as const;
    expect(planLoad({ ...rest, ...input, gpu: integrated })).toMatchObject({ type: 'plan', gpuLayers: 0 });
  });
});
