import { describe, expect, it } from 'vitest';
import { isPrintable, toPrintable, toPrintableJson } from '../../src/core/printable.ts';

describe('toPrintable', () => {
  it.each([
    ['plain', 'plain'],
    ['Größe модель 👩\u200d🚀', 'Größe модель 👩\u200d🚀'],
    ['esc\u001b[31m', 'esc%1B[31m'],
    ['line\r\nbreak', 'line%0D%0Abreak'],
    ['\u009b31m', '%C2%9B31m'],
    ['\u202ertl\u2066', '%E2%80%AErtl%E2%81%A6'],
    ['no\u00a0break', 'no%C2%A0break'],
    ['half\ud800', 'half%EF%BF%BD'],
  ])('of %j is %j', (text, expected) => {
    expect(toPrintable(text)).toBe(expected);
    expect(isPrintable(text)).toBe(text === expected);
    expect(isPrintable(toPrintable(text))).toBe(true);
  });
});

it('JSON for a terminal holds the same value and nothing that a terminal obeys', () => {
  const value = { name: 'a\u001b[31m\u009b\u202e', list: ['\ud83d\ude80'] };
  const text = toPrintableJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(isPrintable(text.replaceAll('\n', ''))).toBe(true);
});
