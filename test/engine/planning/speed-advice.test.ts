import { describe, expect, it } from 'vitest';
import type { AdviseQuantization, QuantizationCandidate } from '../../../src/core/quantization-advice.ts';
import { createSpeedAdvice } from '../../../src/engine/planning/planning.ts';
import type { CatalogModel, CatalogVariant } from '../../../src/store/catalog/catalog.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { prefersQ40 } from '../../support/quantization-advice.ts';

const facts = {
  bytesByType: { q4_k: 144_000, q6_k: 21_000 },
  embeddingType: null,
  embeddingBytes: 0,
  tiedEmbedding: true,
  isEncoder: false,
  vocabularySize: 100,
  embeddingLength: 256,
  experts: null,
  expertBytesByType: {},
} as unknown as GgufFacts;

const variant = (quantization: string, changes: Partial<CatalogVariant> = {}): CatalogVariant => ({
  id: `m:${quantization}`,
  quantization,
  filePath: '',
  files: [`maker/m-GGUF/m-${quantization}.gguf`],
  otherNames: [],
  stem: '',
  sizeBytes: 165_000,
  modifiedAt: new Date(0),
  facts,
  invalidReason: null,
  invalidCode: null,
  ...changes,
});
const model = (...variants: CatalogVariant[]): CatalogModel => ({ name: 'm', aliases: [], variants });

function setUp(advise: AdviseQuantization = prefersQ40, pullName: string | null = null) {
  const asked: { chosen: QuantizationCandidate; others: readonly QuantizationCandidate[] }[] = [];
  const speed = createSpeedAdvice({
    advise(chosen, others) {
      asked.push({ chosen, others });
      return advise(chosen, others);
    },
    measuredOf: (id) => (id === 'm:q4_k_m' ? { prompt: 90, decode: 20 } : null),
    pullName: () => pullName,
    gainOfBuilt: (weights) => ({ prompt: Object.keys(weights).length, decode: 1, isMeasuredHere: true }),
  });
  return { speed, asked };
}
const q4k = variant('q4_k_m');
const q40 = variant('q4_0');

describe('advice on the variants of a model', () => {
  it('compares files by what their headers say and what was measured of them', () => {
    const { speed, asked } = setUp();
    expect(speed.faster(q4k, [q40])).toMatchObject({ variant: q40, advice: { quantization: 'q4_0' } });
    expect(asked[0]!.chosen).toEqual({
      quantization: 'q4_k_m',
      sizeBytes: 165_000,
      weights: { q4_k: 256_000, q6_k: 25_600 },
      measured: { prompt: 90, decode: 20 },
    });
    expect(asked[0]!.others[0]!.measured).toBeNull();
  });

  it('passes over files that cannot be used', () => {
    const { speed } = setUp();
    expect(speed.faster(q4k, [variant('q4_0', { invalidReason: 'empty' })])).toBeNull();
  });

  it('names the command that loads the faster one where it is on disk', () => {
    expect(setUp().speed.about(model(q4k, q40), q4k)!.message).toBe('Q4_0 is faster: hearth load m:q4_0');
  });

  it.each([
    ['its name in the catalogue', 'tiny-1b', q4k, 'hearth pull tiny-1b:Q4_0'],
    ['its repository', null, q4k, 'hearth pull hf.co/maker/m-GGUF:Q4_0'],
    ['nothing', null, variant('q4_k_m', { files: ['m-q4_k_m.gguf'] }), 'hearth search m'],
  ])('names the command that finds it where it is not, by %s', (_by, pullName, chosen, command) => {
    expect(setUp(prefersQ40, pullName).speed.about(model(chosen), chosen)!.message).toBe(`Q4_0 is faster: ${command}`);
  });

  it('compares with what the same model would be, output and size included', () => {
    const { speed, asked } = setUp();
    speed.about(model(q4k), q4k);
    const wouldBe = asked[1]!.others.find(({ quantization }) => quantization === 'q4_0')!;
    // 25,600 of 281,600 weights are the output.
    expect(wouldBe.weights!['q6_k']).toBeCloseTo(0.0909);
    // Both take 4.5 bits.
    expect(wouldBe.sizeBytes).toBeCloseTo(165_000, 0);
    const larger = asked[1]!.others.find(({ quantization }) => quantization === 'q8_0')!;
    expect(larger.sizeBytes / 165_000).toBeCloseTo(8.5 / 4.69, 1);
  });

  it('knows what other kernels bring for the weights of a file', () => {
    expect(setUp().speed.gainOfBuilt(q4k)).toEqual({ prompt: 2, decode: 1, isMeasuredHere: true });
    expect(setUp().speed.gainOfBuilt(variant('q4_k_m', { facts: null }))).toBeNull();
  });

  it('is none for what is fast already, or cannot be read', () => {
    expect(setUp().speed.about(model(q40), q40)).toBeNull();
    const broken = variant('q4_k_m', { facts: null, invalidReason: 'empty' });
    expect(setUp().speed.about(model(broken), broken)).toBeNull();
  });
});
