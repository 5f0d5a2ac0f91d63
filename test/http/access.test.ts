import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { createHarness, type Harness } from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

async function serve(server: Partial<Config['server']> = {}): Promise<Harness> {
  harness = await createHarness(server);
  return harness;
}

describe('the API key', () => {
  it.each([
    ['/health', 200],
    ['/api/v1/health', 200],
    ['/livez', 200],
    ['/readyz', 200],
    ['/', 200],
    ['/models', 401],
    ['/metrics', 401],
    ['/docs', 200],
    ['/docs/static/swagger-initializer.js', 200],
    ['/docs/json', 200],
    ['/openapi.json', 200],
    ['/v1/models', 401],
    ['/api/v1/models', 401],
    ['/ws/generate', 401],
    ['/ws/pull/pull-1', 401],
    ['/nowhere', 401],
    ['/MODELS', 401],
    ['/models/', 401],
  ])('without a key GET %s is %i', async (url, status) => {
    const { send } = await serve({ apiKeys: ['secret-key'] });
    expect((await send('GET', url)).statusCode).toBe(status);
  });

  it.each([
    ['/generate', (body: never) => expect(body).toMatchObject({ error: { code: 'UNAUTHORIZED' } })],
    [
      '/api/v1/generate',
      (body: never) => expect(body).toMatchObject({ error: 'AuthenticationError', status_code: 401 }),
    ],
    [
      '/v1/chat/completions',
      (body: never) =>
        expect(body).toMatchObject({ error: { type: 'authentication_error', param: null, code: 'invalid_api_key' } }),
    ],
    ['/v1/nowhere', (body: never) => expect(body).toMatchObject({ error: { code: 'invalid_api_key' } })],
  ])('refuses POST %s in the dialect of the route, before the body is looked at', async (url, check) => {
    const { send } = await serve({ apiKeys: ['secret-key'] });
    const response = await send('POST', url, '{broken', { authorization: 'Bearer wrong' });
    expect(response.statusCode).toBe(401);
    expect(response.headers['www-authenticate']).toBe('Bearer');
    check(response.json() as never);
    expect(response.body).not.toContain('secret-key');
  });

  it('is refused when a header is doubled and the two disagree', async () => {
    const { http } = await serve({ apiKeys: ['secret-key'] });
    const headers = { authorization: ['Bearer secret-key', 'Bearer other'] };
    expect((await http.app.inject({ url: '/models', headers } as never)).statusCode).toBe(400);
  });

  it.each<Record<string, string>>([{ authorization: 'Bearer secret-key' }, { 'x-api-key': 'secret-key' }])(
    'is accepted as %j',
    async (headers) => {
      const { send } = await serve({ apiKeys: ['secret-key'] });
      const response = await send('GET', '/models', undefined, headers);
      expect(response.statusCode).toBe(200);
      expect(response.headers['www-authenticate']).toBeUndefined();
    },
  );

  it('given twice with different values is a bad request', async () => {
    const { send } = await serve({ apiKeys: ['secret-key'] });
    const headers = { authorization: 'Bearer secret-key', 'x-api-key': 'other' };
    expect((await send('GET', '/models', undefined, headers)).statusCode).toBe(400);
  });
});

describe('a ticket', () => {
  const key = { authorization: 'Bearer secret-key' };
  const ticketFor = async (url: string) => (await harness.send('POST', url, undefined, key)).json().ticket as string;

  it.each(['/tickets', '/api/v1/tickets'])('of POST %s opens an event stream once', async (url) => {
    const { send } = await serve({ apiKeys: ['secret-key'] });
    expect((await send('POST', url)).statusCode).toBe(401);
    const ticket = await ticketFor(url);
    const path = `/models/pull/pull-9/events?ticket=${ticket}`;
    // There is no such pull: the ticket was good, and is used.
    expect((await send('GET', path)).statusCode).toBe(404);
    expect((await send('GET', path)).statusCode).toBe(401);
  });

  it('is good for a minute', async () => {
    const { send, clock } = await serve({ apiKeys: ['secret-key'] });
    const response = await send('POST', '/tickets', undefined, key);
    expect(response.json()).toEqual({
      ticket: expect.stringMatching(/^tkt_/),
      expires_in: 60,
      expires_at: new Date(clock.now().getTime() + 60_000).toISOString(),
    });
    expect(response.headers['cache-control']).toBe('no-store');
    clock.advance(60_000);
    const path = `/models/pull/pull-9/events?ticket=${response.json().ticket}`;
    expect((await send('GET', path)).statusCode).toBe(401);
  });

  it('opens nothing but what a page opens without headers, and a key in an address opens nothing', async () => {
    const { send } = await serve({ apiKeys: ['secret-key'] });
    const ticket = await ticketFor('/tickets');
    expect((await send('GET', `/models?ticket=${ticket}`)).statusCode).toBe(401);
    expect((await send('GET', '/models/pull/pull-9/events?ticket=secret-key')).statusCode).toBe(401);
  });
});

