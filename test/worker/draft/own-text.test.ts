import { describe, expect, it } from 'vitest';
import { createOwnTextSource } from '../../../src/worker/draft/own-text.ts';

describe('guesses from the text itself', () => {
  it('propose what followed in the prompt, and then in the answer that grows', () => {
    const generated: number[] = [];
    const source = createOwnTextSource([1, 2, 3, 4, 5, 6, 7, 99], generated);
    expect(source.propose(4)).toEqual([]);
    generated.push(2, 3, 4, 5);
    expect(source.propose(4)).toEqual([6, 7, 99, 2]);
    generated.push(50, 51, 52, 53, 54, 8, 50, 51, 52, 53);
    expect(source.propose(1)).toEqual([54]);
  });

  it('propose nothing after fewer than four tokens that were seen before', () => {
    const source = createOwnTextSource([1, 2, 3, 4, 5, 99], [2, 3, 4]);
    expect(source.propose(4)).toEqual([]);
  });
});
