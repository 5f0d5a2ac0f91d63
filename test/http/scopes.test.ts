import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRights } from '../../src/core/call.ts';
import { createHarness, type Harness } from './harness.ts';

/** What a key for inference alone must not do, as `method /path`. */
const forAdministrators =
  /^\w+ \/api\/v1\/(keys|config|costs|events|jobs|privacy|logs)|^(patch|post) \/api\/v1\/providers\/|^\w+ (\/api\/v1)?\/models\/(import|search|\{name\}\/(load|unload))$|^(post|delete) (\/api\/v1)?\/models\/pull|^delete .*\/models\/\{name\}$|^(post|delete|head) (\/ollama)?\/api\/(pull|delete|copy|create|blobs\/\{digest\})$|\/reset$/;
const forEveryone = /^get (\/|\/health|\/api\/v1\/health|\/api\/health|\/ollama\/api\/health|\/livez|\/readyz)$/;

type Operations = Record<string, Record<string, { security?: Record<string, string[]>[] }>>;

let harness: Harness;
let operations: [name: string, security: Record<string, string[]>[]][];
let inferenceKey: string;
beforeAll(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
  ({ key: inferenceKey } = await harness.keyring.create({
    ...allRights,
    name: 'kitchen',
    scopes: ['inference'],
    expiresAt: null,
  }));
  const { paths } = (await harness.send('GET', '/openapi.json')).json<{ paths: Operations }>();
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]): [string, Record<string, string[]>[]] => [
      `${method} ${path}`,
      security ?? [],
    ]),
  );
});
afterAll(() => harness.close());

const send = (name: string, key: string) => {
  const [method = '', path = ''] = name.split(' ');
  return harness.send(method.toUpperCase(), path.replace(/\{\w+\}/g, 'absent'), undefined, { 'x-api-key': key });
};

describe('each route', () => {
  it('declares the scope that it should have', () => {
    expect(operations.length).toBeGreaterThan(80);
    const declared = operations.map(([name, security]) => [name, security[0]?.['bearer']?.[0] ?? 'public']);
    const wanted = operations.map(([name]) => [
      name,
      forEveryone.test(name) ? 'public' : forAdministrators.test(name) ? 'admin' : 'inference',
    ]);
    expect(declared).toEqual(wanted);
  });

  it('keeps to it: a key for inference changes nothing of the server', async () => {
    for (const [name, security] of operations) {
      const { statusCode, body } = await send(name, inferenceKey);
      const isRefused = statusCode === 403 && body.includes('is not one for');
      expect([name, isRefused]).toEqual([name, security[0]?.['bearer']?.[0] === 'admin']);
    }
    expect(harness.engine.loads).toEqual([]);
  });

  it('lets a key of all scopes pass', async () => {
    // Else whoever follows the log is never done.
    harness.logLines.end();
    // That stream ends with its client; `native/events` has its tests.
    for (const [name] of operations.filter(([name]) => name !== 'get /api/v1/events'))
      expect([name, (await send(name, 'secret-key')).body]).not.toEqual([
        name,
        expect.stringContaining('is not one for'),
      ]);
  });

  it('asks for a key where it is for inference or administration', async () => {
    for (const [name, security] of operations) {
      expect([name, (await send(name, 'wrong')).statusCode === 401]).toEqual([name, security.length > 0]);
    }
  });
});

describe('a key for inference', () => {
  it('is told in the words of each dialect that it is not for this', async () => {
    const refused = await harness.send('POST', '/models/tiny/load', undefined, { 'x-api-key': inferenceKey });
    expect(refused.json().error).toMatchObject({
      code: 'FORBIDDEN',
      details: { fix: expect.stringContaining('admin') },
    });
    const ollama = await harness.send('POST', '/api/pull', { model: 'x' }, { 'x-api-key': inferenceKey });
    expect([ollama.statusCode, ollama.json()]).toEqual([403, { error: expect.stringContaining('administration') }]);
  });

  it('has a ticket of its own rights only', async () => {
    const { ticket } = (await harness.send('POST', '/tickets', undefined, { 'x-api-key': inferenceKey })).json();
    const path = `/models/pull/pull-9/events?ticket=${ticket}`;
    expect((await harness.send('GET', path)).statusCode).toBe(404);
  });
});
