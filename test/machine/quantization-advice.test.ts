import { describe, expect, it } from 'vitest';
import type { QuantizationCandidate } from '../../src/core/quantization-advice.ts';
import { createAdvice, paceOf } from '../../src/machine/quantization-advice.ts';

/** As a processor without AVX has them with the library's own kernels. */
const types = {
  q4_0: { prompt: 280, decode: 150 },
  q4_k: { prompt: 140, decode: 88 },
  q5_0: { prompt: 24, decode: 17 },
  q6_k: { prompt: 117, decode: 71 },
  q8_0: { prompt: 135, decode: 81 },
};
const advise = createAdvice({ types, isMeasuredHere: false });
const candidate = (
  quantization: string,
  sizeBytes: number,
  weights: QuantizationCandidate['weights'] = { [quantization]: 1 },
  measured: QuantizationCandidate['measured'] = null,
): QuantizationCandidate => ({ quantization, sizeBytes, weights, measured });
const q4k = candidate('q4_k_m', 1_000, { q4_k: 1 });

describe('the pace of a mix of types', () => {
  it('is that of the time that each type takes', () => {
    expect(paceOf({ q4_0: 7 }, types)).toEqual({ prompt: 280, decode: 150 });
    // One half at 280, the other at 140: 1 / (0.5 / 280 + 0.5 / 140).
    expect(paceOf({ q4_0: 50, q4_k: 50 }, types)!.prompt).toBeCloseTo(186.67);
  });

  it('does not count norms, nor a trace of what was not measured', () => {
    expect(paceOf({ q4_0: 99, f32: 5, tq2_0: 1 }, types)!.prompt).toBeCloseTo(280);
    expect(paceOf({ q4_0: 90, tq2_0: 10 }, types)).toBeNull();
    expect(paceOf({}, types)).toBeNull();
  });
});

describe('advice on quantizations', () => {
  it('names the one of about the same size that is faster, and how much', () => {
    expect(advise(q4k, [candidate('q4_0', 950), candidate('q8_0', 1_700)])).toEqual({
      quantization: 'q4_0',
      instead: 'q4_k_m',
      promptRatio: 2,
      decodeRatio: 1.7,
      measuredHere: false,
      message: "Q4_K_M reads prompts at 0.5 of Q4_0's speed on this processor",
    });
  });

  it('is none for the fastest, for one alone, and where nothing was measured', () => {
    expect(advise(candidate('q4_0', 950), [q4k])).toBeNull();
    expect(advise(q4k, [])).toBeNull();
    expect(createAdvice(null)(q4k, [candidate('q4_0', 950)])).toBeNull();
    expect(advise({ ...q4k, weights: null }, [candidate('q4_0', 950)])).toBeNull();
    expect(advise(q4k, [candidate('mxfp4', 950)])).toBeNull();
  });

  it('follows the figures and no name: with other kernels it is the other way round', () => {
    const built = { ...types, q4_0: { prompt: 480, decode: 210 }, q4_k: { prompt: 630, decode: 264 } };
    const other = createAdvice({ types: built, isMeasuredHere: true });
    expect(other(q4k, [candidate('q4_0', 950)])).toBeNull();
    expect(other(candidate('q4_0', 950), [q4k])).toMatchObject({ quantization: 'q4_k_m', measuredHere: true });
  });

  it.each([
    ['as large', 1_000, true],
    ['a tenth smaller', 900, true],
    ['a tenth larger', 1_100, true],
    ['larger still', 1_101, false],
    // Twice as fast: that is worth a little quality.
    ['a little smaller still', 851, true],
    ['much smaller', 849, false],
  ])('%s', (_what, sizeBytes, isAdvised) => {
    expect(advise(q4k, [candidate('q4_0', sizeBytes)]) !== null).toBe(isAdvised);
  });

  it('gives up more than a tenth of the size only for half as much speed again', () => {
    const near = createAdvice({
      types: { a: { prompt: 100, decode: 100 }, b: { prompt: 140, decode: 140 } },
      isMeasuredHere: true,
    });
    expect(near(candidate('a', 1_000), [candidate('b', 900)])).toMatchObject({ quantization: 'b' });
    expect(near(candidate('a', 1_000), [candidate('b', 890)])).toBeNull();
  });

  it.each([
    ['little faster', { prompt: 110, decode: 110 }],
    ['faster at prompts and slower at answers', { prompt: 300, decode: 90 }],
    ['faster at answers and slower at prompts', { prompt: 90, decode: 300 }],
  ])('is none for what is %s', (_what, b) => {
    const some = createAdvice({ types: { a: { prompt: 100, decode: 100 }, b }, isMeasuredHere: true });
    expect(some(candidate('a', 1_000), [candidate('b', 1_000)])).toBeNull();
  });

  it('speaks of answers where prompts are read as fast', () => {
    const some = createAdvice({
      types: { a: { prompt: 100, decode: 100 }, b: { prompt: 100, decode: 200 } },
      isMeasuredHere: true,
    });
    expect(some(candidate('a', 1_000), [candidate('b', 1_000)])!.message).toBe(
      "A writes answers at 0.5 of B's speed on this processor",
    );
  });

  it('takes the largest of those that are about as fast as the fastest', () => {
    const even = { a: { prompt: 100, decode: 100 }, b: { prompt: 203, decode: 203 }, c: { prompt: 200, decode: 200 } };
    const some = createAdvice({ types: even, isMeasuredHere: true });
    const others = [candidate('b', 900), candidate('c', 1_050)];
    expect(some(candidate('a', 1_000), others)).toMatchObject({ quantization: 'c' });
  });

  it('believes what was measured of both files themselves more than any table', () => {
    const measured = candidate('q4_k_m', 1_000, { q4_k: 1 }, { prompt: 90, decode: 20 });
    const faster = candidate('q4_0', 950, { q4_0: 1 }, { prompt: 91, decode: 20 });
    expect(advise(measured, [faster])).toBeNull();
    expect(
      advise({ ...measured, weights: null }, [{ ...faster, measured: { prompt: 180, decode: 40 } }]),
    ).toMatchObject({
      promptRatio: 2,
      measuredHere: true,
    });
    // Of one alone it says nothing.
    expect(advise(measured, [{ ...faster, measured: null }])).toMatchObject({ promptRatio: 2, measuredHere: false });
  });
});
