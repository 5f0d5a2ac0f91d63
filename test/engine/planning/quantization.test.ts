import { describe, expect, it } from 'vitest';
import type { LoadOutcome } from '../../../src/engine/memory/plan.ts';
import { chooseForLoad, type FasterVariant } from '../../../src/engine/planning/quantization.ts';
import type { CatalogModel, CatalogVariant } from '../../../src/store/catalog/catalog.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { anyPlan } from '../../support/plans.ts';

const variant = (quantization: string, tensorBytes: number): CatalogVariant => ({
  id: `m:${quantization}`,
  quantization,
  filePath: '',
  files: [],
  otherNames: [],
  stem: '',
  sizeBytes: tensorBytes,
  modifiedAt: new Date(0),
  facts: { tensorBytes, parameterCount: 1_000 } as GgufFacts,
  invalidReason: null,
  invalidCode: null,
});
const model: CatalogModel = {
  name: 'm',
  aliases: [],
  variants: [variant('q4_k_m', 600), variant('q8_0', 1_060), variant('q2_k', 320), variant('q5_k_m', 700)],
};
const [q4, q8, q2] = model.variants as [CatalogVariant, CatalogVariant, CatalogVariant];

/** A variant fits in full with half as much again as its weights, with a smaller context with its weights alone. */
const planWith =
  (availableBytes: number) =>
  ({ facts }: CatalogVariant): LoadOutcome => {
    const { tensorBytes } = facts!;
    if (tensorBytes * 1.5 <= availableBytes) return anyPlan({ reduced: ['slots'] });
    if (tensorBytes <= availableBytes) return anyPlan({ reduced: ['slots', 'context'] });
    return { type: 'refusal', neededBytes: tensorBytes, availableBytes, shortfallBytes: 1, nearest: null, message: '' };
  };

const choose = (
  availableBytes: number,
  quantization?: string,
  others: { named?: CatalogVariant; loaded?: CatalogVariant; faster?: FasterVariant } = {},
) => {
  const { variant: chosen, notes } = chooseForLoad({
    model,
    named: others.named ?? null,
    loaded: others.loaded ?? null,
    quantization,
    plan: planWith(availableBytes),
    faster: others.faster ?? (() => null),
  });
  return [chosen.quantization, ...notes];
};

describe('the quantization of a load', () => {
  it('is the one asked for, in any case, whether it fits or not', () => {
    expect(choose(0, 'Q8_0')).toEqual(['q8_0']);
    expect(choose(0, 'q4_k_m', { named: q8, loaded: q2 })).toEqual(['q4_k_m']);
    expect(() => choose(9_999, 'q3_k_s')).toThrow(/no variant/);
  });

  it('is the one in the name, else the one that is loaded', () => {
    expect(choose(0, undefined, { named: q8, loaded: q2 })).toEqual(['q8_0']);
    expect(choose(0, undefined, { loaded: q2 })).toEqual(['q2_k']);
  });

  it('is the usual one without a wish, or the next smaller that fits, which is said', () => {
    expect(choose(9_999)).toEqual(['q4_k_m']);
    expect(choose(600)).toEqual(['q4_k_m']);
    expect(choose(599)).toEqual(['q2_k', 'q2_k is used: q4_k_m does not fit the memory']);
    expect(choose(0)).toEqual(['q2_k']);
  });

  it('auto is the best quality that fits in full, which is said', () => {
    expect(choose(9_999, 'auto')).toEqual(['q8_0', 'auto chose q8_0: the best of 4 on disk']);
    expect(choose(1_060, 'AUTO')).toEqual(['q5_k_m', 'auto chose q5_k_m: q8_0 would not fit in full']);
    expect(choose(900, 'auto')[0]).toBe('q4_k_m');
  });

  it('auto takes a smaller context only where nothing fits in full', () => {
    expect(choose(400, 'auto')).toEqual(['q2_k', 'auto chose q2_k: q8_0, q5_k_m, q4_k_m would not fit in full']);
    expect(choose(0, 'auto')[0]).toBe('q2_k');
  });

  it('auto keeps what is loaded unless something better fits beside it', () => {
    expect(choose(0, 'auto', { loaded: q4 })[0]).toBe('q4_k_m');
    expect(choose(9_999, 'auto', { loaded: q4 })[0]).toBe('q8_0');
  });

  const q5 = model.variants[3]!;
  const advice = {
    quantization: 'q4_k_m',
    instead: 'q5_k_m',
    promptRatio: 2,
    decodeRatio: 2,
    measuredHere: false,
    message: "Q5_K_M reads prompts at 0.5 of Q4_K_M's speed on this processor",
  };
  const faster: FasterVariant = (chosen, others) =>
    chosen === q5 && others.includes(q4) ? { variant: q4, advice } : null;

  it('auto takes one of its size that this processor is faster with, which is said', () => {
    expect(choose(1_060, 'auto', { faster })).toEqual(['q4_k_m', `auto chose q4_k_m: ${advice.message}`]);
    // What fits in full is compared with what fits in full.
    expect(choose(700, 'auto', { faster })[0]).toBe('q2_k');
  });

  it('does so for auto alone, and not where a GPU computes', () => {
    expect(choose(9_999, undefined, { named: q5, faster })).toEqual(['q5_k_m']);
    const { variant: chosen } = chooseForLoad({
      model,
      named: null,
      loaded: null,
      quantization: 'auto',
      plan: () => anyPlan({ gpuLayers: 12 }),
      faster: () => ({ variant: q2, advice }),
    });
    expect(chosen.quantization).toBe('q8_0');
  });
});
