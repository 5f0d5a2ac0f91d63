import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

const admin = { 'x-api-key': 'secret-key' };
let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
});
afterEach(() => harness.close());

const make = (body: object, headers: Record<string, string> = admin) =>
  harness.send('POST', '/api/v1/keys', body, headers);
const list = async () => (await harness.send('GET', '/api/v1/keys', undefined, admin)).json().keys;

describe('POST /api/v1/keys', () => {
  it('makes a key, shows it once, and the key opens what it is for', async () => {
    const response = await make({ name: 'kitchen' });
    expect(response.statusCode).toBe(201);
    expect(response.headers['cache-control']).toBe('no-store');
    const { key, ...shown } = response.json();
    expect(shown).toEqual({
      id: expect.stringMatching(/^key_[0-9a-f]{18}$/),
      name: 'kitchen',
      from: 'made',
      ending: key.slice(-4),
      scopes: ['inference'],
      created_at: '2026-03-04T05:06:07.089Z',
      expires_at: null,
      revoked_at: null,
      models: null,
      cloud: true,
      budget: null,
      rate_limits: null,
    });
    expect((await harness.send('GET', '/models', undefined, { authorization: `Bearer ${key}` })).statusCode).toBe(200);
    expect(await list()).toEqual([expect.objectContaining({ name: 'api_key', from: 'setting', id: null }), shown]);
    expect(JSON.stringify(await list())).not.toContain(key);
  });

  it('takes everything that a key may have', async () => {
    const rights = {
      scopes: ['inference', 'admin'],
      expires_at: '2026-04-01T00:00:00.000Z',
      models: ['qwen'],
      cloud: false,
      rate_limits: { requests_per_minute: 5, tokens_per_minute: null, requests_per_day: 100 },
    };
    const { requests_per_minute, requests_per_day } = rights.rate_limits;
    const response = await make({
      ...rights,
      name: 'all',
      rate_limits: { requests_per_minute, requests_per_day },
      budget: { daily: '0.5', monthly: 10 },
    });
    expect(response.json()).toMatchObject({
      ...rights,
      budget: { daily: '0.500000', weekly: null, monthly: '10.000000' },
    });
  });

  it.each([
    [{}, 'name'],
    [{ name: 'two words' }, 'name'],
    [{ name: 'api_key' }, 'name'],
    [{ name: 'a', scopes: [] }, 'scopes'],
    [{ name: 'a', scopes: ['root'] }, 'scopes.0'],
    [{ name: 'a', expires_at: 'soon' }, 'expires_at'],
    [{ name: 'a', budget: { daily: 'much' } }, 'budget.daily'],
    [{ name: 'a', rate_limits: { requests_per_minute: 0 } }, 'rate_limits.requests_per_minute'],
    [{ name: 'a', key: 'of-my-own' }, 'key'],
  ])('refuses %j', async (body, field) => {
    const response = await make(body);
    expect([response.statusCode, response.json().field]).toEqual([400, field]);
    expect(await list()).toHaveLength(1);
  });

  it('is not for keys that may not administer', async () => {
    const { key } = (await make({ name: 'kitchen' })).json();
    const response = await make({ name: 'more', scopes: ['admin'] }, { 'x-api-key': key });
    expect([response.statusCode, response.json().error]).toEqual([403, 'PermissionDenied']);
    expect(await list()).toHaveLength(2);
  });
});

describe('DELETE /api/v1/keys/{id}', () => {
  it.each(['id', 'name'] as const)('revokes a key by its %s, at once', async (by) => {
    const made = (await make({ name: 'kitchen' })).json();
    const revoked = await harness.send('DELETE', `/api/v1/keys/${made[by]}`, undefined, admin);
    expect([revoked.statusCode, revoked.json().revoked_at]).toEqual([200, '2026-03-04T05:06:07.089Z']);
    const refused = await harness.send('GET', '/models', undefined, { 'x-api-key': made.key });
    expect([refused.statusCode, refused.json().error.message]).toEqual([401, 'The API key was revoked.']);
    expect((await list())[1].revoked_at).not.toBeNull();
  });

  it('knows neither others nor those of the configuration', async () => {
    for (const id of ['absent', 'api_key']) {
      expect((await harness.send('DELETE', `/api/v1/keys/${id}`, undefined, admin)).statusCode).toBe(404);
    }
  });
});

describe('a server without keys', () => {
  it('asks for one from its first key on, which must be able to make others', async () => {
    const open = await createHarness();
    try {
      expect((await open.send('POST', '/api/v1/keys', { name: 'kitchen' })).json().field).toBe('scopes');
      expect((await open.send('GET', '/models')).statusCode).toBe(200);
      const { key } = (await open.send('POST', '/api/v1/keys', { name: 'me', scopes: ['inference', 'admin'] })).json();
      expect((await open.send('GET', '/models')).statusCode).toBe(401);
      const second = await open.send('POST', '/api/v1/keys', { name: 'kitchen' }, { 'x-api-key': key });
      expect(second.statusCode).toBe(201);
    } finally {
      await open.close();
    }
  });
});
