import { describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/core/attempt.ts';
import { localRouting } from '../../src/core/call.ts';
import { AppError, type ErrorCode } from '../../src/core/errors.ts';
import type { Provider } from '../../src/core/provider.ts';
import { unknownUsage } from '../../src/core/usage.ts';
import { createProvidersHealth } from '../../src/gateway/health.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { anyContext } from '../support/calls.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const good: AttemptEnd = {
  outcome: 'answered',
  error: null,
  usage: unknownUsage,
  seenOutputTokens: 0,
  seenReasoningTokens: 0,
  latencyMs: 900,
  firstContentMs: 120.4,
  answeredModel: null,
};
const failed = (code: ErrorCode): AttemptEnd => ({ ...good, outcome: 'failed', error: new AppError(code, 'secret') });

function setup(changes: Partial<Provider> = {}, mayProbe = true) {
  const clock = manualClock();
  const events: AppEvent[] = [];
  const provider = scriptedProvider([], { id: 'openai', ...changes });
  const health = createProvidersHealth({
    clock,
    bus: { publish: (event) => void events.push(event) },
    providers: () =>
      new Map([
        ['local', scriptedProvider([])],
        ['openai', provider],
      ]),
    mayProbe: () => mayProbe,
  });
  const context = anyContext({ config: { ...localRouting, requestTimeoutMs: 60_000 } });
  const call = async (end: AttemptEnd, count = 1) => {
    for (let number = 0; number < count; number++) {
      const attempt = { id: 'a', provider, model: 'm', operation: 'generate', index: 0 } as const;
      await (await health.admit({ ...attempt, estimate: { promptTokens: 1, outputTokens: 1 } }, context)).ended(end);
    }
  };
  const now = () => health.statusOf('openai')!;
  return { clock, events, health, call, now };
}

describe('the health of a provider', () => {
  it('is unknown until it was asked; this machine knows its own', () => {
    const { health, now } = setup();
    expect(now()).toEqual({
      provider: 'openai',
      status: 'unknown',
      error: null,
      latencyMs: null,
      lastCheckAt: null,
      lastSuccessAt: null,
      lastFailureAt: null,
      errorRate: null,
    });
    expect(health.status().map(({ provider, status }) => [provider, status])).toEqual([
      ['local', 'healthy'],
      ['openai', 'unknown'],
    ]);
    expect(health.statusOf('gemini')).toBeNull();
  });

  it('comes from the answers that requests get anyway', async () => {
    const { clock, now, call } = setup();
    clock.advance(1_000);
    await call(good, 19);
    expect(now()).toMatchObject({ status: 'healthy', latencyMs: 120, lastCheckAt: new Date('2026-01-01T00:00:01Z') });
    clock.advance(1_000);
    await call(failed('upstream_timeout'));
    expect(now()).toMatchObject({
      status: 'healthy',
      errorRate: 0.05,
      lastFailureAt: new Date('2026-01-01T00:00:02Z'),
    });
    await call(failed('upstream_overloaded'), 5);
    expect(now()).toMatchObject({ status: 'degraded', error: 'Overloaded', errorRate: 0.24 });
    await call(failed('upstream_timeout'), 14);
    expect(now()).toMatchObject({ status: 'unhealthy', error: 'Connection timeout', latencyMs: 120 });
  });

  it('forgets what is older than five minutes, but for the last of it', async () => {
    const { clock, now, call } = setup();
    await call(failed('upstream_unavailable'), 5);
    await call(good);
    expect(now().status).toBe('unhealthy');
    clock.advance(300_000);
    expect(now()).toMatchObject({ status: 'healthy', errorRate: null });
    await call(failed('upstream_access_denied'));
    clock.advance(300_000);
    expect(now()).toMatchObject({ status: 'unhealthy', error: 'Access denied' });
  });

  it.each(['invalid_request', 'upstream_refused', 'circuit_open', 'provider_limit_reached'] as const)(
    'is not touched by %s',
    async (code) => {
      const { now, call } = setup();
      await call(failed(code));
      await call({ ...good, outcome: 'cancelled' });
      await call({ ...good, outcome: 'not-asked' });
      expect(now().status).toBe('unknown');
    },
  );

  it('hears of silence until the deadline of the configuration, and not of what a client would not wait for', async () => {
    const { now, call } = setup();
    const late = { ...failed('deadline_exceeded'), outcome: 'cancelled', firstContentMs: null } as const;
    await call({ ...late, latencyMs: 500 });
    expect(now().status).toBe('unknown');
    await call({ ...late, latencyMs: 30_000 });
    expect(now()).toMatchObject({ status: 'unhealthy', error: 'Connection timeout' });
  });

  it('is what the provider says of itself where it cannot be asked at all', () => {
    const { now } = setup({ status: () => ({ state: 'unavailable', reason: 'It has no key.' }) });
    expect(now()).toMatchObject({ status: 'unhealthy', error: 'It has no key.' });
  });

  it('is told when it changes, and only then', async () => {
    const { events, call } = setup();
    await call(good, 3);
    await call(failed('upstream_timeout'), 3);
    await call(failed('upstream_timeout'));
    expect(events).toEqual(
      ['healthy', 'degraded', 'unhealthy'].map((status) => ({
        type: 'provider-health-changed',
        provider: 'openai',
        status,
        latencyMs: 120,
      })),
    );
  });
});

describe('a probe', () => {
  function probed(answer: (signal: AbortSignal) => Promise<void>, mayProbe = true) {
    let probes = 0;
    const parts = setup(
      {
        probe: (signal) => {
          probes++;
          return answer(signal);
        },
      },
      mayProbe,
    );
    return { ...parts, probes: () => probes };
  }

  it('is made at a look, where nothing was heard for five minutes', async () => {
    const { clock, health, now, probes, call } = probed(async () => clock.advance(30));
    await health.look();
    expect(now()).toMatchObject({ status: 'healthy', latencyMs: 30 });
    await health.look();
    clock.advance(299_000);
    await health.look();
    expect(probes()).toBe(1);
    clock.advance(1_000);
    await health.look();
    expect(probes()).toBe(2);
    clock.advance(200_000);
    await call(good);
    clock.advance(200_000);
    await health.look();
    expect(probes()).toBe(2);
  });

  it('is never made unasked, nor where it is not allowed', async () => {
    const { health, probes, clock, now } = probed(async () => {}, false);
    await health.look();
    health.status();
    clock.advance(3_600_000);
    expect([probes(), now().status]).toEqual([0, 'unknown']);
    await health.probe('openai');
    expect(probes()).toBe(1);
  });

  it('tells whether it was answered now, whatever was before', async () => {
    let works = false;
    const { health } = probed(async () => {
      if (!works) throw new AppError('upstream_access_denied', 'no');
    });
    expect(await health.probe('openai')).toMatchObject({ answered: false, status: 'unhealthy' });
    works = true;
    expect(await health.probe('openai')).toMatchObject({ answered: true, status: 'unhealthy' });
  });

  it('says what is wrong, without the words of the provider', async () => {
    const { health } = probed(() => Promise.reject(new AppError('upstream_access_denied', 'key sk-1 is wrong')));
    expect(await health.probe('openai')).toMatchObject({ status: 'unhealthy', error: 'Access denied' });
    expect(await health.probe('local')).toBeNull();
    expect(await health.probe('gemini')).toBeNull();
  });

  it('that hangs holds up nobody for longer than two seconds, and has failed after ten', async () => {
    const { clock, health, now } = probed(() => new Promise(() => {}));
    const look = health.look();
    clock.advance(2_000);
    await look;
    expect(now().status).toBe('unknown');
    clock.advance(8_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(now()).toMatchObject({ status: 'unhealthy', error: 'Connection timeout' });
  });
});
