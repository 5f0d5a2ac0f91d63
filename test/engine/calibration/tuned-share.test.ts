import { describe, expect, it } from 'vitest';
import { addTunedShare } from '../../../src/engine/calibration/tuned-share.ts';
import { createThreadArbiter } from '../../../src/engine/threads/arbiter.ts';

function setup(maxThreads = 8) {
  const arbiter = createThreadArbiter(8);
  const told: [number, number][] = [];
  const share = addTunedShare(arbiter, maxThreads, (...counts) => void told.push(counts));
  return { arbiter, told, share };
}

describe('a share of the cores', () => {
  it('is the same for decoding and for prompts until it is tuned', () => {
    const { told, share } = setup();
    share.announce();
    expect(told).toEqual([
      [8, 8],
      [8, 8],
    ]);
  });

  it('keeps decoding and prompts within what calibration found', () => {
    const { told, share } = setup();
    share.tune({ decodeThreads: 2, prefillThreads: 4 });
    expect(told.at(-1)).toEqual([2, 4]);
    expect(share.threads).toBe(4);
  });

  it('still gives way to another model', () => {
    const { arbiter, told, share } = setup();
    share.tune({ decodeThreads: 6, prefillThreads: 6 });
    share.setBusy(true);
    arbiter.add(8, () => {}).setBusy(true);
    expect(told.at(-1)).toEqual([4, 4]);
    arbiter.setCores(2);
    expect(told.at(-1)).toEqual([1, 1]);
  });

  it('never exceeds the limit of the load, whatever was found with another one', () => {
    const { told, share } = setup(2);
    share.tune({ decodeThreads: 4, prefillThreads: 8 });
    expect(told.at(-1)).toEqual([2, 2]);
  });
});
