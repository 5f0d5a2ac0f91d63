import { describe, expect, it } from 'vitest';
import { createRecentPace } from '../../src/engine/recent-pace.ts';
import { manualClock } from '../support/manual-clock.ts';
import { testBus } from '../support/test-bus.ts';

function setUp() {
  const clock = manualClock();
  const { bus } = testBus();
  const pace = createRecentPace({ bus, clock });
  /** So many tokens, one every `everyMs`. */
  const write = (model: string, tokens: number, everyMs: number) => {
    for (let count = 0; count < tokens; count++) {
      bus.publish({ type: 'token', model, gapMs: null });
      clock.advance(everyMs);
    }
  };
  return { clock, bus, pace, write };
}

describe('how fast a model writes now', () => {
  it('is that of all its answers over the last seconds', () => {
    const { pace, write } = setUp();
    expect(pace.of('a')).toBeNull();
    write('a', 80, 25);
    expect(pace.of('a')).toBe(40);
    expect(pace.of('b')).toBeNull();
    // A minute later only the last seconds count.
    write('a', 600, 100);
    expect(pace.of('a')).toBeCloseTo(10, 0);
  });

  it('is not made of a single token, and goes when the answer has ended', () => {
    const { clock, pace, write } = setUp();
    write('a', 1, 10);
    expect(pace.of('a')).toBe(1);
    clock.advance(5_000);
    expect(pace.of('a')).toBeNull();
  });

  it('is there for steps that come seconds apart', () => {
    const { pace, write } = setUp();
    write('a', 4, 2_000);
    expect(pace.of('a')).toBeCloseTo(0.5, 0);
  });

  it('ends with the model', () => {
    const { bus, pace, write } = setUp();
    write('a', 80, 25);
    bus.publish({ type: 'model-gone', model: 'a', variant: 'a:q4_0', reason: 'request' });
    expect(pace.of('a')).toBeNull();
  });
});
