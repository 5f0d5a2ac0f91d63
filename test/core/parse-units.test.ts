import { describe, expect, test } from 'vitest';
import { parseBytes, parseDurationMs, parseGoDurationMs } from '../../src/core/parse-units.ts';

describe('parseBytes', () => {
  test.each([
    [0, 0],
    [4_194_304, 4_194_304],
    ['4194304', 4_194_304],
    ['4MiB', 4_194_304],
    ['4 MiB', 4_194_304],
    ['4m', 4_194_304],
    ['2GB', 2e9],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['100kB', 100_000],
    ['12b', 12],
  ])('%j is %d bytes', (value, bytes) => {
    expect(parseBytes(value)).toBe(bytes);
  });

  test.each([
    [-1],
    ['-1'],
    [''],
    ['4 apples'],
    ['MiB'],
    ['1e9'],
    [Number.NaN],
    [1.5e300],
    [null],
    [{}],
    ['9'.repeat(500)],
    ['9000000TB'],
  ])('%j is refused with a sentence', (value) => {
    expect(() => parseBytes(value)).toThrow(RangeError);
    expect(() => parseBytes(value)).toThrow(/must be a number of bytes/);
  });
});

describe('parseDurationMs', () => {
  test.each([
    [300, 300_000],
    ['300', 300_000],
    ['300s', 300_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
    ['2d', 172_800_000],
    [0.5, 500],
    ['0', 0],
    [0, 0],
  ])('%j is %d ms', (value, ms) => {
    expect(parseDurationMs(value)).toBe(ms);
  });

  test.each([
    ['5 minutes'],
    [''],
    ['m'],
    ['1h 30m'],
    [-1],
    ['-5m'],
    [1e300],
    [Number.POSITIVE_INFINITY],
    [null],
    [true],
    ['1m'.repeat(60)],
  ])('%j is refused', (value) => {
    expect(() => parseDurationMs(value)).toThrow(RangeError);
  });
});

describe('a duration that may be for ever', () => {
  test.each([
    ['5m', 300_000],
    [300, 300_000],
    [0, 0],
    ['0', 0],
    [-1, Number.POSITIVE_INFINITY],
    ['-1', Number.POSITIVE_INFINITY],
    ['-1m', Number.POSITIVE_INFINITY],
    [-0.5, Number.POSITIVE_INFINITY],
  ])('%j is %d ms', (value, ms) => {
    expect(parseDurationMs(value, { allowForever: true })).toBe(ms);
  });

  test.each([['forever'], [null], [undefined], [[]], [Number.NaN]])(
    '%j is refused and the message names a right form',
    (value) => {
      expect(() => parseDurationMs(value, { allowForever: true })).toThrow(/-1: for ever/);
    },
  );
});

describe('parseGoDurationMs', () => {
  test.each([
    ['300', 300_000],
    ['-1', -1_000],
    ['+1.5', 1_500],
    ['1h30m', 5_400_000],
    ['-1m', -60_000],
    ['250ms', 250],
    ['1500us', 1.5],
    ['1500µs', 1.5],
    ['1e3', null],
    ['1d', null],
    ['5 m', null],
    ['5M', null],
    ['', null],
    ['-', null],
  ])('%j is %d ms', (text, ms) => {
    expect(parseGoDurationMs(text)).toBe(ms);
  });
});
