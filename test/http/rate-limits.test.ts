import { afterEach, describe, expect, it } from 'vitest';
import type { KeyConfig, RateLimits } from '../../src/config/providers.ts';
import { secret } from '../../src/config/secret.ts';
import { allRights } from '../../src/core/call.ts';
import { createHarness, type Harness, noCloud } from './harness.ts';

const none: RateLimits = { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null };
const key = { 'x-api-key': 'secret-key' };
const messages = [{ role: 'user', content: 'Hi' }];

let harness: Harness;
afterEach(() => harness.close());

async function serve(perKey: Partial<RateLimits>, keys: KeyConfig[] = []): Promise<Harness> {
  const rateLimits = { perKey: { ...none, ...perKey }, perAddress: none };
  harness = await createHarness({ apiKeys: ['secret-key', 'other-key'] }, {}, [], { ...noCloud, rateLimits, keys });
  return harness;
}

const limitHeaders = (headers: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.includes('ratelimit')));

describe('what is left of a limit', () => {
  const all = { requestsPerMinute: 10, tokensPerMinute: 5_000, requestsPerDay: 1_000 };

  it.each([
    [
      '/generate',
      { prompt: 'Hi', max_tokens: 10 },
      { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '1772600828' },
    ],
    [
      '/api/v1/generate/stream',
      { prompt: 'Hi', max_tokens: 10 },
      { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '1772600828' },
    ],
    [
      '/v1/chat/completions',
      { messages, max_tokens: 10 },
      {
        'x-ratelimit-limit-requests': '10',
        'x-ratelimit-remaining-requests': '9',
        'x-ratelimit-reset-requests': '1m0s',
        'x-ratelimit-limit-tokens': '5000',
        'x-ratelimit-remaining-tokens': '4993',
        'x-ratelimit-reset-tokens': '1m0s',
      },
    ],
    [
      '/v1/messages',
      { model: 'tiny', messages, max_tokens: 10 },
      {
        'anthropic-ratelimit-requests-limit': '10',
        'anthropic-ratelimit-requests-remaining': '9',
        'anthropic-ratelimit-requests-reset': '2026-03-04T05:07:07Z',
        'anthropic-ratelimit-tokens-limit': '5000',
        'anthropic-ratelimit-tokens-remaining': '4993',
        'anthropic-ratelimit-tokens-reset': '2026-03-04T05:07:07Z',
      },
    ],
  ])('is told by POST %s in the words of its dialect', async (url, body, expected) => {
    const { send } = await serve(all);
    const response = await send('POST', url, body, key);
    expect(response.statusCode).toBe(200);
    expect(limitHeaders(response.headers)).toEqual(expected);
  });

  it('is told by streams too, where the answer is still to come', async () => {
    const { send } = await serve({ requestsPerMinute: 10, tokensPerMinute: 5_000 });
    const response = await send('POST', '/v1/chat/completions', { messages, max_tokens: 100, stream: true }, key);
    expect(response.headers).toMatchObject({
      'content-type': expect.stringContaining('text/event-stream'),
      'x-ratelimit-remaining-requests': '9',
      'x-ratelimit-remaining-tokens': '4875',
    });
  });

  it('is told of the minute or the day, whichever leaves less', async () => {
    const { send } = await serve({ requestsPerMinute: 10, requestsPerDay: 3 });
    const { headers } = await send('POST', '/v1/chat/completions', { messages }, key);
    expect(headers).toMatchObject({ 'x-ratelimit-limit-requests': '3', 'x-ratelimit-reset-requests': '24h0m0s' });
  });

  it('is not told where there is no limit, nor where no model is asked', async () => {
    const { send } = await serve({});
    expect(limitHeaders((await send('POST', '/generate', { prompt: 'Hi' }, key)).headers)).toEqual({});
    await harness.close();
    await serve(all);
    expect(limitHeaders((await harness.send('GET', '/models', undefined, key)).headers)).toEqual({});
  });
});

