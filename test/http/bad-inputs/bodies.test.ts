import { describe, expect, it } from 'vitest';
import { expectNothingKept } from './canary.ts';
import { badInputs } from './runner.ts';
import { bodyWith, nameOf, type Target, targets } from './targets.ts';

const { harness, send, refused } = badInputs();
const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

/** What is wrong with a body whatever it is for. */
const bodies: [string, string | Buffer][] = [
  ['an empty body', ''],
  ['null', 'null'],
  ['an array', '[]'],
  ['a number', '1'],
  ['NaN', '{"temperature":NaN}'],
  ['broken JSON', '{"prompt":'],
  ['brackets a million deep', nested('[', ']', 1_000_000)],
  ['objects 500,000 deep', '{"a":'.repeat(500_000)],
  ['brackets 65 deep', `{"a":${nested('[', ']', 64)}}`],
  ['200,000 keys', `{${Array.from({ length: 200_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
  ['20,000 equal keys', `{${'"a":0,'.repeat(20_000)}"a":0}`],
  ['__proto__', '{"__proto__":{"x":1}}'],
  ['an escaped __proto__', '{"\\u005f_proto__":{"x":1}}'],
  ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
  ['a nested __proto__', '{"a":[{"__proto__":1}]}'],
  ['half of a surrogate pair', '{"prompt":"\\ud83d"}'],
  ['half of a surrogate pair as a key', '{"\\ud83d":1}'],
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ['a number beyond a double', '{"a":1e999}'],
];

const types = [
  'text/plain',
  'application/json\ta',
  'application/json; charset=utf-16',
  'multipart/form-data; boundary=x',
  'application/jsonx',
];

describe('the targets', () => {
  it('are every endpoint that takes a body', async () => {
    const { paths } = (await harness().send('GET', '/openapi.json')).json() as {
      paths: Record<string, Record<string, { requestBody?: { content: object } }>>;
    };
    // Forms have a table of their own: test/http/openai/files.test.ts.
    const isForm = (body: { content: object }) => 'multipart/form-data' in body.content;
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { requestBody }]) =>
        requestBody === undefined || isForm(requestBody)
          ? []
          : [`${method.toUpperCase()} ${path.replace('{name}', 'tiny').replace('{provider_id}', 'openai')}`],
      ),
    );
    const known = targets.map(({ method = 'POST', url }) => `${method} ${url}`);
    expect(known.filter((name) => !name.includes('/ollama/')).sort()).toEqual(described.sort());
  });
});

describe.each(targets.map((target) => [nameOf(target), target] as const))('%s', (_name, target) => {
  it('takes the body that the others are made from', async () => {
    const { statusCode, body } = await send(target, target.valid);
    expect(statusCode, body).toBeLessThan(300);
  });

  it('takes a byte order mark', async () => {
    const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(target.valid))]);
    expect((await send(target, body)).statusCode).toBeLessThan(300);
  });

  it.each(bodies.filter(([, body]) => !(target.mayBeEmpty && body === '')))('refuses %s', async (_title, body) => {
    await refused(target, body);
  });

  it('refuses a key of a mebibyte, or drops it', async () => {
    const body = { ...target.valid, ['k'.repeat(1024 * 1024)]: 1 };
    if (target.isStrict) return refused(target, body);
    const response = await send(target, body);
    expect(response.statusCode).toBeLessThan(300);
    expect(JSON.stringify(response.headers).length).toBeLessThan(4_000);
  });

  it('refuses a body over the limit', async () => {
    await refused(target, { ...target.valid, padding: 'x'.repeat(4 * 1024 * 1024) }, { status: 413 });
  });

  it.each(types)('refuses the type %j', async (type) => {
    await refused(target, JSON.stringify(target.valid), { status: 415, headers: { 'content-type': type } });
  });

  it.each(['application/x-www-form-urlencoded', ''])('refuses the type %j, but for clients of Ollama', async (type) => {
    const headers = { 'content-type': type };
    // All samples of Ollama's send so with curl.
    if (target.errors.name === 'Ollama' && type !== '') {
      expect((await send(target, JSON.stringify(target.valid), headers)).statusCode).toBeLessThan(300);
    } else await refused(target, JSON.stringify(target.valid), { status: 415, headers });
  });

  it.each(['compress', 'gzip, br', 'aes128gcm', 'constructor'])('refuses the encoding %s', async (encoding) => {
    await refused(target, target.valid, { status: 415, headers: { 'content-encoding': encoding } });
  });

  if (target.required !== undefined) {
    const field = target.required;
    it('refuses a request without any body', async () => {
      const response = await send(target, undefined);
      expect(response.statusCode).toBe(400);
      target.errors.check(response.json(), null);
    });

    it('asks for what is required by name', async () => {
      const { [field]: _left, ...others } = target.valid;
      await refused(target, others, { field });
      await refused(target, bodyWith(target, field, '7'), { field });
    });
  }

  if (target.isStrict) {
    it.each(['n_discard', 'id_slot', 'api_base', 'base_url', 'api_key', 'maxTokens'])(
      'refuses the unknown field %s by name',
      (field) => refused(target, { ...target.valid, [field]: 1 }, { field }),
    );
  } else {
    it('drops fields that it does not know, and names them', async () => {
      const unknown = { n_discard: 1, id_slot: 1, api_base: 'x', base_url: 'x', api_key: 'secret-key' };
      const response = await send(target, { ...target.valid, ...unknown });
      expect(response.statusCode).toBeLessThan(300);
      const { calls, wholeCalls } = harness().gateway;
      expect(JSON.stringify([calls.at(-1)?.request, wholeCalls.at(-1)?.request])).not.toMatch(/api_base|secret-key/);
      expect(String(response.headers['x-hearth-ignored'])).toMatch(/n_discard.*id_slot.*api_base.*base_url.*api_key/);
    });
  }
});

/** One of each dialect: what they keep is decided before any of them is reached. */
const oneOfEach = targets.filter(
  ({ errors }, place) => targets.findIndex((other) => other.errors === errors) === place,
);

describe.each(oneOfEach.map((target) => [nameOf(target), target] as const))('%s', (_name, target: Target) => {
  it('keeps nothing of what it refused', async () => {
    const huge = [
      { ...target.valid, padding: 'x'.repeat(4 * 1024 * 1024) },
      { ...target.valid, [target.required ?? 'model']: Array.from({ length: 500_000 }, () => 1) },
      `{"a":${'"'.repeat(2 * 1024 * 1024)}`,
      nested('[', ']', 1_000_000),
    ];
    await expectNothingKept(async () => {
      for (let round = 0; round < 4; round++) {
        for (const body of huge) expect((await send(target, body)).statusCode).toBeGreaterThanOrEqual(400);
      }
    });
  });
});
