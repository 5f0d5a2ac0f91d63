import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { parseKeepAlive } from '../../../src/http/fields/keep-alive.ts';

describe('parseKeepAlive', () => {
  it.each<[string | number, number]>([
    [300, 300_000],
    [0, 0],
    [0.5, 500],
    [-1, Number.POSITIVE_INFINITY],
    ['300', 300_000],
    ['-1', Number.POSITIVE_INFINITY],
    ['300s', 300_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['1m500ms', 60_500],
    ['-5m', Number.POSITIVE_INFINITY],
    ['0', 0],
    ['0s', 0],
    [' 5m ', 300_000],
    [9e12, Number.POSITIVE_INFINITY],
    [1e308, Number.POSITIVE_INFINITY],
    ['9000000000000', Number.POSITIVE_INFINITY],
    ['999999999999h', Number.POSITIVE_INFINITY],
    ['876000h', 876_000 * 3_600_000],
  ])('reads %j as %d ms', (value, expected) => {
    expect(parseKeepAlive(value)).toBe(expected);
  });

  it.each(['', 'soon', '5x', '5 m', 'm5', '1h-5m', '--1', 'Infinity', '1e3', '0x10'])('refuses %j by name', (value) => {
    expect(() => parseKeepAlive(value)).toThrow(AppError);
    expect(() => parseKeepAlive(value)).toThrow(/keep_alive/);
  });

  it('reads a long hostile text at once', () => {
    expect(() => parseKeepAlive(`${'1'.repeat(50_000)}x`)).toThrow(AppError);
  });
});
