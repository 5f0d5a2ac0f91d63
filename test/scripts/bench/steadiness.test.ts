import { describe, expect, it } from 'vitest';
import { slowMomentsOf } from '../../../scripts/bench/steadiness.ts';

/** A look each 5 ms, of which those at some places took longer or came later. */
function looks(count: number, odd: Record<number, { tookMs?: number; sinceMs?: number }>) {
  let atMs = 0;
  return Array.from({ length: count }, (_, index) => {
    const look = { tookMs: 0.02, sinceMs: 5, ...odd[index] };
    atMs += look.sinceMs;
    return { ...look, atMs };
  });
}

describe('moments in which the processor is slow', () => {
  it('are none where every look takes as long', () => {
    const { touch, share } = slowMomentsOf(looks(100, {}));
    expect(share).toBe(0);
    expect(touch(0, 500)).toBe(false);
  });

  it('touch what runs in them, and what begins while the rest of them is worked off', () => {
    const { touch, share } = slowMomentsOf(looks(100, { 50: { tookMs: 0.2 } }));
    expect(share).toBeGreaterThan(0.009);
    expect(touch(100, 200)).toBe(false);
    expect(touch(240, 251)).toBe(true);
    expect(touch(340, 360)).toBe(true);
    expect(touch(400, 420)).toBe(false);
  });

  it('are those in which nobody could look, too', () => {
    const { touch, share } = slowMomentsOf(looks(100, { 50: { sinceMs: 60 } }));
    expect(share).toBeGreaterThan(0.1);
    expect(touch(260, 270)).toBe(true);
  });
});
