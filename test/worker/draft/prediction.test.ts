import { describe, expect, it } from 'vitest';
import { createPrediction } from '../../../src/worker/draft/prediction.ts';

const text = [11, 12, 13, 14, 15, 16, 17, 18];

describe('guesses from a predicted text', () => {
  it('begin with its beginning and go on where the answer is', () => {
    const generated: number[] = [];
    const prediction = createPrediction(() => text, generated);
    expect(prediction.propose(3)).toEqual([11, 12, 13]);
    generated.push(11, 12, 13, 14);
    expect(prediction.propose(2)).toEqual([15, 16]);
  });

  it('find their place again three tokens behind a change', () => {
    const generated = [11, 12, 99, 14, 15];
    const prediction = createPrediction(() => text, generated);
    expect(prediction.propose(2)).toEqual([]);
    generated.push(16);
    expect(prediction.propose(2)).toEqual([17, 18]);
  });

  it('count what the answer took and what it did not, the last guess included', () => {
    const generated: number[] = [];
    const prediction = createPrediction(() => text, generated);
    expect(prediction.counts()).toEqual({ acceptedTokens: 0, rejectedTokens: 0 });
    prediction.propose(4);
    generated.push(11, 12, 99);
    expect(prediction.counts()).toEqual({ acceptedTokens: 2, rejectedTokens: 2 });
    prediction.propose(4);
    generated.push(13, 14, 15);
    prediction.propose(2);
    generated.push(16);
    expect(prediction.counts()).toEqual({ acceptedTokens: 3, rejectedTokens: 3 });
  });

  it('tokenises a text that nobody asks for not at all', () => {
    createPrediction(() => {
      throw new Error('not to be called');
    }, []).counts();
  });
});
