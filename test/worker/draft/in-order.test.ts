import { describe, expect, it } from 'vitest';
import { inOrder } from '../../../src/worker/draft/in-order.ts';
import type { DraftSource } from '../../../src/worker/sequence/sequence.ts';

const always = (...tokens: number[]): DraftSource => ({ propose: (maxTokens) => tokens.slice(0, maxTokens) });

describe('several sources of guesses', () => {
  it('are asked in their order, the first that knows something wins', () => {
    expect(inOrder([always(), always(1, 2), always(3, 4, 5)]).propose(8)).toEqual([1, 2]);
  });

  it('let a later one go on where an earlier one stops, if they agree so far', () => {
    expect(inOrder([always(1, 2), always(1, 2, 3, 4), always(1, 2, 3, 9, 9)]).propose(8)).toEqual([1, 2, 3, 4]);
  });

  it('never give more than was asked for', () => {
    expect(inOrder([always(1), always(1, 2, 3)]).propose(2)).toEqual([1, 2]);
  });
});
