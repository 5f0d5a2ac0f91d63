import { describe, expect, it } from 'vitest';
import {
  decodeRate,
  failureOf,
  firstTokenMs,
  gapQuantile,
  gapsWithin,
  prefillRate,
  type StreamTrace,
  steadyRate,
  sumRate,
} from '../../../scripts/bench/trace.ts';

function trace(tokenTimesMs: number[], overrides: Partial<StreamTrace> = {}): StreamTrace {
  return {
    startMs: 0,
    endMs: tokenTimesMs.at(-1) ?? 0,
    tokenTimesMs,
    promptTokens: null,
    cachedPromptTokens: null,
    completionTokens: null,
    text: '',
    failure: null,
    ...overrides,
  };
}

describe('one stream', () => {
  it('has its first token after the time from the request on', () => {
    expect(firstTokenMs(trace([150, 200], { startMs: 100 }))).toBe(50);
    expect(firstTokenMs(trace([]))).toBeNull();
  });

  it('decodes at the tokens after the first one over the time that they took', () => {
    expect(decodeRate(trace([1000, 1100, 1200]))).toBeCloseTo(10);
    expect(decodeRate(trace([1000]))).toBeNull();
  });

  it('counts the tokens that the server reports where chunks carry several', () => {
    expect(decodeRate(trace([1000, 1100, 1200], { completionTokens: 6 }))).toBeCloseTo(20);
  });
});

describe('gaps within a window', () => {
  const stream = trace([0, 10, 20, 500, 510]);

  it.each([
    ['the gap that spans the window is seen whole', { fromMs: 100, toMs: 200 }, [480]],
    ['gaps that reach into it count', { fromMs: 15, toMs: 505 }, [10, 480, 10]],
    ['gaps before and after do not', { fromMs: 20, toMs: 500 }, [480]],
    ['a window after the end has none', { fromMs: 600, toMs: 700 }, []],
  ])('%s', (_, window, expected) => {
    expect(gapsWithin(stream, window)).toEqual(expected);
  });

  it('give their quantiles over all streams', () => {
    expect(gapQuantile([stream, trace([0, 30])], 1)).toBe(480);
    expect(gapQuantile([trace([5])], 0.5)).toBeNull();
  });
});

describe('several streams', () => {
  const early = trace([0, 100, 200, 300, 400]);
  const late = trace([200, 300, 400, 500, 600]);

  it('have a sum rate from the very first token to the very last', () => {
    expect(sumRate([early, late])).toBeCloseTo(8 / 0.6);
  });

  it('have a steady rate over the time in which all of them decode', () => {
    expect(steadyRate([early, late])).toBeCloseTo(4 / 0.2);
  });

  it('have no steady rate when one ended before another began', () => {
    expect(steadyRate([trace([0, 100]), trace([200, 300])])).toBeNull();
    expect(steadyRate([trace([0, 100]), trace([])])).toBeNull();
  });

  it('have a prefill rate over prompt tokens that were evaluated, until the last first token', () => {
    const first = trace([500], { promptTokens: 100, cachedPromptTokens: 20 });
    const second = trace([1000], { promptTokens: 120 });
    expect(prefillRate([first, second])).toBeCloseTo(200);
  });

  it('have no prefill rate where a count is unknown', () => {
    expect(prefillRate([trace([500], { promptTokens: 100 }), trace([500])])).toBeNull();
  });

  it('fail when one fails', () => {
    expect(failureOf([early, trace([], { failure: 'status 500' })])).toBe('status 500');
    expect(failureOf([early, late])).toBeNull();
  });
});
