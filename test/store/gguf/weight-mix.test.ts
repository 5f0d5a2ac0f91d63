import { describe, expect, it } from 'vitest';
import {
  bitsPerWeight,
  type GgufFacts,
  weightMixOf,
  weightMixOfLabel,
  wholeMixOf,
} from '../../../src/store/gguf/gguf.ts';

const facts = (changes: Partial<GgufFacts>) =>
  ({
    bytesByType: {},
    embeddingType: null,
    embeddingBytes: 0,
    tiedEmbedding: false,
    isEncoder: false,
    experts: null,
    expertBytesByType: {},
    ...changes,
  }) as GgufFacts;

describe('the weights that a model multiplies with', () => {
  it('are counted from the bytes of each type', () => {
    const mix = weightMixOf(facts({ bytesByType: { q4_k: 144, q6_k: 420, f32: 40 } }));
    expect(mix).toEqual({ q4_k: 256, q6_k: 512, f32: 10 });
  });

  it('have the rows of tokens among them only where they are the output too', () => {
    const bytes = { bytesByType: { q8_0: 340, q4_0: 180 }, embeddingType: 'q8_0', embeddingBytes: 340 };
    expect(weightMixOf(facts(bytes))).toEqual({ q4_0: 320 });
    expect(weightMixOf(facts({ ...bytes, tiedEmbedding: true }))).toEqual({ q8_0: 320, q4_0: 320 });
    expect(weightMixOf(facts({ ...bytes, tiedEmbedding: true, isEncoder: true }))).toEqual({ q4_0: 320 });
  });

  it('are, of experts, those that a token takes', () => {
    const mixture = facts({
      bytesByType: { q4_k: 144 * 64, q6_k: 210 * 64, f32: 40 },
      experts: { count: 64, used: 8, feedForwardLength: 1 },
      expertBytesByType: { q4_k: 144 * 64, q6_k: 210 * 32 },
    });
    expect(weightMixOf(mixture)).toEqual({ q4_k: 256 * 8, q6_k: 256 * (32 + 4), f32: 10 });
    expect(wholeMixOf(mixture)).toEqual({ q4_k: 256 * 64, q6_k: 256 * 64, f32: 10 });
  });

  it('leave out a type that is not known', () => {
    expect(weightMixOf(facts({ bytesByType: { q9_z: 100 } }))).toEqual({});
  });
});

describe('the weights behind a label', () => {
  it('are what the quantizer makes of it, the output in more bits', () => {
    expect(weightMixOfLabel('q4_0')).toEqual({ q4_0: 0.9, q6_k: 0.1 });
    expect(weightMixOfLabel('q8_0')).toEqual({ q8_0: 1 });
    expect(weightMixOfLabel('q6_k')!.q6_k).toBeCloseTo(1);
    expect(weightMixOfLabel('ud-q4_k_m')).toEqual(weightMixOfLabel('q4_k_m'));
    expect(weightMixOfLabel('q4_0', 0.25)).toEqual({ q4_0: 0.75, q6_k: 0.25 });
  });

  it.each(['unknown', 'f16', 'mxfp4', 'ud-q4_k_xl'])('are not known for %s', (label) => {
    expect(weightMixOfLabel(label)).toBeNull();
  });

  it('take the bits that such files have', () => {
    // Source: llama.cpp's table of sizes for a Llama 3 of 8 B, in bits for each weight.
    for (const [label, bits] of [
      ['q4_0', 4.66],
      ['q4_k_m', 4.89],
      ['q5_k_m', 5.7],
      ['q6_k', 6.56],
      ['q8_0', 8.5],
    ] as const) {
      expect(bitsPerWeight(weightMixOfLabel(label)!)).toBeCloseTo(bits, 0);
    }
  });
});
