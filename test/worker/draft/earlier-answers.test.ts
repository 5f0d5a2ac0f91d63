import { describe, expect, it } from 'vitest';
import { createEarlierAnswers } from '../../../src/worker/draft/earlier-answers.ts';

const answer = (base: number, length = 20) => Array.from({ length }, (_, index) => base + index);

describe('guesses from earlier answers', () => {
  it('begin with the latest answer, and follow the one that goes on alike', () => {
    const earlier = createEarlierAnswers();
    earlier.add('form', [1, 2, 3, 4, 10, 11]);
    earlier.add('form', [1, 2, 3, 4, 20, 21]);
    const generated: number[] = [];
    const source = earlier.source('form', generated);
    expect(source.propose(3)).toEqual([1, 2, 3]);
    generated.push(1, 2, 3, 4);
    expect(source.propose(2)).toEqual([20, 21]);
    generated.push(10);
    expect(source.propose(2)).toEqual([11]);
  });

  it('find their place again after the answer went its own way', () => {
    const earlier = createEarlierAnswers();
    earlier.add('form', answer(100));
    const source = earlier.source('form', [7, 8, 9, 103, 104, 105, 106]);
    expect(source.propose(3)).toEqual([107, 108, 109]);
  });

  it('end where the earlier answer ended, never in the next one', () => {
    const earlier = createEarlierAnswers();
    earlier.add('form', [1, 2, 3, 4, 5, 6]);
    earlier.add('form', [7, 8, 9]);
    expect(earlier.source('form', [1, 2, 3, 4]).propose(8)).toEqual([5, 6]);
    expect(earlier.source('form', [1, 2, 3, 4, 5, 6]).propose(8)).toEqual([]);
  });

  it('come from the same key only', () => {
    const earlier = createEarlierAnswers();
    earlier.add('mine', answer(1));
    expect(earlier.source('yours', []).propose(4)).toEqual([]);
    expect(earlier.source('mine', []).propose(4)).toEqual([1, 2, 3, 4]);
  });

  it('see answers that came to their end while this one was under way', () => {
    const earlier = createEarlierAnswers();
    earlier.add('form', [1, 2, 3, 4, 5]);
    const source = earlier.source('form', [50, 51, 52, 53]);
    expect(source.propose(2)).toEqual([]);
    earlier.add('form', [50, 51, 52, 53, 54]);
    expect(source.propose(2)).toEqual([54]);
  });

  it('keep the latest four of a key, also after many', () => {
    const earlier = createEarlierAnswers();
    for (let turn = 1; turn <= 40; turn++) {
      earlier.add('form', answer(turn * 100));
      expect(earlier.source('form', []).propose(1)).toEqual([turn * 100]);
    }
    expect(earlier.source('form', [3700, 3701, 3702, 3703]).propose(1)).toEqual([3704]);
    expect(earlier.source('form', [2500, 2501, 2502, 2503]).propose(1)).toEqual([]);
  });

  it('stay within their bound: the key that was not used for longest goes first', () => {
    const earlier = createEarlierAnswers(60);
    earlier.add('a', answer(100));
    earlier.add('b', answer(200));
    earlier.add('c', answer(300));
    earlier.source('a', []).propose(1);
    earlier.add('d', answer(400));
    expect(earlier.source('b', []).propose(1)).toEqual([]);
    expect(['a', 'c', 'd'].map((key) => earlier.source(key, []).propose(1))).toEqual([[100], [300], [400]]);
  });

  it('drop the oldest answers of a key that alone is over the bound, and the rest of an answer that is', () => {
    const earlier = createEarlierAnswers(30);
    earlier.add('a', answer(100));
    earlier.add('a', answer(200));
    expect(earlier.source('a', [100, 101, 102, 103]).propose(1)).toEqual([]);
    earlier.add('a', answer(500, 100));
    expect(earlier.source('a', [526, 527, 528]).propose(4)).toEqual([]);
    expect(earlier.source('a', [525, 526, 527, 528]).propose(4)).toEqual([529]);
  });
});
