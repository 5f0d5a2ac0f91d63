import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStopMatcher } from '../../../src/worker/text/stop-matcher.ts';

/** Feeds `pieces` until a stop string is met. */
function run(stops: string[], pieces: string[]): { text: string; stopped: string | null } {
  const matcher = createStopMatcher(stops);
  let text = '';
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    if (result.stopped !== null) return { text, stopped: result.stopped };
  }
  return { text: text + matcher.end(), stopped: null };
}

describe('stop strings', () => {
  it('cuts the answer before a stop string that is spread over tokens', () => {
    expect(run(['END'], ['one E', 'N', 'D two'])).toEqual({ text: 'one ', stopped: 'END' });
  });

  it('gives held text back when it turns out not to be a stop string', () => {
    expect(run(['END'], ['one E', 'N', 'x'])).toEqual({ text: 'one ENx', stopped: null });
    expect(run(['END'], ['one EN'])).toEqual({ text: 'one EN', stopped: null });
  });

  it('never shows a part of a stop string before it is decided', () => {
    const matcher = createStopMatcher(['\n\n']);
    expect(matcher.push('a\n')).toEqual({ text: 'a', stopped: null, rest: '' });
    expect(matcher.push('b')).toEqual({ text: '\nb', stopped: null, rest: '' });
  });

  it('takes the earliest stop string, and of two at one place the longer', () => {
    expect(run(['cd', 'b'], ['abcd']).stopped).toBe('b');
    expect(run(['b', 'bc'], ['abcd']).stopped).toBe('bc');
  });

  it('gives the text before the first occurrence for any cutting of any text', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 20 });
    const stopStrings = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), stopStrings, (pieces, stops) => {
        const whole = pieces.join('');
        const result = run(stops, pieces);
        if (result.stopped === null) {
          expect(result.text).toBe(whole);
          for (const stop of stops) expect(whole.includes(stop)).toBe(false);
          return;
        }
        expect(whole.startsWith(result.text + result.stopped)).toBe(true);
        for (const stop of stops) expect(result.text.includes(stop)).toBe(false);
      }),
    );
  });
});
