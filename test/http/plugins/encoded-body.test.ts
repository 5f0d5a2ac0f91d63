import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

const limit = 256 * 1024;
const encoders = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};
const encodings = Object.entries(encoders);

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness({ bodyLimitBytes: limit });
});
afterAll(() => harness.close());

/** Each mount has a shape of its own, and a field for the prompt. */
const mounts = [
  { url: '/v1/completions', code: (body: { error: { code: string } }) => body.error.code.toLowerCase() },
  { url: '/generate', code: (body: { error: { code: string } }) => body.error.code.toLowerCase() },
  { url: '/api/v1/generate', code: (body: { code: string }) => body.code.toLowerCase() },
] as const;
const send = (url: string, encoding: string, body: Buffer) =>
  harness.send('POST', url, body, { 'content-encoding': encoding });
const json = (prompt: string) => Buffer.from(JSON.stringify({ prompt }));

describe.each(encodings)('a body in %s', (encoding, encode) => {
  it('is read', async () => {
    const prompt = 'é'.repeat(40_000);
    expect((await send('/v1/completions', encoding.toUpperCase(), encode(json(prompt)))).statusCode).toBe(200);
    expect(harness.gateway.calls.at(-1)!.request.input).toEqual({ type: 'text', prompt });
  });

  it('is read up to the limit, and refused one byte beyond it', async () => {
    const room = limit - json('').length;
    expect((await send('/v1/completions', encoding, encode(json('a'.repeat(room))))).statusCode).toBe(200);
    expect((await send('/v1/completions', encoding, encode(json('a'.repeat(room + 1))))).statusCode).toBe(413);
  });

  it.each(mounts)('that is a bomb is refused in the shape of $url', async ({ url, code }) => {
    const bomb = encode(Buffer.alloc(64 * 1024 * 1024, 0x20));
    const response = await send(url, encoding, bomb);
    expect(response.statusCode).toBe(413);
    expect(code(response.json() as never)).toBe('payload_too_large');
  });

  it('that is cut off or something else is a bad request', async () => {
    const whole = encode(json(randomBytes(2_000).toString('hex')));
    for (const body of [whole.subarray(0, whole.length / 2), json('plain'), Buffer.alloc(0)]) {
      const response = await send('/v1/completions', encoding, body);
      expect(response.statusCode).toBe(400);
      expect(response.json().error.code).toBe('invalid_request');
    }
  });
});

describe('an encoding', () => {
  it.each(mounts)(
    'that nobody knows is refused in the shape of $url, with those that are read',
    async ({ url, code }) => {
      for (const encoding of ['lzma', 'gzip, zstd', 'toString']) {
        const response = await send(url, encoding, json('a'));
        expect(response.statusCode).toBe(415);
        expect(code(response.json() as never)).toBe('unsupported_media_type');
        expect(response.headers['accept-encoding']).toBe('gzip, deflate, br, zstd');
      }
    },
  );

  it.each(['identity', '', 'identity, gzip'])('%j adds nothing', async (encoding) => {
    const body = encoding.includes('gzip') ? gzipSync(json('a')) : json('a');
    expect((await send('/v1/completions', encoding, body)).statusCode).toBe(200);
  });

  it('of a window that needs too much memory is refused', async () => {
    // A frame header that asks for a window of 1 GiB, and an empty last block.
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00]);
    expect((await send('/v1/completions', 'zstd', frame)).statusCode).toBe(400);
  });
});

describe('a connection', () => {
  it('goes on after a body that could not be read, and after one that was left half sent', async () => {
    await harness.http.app.listen({ host: '127.0.0.1', port: 0 });
    const address = harness.http.app.server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const url = `http://127.0.0.1:${address.port}/v1/completions`;
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const post = (body: Buffer) => fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
    expect((await post(gzipSync(Buffer.alloc(32 * 1024 * 1024)))).status).toBe(413);
    expect((await post(Buffer.from('no gzip at all'))).status).toBe(400);
    const cut = new AbortController();
    const half = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(gzipSync(json('a')).subarray(0, 12)));
        cut.abort();
      },
    });
    const options = { method: 'POST', headers, body: half, signal: cut.signal, duplex: 'half' };
    await expect(fetch(url, options as RequestInit)).rejects.toThrow();
    expect((await post(gzipSync(json('a')))).status).toBe(200);
  });
});
