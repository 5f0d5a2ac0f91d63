import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../support/collect.ts';
import { errorLines, type RunningServer, startServer } from '../support/server.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const clientOf = ({ baseUrl }: RunningServer) =>
  new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });

describe('files by the official OpenAI SDK', () => {
  let server: RunningServer;
  let client: OpenAI;
  beforeAll(async () => {
    server = await startServer({ env: { HEARTH_FILES_MAX_SIZE: '40MiB' } });
    client = clientOf(server);
  });
  afterAll(() => server?.stop());

  it('are sent, listed over pages, fetched and deleted', async () => {
    const bytes = randomBytes(30 * 1024 ** 2);
    const sent = await client.files.create({
      file: await toFile(bytes, 'photos.bin'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 3_600 },
    });
    expect(sent).toMatchObject({ object: 'file', bytes: bytes.length, filename: 'photos.bin', purpose: 'user_data' });
    expect(sent.expires_at).toBe(sent.created_at + 3_600);
    expect((await client.files.waitForProcessing(sent.id)).id).toBe(sent.id);
    const fetched = await client.files.content(sent.id);
    expect(sha256(new Uint8Array(await fetched.arrayBuffer()))).toBe(sha256(bytes));

    const others = [];
    for (let index = 0; index < 3; index++) {
      const file = await toFile(Buffer.from('{}\n'), `${index}.jsonl`);
      others.push((await client.files.create({ file, purpose: 'batch' })).id);
    }
    const listed = await collect(client.files.list({ limit: 2, order: 'asc' }));
    expect(listed.map(({ id }) => id)).toEqual([sent.id, ...others]);
    // Whoever deletes while going through the pages comes to the end too.
    for await (const { id } of client.files.list({ limit: 2 })) {
      expect(await client.files.delete(id)).toEqual({ id, object: 'file', deleted: true });
    }
    expect(await collect(client.files.list())).toEqual([]);
    await expect(client.files.retrieve(sent.id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
  });

  it('are refused in words, also when they are far too large', async () => {
    const send = (purpose: string, length = 10) =>
      toFile(Buffer.alloc(length), 'a').then((file) => client.files.create({ file, purpose: purpose as 'batch' }));
    await expect(send('assistants')).rejects.toMatchObject({ status: 400, param: 'purpose' });
    for (const megabytes of [41, 60]) {
      await expect(send('batch', megabytes * 1024 ** 2)).rejects.toMatchObject({ status: 413, param: 'file' });
    }
    expect(errorLines(server)).toEqual([]);
  });
});

describe('the server', () => {
  it('keeps nothing half when it is killed in the middle of uploads, and everything that it said it has', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-files-kill-'));
    const boundary = 'xYzZY';
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n`;
    const kept: string[] = [];
    try {
      for (let round = 0; round < 4; round++) {
        const server = await startServer({ args: ['--data', folder] });
        const client = clientOf(server);
        expect((await collect(client.files.list({ order: 'asc' }))).map(({ id }) => id)).toEqual(kept);
        for (const id of kept) expect(await (await client.files.content(id)).text()).toBe('whole');
        // Nothing of earlier rounds lies about either.
        expect((await readdir(join(folder, 'files')).catch(() => [])).sort()).toEqual([...kept].sort());
        kept.push((await client.files.create({ file: await toFile(Buffer.from('whole'), 'a'), purpose: 'batch' })).id);

        const { hostname, port, host } = new URL(server.baseUrl);
        const socket = connect(Number(port), hostname).on('error', () => {});
        socket.write(
          `POST /v1/files HTTP/1.1\r\nHost: ${host}\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: 10000000\r\n\r\n${head}`,
        );
        socket.write(randomBytes(1_000_000));
        await expect
          .poll(async () => (await readdir(join(folder, 'files'))).some((name) => name.endsWith('.part')))
          .toBe(true);
        await server.stop('SIGKILL');
        socket.destroy();
        // What is there is the draft, by a name that no file has.
        const names = await readdir(join(folder, 'files'));
        expect(names.filter((name) => !name.endsWith('.part')).sort()).toEqual([...kept].sort());
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
