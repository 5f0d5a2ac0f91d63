import { describe, expect, it } from 'vitest';
import { createKeyring, type Keyring } from '../../src/auth/keyring.ts';
import type { KeyHeaders } from '../../src/auth/keys.ts';
import type { KeyWish, MadeKeys } from '../../src/auth/made-keys.ts';
import type { Tokens } from '../../src/auth/tokens.ts';
import type { KeyConfig } from '../../src/config/providers.ts';
import type { Config } from '../../src/config/schema.ts';
import { secret } from '../../src/config/secret.ts';
import { allRights, anonymous } from '../../src/core/call.ts';
import { AppError } from '../../src/core/errors.ts';
import { testConfig } from '../http/harness.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const noneMade: MadeKeys = {
  exist: () => false,
  find: () => null,
  list: () => [],
  create: () => Promise.reject(new Error('nothing is made here')),
  revoke: () => Promise.reject(new Error('nothing is made here')),
};
const noTokens: Tokens = { check: () => Promise.reject(new Error('no token is checked here')) };

const keyOf = (name: string, changes: Partial<KeyConfig> = {}): KeyConfig => ({
  ...allRights,
  name,
  key: secret(`secret-${name}`),
  expiresAt: null,
  ...changes,
});

function setup(apiKeys: string[], keys: KeyConfig[] = []) {
  const base = testConfig({ apiKeys });
  const state: { config: Config } = { config: { ...base, cloud: { ...base.cloud, keys } } };
  const clock: ManualClock = manualClock(new Date('2026-06-01T00:00:00Z'));
  const keyring = createKeyring({ config: () => state.config, made: noneMade, tokens: noTokens, clock });
  return { keyring, clock, state };
}

const holderOf = (keyring: Keyring, headers: Partial<KeyHeaders>) =>
  keyring.principalOf({ authorization: [], apiKey: [], ...headers });

async function outcome(headers: Partial<KeyHeaders>, key: string | null): Promise<string> {
  try {
    await holderOf(setup(key === null ? [] : [key]).keyring, headers);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect(JSON.stringify((error as AppError).toWire())).not.toContain('secret');
    return (error as AppError).code;
  }
}

describe('a key of the configuration', () => {
  it('is revoked where it stands, and the refusal says so', async () => {
    const { keyring } = setup(['secret-1'], [keyOf('kitchen')]);
    for (const name of ['kitchen', 'api_key']) {
      await expect(keyring.revoke(name)).rejects.toMatchObject({
        code: 'not_found',
        message: `The key "${name}" stands in the configuration.`,
        fix: expect.stringContaining('Remove it there'),
      });
    }
  });
});

describe('the key of a request', () => {
  it.each<[string, Partial<KeyHeaders>, string | null, string]>([
    ['is asked for by nobody when none is configured', {}, null, 'accepted'],
    ['is ignored when nobody asked for it', { authorization: ['Bearer any'] }, null, 'accepted'],
    ['may be a bearer', { authorization: ['Bearer secret-1'] }, 'secret-1', 'accepted'],
    ['may have its scheme in any case', { authorization: ['bearer secret-1'] }, 'secret-1', 'accepted'],
    ['may stand in the header of the native dialect', { apiKey: ['secret-1'] }, 'secret-1', 'accepted'],
    ['may stand in both headers when they agree', both('Bearer secret-1', 'secret-1'), 'secret-1', 'accepted'],
    ['is refused when two differ', both('Bearer secret-1', 'secret-2'), 'secret-1', 'invalid_request'],
    [
      'is refused when two bearers differ',
      { authorization: ['Bearer secret-1', 'Bearer x'] },
      'secret-1',
      'invalid_request',
    ],
    ['is refused when a header is doubled', { apiKey: ['x', 'secret-1'] }, 'secret-1', 'invalid_request'],
    ['must be there', {}, 'secret-1', 'unauthorized'],
    ['must be right', { authorization: ['Bearer secret-2'] }, 'secret-1', 'unauthorized'],
    ['must be whole', { apiKey: ['secret'] }, 'secret-1', 'unauthorized'],
    ['must not be empty', { apiKey: [''] }, 'secret-1', 'unauthorized'],
    ['is none in another scheme', { authorization: ['Basic secret-1'] }, 'secret-1', 'unauthorized'],
  ])('%s', async (_title, headers, key, expected) => {
    expect(await outcome(headers, key)).toBe(expected);
  });
});

