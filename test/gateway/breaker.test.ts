import { describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/core/attempt.ts';
import { localRouting } from '../../src/core/call.ts';
import { AppError } from '../../src/core/errors.ts';
import { unknownUsage } from '../../src/core/usage.ts';
import { type BreakerLimits, createBreakers } from '../../src/gateway/breaker.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { anyContext } from '../support/calls.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const limits: BreakerLimits = { windowMs: 60_000, minCalls: 4, threshold: 0.5, openMs: 30_000, slowMs: 10_000 };
const good: AttemptEnd = {
  outcome: 'answered',
  error: null,
  usage: unknownUsage,
  seenOutputTokens: 0,
  seenReasoningTokens: 0,
  latencyMs: 5,
  firstContentMs: 5,
  answeredModel: null,
};
const failed = (error: AppError): AttemptEnd => ({ ...good, outcome: 'failed', error, firstContentMs: null });
const late = (latencyMs: number): AttemptEnd => ({
  ...failed(new AppError('deadline_exceeded', 'x')),
  outcome: 'cancelled',
  latencyMs,
});
const bad = failed(new AppError('upstream_unavailable', 'reset'));

function setup() {
  const clock = manualClock();
  const events: AppEvent[] = [];
  const breakers = createBreakers({ clock, bus: { publish: (event) => void events.push(event) }, limits });
  const admit = async (model = 'm', id = 'cloud') =>
    breakers.admit(
      {
        id: 'a',
        provider: scriptedProvider([], { id }),
        model,
        operation: 'generate',
        estimate: { promptTokens: 1, outputTokens: 1 },
        index: 0,
      },
      anyContext({ config: { ...localRouting, requestTimeoutMs: 30_000 } }),
    );
  const call = async (end: AttemptEnd, model?: string) => (await admit(model)).ended(end);
  const open = async () => {
    for (let number = 0; number < limits.minCalls; number++) await call(bad);
  };
  const state = () => breakers.status()[0]?.state;
  return { clock, breakers, events, admit, call, open, state };
}

describe('a circuit', () => {
  it('opens when half of enough calls failed, and says when it tries again', async () => {
    const { admit, call, state, breakers, events } = setup();
    for (const end of [good, bad, good]) await call(end);
    expect(state()).toBe('closed');
    await call(bad);
    expect(breakers.status()).toMatchObject([
      { provider: 'cloud', model: 'm', state: 'open', failureCount: 2, successCount: 2 },
    ]);
    await expect(admit()).rejects.toMatchObject({ code: 'circuit_open', retryAfterSeconds: 30, mayFailOver: true });
    expect(events).toEqual([{ type: 'circuit-changed', provider: 'cloud', model: 'm', state: 'open' }]);
  });

  it('stays closed for too few calls, and forgets those of long ago', async () => {
    const { clock, call, state } = setup();
    for (const end of [bad, bad, bad]) await call(end);
    clock.advance(61_000);
    await call(bad);
    expect(state()).toBe('closed');
  });

  it('is kept for a thousand names, and longest where it is open or was used lately', async () => {
    const { clock, breakers, call, open } = setup();
    await open();
    clock.advance(20_000);
    await call(good, 'long ago');
    clock.advance(limits.windowMs);
    for (let number = 0; number < 1_500; number++) await call(good, `made-up-${number}`);
    const models = breakers.status().map(({ model }) => model);
    expect(models).toHaveLength(1_000);
    // Its rest is over, and nobody has tried yet.
    expect(models).toContain('m');
    expect(models).not.toContain('long ago');
    expect(models).toContain('made-up-1499');
  });

  it('lets one call through after its rest, and closes when that is answered', async () => {
    const { clock, admit, open, state } = setup();
    await open();
    clock.advance(30_000);
    expect(state()).toBe('half_open');
    const probe = await admit();
    await expect(admit()).rejects.toMatchObject({ code: 'circuit_open' });
    await probe.ended(good);
    expect(state()).toBe('closed');
    await (await admit()).ended(good);
  });

  it('rests again when that call fails, and waits for another when it says nothing', async () => {
    const { clock, admit, open, state } = setup();
    await open();
    clock.advance(30_000);
    await (await admit()).ended({ ...good, outcome: 'cancelled', firstContentMs: null });
    expect(state()).toBe('half_open');
    await (await admit()).ended(bad);
    expect(state()).toBe('open');
    clock.advance(29_999);
    expect(state()).toBe('open');
  });

  it.each<[string, AttemptEnd, boolean]>([
    ['a limit of the provider', failed(new AppError('upstream_rate_limited', 'x')), true],
    ['an overload', failed(new AppError('upstream_overloaded', 'x')), true],
    ['a time-out', failed(new AppError('upstream_timeout', 'x')), true],
    ['a slow answer', { ...good, firstContentMs: 10_001 }, true],
    ["a client's mistake", failed(new AppError('upstream_refused', 'x')), false],
    ['a wrong key', failed(new AppError('upstream_access_denied', 'x')), false],
    ['a spend limit or a quota of the day', failed(new AppError('upstream_quota_exceeded', 'x')), false],
    ['a client that waits for less', late(14_999), false],
    ['silence until the deadline of the configuration', late(15_000), true],
    ['a client that goes', { ...good, outcome: 'cancelled' }, false],
    ['a try that was never made', { ...good, outcome: 'not-asked', error: null }, false],
  ])('is told by %s: %#', async (_title, end, weighs) => {
    const { call, state } = setup();
    for (let number = 0; number < 10; number++) {
      if (state() !== 'open') await call(end);
    }
    expect(state() === 'open').toBe(weighs);
  });

  it('of one model says nothing of another', async () => {
    const { admit, open } = setup();
    await open();
    await (await admit('other')).ended(good);
  });

  it('of this machine does not exist', async () => {
    const { admit, breakers } = setup();
    for (let number = 0; number < 9; number++) await (await admit('m', 'local')).ended(bad);
    expect(breakers.status()).toEqual([]);
  });

  it('can be closed by hand, and a call from before that says nothing', async () => {
    const { admit, open, breakers, state, call } = setup();
    const before = await admit();
    await open();
    breakers.reset('other');
    expect(state()).toBe('open');
    breakers.reset('cloud');
    expect(breakers.status()).toMatchObject([{ state: 'closed', failureCount: 0, lastFailureAt: null }]);
    await before.ended(bad);
    for (const end of [bad, bad, bad]) await call(end);
    expect(state()).toBe('closed');
  });
});