describe('the owner of a request', () => {
  const routes: [string, object][] = [
    ['/generate', { prompt: 'Hi' }],
    ['/api/v1/generate', { prompt: 'Hi' }],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/completions', { prompt: 'Hi' }],
  ];
  const ownersOf = async (url: string, body: object, keys: string[]) => {
    for (const key of keys) await harness.send('POST', url, body, key === '' ? {} : { authorization: `Bearer ${key}` });
    return harness.gateway.calls.map(({ context }) => context.principal.cacheOwner);
  };

  it.each(routes)('of POST %s is a digest of its key', async (url, body) => {
    await serve({ apiKeys: ['secret-1', 'secret-2'] });
    const [first, again, other] = await ownersOf(url, body, ['secret-1', 'secret-1', 'secret-2']);
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  it('is left out where no key is configured, or where all share', async () => {
    await serve();
    expect(await ownersOf('/generate', { prompt: 'Hi' }, ['', 'any'])).toEqual([null, null]);
    await harness.close();
    harness = await createHarness({ apiKeys: ['secret-1', 'secret-2'] }, { prefixSharing: 'shared' });
    expect(await ownersOf('/generate', { prompt: 'Hi' }, ['secret-1', 'secret-2'])).toEqual([null, null]);
  });
});

describe('the Host header', () => {
  it.each([
    ['localhost', 200],
    ['localhost:8000', 200],
    ['LOCALHOST.:8000', 200],
    ['hearth.localhost', 200],
    ['127.0.0.1:8000', 200],
    ['192.168.1.20', 200],
    ['[::1]:8000', 200],
    ['nas.lan:8090', 200],
    ['Bound.Example', 200],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['nas.lan.evil.example', 403],
    ['user@localhost', 403],
    ['[nas.lan]', 403],
    ['127.1.evil', 403],
  ])('%s gives %i', async (host, status) => {
    const { send } = await serve({ allowedHosts: ['NAS.lan'], host: 'bound.example' });
    const response = await send('GET', '/livez', undefined, { host });
    expect(response.statusCode).toBe(status);
    if (status === 403) expect(response.json().error.details.fix).toContain('HEARTH_ALLOWED_HOSTS');
  });
});

describe('origins', () => {
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-stainless-lang' };

  it('get no CORS header unless they are configured', async () => {
    const { send } = await serve();
    const response = await send('GET', '/models', undefined, { origin: 'https://app.example' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    const refused = await send('OPTIONS', '/generate', undefined, { origin: 'https://app.example', ...preflight });
    expect(refused.statusCode).toBe(405);
    expect(refused.headers['access-control-allow-headers']).toBeUndefined();
  });

  it('that are listed get their preflight answered without a key, and may read answers', async () => {
    const { send } = await serve({ origins: ['https://app.example'], apiKeys: ['secret-key'] });
    const origin = { origin: 'https://app.example' };
    const answered = await send('OPTIONS', '/v1/chat/completions', undefined, { ...origin, ...preflight });
    expect(answered.statusCode).toBe(204);
    expect(answered.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(answered.headers['access-control-allow-headers']).toBe(
      'authorization, content-type, x-api-key, x-request-id, x-stainless-lang',
    );
    const response = await send('GET', '/models', undefined, { ...origin, 'x-api-key': 'secret-key' });
    expect(response.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(response.headers.vary).toBe('Origin');
  });

  it('that are not listed get no answer to their preflight', async () => {
    const { send } = await serve({ origins: ['https://app.example'] });
    const response = await send('OPTIONS', '/generate', undefined, { origin: 'https://evil.example', ...preflight });
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    expect(response.headers['access-control-allow-headers']).toBeUndefined();
  });

  it('are all allowed by a star', async () => {
    const { send } = await serve({ origins: ['*'] });
    const response = await send('POST', '/generate', { prompt: 'Hi' }, { origin: 'https://any.example' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['access-control-allow-origin']).toBe('*');
  });

  it.each([
    ['app://obsidian.md', 'app://obsidian.md'],
    ['tauri://localhost', 'tauri://localhost'],
    ['chrome-extension://abcdef', 'chrome-extension://*'],
    ['null', 'null'],
    ['https://chat.example.com', 'https://*.example.com'],
    ['http://localhost:5174', 'http://localhost:*'],
  ])('such as %s may call when %s is listed, also with the headers of SDKs', async (origin, listed) => {
    const { send } = await serve({ origins: [listed] });
    const asked = { ...preflight, 'access-control-request-headers': 'authorization,x-stainless-os' };
    const answered = await send('OPTIONS', '/v1/chat/completions', undefined, { origin, ...asked });
    expect(answered.statusCode).toBe(204);
    expect(answered.headers['access-control-allow-origin']).toBe(origin);
    expect(answered.headers['access-control-allow-headers']).toContain('x-stainless-os');
    expect((await send('POST', '/generate', { prompt: 'Hi' }, { origin })).statusCode).toBe(200);
  });

  it.each(['https://evil.example', 'null', 'file://', 'chrome-extension://abc'])(
    'such as %s cannot change anything, not even without a body',
    async (origin) => {
      const { send, engine } = await serve();
      const response = await send('POST', '/models/tiny/load', undefined, { origin });
      expect(response.statusCode).toBe(403);
      expect(engine.loads).toEqual([]);
    },
  );

  it('equal to the host itself need no configuration', async () => {
    const { send } = await serve();
    const headers = { origin: 'http://localhost:8000', host: 'localhost:8000' };
    expect((await send('POST', '/models/tiny/load', undefined, headers)).statusCode).toBe(200);
  });
});

describe('request ids', () => {
  it('of the client are kept when they are fit for a log', async () => {
    const { send } = await serve();
    const response = await send('GET', '/livez', undefined, { 'x-request-id': 'My_id-1' });
    expect(response.headers['x-request-id']).toBe('My_id-1');
  });

  it.each(['a b', 'a/../b', 'x'.repeat(65), 'é'])('such as %j are replaced', async (given) => {
    const { send } = await serve();
    const response = await send('GET', '/livez', undefined, { 'x-request-id': given });
    expect(response.headers['x-request-id']).toMatch(/^req_[0-9a-f]{24}$/);
  });

  it('stand on errors and on URLs that cannot be read', async () => {
    const { send } = await serve();
    expect((await send('GET', '/nowhere')).headers['x-request-id']).toMatch(/^req_/);
    expect((await send('GET', '/models/%ff')).headers['x-request-id']).toMatch(/^req_/);
  });

  it('reach the provider', async () => {
    const { send, gateway } = await serve();
    await send('POST', '/generate', { prompt: 'Hi' }, { 'x-request-id': 'abc' });
    expect(gateway.calls[0]!.context.requestId).toBe('abc');
  });
});

describe('while draining', () => {
  it.each([
    ['POST', '/generate', { prompt: 'Hi' }],
    ['POST', '/generate/stream', { prompt: 'Hi' }],
    ['POST', '/api/v1/generate', { prompt: 'Hi' }],
    ['POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['POST', '/v1/completions', { prompt: 'Hi' }],
    ['POST', '/models/tiny/load', undefined],
    ['GET', '/ws/generate', undefined],
    ['GET', '/ws/pull/pull-1', undefined],
  ])('%s %s is refused with a time to come back', async (method, url, body) => {
    const { send, lifecycle, gateway } = await serve();
    lifecycle.isDraining = true;
    const response = await send(method, url, body);
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('5');
    expect(response.headers.connection).toBe('close');
    expect(response.headers['x-should-retry']).toBeUndefined();
    expect(response.body.toLowerCase()).toContain('shutting_down');
    expect(gateway.calls).toEqual([]);
  });

  it('probes and metrics still answer, and readiness is gone', async () => {
    const { send, lifecycle } = await serve();
    lifecycle.isDraining = true;
    expect((await send('GET', '/livez')).statusCode).toBe(200);
    expect((await send('GET', '/metrics')).statusCode).toBe(200);
    const health = await send('GET', '/health');
    expect([health.statusCode, health.json().status]).toEqual([200, 'degraded']);
    const ready = await send('GET', '/readyz');
    expect([ready.statusCode, ready.json()]).toEqual([503, { status: 'draining' }]);
  });
});

describe('URLs without a route', () => {
  it.each([
    ['/nowhere', (body: never) => expect(body).toMatchObject({ error: { code: 'NOT_FOUND' } })],
    ['/api/v1/nowhere', (body: never) => expect(body).toMatchObject({ error: 'NotFound', status_code: 404 })],
    [
      '/v1/nowhere',
      (body: never) => expect(body).toMatchObject({ error: { type: 'invalid_request_error', code: 'not_found' } }),
    ],
    ['/v1x', (body: never) => expect(body).toMatchObject({ error: { code: 'NOT_FOUND' } })],
    ['/Models', (body: never) => expect(body).toMatchObject({ error: { code: 'NOT_FOUND' } })],
    ['/generate/x', (body: never) => expect(body).toMatchObject({ error: { code: 'NOT_FOUND' } })],
  ])('give 404 at %s in the dialect of the prefix', async (url, check) => {
    const { send } = await serve();
    const response = await send('GET', url);
    expect(response.statusCode).toBe(404);
    check(response.json() as never);
  });

  it('give 404 before anything is said of the body', async () => {
    const { send } = await serve();
    expect((await send('POST', '/v1/nowhere', '{broken')).statusCode).toBe(404);
    expect((await send('POST', '/nowhere', 'a=b', { 'content-type': 'text/plain' })).statusCode).toBe(404);
  });

  it.each([
    ['QUERY', '/generate', 'POST'],
    ['GET', '/generate', 'POST'],
    ['PUT', '/models/tiny', 'DELETE, GET, HEAD'],
    ['PUT', '/v1/models', 'GET, HEAD'],
    ['POST', '/api/v1/health', 'GET, HEAD'],
    ['HEAD', '/v1/chat/completions', 'POST'],
    ['PUT', '/models/pull', 'POST'],
    ['OPTIONS', '/api/v1/models/pulls', 'GET, HEAD'],
    ['PUT', '/status/req_1', 'GET, HEAD'],
    ['GET', '/status/req_1/cancel', 'POST'],
    ['PUT', '/api/v1/providers/local', 'GET, HEAD, PATCH'],
  ])('%s %s gives 405 and what is allowed', async (method, url, allow) => {
    const { send } = await serve();
    const response = await send(method, url);
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe(allow);
  });

  it.each([
    ['GET', '/v1/models/'],
    ['GET', '//v1/models'],
    ['GET', '/v1//models?page=1'],
    ['GET', '/v1/models/tiny/'],
    ['GET', '/api/v1//models'],
    ['GET', '/livez/'],
  ])('%s %s is answered as without its extra slashes', async (method, url) => {
    const { send } = await serve();
    expect((await send(method, url)).statusCode).toBe(200);
  });

  it.each([
    ['POST', '//v1/models', 405],
    ['GET', '//v1/nowhere/', 404],
  ])('%s %s is refused in the dialect that its slashes hide', async (method, url, status) => {
    const { send } = await serve();
    const response = await send(method, url);
    expect(response.statusCode).toBe(status);
    expect(response.json().error.type).toBe('invalid_request_error');
  });

  it('take a JSON content type without a body for no body, where none is wanted', async () => {
    const { send } = await serve();
    const json = { 'content-type': 'application/json' };
    expect((await send('DELETE', '/models/pull/none', undefined, json)).statusCode).toBe(404);
    expect((await send('POST', '/models/tiny/unload', undefined, json)).statusCode).toBe(200);
    expect((await send('POST', '/generate', undefined, json)).statusCode).toBe(400);
  });

  it('words a 405 in the dialect of the prefix', async () => {
    const { send } = await serve();
    expect((await send('GET', '/generate')).json().error.code).toBe('METHOD_NOT_ALLOWED');
    expect((await send('GET', '/api/v1/generate')).json().error).toBe('MethodNotAllowed');
    expect((await send('GET', '/v1/completions')).json().error.type).toBe('invalid_request_error');
  });

  it.each(['/health', '/livez', '/readyz', '/metrics', '/models', '/v1/models', '/', '/docs', '/openapi.json'])(
    'HEAD %s answers as GET does, without a body',
    async (url) => {
      const { send } = await serve();
      const response = await send('HEAD', url);
      expect(response.statusCode).toBe(200);
      expect(response.body).toBe('');
    },
  );
});

describe('metrics', () => {
  it('count requests by route pattern and refusals by code', async () => {
    const { send, metrics } = await serve();
    await send('POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], stream: true });
    await send('GET', '/models/tiny');
    await send('GET', '/models/absent');
    await send('GET', '/no/such/url');
    const text = await metrics();
    expect(text).toContain('hearth_http_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1');
    expect(text).toContain('hearth_http_requests_total{method="GET",route="/models/:name",status="200"} 1');
    expect(text).toContain('hearth_http_requests_total{method="GET",route="/models/:name",status="404"} 1');
    expect(text).toContain('hearth_http_requests_total{method="GET",route="unmatched",status="404"} 1');
    expect(text).toContain('hearth_http_request_seconds_count{route="/v1/chat/completions"} 1');
    expect(text).toContain('hearth_rejected_total{reason="model_not_found"} 1');
    expect(text).toContain('hearth_rejected_total{reason="not_found"} 1');
  });

  it('are served in the text format of Prometheus', async () => {
    const { send } = await serve();
    const response = await send('GET', '/metrics');
    expect(response.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(response.body).toMatch(/^# HELP /);
  });
});
