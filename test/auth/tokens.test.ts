import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokens, isToken } from '../../src/auth/tokens.ts';
import type { JwtConfig } from '../../src/config/providers.ts';
import { allRights } from '../../src/core/call.ts';
import { manualClock } from '../support/manual-clock.ts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

let issuer: KeyPair;
let stranger: KeyPair;
let jwk: JWK;
beforeAll(async () => {
  issuer = await generateKeyPair('ES256');
  stranger = await generateKeyPair('ES256');
  jwk = { ...(await exportJWK(issuer.publicKey)), kid: 'key-1', alg: 'ES256' };
});

const start = new Date('2026-06-01T00:00:00Z');
const clock = manualClock(start);
const configOf = (changes: Partial<JwtConfig> = {}): JwtConfig => ({
  ...allRights,
  issuer: 'https://login.example.com',
  audiences: ['hearth'],
  keys: { jwks: JSON.stringify({ keys: [jwk] }) },
  algorithms: ['ES256'],
  scopes: ['inference'],
  ...changes,
});

const good: JWTPayload = {
  iss: 'https://login.example.com',
  aud: 'hearth',
  sub: 'anna',
  exp: start.getTime() / 1_000 + 600,
};
const sign = (payload: JWTPayload = good, key: KeyPair['privateKey'] = issuer.privateKey, kid = 'key-1') =>
  new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid }).sign(key);
const check = async (token: string | Promise<string>, config = configOf()) =>
  createTokens(clock).check(await token, config);

describe('a signed token', () => {
  it('says who asks, and with what rights', async () => {
    expect(isToken(await sign())).toBe(true);
    expect(await check(sign(), configOf({ mayUseCloud: false, models: ['qwen'] }))).toMatchObject({
      issuer: 'https://login.example.com',
      subject: 'anna',
      rights: { scopes: ['inference'], mayUseCloud: false, models: ['qwen'] },
    });
  });

  it.each([
    [{ scope: 'openid hearth:admin' }, ['admin']],
    [{ scope: 'admin inference' }, ['inference', 'admin']],
    [{ scp: ['hearth:inference', 'email'] }, ['inference']],
    [{ scope: 'openid profile' }, ['inference']],
    [{}, ['inference']],
  ])('with %j has the scopes %j', async (claims, scopes) => {
    expect((await check(sign({ ...good, ...claims }))).rights.scopes).toEqual(scopes);
  });

  it.each<[string, () => Promise<string>]>([
    ['of another issuer', () => sign({ ...good, iss: 'https://evil.example.com' })],
    ['for another audience', () => sign({ ...good, aud: 'other' })],
    ['without an end', () => sign({ iss: good.iss!, aud: good.aud!, sub: 'anna' })],
    ['without a subject', () => sign({ iss: good.iss!, aud: good.aud!, exp: good.exp! })],
    ['that is not good yet', () => sign({ ...good, nbf: good.exp! })],
    ['that a stranger signed', () => sign(good, stranger.privateKey)],
    ['of a key that is not known', () => sign(good, issuer.privateKey, 'key-2')],
    ['that was changed', async () => `${(await sign()).slice(0, -4)}AAAA`],
    [
      'without a signature',
      async () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign()).split('.')[1]}.AA`,
    ],
    [
      'signed with the public key as a password',
      () => new SignJWT(good).setProtectedHeader({ alg: 'HS256', kid: 'key-1' }).sign(Buffer.from(JSON.stringify(jwk))),
    ],
  ])('%s is not taken', async (_what, token) => {
    await expect(check(token())).rejects.toMatchObject({ code: 'unauthorized', message: 'The token is not valid.' });
  });

  it('is not taken with an algorithm that is not configured', async () => {
    await expect(check(sign(), configOf({ algorithms: ['RS256'] }))).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('is not taken once it has expired, by the clock of the server', async () => {
    const late = sign({ ...good, exp: start.getTime() / 1_000 - 31 });
    await expect(check(late)).rejects.toMatchObject({ code: 'unauthorized', message: 'The token has expired.' });
    await check(sign({ ...good, exp: start.getTime() / 1_000 - 29 }));
  });
});

describe('keys of an issuer at an address', () => {
  let answers: { status: number; body: string };
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(answers.status, { 'content-type': 'application/json' }).end(answers.body);
  });
  let url: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(() => server.close());

  it('are fetched once for many tokens', async () => {
    answers = { status: 200, body: JSON.stringify({ keys: [jwk] }) };
    const tokens = createTokens(clock);
    const config = configOf({ keys: { url } });
    for (let number = 0; number < 3; number++) expect((await tokens.check(await sign(), config)).subject).toBe('anna');
    expect(asked).toBe(1);
  });

  it.each([
    ['fails', { status: 500, body: 'no' }],
    ['is no list of keys', { status: 200, body: '{}' }],
  ])('leave the token unchecked, and say so, when what comes from there %s', async (_what, answer) => {
    answers = answer;
    await expect(check(sign(), configOf({ keys: { url } }))).rejects.toMatchObject({
      code: 'upstream_unavailable',
      retryAfterSeconds: 30,
    });
  });
});
