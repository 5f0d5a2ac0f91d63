import { describe, expect, it } from 'vitest';
import { createPrefillPacer } from '../../../src/engine/worker/pacer.ts';

/** A machine that needs `decodeMs` for a step of decoders and `promptTokenMs` for each prompt token on top. */
function settled(decodeMs: number, promptTokenMs: number, batchTokens = 512): number {
  const pacer = createPrefillPacer(batchTokens);
  for (let step = 0; step < 30; step++) {
    pacer.observe({ milliseconds: decodeMs, promptTokens: 0, decoding: 2 });
    const promptTokens = pacer.chunkTokens(2);
    pacer.observe({ milliseconds: decodeMs + promptTokens * promptTokenMs, promptTokens, decoding: 2 });
  }
  return pacer.chunkTokens(2);
}

describe('pacing prompts beside decoders', () => {
  it('takes the whole batch when nobody decodes, and 65 tokens until it knows the machine', () => {
    const pacer = createPrefillPacer(512);
    expect(pacer.chunkTokens(0)).toBe(512);
    expect(pacer.chunkTokens(3)).toBe(65);
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
    for (let step = 0; step < 10; step++) pacer.observe({ milliseconds: 128, promptTokens: 128, decoding: 1 });
    expect(pacer.chunkTokens(1)).toBeGreaterThanOrEqual(128);
    for (let step = 0; step < 6; step++) pacer.observe({ milliseconds: 1280, promptTokens: 128, decoding: 1 });
    expect(pacer.chunkTokens(1)).toBeLessThan(64);
  });
});
