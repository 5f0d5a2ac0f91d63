import { describe, expect, it } from 'vitest';
import { createThreadArbiter } from '../../../src/engine/threads/arbiter.ts';

describe('fewer cores to share', () => {
  it('takes threads from loaded models at once and gives them back', () => {
    const arbiter = createThreadArbiter(4);
    const seen: number[] = [];
    const share = arbiter.add(4, (threads) => seen.push(threads));
    arbiter.setCores(3);
    arbiter.setCores(4);
    expect(seen).toEqual([4, 3, 4]);
    expect(share.threads).toBe(4);
  });

  it('divides what is left among working models', () => {
    const arbiter = createThreadArbiter(4);
    const shares = [1, 2].map(() => arbiter.add(4, () => {}));
    for (const share of shares) share.setBusy(true);
    arbiter.setCores(3);
    expect(shares.map(({ threads }) => threads)).toEqual([1, 1]);
  });

  it('stays between one and the cores of the machine', () => {
    const arbiter = createThreadArbiter(4);
    const share = arbiter.add(4, () => {});
    arbiter.setCores(0);
    expect(share.threads).toBe(1);
    arbiter.setCores(9);
    expect(share.threads).toBe(4);
  });

  it('does not lower what a model loaded meanwhile may get later', () => {
    const arbiter = createThreadArbiter(4);
    arbiter.setCores(1);
    expect(arbiter.limitFor(1024 ** 3)).toBe(4);
  });
});

describe("a model's own limit", () => {
  it('can change after the load', () => {
    const arbiter = createThreadArbiter(4);
    const seen: number[] = [];
    const share = arbiter.add(4, (threads) => seen.push(threads));
    share.setLimit(2);
    expect(seen).toEqual([4, 2]);
    arbiter.setCores(1);
    arbiter.setCores(4);
    expect(share.threads).toBe(2);
  });
});
