import { describe, expect, it } from 'vitest';
import { createPromptHistory } from '../../../../src/worker/prefix/vault/prompt-history.ts';
import { range } from './support.ts';

describe('admission', () => {
  it('gives nothing for a prompt that is seen for the first time', () => {
    expect(createPromptHistory().note(range(0, 1000), 9000, 'a')).toBeNull();
  });

  it('gives the beginning that two prompts share, down to a mark, with its part of the cost', () => {
    const admission = createPromptHistory();
    admission.note([...range(0, 200), ...range(5000, 300)], 5000, 'a');
    expect(admission.note([...range(0, 200), ...range(9000, 300)], 5000, 'a')).toEqual({ length: 192, costMs: 1920 });
  });

  it('gives all of a prompt that ends on a mark and comes again', () => {
    const admission = createPromptHistory();
    admission.note(range(0, 512), 4000, 'a');
    expect(admission.note(range(0, 512), 4000, 'a')).toEqual({ length: 512, costMs: 4000 });
  });

  it('remembers what the beginning cost when the second use came from a slot and cost nothing', () => {
    const admission = createPromptHistory();
    admission.note(range(0, 512), 4000, 'a');
    expect(admission.note(range(0, 512), 0, 'a')).toEqual({ length: 512, costMs: 4000 });
  });

  it('counts the uses of each owner apart, also when owner and tokens could run into one another', () => {
    const admission = createPromptHistory();
    const tokens = range(0, 512);
    admission.note(tokens, 4000, 'a');
    expect(admission.note(tokens, 4000, 'b')).toBeNull();
    expect(admission.note([98, ...tokens], 4000, 'a')).toBeNull();
    expect(admission.note(tokens, 4000, 'ab')).toBeNull();
  });

  it('never takes prompts shorter than the first mark', () => {
    const admission = createPromptHistory();
    admission.note(range(0, 63), 4000, 'a');
    expect(admission.note(range(0, 63), 4000, 'a')).toBeNull();
  });

  it.each([100, 700, 2000, 5000, 31_000])('loses at most an eighth of a shared beginning of %i tokens', (length) => {
    const admission = createPromptHistory();
    admission.note([...range(0, length), 1_000_001], 4000, 'a');
    const seen = admission.note([...range(0, length), 1_000_002], 4000, 'a');
    expect(seen!.length).toBeLessThanOrEqual(length);
    expect(seen!.length).toBeGreaterThan(length - Math.max(64, length / 8));
  });

  it('forgets what was not seen for longest, and keeps what comes back', () => {
    const admission = createPromptHistory();
    const once = range(0, 2000);
    const often = range(50_000, 2000);
    admission.note(once, 4000, 'a');
    admission.note(often, 4000, 'a');
    for (let n = 0; n < 400; n++) {
      expect(admission.note(range(1_000_000 + n * 10_000, 2000), 4000, 'a')).toBeNull();
      expect(admission.note(often, 4000, 'a')).not.toBeNull();
    }
    expect(admission.note(once, 4000, 'a')).toBeNull();
  });

  it('remembers more than a hundred prompts of 2,000 tokens, also beside one that fills a large context', () => {
    const admission = createPromptHistory();
    const prompts = Array.from({ length: 110 }, (_, n) => range(n * 10_000, 2000));
    for (const prompt of prompts) admission.note(prompt, 4000, 'a');
    admission.note(range(9_000_000, 131_072), 4000, 'a');
    for (const prompt of prompts) expect(admission.note(prompt, 4000, 'a')).not.toBeNull();
  });
});
