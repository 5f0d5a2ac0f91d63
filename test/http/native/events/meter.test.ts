import { describe, expect, it } from 'vitest';
import { createMeter } from '../../../../src/http/native/events/meter.ts';
import { testBus } from '../../../support/test-bus.ts';

const step = { sequences: 1, prefixes: [], drafted: 0, accepted: 0 } as const;

describe('the meter', () => {
  it('gives the mean of the last stretches, by model and in all', () => {
    const { bus } = testBus();
    const meter = createMeter(bus);
    for (let count = 0; count < 20; count++) bus.publish({ type: 'token', model: 'a', gapMs: 50 });
    for (let count = 0; count < 5; count++) bus.publish({ type: 'token', model: 'b', gapMs: null });
    bus.publish({ type: 'step', model: 'a', ...step, promptTokens: 128 });
    meter.turn(1_000);
    expect(meter.of('a')).toEqual({ tokensPerSecond: 20, promptTokensPerSecond: 128, firstTokenMs: null });
    expect(meter.all().tokensPerSecond).toBe(25);
    meter.turn(1_000);
    expect(meter.of('a').tokensPerSecond).toBe(10);
    for (let count = 0; count < 3; count++) meter.turn(1_000);
    expect(meter.all()).toEqual({ tokensPerSecond: 0, promptTokensPerSecond: 0, firstTokenMs: null });
  });

  it('keeps how long the latest first token took', () => {
    const { bus } = testBus();
    const meter = createMeter(bus);
    const first = { type: 'request-first-token', requestId: 'r', provider: 'local' } as const;
    bus.publish({ ...first, model: 'a', latencyMs: 900 });
    bus.publish({ ...first, model: 'b', latencyMs: 300 });
    expect([meter.of('a').firstTokenMs, meter.all().firstTokenMs]).toEqual([900, 300]);
  });

  it('hears of the ledger once, and of nothing once it is closed', () => {
    const { bus } = testBus();
    const meter = createMeter(bus);
    expect([meter.hasSpent(), meter.hasSpent()]).toEqual([true, false]);
    bus.publish({ type: 'attempt-settled', provider: 'local', model: 'a', costNanoUsd: 0n });
    expect(meter.hasSpent()).toBe(true);
    meter.close();
    bus.publish({ type: 'token', model: 'a', gapMs: 1 });
    meter.turn(1_000);
    expect(meter.all().tokensPerSecond).toBe(0);
  });
});
