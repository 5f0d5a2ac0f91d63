import { expect, it } from 'vitest';
import { createLimitWatch } from '../../src/gateway/limit-watch.ts';
import type { LimitStatus } from '../../src/gateway/provider-limits.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { anyContext } from '../support/calls.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

function setup() {
  const events: AppEvent[] = [];
  const resetAt = new Date('2026-01-01T00:01:00Z');
  let requestsPerMinute: LimitStatus | null = null;
  const watch = createLimitWatch({
    limits: {
      status: () => ({ requestsPerMinute, tokensPerMinute: null, requestsPerDay: { limit: 9, remaining: 9, resetAt } }),
    },
    bus: { publish: (event) => void events.push(event) },
  });
  const at = async (remaining: number, limit = 20) => {
    requestsPerMinute = { limit, remaining, resetAt };
    const attempt = { id: 'a', provider: scriptedProvider([], { id: 'openai' }), model: 'm', index: 0 } as const;
    const estimate = { promptTokens: 1, outputTokens: 1 };
    await watch.admit({ ...attempt, operation: 'generate', estimate }, anyContext());
  };
  return { events, at, resetAt };
}

it('a limit of which little is left is told once, and again only when there was more in between', async () => {
  const { events, at, resetAt } = setup();
  await at(2);
  expect(events).toEqual([]);
  await at(1);
  await at(0);
  expect(events).toEqual([{ type: 'provider-limit-low', provider: 'openai', limit: 20, remaining: 1, resetAt }]);
  await at(20);
  await at(1);
  expect(events).toHaveLength(2);
});