describe('a request beyond a limit', () => {
  it.each([
    ['/generate', { prompt: 'Hi' }, 429, { error: { code: 'RATE_LIMITED' } }],
    [
      '/api/v1/generate',
      { prompt: 'Hi' },
      429,
      {
        error: 'RateLimitExceeded',
        detail: 'Rate limit exceeded: 1 requests in a minute for this key.',
        status_code: 429,
        retry_after: 60,
        remaining: { requests_remaining_minute: 0, reset_at_minute: 1772600828 },
      },
    ],
    ['/v1/chat/completions', { messages }, 429, { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } }],
    ['/v1/embeddings', { input: 'Hi' }, 429, { error: { code: 'rate_limit_exceeded' } }],
    [
      '/v1/messages',
      { model: 'tiny', messages, max_tokens: 10 },
      429,
      { type: 'error', error: { type: 'rate_limit_error' } },
    ],
    ['/api/chat', { model: 'tiny', messages }, 429, { error: expect.stringContaining('Rate limit exceeded') }],
  ])(
    'is refused by POST %s in the words of its dialect, and no model is asked',
    async (url, body, status, expected) => {
      const { send } = await serve({ requestsPerMinute: 1 });
      await send('POST', '/generate', { prompt: 'Hi' }, key);
      const refused = await send('POST', url, body, key);
      expect([refused.statusCode, refused.headers['retry-after']]).toEqual([status, '60']);
      expect(refused.json()).toMatchObject(expected);
      expect(Object.values(limitHeaders(refused.headers))).toContain('0');
      expect(harness.gateway.calls).toHaveLength(1);
      expect((await send('POST', '/generate', { prompt: 'Hi' }, { 'x-api-key': 'other-key' })).statusCode).toBe(200);
      harness.clock.advance(60_000);
      expect((await send('POST', '/generate', { prompt: 'Hi' }, key)).statusCode).toBe(200);
    },
  );

  it('fails in its place in a batch: each answer counts', async () => {
    const { send } = await serve({ requestsPerMinute: 2 });
    const requests = [{ prompt: 'a' }, { prompt: 'b' }, { prompt: 'c' }];
    const { results } = (await send('POST', '/batch/generate', { requests }, key)).json();
    expect(results.map((result: { error?: { code: string } }) => result.error?.code ?? 'fine')).toEqual([
      'fine',
      'fine',
      'RATE_LIMITED',
    ]);
  });

  it('is judged by the limits of its own key, where that has some', async () => {
    const own = { ...allRights, rateLimits: { ...none, requestsPerDay: 1 }, name: 'kitchen', expiresAt: null };
    const { send } = await serve({ requestsPerMinute: 100 }, [{ ...own, key: secret('kitchen-key') }]);
    const kitchen = { 'x-api-key': 'kitchen-key' };
    expect((await send('POST', '/generate', { prompt: 'Hi' }, kitchen)).statusCode).toBe(200);
    const refused = await send('POST', '/generate', { prompt: 'Hi' }, kitchen);
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '86400']);
  });
});

describe('a key with a list of models', () => {
  it.each([
    ['/generate', { prompt: 'Hi', model: 'other' }, { error: { code: 'FORBIDDEN' } }],
    ['/v1/chat/completions', { messages, model: 'other' }, { error: { type: 'permission_error', param: 'model' } }],
    ['/v1/messages', { messages, model: 'other', max_tokens: 1 }, { error: { type: 'permission_error' } }],
    ['/api/chat', { messages, model: 'other' }, { error: expect.stringContaining('may not use') }],
    ['/v1/embeddings', { input: 'Hi', model: 'other' }, { error: { type: 'permission_error' } }],
  ])('is refused by POST %s for any other', async (url, body, expected) => {
    const kitchen = { ...allRights, models: ['tiny'], name: 'kitchen', expiresAt: null, key: secret('kitchen-key') };
    const { send } = await serve({}, [kitchen]);
    const refused = await send('POST', url, body, { 'x-api-key': 'kitchen-key' });
    expect(refused.statusCode).toBe(403);
    expect(refused.json()).toMatchObject(expected);
    expect((await send('POST', url, { ...body, model: 'tiny' }, { 'x-api-key': 'kitchen-key' })).statusCode).toBe(200);
  });

  it.each(['/v1/models', '/models', '/api/v1/models'])('sees at GET %s those only', async (url) => {
    const keyFor = (model: string) =>
      ({
        ...allRights,
        models: [model],
        name: model,
        expiresAt: null,
        key: secret(`${model}-key`),
      }) satisfies KeyConfig;
    const { send } = await serve({}, [keyFor('tiny'), keyFor('other')]);
    const names = async (apiKey: string) => {
      const { models, data = models } = (await send('GET', url, undefined, { 'x-api-key': apiKey })).json();
      return data.map(({ id, name }: { id?: string; name?: string }) => id ?? name);
    };
    expect([await names('tiny-key'), await names('other-key')]).toEqual([['tiny'], []]);
  });
});
