import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CloudConfig } from '../../src/config/providers.ts';
import { allRights } from '../../src/core/call.ts';
import { cloudOf, createHarness, type Harness } from '../http/harness.ts';
import { finishEvent, startEvent, textEvents } from '../support/fake-engine.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { expectPrinted } from './printed.ts';

const admin = { 'x-api-key': 'your-api-key' };
let harness: Harness;
beforeAll(async () => {
  const model = (name: string) => (name === 'gpt-4o' || name === 'gemini-2.0-flash-exp' ? name : null);
  const answers = () => [startEvent('gpt-4o'), ...textEvents(['Hello'], 0), finishEvent(1)];
  const [gemini, openai] = ['gemini', 'openai'].map((id) => scriptedProvider(answers(), { id, nameOf: model }));
  harness = await createHarness({ apiKeys: ['your-api-key'] }, {}, [gemini!, openai!], configured());
  for (const provider of ['gemini', 'openai']) expect((await generate(provider)).statusCode).toBe(200);
});
afterAll(() => harness.close());

/** The limits that are printed. */
function configured(): CloudConfig {
  const limits = {
    gemini: { requests_per_minute: 60, tokens_per_minute: 1_000_000 },
    openai: { requests_per_minute: 500, tokens_per_minute: 150_000, requests_per_day: 10_000 },
  };
  const providers = Object.entries(limits).map(([id, rate_limits]) => [id, { api_key: 'x', rate_limits }]);
  return cloudOf({ providers: Object.fromEntries(providers) });
}

const generate = (provider: string, headers: Record<string, string> = admin) =>
  harness.send('POST', '/api/v1/generate', { prompt: 'Hi' }, { ...headers, 'x-provider': provider });
const limit = { limit: 500, remaining: 480, reset_at: '2024-01-15T10:31:00Z' };
const used = { ...limit, used: 20 };

describe('the second seed specification, of limits', () => {
  it('has what is left of each provider', async () => {
    const response = await harness.send('GET', '/api/v1/rate-limits', undefined, admin);
    expectPrinted(response.json(), {
      limits: {
        gemini: { requests_per_minute: limit, tokens_per_minute: limit },
        openai: { requests_per_minute: limit, requests_per_day: limit },
      },
    });
    expect(response.json().limits.openai.requests_per_day).toMatchObject({ limit: 10_000, remaining: 9_999 });
    expect(response.json().limits.gemini.requests_per_day).toBeUndefined();
  });

  it('has what is left of one', async () => {
    const answer = (await harness.send('GET', '/api/v1/rate-limits/openai', undefined, admin)).json();
    expectPrinted(answer, {
      provider_id: 'openai',
      requests_per_minute: used,
      tokens_per_minute: used,
      requests_per_day: used,
    });
    expect(answer.requests_per_minute).toEqual({
      limit: 500,
      remaining: 499,
      used: 1,
      reset_at: '2026-03-04T05:07:07.089Z',
    });
    const unknown = await harness.send('GET', '/api/v1/rate-limits/absent', undefined, admin);
    expect([unknown.statusCode, unknown.json().error]).toEqual([404, 'NotFound']);
  });

  it('has its new beginning, for administrators', async () => {
    const { key } = await harness.keyring.create({ ...allRights, name: 'a', scopes: ['inference'], expiresAt: null });
    const url = '/api/v1/rate-limits/openai/reset';
    const refused = await harness.send('POST', url, undefined, { 'x-api-key': key });
    expect([refused.statusCode, refused.json().error]).toEqual([403, 'PermissionDenied']);
    expect((await harness.send('POST', url, undefined, admin)).json()).toEqual({
      status: 'success',
      provider_id: 'openai',
      message: 'Rate limits reset successfully',
    });
    const { requests_per_minute } = (await harness.send('GET', '/api/v1/rate-limits/openai', undefined, admin)).json();
    expect(requests_per_minute).toMatchObject({ remaining: 500, used: 0 });
    expect((await harness.send('POST', '/api/v1/rate-limits/absent/reset', undefined, admin)).statusCode).toBe(404);
  });

  it('has its refusal with the provider whose limit it is', async () => {
    const full = await createHarness(
      {},
      {},
      [scriptedProvider([], { id: 'openai', nameOf: () => 'gpt-4o' })],
      cloudOf({ providers: { openai: { api_key: 'x', rate_limits: { requests_per_minute: 1 } } } }),
    );
    try {
      const ask = () => full.send('POST', '/api/v1/generate', { prompt: 'Hi' }, { 'x-provider': 'openai' });
      await ask();
      const refused = await ask();
      expect(refused.statusCode).toBe(429);
      expectPrinted(refused.json(), {
        error: 'RateLimitExceeded',
        detail: 'Rate limit exceeded: 500/minute',
        status_code: 429,
        provider: 'openai',
        retry_after: 45,
      });
    } finally {
      await full.close();
    }
  });
});
