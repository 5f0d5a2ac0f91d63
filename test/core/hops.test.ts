import { describe, expect, it } from 'vitest';
import { assertNoLoop, readHops, viaOf } from '../../src/core/hops.ts';

describe('the servers that a request came through', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['a1', ['a1']],
    ['a1, b2,c3', ['a1', 'b2', 'c3']],
    [' ,a b,\u0001,a1', ['a1']],
  ])('are read of %j', (header, expected) => {
    expect(readHops(header)).toEqual(expected);
  });

  it('are told to the next one with this one behind them', () => {
    expect(readHops(viaOf(['a1'], 'b2'))).toEqual(['a1', 'b2']);
    expect(readHops(viaOf([], 'b2'))).toEqual(['b2']);
  });

  it('are never this one, and never more than four', () => {
    expect(() => assertNoLoop(['a1', 'b2', 'c3'], 'd4')).not.toThrow();
    expect(() => assertNoLoop(['a1', 'd4'], 'd4')).toThrow(
      expect.objectContaining({ code: 'loop_detected', status: 508, retryable: false }),
    );
    expect(() => assertNoLoop(['a1', 'b2', 'c3', 'd4'], 'e5')).toThrow(
      expect.objectContaining({ code: 'loop_detected' }),
    );
  });
});