describe('the key of commands on this machine', () => {
  const { state, clock } = setup(['secret-1']);
  const localKey = 'sk-hearth-local-1';
  const keyring = createKeyring({ config: () => state.config, made: noneMade, tokens: noTokens, clock, localKey });

  it('may do everything, and is in no list', async () => {
    const holder = await holderOf(keyring, { authorization: [`Bearer ${localKey}`] });
    expect(holder).toMatchObject({ name: 'local', scopes: ['inference', 'admin'], mayUseCloud: true });
    expect(keyring.list().map(({ name }) => name)).toEqual(['api_key']);
  });

  it('does not make others be asked for one', async () => {
    const open = createKeyring({
      config: () => setup([]).state.config,
      made: noneMade,
      tokens: noTokens,
      clock,
      localKey,
    });
    expect(open.asksForKey()).toBe(false);
    expect(await holderOf(open, {})).toBe(anonymous);
  });
});

function both(authorization: string, apiKey: string): KeyHeaders {
  return { authorization: [authorization], apiKey: [apiKey] };
}

describe('several keys', () => {
  const idOf = async (keyring: Keyring, key: string) => (await holderOf(keyring, { apiKey: [key] })).id;

  it('are all accepted, and each stands for a principal of its own that may do everything', async () => {
    const { keyring } = setup(['secret-1', 'secret-2']);
    const first = await holderOf(keyring, { authorization: ['Bearer secret-1'] });
    expect(first).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{16}$/), name: 'api_key', ...allRights });
    expect(await idOf(keyring, 'secret-1')).toBe(first.id);
    expect(await idOf(keyring, 'secret-2')).not.toBe(first.id);
    await expect(idOf(keyring, 'secret-3')).rejects.toThrow('The API key is not valid.');
  });

  it('keep their principals when other keys come or go', async () => {
    const alone = await idOf(setup(['secret-2']).keyring, 'secret-2');
    expect(await idOf(setup(['secret-1', 'secret-2']).keyring, 'secret-2')).toBe(alone);
  });

  it('open nothing where none is configured', async () => {
    expect(await holderOf(setup([]).keyring, { apiKey: ['secret-1'] })).toBe(anonymous);
  });
});

describe('a key of the file', () => {
  it('has the rights that stand there, also where it is one of the setting too', async () => {
    const rights: Partial<KeyConfig> = {
      scopes: ['inference'],
      models: ['qwen'],
      mayUseCloud: false,
      budget: { daily: 5n, weekly: null, monthly: null },
      rateLimits: { requestsPerMinute: 3, tokensPerMinute: null, requestsPerDay: null },
    };
    const { keyring } = setup(['secret-kitchen', 'secret-1'], [keyOf('kitchen', rights)]);
    expect(await holderOf(keyring, { apiKey: ['secret-kitchen'] })).toMatchObject({ name: 'kitchen', ...rights });
  });

  it('opens nothing from the moment on at which it expires', async () => {
    const { keyring, clock } = setup([], [keyOf('kitchen', { expiresAt: new Date('2026-06-01T01:00:00Z') })]);
    clock.advance(3_599_999);
    await holderOf(keyring, { apiKey: ['secret-kitchen'] });
    clock.advance(1);
    await expect(holderOf(keyring, { apiKey: ['secret-kitchen'] })).rejects.toMatchObject({
      code: 'unauthorized',
      message: 'The API key has expired.',
    });
  });

  it('comes and goes with the configuration that is in force', async () => {
    const { keyring, state } = setup(['secret-1'], [keyOf('kitchen')]);
    await holderOf(keyring, { apiKey: ['secret-kitchen'] });
    state.config = { ...state.config, cloud: { ...state.config.cloud, keys: [keyOf('cellar')] } };
    await expect(holderOf(keyring, { apiKey: ['secret-kitchen'] })).rejects.toMatchObject({ code: 'unauthorized' });
    expect((await holderOf(keyring, { apiKey: ['secret-cellar'] })).name).toBe('cellar');
  });

  it('is listed without the key', () => {
    const { keyring } = setup(['secret-1'], [keyOf('kitchen')]);
    const list = keyring.list();
    expect(list.map(({ name, from, id }) => [name, from, id])).toEqual([
      ['api_key', 'setting', null],
      ['kitchen', 'file', null],
    ]);
    expect(JSON.stringify(list)).not.toContain('secret');
  });
});

