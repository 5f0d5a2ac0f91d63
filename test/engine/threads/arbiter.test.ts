import { describe, expect, it } from 'vitest';
import { createThreadArbiter } from '../../../src/engine/threads/arbiter.ts';

const big = 1024 ** 3;

describe('sharing cores between models', () => {
  it('gives one model all cores and splits them when a second one works', () => {
    const arbiter = createThreadArbiter(4);
    const seen: Record<string, number> = {};
    const a = arbiter.add(arbiter.limitFor(big), (threads) => {
      seen['a'] = threads;
    });
    const b = arbiter.add(arbiter.limitFor(big), (threads) => {
      seen['b'] = threads;
    });
    expect(seen).toEqual({ a: 4, b: 4 });
    a.setBusy(true);
    expect(seen).toEqual({ a: 4, b: 2 });
    b.setBusy(true);
    expect(seen).toEqual({ a: 2, b: 2 });
    a.setBusy(false);
    expect(seen).toEqual({ a: 2, b: 4 });
    a.remove();
    expect(seen['b']).toBe(4);
  });

  it('never gives less than one thread, nor working models more than the cores', () => {
    const arbiter = createThreadArbiter(2);
    const shares = Array.from({ length: 5 }, () => arbiter.add(arbiter.limitFor(big), () => {}));
    shares[0]!.setBusy(true);
    shares[1]!.setBusy(true);
    expect(shares[0]!.threads + shares[1]!.threads).toBe(2);
    for (const share of shares) share.setBusy(true);
    expect(shares.map((share) => share.threads)).toEqual([1, 1, 1, 1, 1]);
  });

  it('runs a tiny model on one thread', () => {
    expect(createThreadArbiter(8).limitFor(3 * 1024 ** 2)).toBe(1);
  });
});
