import { describe, expect, it } from 'vitest';
import { unknownUsage } from '../../src/core/usage.ts';
import { createBus } from '../../src/observe/bus.ts';
import { whenQuiet } from '../../src/observe/quiet.ts';
import { manualClock } from '../support/manual-clock.ts';

function setUp() {
  const clock = manualClock();
  const bus = createBus((error) => {
    throw error;
  });
  let calls = 0;
  const stop = whenQuiet({ bus, clock }, () => void calls++);
  const begin = () => bus.publish({ type: 'request-began', requestId: 'r' });
  const end = () =>
    bus.publish({
      ...{ type: 'request-ended', requestId: 'r', provider: 'local', model: 'm', operation: 'generate' },
      ...{ outcome: 'stop', usage: unknownUsage, serviceMs: 1 },
    });
  const many = () => {
    for (let n = 0; n < 500; n++) {
      begin();
      end();
    }
  };
  return { clock, begin, end, many, stop, calls: () => calls };
}

describe('a server that had much to do', () => {
  it('is quiet once nothing has come for half a minute', () => {
    const { clock, begin, end, many, calls } = setUp();
    many();
    clock.advance(29_000);
    begin();
    end();
    clock.advance(29_000);
    expect(calls()).toBe(0);
    clock.advance(1_000);
    expect(calls()).toBe(1);
    // Nothing was done since.
    begin();
    end();
    clock.advance(60_000);
    expect(calls()).toBe(1);
    many();
    clock.advance(30_000);
    expect(calls()).toBe(2);
  });

  it('is not quiet while a request runs, nor once it has stopped', () => {
    const { clock, begin, end, many, stop, calls } = setUp();
    begin();
    many();
    clock.advance(120_000);
    expect(calls()).toBe(0);
    end();
    stop();
    clock.advance(120_000);
    expect(calls()).toBe(0);
  });
});