describe('whoever was let in before', () => {
  it('is let in again with the rights that the key has now', async () => {
    const { keyring, state } = setup([], [keyOf('kitchen')]);
    const before = { ...(await holderOf(keyring, { apiKey: ['secret-kitchen'] })), address: '192.0.2.1' };
    const withKeys = (keys: KeyConfig[]) => ({ ...state.config, cloud: { ...state.config.cloud, keys } });
    state.config = withKeys([keyOf('kitchen', { models: ['tiny'] })]);
    expect(keyring.again(before)).toEqual({ ...before, models: ['tiny'] });
    expect(keyring.keyOf(before.id)).toMatchObject({ name: 'kitchen', budget: null });
    state.config = withKeys([keyOf('cellar')]);
    expect(keyring.again(before)).toBeNull();
    expect(keyring.keyOf(before.id)).toBeNull();
  });

  it('is not once the key has expired', async () => {
    const { keyring, clock } = setup([], [keyOf('kitchen', { expiresAt: new Date('2026-06-01T00:01:00Z') })]);
    const before = await holderOf(keyring, { apiKey: ['secret-kitchen'] });
    expect(keyring.again(before)).toEqual(before);
    clock.advance(60_000);
    expect(keyring.again(before)).toBeNull();
  });

  it('needed no key, and is asked for one since', () => {
    const { keyring, state } = setup([]);
    expect(keyring.again(anonymous)).toEqual(anonymous);
    state.config = { ...state.config, cloud: { ...state.config.cloud, keys: [keyOf('kitchen')] } };
    expect(keyring.again(anonymous)).toBeNull();
  });

  it('by a token is until it ends', () => {
    const { keyring, state, clock } = setup([], [keyOf('kitchen')]);
    const jwt = { ...allRights, issuer: 'i', audiences: ['a'], keys: { jwks: '{}' }, algorithms: ['ES256'] };
    state.config = { ...state.config, cloud: { ...state.config.cloud, jwt } };
    const before = { ...anonymous, id: '0123456789abcdef', tokenEndsAt: new Date('2026-06-01T00:01:00Z') };
    expect(keyring.again(before)).toEqual(before);
    clock.advance(60_000);
    expect(keyring.again(before)).toBeNull();
  });

  it('by the key of this machine always is, and has the budget of all keys', async () => {
    const base = testConfig({ apiKeys: ['secret-1'] });
    const clock = manualClock();
    const keyring = createKeyring({
      config: () => base,
      made: noneMade,
      tokens: noTokens,
      clock,
      localKey: 'secret-own',
    });
    const before = await holderOf(keyring, { apiKey: ['secret-own'] });
    expect(keyring.again(before)).toEqual(before);
    expect(keyring.keyOf(before.id)).toEqual({ name: 'local', budget: null });
  });
});

describe('the first key', () => {
  const wish: KeyWish = { ...allRights, name: 'first', expiresAt: null };

  it('must be one that may make others', async () => {
    const { keyring } = setup([]);
    await expect(keyring.create({ ...wish, scopes: ['inference'] })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'scopes',
    });
  });

  it('has no name of one in the configuration', async () => {
    const { keyring } = setup([], [keyOf('first')]);
    await expect(keyring.create(wish)).rejects.toMatchObject({ code: 'invalid_request', field: 'name' });
  });
});
