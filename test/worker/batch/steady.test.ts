import { describe, expect, it } from 'vitest';
import { isSteady, steadyPortionTokens } from '../../../src/worker/batch/steady.ts';
import { createFakeSlots, fakeRequest } from '../../support/fake-slots.ts';

const row = (length: number, name: number) => Array.from({ length }, (_, index) => name * 10_000 + index);
const anew = { mode: 'none' } as const;
const seeded = { seed: 7 };

describe('an answer that is to come out the same again', () => {
  it.each([
    [anew, seeded, true],
    [anew, { temperature: 0 }, true],
    [anew, { temperature: 0.8 }, false],
    [{}, seeded, false],
    [{}, { temperature: 0 }, false],
  ])('is one that is computed anew, and that leaves nothing to chance: %j %j', (cache, sampling, expected) => {
    expect(isSteady(fakeRequest(1, [1], 1, cache, sampling))).toBe(expected);
  });

  it('has its prompt read in the same portions, alone, with and without neighbours', async () => {
    const own = (steps: string[][]) => steps.filter((calls) => calls.some((call) => /^1:(prefill|first)/.test(call)));
    const alone = createFakeSlots({ slots: 2 });
    alone.loop.add(fakeRequest(9, row(10, 9), 3));
    alone.loop.add(fakeRequest(1, row(200, 1), 3, anew, seeded));
    await alone.ended(1);
    const expected = [['1:prefill 64'], ['1:prefill 64'], ['1:prefill 64'], ['1:first 8']];
    expect(own(alone.steps())).toEqual(expected);

    const beside = createFakeSlots({ slots: 4 });
    beside.loop.add(fakeRequest(9, row(10, 9), 30));
    beside.loop.add(fakeRequest(1, row(200, 1), 3, anew, seeded));
    beside.loop.add(fakeRequest(2, row(600, 2), 3));
    beside.loop.add(fakeRequest(3, row(90, 3), 3));
    await Promise.all([1, 2, 3, 9].map(beside.ended));
    expect(own(beside.steps())).toEqual(expected);
  });

  it('keeps nobody who decodes waiting for more than one portion', async () => {
    const { loop, ended, steps } = createFakeSlots({ slots: 4 });
    loop.add(fakeRequest(9, row(10, 9), 40));
    loop.add(fakeRequest(1, row(300, 1), 3, anew, seeded));
    loop.add(fakeRequest(2, row(300, 2), 3, anew, seeded));
    loop.add(fakeRequest(3, row(300, 3), 3));
    await Promise.all([1, 2, 3, 9].map(ended));
    const decodes = steps().map((calls) => calls.some((call) => call.startsWith('0:next')));
    const whileDecoding = decodes.slice(decodes.indexOf(true), decodes.lastIndexOf(true));
    expect(whileDecoding.some((step, index) => !step && whileDecoding[index + 1] === false)).toBe(false);
    expect(whileDecoding).toContain(false);
  });
});

describe('the portion of such a prompt', () => {
  it('follows the size of the model and of the batch alone', () => {
    expect(steadyPortionTokens(100e6, 512)).toBe(64);
    expect(steadyPortionTokens(8e9, 512)).toBe(16);
    expect(steadyPortionTokens(100e6, 32)).toBe(32);
  });
});
