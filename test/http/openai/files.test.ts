import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allRights } from '../../../src/core/call.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

/** A part of a form: a text, or a file with a name. */
type Part = [name: string, value: string | Buffer, filename?: string];

const boundary = 'xYzZY';
const formType = { 'content-type': `multipart/form-data; boundary=${boundary}` };

function formOf(parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(([name, value, filename]) => {
    const named = filename === undefined ? '' : `; filename="${filename}"`;
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${named}\r\n\r\n`, value, '\r\n'];
  });
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)));
}

const upload = (parts: readonly Part[], headers: Record<string, string> = {}) =>
  harness.send('POST', '/v1/files', formOf(parts), { ...formType, ...headers });
const file: Part = ['file', '{"a":1}\n', 'requests.jsonl'];
const purpose: Part = ['purpose', 'batch'];
const keepFile = async (text: string, as = 'user_data') =>
  (
    await upload([
      ['purpose', as],
      ['file', text, 'a.txt'],
    ])
  ).json<{ id: string }>().id;
const listed = async (query = '') => {
  const answer = await harness.send('GET', `/v1/files${query}`);
  return answer.json<{ data: { id: string; purpose: string }[]; has_more: boolean }>();
};

describe('POST /v1/files', () => {
  it('keeps a file and tells what it is, as OpenAI does', async () => {
    const answer = await upload([purpose, file]);
    expect(answer.statusCode).toBe(200);
    const created = Math.floor(harness.clock.now().getTime() / 1_000);
    expect(answer.json()).toEqual({
      id: expect.stringMatching(/^file-[0-9a-f]{44}$/),
      object: 'file',
      bytes: 8,
      created_at: created,
      expires_at: created + 30 * 24 * 3_600,
      filename: 'requests.jsonl',
      purpose: 'batch',
      status: 'processed',
    });
    const { id } = answer.json();
    expect((await harness.send('GET', `/v1/files/${id}`)).json()).toEqual(answer.json());
    expect((await harness.send('GET', `/v1/files/${id}/content`)).body).toBe('{"a":1}\n');
  });

  it('takes the fields behind the file too, and files for ever unless they say otherwise', async () => {
    const forEver = await upload([file, ['purpose', 'user_data']]);
    expect(forEver.json()).not.toHaveProperty('expires_at');
    const anHour = await upload([
      file,
      ['purpose', 'vision'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', '3600'],
    ]);
    expect(anHour.json().expires_at).toBe(anHour.json().created_at + 3_600);
    harness.clock.advance(3_600_000);
    expect((await harness.send('GET', `/v1/files/${anHour.json().id}`)).statusCode).toBe(404);
    expect((await listed()).data.map(({ id }) => id)).toEqual([forEver.json().id]);
  });

  it('keeps bytes as they are, whatever they are, and names without paths', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256));
    const answer = await upload([purpose, ['file', bytes, '../../etc/pass\u202ewd é']]);
    expect(answer.json().filename).toBe('pass%E2%80%AEwd é');
    const { rawPayload } = await harness.send('GET', `/v1/files/${answer.json().id}/content`);
    expect(rawPayload.equals(bytes)).toBe(true);
  });

  it('names fields that mean nothing', async () => {
    const answer = await upload([purpose, file, ['colour', 'blue']]);
    expect([answer.statusCode, answer.headers['x-hearth-ignored']]).toEqual([200, 'colour']);
  });

  const long = 'x'.repeat(2_000);
  it.each<[what: string, parts: Part[], field: string, says: RegExp]>([
    ['no file', [purpose], 'file', /"file" is required/],
    ['a text for a file', [purpose, ['file', 'x']], 'file', /filename=/],
    ['two files', [purpose, file, file], 'file', /one file/],
    ['a file of another name', [purpose, ['data', 'x', 'a']], 'data', /field "file"/],
    ['no purpose', [file], 'purpose', /required/],
    ['a purpose without a use here', [file, ['purpose', 'fine-tune']], 'purpose', /no model is trained.*batch/],
    ['assistants', [file, ['purpose', 'assistants']], 'purpose', /no assistants.*user_data/],
    ['a purpose of the server', [file, ['purpose', 'batch_output']], 'purpose', /none that a client may give/],
    ['a purpose from a prototype', [file, ['purpose', 'constructor']], 'purpose', /none that a client may give/],
    ['a purpose without an end', [file, ['purpose', long]], 'purpose', /at most 1024 bytes/],
    [
      'an anchor that is none',
      [file, purpose, ['expires_after[anchor]', 'now']],
      'expires_after[anchor]',
      /created_at/,
    ],
    [
      'seconds without an anchor',
      [file, purpose, ['expires_after[seconds]', '3600']],
      'expires_after[anchor]',
      /created_at/,
    ],
    ...(['3599', '2592001', '1e4', '-1', '', 'x'] as const).map((seconds): [string, Part[], string, RegExp] => [
      `${seconds || 'no number of'} seconds`,
      [file, purpose, ['expires_after[anchor]', 'created_at'], ['expires_after[seconds]', seconds]],
      'expires_after[seconds]',
      /3600.*2592000/,
    ]),
    [
      'too many parts',
      [purpose, file, ...Array.from({ length: 20 }, (_, at): Part => [`f${at}`, 'x'])],
      'file',
      /16 parts/,
    ],
  ])('refuses %s by name, and keeps nothing', async (_what, parts, field, says) => {
    const answer = await upload(parts);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatchObject({ type: 'invalid_request_error', param: field, code: 'invalid_request' });
    expect(answer.json().error.message).toMatch(says);
    expect((await listed()).data).toEqual([]);
  });

  it.each([
    ['a form that does not end', formOf([purpose, file]).subarray(0, -20), formType, 400],
    ['a form that ends in its file', formOf([purpose, file]).subarray(0, -40), formType, 400],
    ['a form without a boundary', formOf([purpose, file]), { 'content-type': 'multipart/form-data' }, 400],
    ['an empty form', Buffer.from(''), formType, 400],
    ['a field of a prototype', formOf([purpose, ['__proto__', 'x'], file]), formType, 400],
    ['JSON', Buffer.from('{}'), { 'content-type': 'application/json' }, 415],
    ['bytes', Buffer.from('x'), { 'content-type': 'application/octet-stream' }, 415],
    ['a compressed form', formOf([purpose, file]), { ...formType, 'content-encoding': 'gzip' }, 415],
  ])('refuses %s in words', async (_what, body, headers, status) => {
    const answer = await harness.send('POST', '/v1/files', body, headers);
    expect([answer.statusCode, answer.json().error.type]).toEqual([status, 'invalid_request_error']);
    expect(answer.json().error.message).toMatch(/form|"file" is required/);
    expect((await listed()).data).toEqual([]);
  });

  it('refuses what is larger than a file may be, before and after it is known', async () => {
    const large = Buffer.alloc(1024 ** 2 + 1);
    for (const size of [large.length, 3 * large.length]) {
      const answer = await upload([purpose, ['file', Buffer.alloc(size), 'a']]);
      expect([answer.statusCode, answer.json().error]).toEqual([
        413,
        { type: 'invalid_request_error', param: 'file', code: 'payload_too_large', message: expect.any(String) },
      ]);
    }
    const fits = await upload([purpose, ['file', large.subarray(1), 'a']]);
    expect(fits.json().bytes).toBe(1024 ** 2);
  });

  it('says when all files together are too large, and what to do', async () => {
    const parts: Part[] = [purpose, ['file', Buffer.alloc(1024 ** 2 - 8_192), 'a']];
    for (let count = 0; count < 4; count++) expect((await upload(parts)).statusCode).toBe(200);
    const answer = await upload(parts);
    expect([answer.statusCode, answer.json().error.code]).toEqual([507, 'storage_unavailable']);
    expect(answer.json().error.message).toMatch(/Delete files.*files\.max_total/);
    expect(answer.headers['x-should-retry']).toBe('false');
    await harness.send('DELETE', `/v1/files/${(await listed()).data[0]!.id}`);
    expect((await upload(parts)).statusCode).toBe(200);
  });

  it('takes none while the server shuts down, and shows those that are there', async () => {
    const id = await keepFile('x');
    harness.lifecycle.isDraining = true;
    expect((await upload([purpose, file])).statusCode).toBe(503);
    expect((await harness.send('GET', `/v1/files/${id}`)).statusCode).toBe(200);
  });

  it('keeps nothing of a client that goes away in the middle', async () => {
    const address = new URL(await harness.http.listen());
    const whole = formOf([purpose, ['file', Buffer.alloc(500_000), 'a']]);
    const socket = connect(Number(address.port), address.hostname);
    socket.write(
      `POST /v1/files HTTP/1.1\r\nHost: ${address.host}\r\nContent-Type: ${formType['content-type']}\r\nContent-Length: ${whole.length}\r\n\r\n`,
    );
    socket.write(whole.subarray(0, 300_000), () => socket.destroy());
    await new Promise((resolve) => socket.once('close', resolve));
    // Room for three more and not for four: nothing of the broken one counts any more.
    const parts: Part[] = [purpose, ['file', Buffer.alloc(1024 ** 2 - 8_192), 'a']];
    for (let count = 0; count < 4; count++) {
      await expect.poll(async () => (await upload(parts)).statusCode).toBe(200);
    }
    expect((await listed()).data).toHaveLength(4);
  });
});

describe('GET /v1/files', () => {
  it('lists the newest first, in pages, and by purpose', async () => {
    const ids = [];
    for (const [index, as] of ['batch', 'user_data', 'batch'].entries()) ids.push(await keepFile(String(index), as));
    const [oldest, middle, newest] = ids as [string, string, string];
    expect(await listed()).toMatchObject({
      object: 'list',
      data: [{ id: newest }, { id: middle }, { id: oldest }],
      first_id: newest,
      last_id: oldest,
      has_more: false,
    });
    expect(await listed('?limit=2')).toMatchObject({ data: [{ id: newest }, { id: middle }], has_more: true });
    expect(await listed(`?limit=2&after=${middle}`)).toMatchObject({ data: [{ id: oldest }], has_more: false });
    expect((await listed('?order=asc&purpose=batch')).data.map(({ id }) => id)).toEqual([oldest, newest]);
    await harness.send('DELETE', `/v1/files/${middle}`);
    expect((await listed(`?after=${middle}`)).data.map(({ id }) => id)).toEqual([oldest]);
    expect(await listed('?purpose=assistants')).toMatchObject({ data: [], first_id: null, last_id: null });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=x', 'limit'],
    ['order=up', 'order'],
    ['after=file-1', 'after'],
  ])('refuses %s by name', async (query, field) => {
    const answer = await harness.send('GET', `/v1/files?${query}`);
    expect([answer.statusCode, answer.json().error.param]).toEqual([400, field]);
  });
});

describe('GET /v1/files/{file}/content', () => {
  it('is saved and never shown by a browser', async () => {
    const { id } = (await upload([purpose, ['file', '<script>', "it's (1) é.html"]])).json();
    const { headers } = await harness.send('GET', `/v1/files/${id}/content`);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '8',
      'content-disposition': "attachment; filename*=UTF-8''it%27s%20%281%29%20%C3%A9.html",
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
    });
  });

  it.each([
    ['bytes=0-3', 206, 'abcd', 'bytes 0-3/10'],
    ['bytes=4-', 206, 'efghij', 'bytes 4-9/10'],
    ['bytes=-3', 206, 'hij', 'bytes 7-9/10'],
    ['bytes=8-99', 206, 'ij', 'bytes 8-9/10'],
    ['bytes=10-', 200, 'abcdefghij', undefined],
    ['bytes=3-2', 200, 'abcdefghij', undefined],
    ['bytes=-0', 200, 'abcdefghij', undefined],
    ['bytes=0-1,3-4', 200, 'abcdefghij', undefined],
    ['lines=0-1', 200, 'abcdefghij', undefined],
  ])('gives to Range: %s status %i', async (range, status, body, contentRange) => {
    const id = await keepFile('abcdefghij');
    const answer = await harness.send('GET', `/v1/files/${id}/content`, undefined, { range });
    expect([answer.statusCode, answer.body, answer.headers['content-range']]).toEqual([status, body, contentRange]);
  });

  it('of an empty file is empty', async () => {
    const id = await keepFile('');
    const answer = await harness.send('GET', `/v1/files/${id}/content`, undefined, { range: 'bytes=0-' });
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
  });
});

describe('a file', () => {
  it('is deleted once', async () => {
    const id = await keepFile('x');
    expect((await harness.send('DELETE', `/v1/files/${id}`)).json()).toEqual({ id, object: 'file', deleted: true });
    for (const [method, path] of [
      ['DELETE', id],
      ['GET', id],
      ['GET', `${id}/content`],
    ] as const) {
      const answer = await harness.send(method, `/v1/files/${path}`);
      expect([answer.statusCode, answer.json().error.code]).toEqual([404, 'not_found']);
    }
  });

  it('of another key is the same as none', async () => {
    await harness.close();
    harness = await createHarness({ apiKeys: ['secret-key'] });
    const key = async (name: string) => {
      const made = await harness.keyring.create({ ...allRights, name, scopes: ['inference'], expiresAt: null });
      return { 'x-api-key': made.key };
    };
    const [mine, yours] = [await key('mine'), await key('yours')];
    const { id } = (await upload([purpose, file], mine)).json();
    const other = id.replace(/.$/, (digit: string) => (digit === '0' ? '1' : '0'));
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/content'],
      ['DELETE', ''],
    ] as const) {
      const foreign = await harness.send(method, `/v1/files/${id}${path}`, undefined, yours);
      const unknown = await harness.send(method, `/v1/files/${other}${path}`, undefined, yours);
      expect(foreign.statusCode).toBe(404);
      expect(foreign.body.replaceAll(id, '')).toBe(unknown.body.replaceAll(other, ''));
    }
    expect((await harness.send('GET', '/v1/files', undefined, yours)).json().data).toEqual([]);
    expect((await harness.send('GET', `/v1/files/${id}`, undefined, mine)).statusCode).toBe(200);
  });

  it.each(['..%2f..%2fetc', 'file-', '%00', 'x'.repeat(300)])('of the id %s is none', async (id) => {
    for (const path of ['', '/content']) {
      expect((await harness.send('GET', `/v1/files/${id}${path}`)).statusCode).toBe(404);
    }
  });

  it("is not at the place of Anthropic's files", async () => {
    const answer = await harness.send('GET', '/v1/files', undefined, { 'anthropic-version': '2023-06-01' });
    expect([answer.statusCode, answer.json().error.type]).toEqual([404, 'not_found_error']);
  });
});
