import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { loopbackUrl, streamAnswer } from '../../../scripts/bench/client.ts';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listen(handler: RequestListener): Promise<string> {
  server = createServer(handler);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const record = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const token = (content: string) => record({ choices: [{ delta: { content }, finish_reason: null }] });

describe('the base URL of a bench', () => {
  it.each([
    ['http://127.0.0.1:8000', 'http://127.0.0.1:8000'],
    ['http://localhost:8000/v1/', 'http://localhost:8000'],
    ['http://[::1]:8000/prefix', 'http://[::1]:8000/prefix'],
  ])('%s is %s', (text, expected) => {
    expect(loopbackUrl(text)).toBe(expected);
  });

  it.each(['http://example.com', 'http://192.168.1.2:8000', 'https://127.0.0.1', 'http://127.0.0.1.example.com'])(
    '%s is refused: a bench loads its own machine only',
    (text) => {
      expect(() => loopbackUrl(text)).toThrow(/127\.0\.0\.1/);
    },
  );
});

describe('a streaming request', () => {
  it('asks for a stream with usage and times each token', async () => {
    let asked = '';
    const baseUrl = await listen((request, response) => {
      request.on('data', (bytes: Buffer) => {
        asked += bytes.toString();
      });
      request.on('end', () => response.end(`${token('a')}${token('b')}data: [DONE]\n\n`));
    });
    const trace = await streamAnswer({ baseUrl, endpoint: 'chat/completions', body: { model: 'm' } });
    expect(JSON.parse(asked)).toEqual({ model: 'm', stream: true, stream_options: { include_usage: true } });
    expect(trace).toMatchObject({ text: 'ab', failure: null });
    expect(trace.tokenTimesMs).toHaveLength(2);
    expect(trace.tokenTimesMs[0]).toBeGreaterThanOrEqual(trace.startMs);
  });

  it('fails with status and body when it is refused, and throws nothing', async () => {
    const baseUrl = await listen((_, response) => response.writeHead(429).end('{"error":"full"}'));
    const trace = await streamAnswer({ baseUrl, endpoint: 'completions', body: {} });
    expect(trace).toMatchObject({ failure: 'status 429: {"error":"full"}', tokenTimesMs: [] });
  });

  it('keeps what came when the server cuts the stream', async () => {
    const baseUrl = await listen((_, response) => {
      response.write(token('a'), () => response.destroy());
    });
    const trace = await streamAnswer({ baseUrl, endpoint: 'chat/completions', body: {} });
    expect(trace.text).toBe('a');
    expect(trace.failure).not.toBeNull();
  });

  it('keeps what came when the client leaves', async () => {
    const baseUrl = await listen((_, response) => response.write(token('a')));
    const leaving = new AbortController();
    const trace = await streamAnswer({
      baseUrl,
      endpoint: 'chat/completions',
      body: {},
      signal: leaving.signal,
      onChunk: () => leaving.abort(),
    });
    expect(trace.text).toBe('a');
    expect(trace.failure).not.toBeNull();
  });

  it('fails when nobody listens', async () => {
    const baseUrl = await listen(() => {});
    await new Promise((resolve) => server!.close(resolve));
    const trace = await streamAnswer({ baseUrl, endpoint: 'chat/completions', body: {} });
    expect(trace.failure).toContain('ECONNREFUSED');
  });
});
