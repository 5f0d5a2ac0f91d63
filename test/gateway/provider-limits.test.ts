import { describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/core/attempt.ts';
import { promptUsage, unknownUsage } from '../../src/core/usage.ts';
import { createProviderLimits, type OutboundLimits } from '../../src/gateway/provider-limits.ts';
import { anyContext } from '../support/calls.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const answered: AttemptEnd = {
  outcome: 'answered',
  error: null,
  usage: unknownUsage,
  seenOutputTokens: 0,
  seenReasoningTokens: 0,
  latencyMs: 5,
  firstContentMs: 5,
  answeredModel: null,
};

function setup(limits: Partial<OutboundLimits> | null) {
  const clock = manualClock();
  const all = { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null };
  const guard = createProviderLimits({ clock, limitsOf: () => limits && { ...all, ...limits } });
  const admit = async (promptTokens = 10, outputTokens = 10) =>
    guard.admit(
      {
        id: 'a',
        provider: scriptedProvider([], { id: 'cloud' }),
        model: 'm',
        operation: 'generate',
        estimate: { promptTokens, outputTokens },
        index: 0,
      },
      anyContext(),
    );
  return { clock, guard, admit };
}

describe('limits of what is sent to a provider', () => {
  it('lets so many requests through in any minute, and says when there is room again', async () => {
    const { clock, admit, guard } = setup({ requestsPerMinute: 2 });
    await admit();
    clock.advance(20_000);
    await admit();
    await expect(admit()).rejects.toMatchObject({ code: 'provider_limit_reached', retryAfterSeconds: 40 });
    expect(guard.status('cloud')).toEqual({
      requestsPerMinute: { limit: 2, remaining: 0, resetAt: new Date('2026-01-01T00:01:20Z') },
      tokensPerMinute: null,
      requestsPerDay: null,
    });
    clock.advance(40_000);
    await admit();
  });

  it('takes an estimate of the tokens, and gives back what was not used', async () => {
    const { admit, guard } = setup({ tokensPerMinute: 100 });
    const first = await admit(30, 40);
    await expect(admit(30, 40)).rejects.toMatchObject({ code: 'provider_limit_reached' });
    await first.ended({ ...answered, usage: { ...promptUsage(20, 5), outputTokens: 10 } });
    expect(guard.status('cloud')!.tokensPerMinute!.remaining).toBe(70);
    await admit(30, 40);
  });

  it('takes of all its limits or of none', async () => {
    const { admit, guard } = setup({ requestsPerMinute: 5, tokensPerMinute: 10, requestsPerDay: 5 });
    await admit(5, 5);
    await expect(admit(5, 5)).rejects.toMatchObject({ code: 'provider_limit_reached' });
    expect(guard.status('cloud')).toMatchObject({
      requestsPerMinute: { remaining: 4 },
      tokensPerMinute: { remaining: 0 },
      requestsPerDay: { remaining: 4 },
    });
  });

  it('gives everything back for a try that was not made', async () => {
    const { admit, guard } = setup({ requestsPerMinute: 1, tokensPerMinute: 100 });
    await (await admit()).ended({ ...answered, outcome: 'not-asked' });
    expect(guard.status('cloud')).toMatchObject({
      requestsPerMinute: { remaining: 1 },
      tokensPerMinute: { remaining: 100 },
    });
  });

  it('keeps the estimate of a try whose tokens nobody told', async () => {
    const { admit, guard } = setup({ tokensPerMinute: 100 });
    await (await admit(30, 40)).ended({ ...answered, outcome: 'failed' });
    expect(guard.status('cloud')!.tokensPerMinute!.remaining).toBe(30);
  });

  it('lets a request through that is larger than the whole limit, when nothing else is', async () => {
    const { admit } = setup({ tokensPerMinute: 50 });
    await admit(500, 500);
    await expect(admit(1, 1)).rejects.toMatchObject({ code: 'provider_limit_reached' });
  });

  it('is exact for many at once', async () => {
    const { admit } = setup({ requestsPerMinute: 100 });
    const results = await Promise.allSettled(Array.from({ length: 1_000 }, () => admit()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
  });

  it('can be reset, and is none where none is configured', async () => {
    const { admit, guard } = setup({ requestsPerMinute: 1 });
    await admit();
    guard.reset('cloud');
    await admit();
    const free = setup(null);
    for (let number = 0; number < 50; number++) await free.admit();
    expect(free.guard.status('cloud')).toBeNull();
  });
});
