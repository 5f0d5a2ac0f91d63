import { describe, expect, it } from 'vitest';
import { createPrefillPacer } from '../../../src/worker/batch/pacer.ts';

/** A machine that needs `decodeMs` for a step of decoders and `promptTokenMs` for each prompt token on top. */
function settled(decodeMs: number, promptTokenMs: number, batchTokens = 512): number {
  const pacer = createPrefillPacer(batchTokens);
  for (let step = 0; step < 30; step++) {
    pacer.observe({ milliseconds: decodeMs, promptTokens: 0, decoding: 2, depth: 0 });
    const promptTokens = pacer.chunkTokens(2, 0);
    pacer.observe({ milliseconds: decodeMs + promptTokens * promptTokenMs, promptTokens, decoding: 2, depth: 0 });
  }
  return pacer.chunkTokens(2, 0);
}

describe('pacing prompts beside decoders', () => {
  it('takes the whole batch when nobody decodes, and 65 tokens until it knows the machine', () => {
    const pacer = createPrefillPacer(512);
    expect(pacer.chunkTokens(0, 0)).toBe(512);
    expect(pacer.chunkTokens(3, 0)).toBe(65);
  });

  it('takes more, in steps of 64 and one for the pass with the decoders, as long as the step stays under 250 ms', () => {
    expect(settled(10, 1)).toBe(193);
    expect(settled(10, 3)).toBe(65);
    expect(settled(2, 0.02)).toBe(510);
  });

  it('allows four decode steps where these are slow', () => {
    expect(settled(200, 4)).toBe(129);
  });

  it('stays at 65 while that is not far too slow, and goes below where it is', () => {
    expect(settled(10, 6)).toBe(65);
    expect(settled(10, 10)).toBe(24);
    expect(settled(10, 100)).toBe(16);
  });

  it('notices within a few steps that the cores are taken away', () => {
    const pacer = createPrefillPacer(512);
    for (let step = 0; step < 10; step++)
      pacer.observe({ milliseconds: 128, promptTokens: 128, decoding: 1, depth: 0 });
    expect(pacer.chunkTokens(1, 0)).toBeGreaterThanOrEqual(128);
    for (let step = 0; step < 6; step++)
      pacer.observe({ milliseconds: 1280, promptTokens: 128, decoding: 1, depth: 0 });
    expect(pacer.chunkTokens(1, 0)).toBeLessThan(64);
  });

  it('knows that tokens cost more the more stands before them, also at the start of the next prompt', () => {
    // 1.5 ms at the beginning of a prompt, 4 ms after 2,000 tokens.
    const tokenMs = (depth: number) => 1.5 + depth / 800;
    const pacer = createPrefillPacer(512);
    const read = () => {
      const portions: number[] = [];
      const steps: number[] = [];
      for (let depth = 0; depth < 2_000; ) {
        const promptTokens = Math.min(pacer.chunkTokens(1, depth), 2_000 - depth);
        const milliseconds = 8 + promptTokens * tokenMs(depth + promptTokens / 2);
        pacer.observe({ milliseconds, promptTokens, decoding: 1, depth });
        portions.push(promptTokens);
        steps.push(milliseconds);
        depth += promptTokens;
      }
      return { portions, steps };
    };
    pacer.observe({ milliseconds: 8, promptTokens: 0, decoding: 1, depth: 0 });
    read();
    const { portions, steps } = read();
    expect(portions.slice(0, 2)).toEqual([129, 129]);
    expect(portions.at(-2)).toBe(65);
    expect(Math.max(...steps)).toBeLessThan(290);
  });
});
