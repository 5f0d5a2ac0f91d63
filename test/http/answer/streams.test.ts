import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/core/events.ts';
import { finishEvent, startEvent, textEvents, untilAborted } from '../../support/fake-engine.ts';
import { untilClosed } from '../../support/sockets.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  harness = await createHarness();
  port = Number(new URL(await harness.http.listen()).port);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await harness.close();
});

interface Client {
  socket: Socket;
  /** Everything received so far. */
  text(): string;
  /** Resolves when the received text matches. */
  seen(pattern: RegExp): Promise<void>;
}

/** A raw connection: it reads only when told to, and leaves without a word. */
function open(): Client {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.setEncoding('utf8');
  const append = (chunk: string): void => {
    text += chunk;
  };
  return {
    socket,
    text: () => text,
    async seen(pattern) {
      // Once only: from then on everything is kept, also what comes between two looks.
      if (!socket.listeners('data').includes(append)) socket.on('data', append);
      while (!pattern.test(text)) await once(socket, 'data');
    },
  };
}

function post(url: string, body: object): string {
  const json = JSON.stringify(body);
  return (
    `POST ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  );
}

const targets = [
  { url: '/generate', body: { prompt: 'Hi' } },
  { url: '/generate/stream', body: { prompt: 'Hi' } },
  { url: '/api/v1/generate', body: { prompt: 'Hi', stream: true } },
  { url: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }] } },
  { url: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }], stream: true } },
  { url: '/v1/completions', body: { prompt: 'Hi', stream: true } },
  { url: '/v1/messages', body: { model: 'default', max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }] } },
  {
    url: '/v1/messages',
    body: { model: 'default', max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }], stream: true },
  },
];
const streaming = targets.filter(({ url, body }) => url.endsWith('/stream') || 'stream' in body);

/** Text, then silence until the request is aborted. */
async function* textThenSilence(_request: unknown, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  yield startEvent();
  yield* textEvents(['Hel'], 0);
  yield await untilAborted(signal);
}

describe.each(targets)('a client of $url $body', ({ url, body }) => {
  it('that leaves before the first event aborts its request', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield await untilAborted(signal);
    });
    const { socket } = open();
    socket.write(post(url, body));
    const call = await harness.gateway.call(0);
    expect(call.context.signal.aborted).toBe(false);
    socket.destroy();
    await call.released;
    expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
  });

  it('that closes its side before the answer is there counts as gone', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield await untilAborted(signal);
    });
    const { socket } = open();
    socket.write(post(url, body));
    const call = await harness.gateway.call(0);
    socket.end();
    await call.released;
    expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
  });
});

describe.each(streaming)('a stream of $url', ({ url, body }) => {
  it('is aborted when its client leaves in the middle', async () => {
    harness.gateway.play(textThenSilence);
    const client = open();
    client.socket.write(post(url, body));
    await client.seen(/Hel/);
    const call = await harness.gateway.call(0);
    expect(call.context.signal.aborted).toBe(false);
    client.socket.destroy();
    await call.released;
    expect(call.context.signal.aborted).toBe(true);
  });

  it('is aborted when its client does not read and more than 1 MiB waits', async () => {
    let events = 0;
    harness.gateway.play(async function* () {
      yield startEvent();
      // Endless: only the cancel ends it.
      while (true) {
        events++;
        yield { type: 'text-delta', blockId: 0, text: 'x'.repeat(64 * 1024) };
        await new Promise(setImmediate);
      }
    });
    const { socket } = open();
    socket.pause();
    socket.write(post(url, body));
    const call = await harness.gateway.call(0);
    await call.released;
    expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
    expect(events).toBeGreaterThan(16);
    // What the kernel takes and the one mebibyte of ours, not the whole memory.
    expect(events * 64 * 1024).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('an event stream', () => {
  const url = '/generate/stream';

  it('sends a comment when nothing else was sent for 15 s', async () => {
    harness.gateway.play(textThenSilence);
    const client = open();
    client.socket.write(post(url, { prompt: 'Hi' }));
    await client.seen(/Hel/);
    harness.clock.advance(14_999);
    expect(client.text()).not.toContain('\n: keep-alive');
    harness.clock.advance(1);
    await client.seen(/\n: keep-alive\n\n/);
  });

  it('lets nothing of itself behind when it is over', async () => {
    const client = open();
    client.socket.write(post(url, { prompt: 'Hi' }));
    await client.seen(/"finished":true[\s\S]*\r\n0\r\n\r\n$/);
    harness.clock.advance(60_000);
    // The connection is kept, and the next request on it is served.
    client.socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.seen(/\{"status":"alive"\}/);
    expect(client.text()).not.toContain('\n: keep-alive\n');
  });

  it('is aborted when nothing could be sent for 30 s, however little waits', async () => {
    let filled: () => void = () => {};
    const full = new Promise<void>((resolve) => {
      filled = resolve;
    });
    const unsentBytes = () => {
      const [response] = responses;
      return response?.socket?.writableLength ?? 0;
    };
    const responses: { socket: Socket | null }[] = [];
    harness.http.app.server.on('request', (_request, response) => responses.push(response));
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      // Until the kernel takes no more: then some of it waits in the process, less than 1 MiB.
      while (unsentBytes() === 0) {
        yield { type: 'text-delta', blockId: 0, text: 'x'.repeat(64 * 1024) };
        await new Promise(setImmediate);
      }
      filled();
      yield await untilAborted(signal);
    });
    const { socket } = open();
    socket.pause();
    socket.write(post(url, { prompt: 'Hi' }));
    const call = await harness.gateway.call(0);
    await full;
    harness.clock.advance(25_000);
    expect(call.context.signal.aborted).toBe(false);
    harness.clock.advance(15_000);
    await call.released;
    expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
  });

  it('is counted at its end, also when its client left', async () => {
    harness.gateway.play(textThenSilence);
    const client = open();
    client.socket.write(post(url, { prompt: 'Hi' }));
    await client.seen(/Hel/);
    expect(await harness.metrics()).not.toContain('route="/generate/stream"');
    client.socket.destroy();
    await (await harness.gateway.call(0)).released;
    expect(await harness.metrics()).toContain(
      'hearth_http_requests_total{method="POST",route="/generate/stream",status="200"} 1',
    );
  });

  it('is not disturbed by a bad request beside it', async () => {
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['before'], 0);
      await gate;
      yield* textEvents(['after'], 1);
      yield finishEvent(2);
    });
    const client = open();
    client.socket.write(post(url, { prompt: 'Hi' }));
    await client.seen(/before/);
    const bad = open();
    bad.socket.write(post(url, { prompt: 'Hi', temperature: 99 }));
    await bad.seen(/400 Bad Request[\s\S]*temperature/);
    go();
    await client.seen(/after[\s\S]*"finished":true/);
  });
});

describe('connections', () => {
  it('are counted while they are open', async () => {
    expect(harness.http.activeConnections()).toBe(0);
    const client = open();
    client.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.seen(/"active_connections":1/);
    expect(harness.http.activeConnections()).toBe(1);
  });

  it.each([
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01', 400, 'INVALID_REQUEST'],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['two Hosts', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n', 400, 'INVALID_REQUEST'],
    [
      'two lengths',
      'POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'INVALID_REQUEST',
    ],
    ['a negative length', 'POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400, 'INVALID_REQUEST'],
    [
      'length and chunks',
      'POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'INVALID_REQUEST',
    ],
    [
      '17 KB of headers',
      `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17 * 1024)}\r\n\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
  ])('with %s are answered', async (_title, request, status, code) => {
    const client = open();
    client.socket.write(request);
    await client.seen(new RegExp(`^HTTP/1\\.1 ${status} `));
    await client.seen(/\}$/);
    const body = JSON.parse(client.text().split('\r\n\r\n')[1]!);
    expect(body).toMatchObject({ error: { code, details: { request_id: expect.stringMatching(/^req_/) } } });
  });

  it('may offer h2c with every request, as Java does, and are answered in HTTP/1.1', async () => {
    const client = open();
    const json = '{"prompt":"Hi"}';
    client.socket.write(
      'POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
        `HTTP2-Settings: AAMAAABk\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    );
    await client.seen(/HTTP\/1\.1 200 OK[\s\S]*Hello world/);
  });

  it('have limits on how slowly and how much they may send', () => {
    const { server } = harness.http.app;
    expect(server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000, maxConnections: 1024 });
  });

  it('that send a body over the limit get to read the answer', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'x'.repeat(16 * 1024 * 1024),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
  });

  it.each(['Content-Length: 100000000000', 'Transfer-Encoding: chunked'])(
    'that send a body without a reasonable end are cut off: %s',
    async (header) => {
      const client = open();
      client.socket.write(
        `POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${header}\r\n\r\n`,
      );
      client.socket.write(`200000\r\n${'x'.repeat(0x200000)}\r\n`);
      await client.seen(/^HTTP\/1\.1 413 [\s\S]*connection: close/);
    },
  );

  it('that are too slow get 408', async () => {
    const accepted = once(harness.http.app.server, 'connection');
    const client = open();
    const [peer] = await accepted;
    const error = Object.assign(new Error('too slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    harness.http.app.server.emit('clientError', error, peer);
    await client.seen(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*REQUEST_TIMEOUT/);
    expect(await harness.metrics()).toContain('hearth_rejected_total{reason="request_timeout"} 1');
  });

  it('that send a blob may take as long as bytes come, and get 408 once none does for 30 s', async () => {
    const { server } = harness.http.app;
    const arrived = once(server, 'request');
    const client = open();
    client.socket.write(
      `POST /api/blobs/sha256:${'a'.repeat(64)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nfirst`,
    );
    const [{ socket: peer }] = (await arrived) as [{ socket: Socket }];
    const tooLong = Object.assign(new Error('too slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    for (let part = 0; part < 10; part++) {
      const before = peer.bytesRead;
      client.socket.write('part');
      // As Node tells it, once, when its own limit has passed.
      if (part === 2) server.emit('clientError', tooLong, peer);
      await expect.poll(() => peer.bytesRead).toBeGreaterThan(before);
      harness.clock.advance(20_000);
    }
    expect(client.text()).toBe('');
    expect(peer.destroyed).toBe(false);
    harness.clock.advance(30_000);
    await client.seen(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*\}$/);
    harness.clock.advance(1_000);
    expect(peer.destroyed).toBe(true);
  });

  it.each(targets)('that send the body of $url too slowly get 408', async ({ url }) => {
    const { server } = harness.http.app;
    const arrived = once(server, 'request');
    const client = open();
    client.socket.write(
      `POST ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    );
    const [{ socket: peer }] = (await arrived) as [{ socket: Socket }];
    const error = Object.assign(new Error('too slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    server.emit('clientError', error, peer);
    await client.seen(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*\}$/);
    expect(JSON.parse(client.text().split('\r\n\r\n')[1]!)).toMatchObject(
      url === '/v1/messages'
        ? { type: 'error', error: { type: 'timeout_error' }, request_id: expect.stringMatching(/^req_/) }
        : url.startsWith('/v1')
          ? { error: { code: 'request_timeout', param: null } }
          : url.startsWith('/api/v1')
            ? { code: 'request_timeout', status_code: 408 }
            : { error: { code: 'REQUEST_TIMEOUT' } },
    );
    harness.clock.advance(1_000);
    expect(peer.destroyed).toBe(true);
  });

  it('that turn to nonsense in the body are answered, and only once', async () => {
    const client = open();
    client.socket.write(
      'POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\nnonsense\r\n',
    );
    await client.seen(/\}$/);
    expect(client.text().match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(client.text()).toMatch(/^HTTP\/1\.1 400 [\s\S]*INVALID_REQUEST/);
  });

  it('that turn to nonsense behind a request that waits are cut, and get no answer that is not theirs', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield await untilAborted(signal);
    });
    const { socket } = open();
    const received: string[] = [];
    socket.on('data', (chunk) => received.push(String(chunk)));
    socket.write(post('/generate', { prompt: 'Hi' }));
    const call = await harness.gateway.call(0);
    socket.write('nonsense\r\n\r\n');
    await untilClosed(socket);
    await call.released;
    expect(received).toEqual([]);
  });

  it('that turn to nonsense in the middle of an answer are cut, and nothing is written into it', async () => {
    harness.gateway.play(textThenSilence);
    const client = open();
    client.socket.write(post('/generate/stream', { prompt: 'Hi' }));
    await client.seen(/Hel/);
    client.socket.write('\x16\x03\x01\x02\x00\x01\r\n\r\n');
    await untilClosed(client.socket);
    await (await harness.gateway.call(0)).released;
    expect(client.text()).not.toContain('400');
  });

  it.each([
    ['PROPFIND /models', 405],
    ['TRACE /models', 405],
    ['OPTIONS *', 404],
    ['QUERY /generate', 405],
    ['FOO /models', 400],
  ])('with the request %s get %i', async (line, status) => {
    const client = open();
    client.socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await client.seen(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*"error"`));
  });

  it('with an unknown method are refused in the dialect of the URL', async () => {
    const client = open();
    client.socket.write('FOO /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.seen(/^HTTP\/1\.1 400 [\s\S]*"type":"invalid_request_error"/);
  });

  it('serve pipelined requests in their order', async () => {
    const client = open();
    client.socket.write(
      'GET /livez HTTP/1.1\r\nHost: a.localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a.localhost\r\n\r\n',
    );
    await client.seen(/alive[\s\S]*ready/);
  });
});

describe('close', () => {
  it('lets a running stream end', async () => {
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['before'], 0);
      await gate;
      yield* textEvents(['after'], 1);
      yield finishEvent(2);
    });
    const client = open();
    client.socket.write(post('/generate/stream', { prompt: 'Hi' }));
    await client.seen(/before/);
    const closed = harness.close();
    go();
    await client.seen(/after[\s\S]*"finished":true/);
    await closed;
  });

  it('does not wait for connections that were opened ahead and never used', async () => {
    const ahead = open();
    await once(ahead.socket, 'connect');
    await expect.poll(() => harness.http.activeConnections()).toBe(1);
    const closed = harness.close();
    await untilClosed(ahead.socket);
    await closed;
  });

  it('does not wait for idle connections, and cuts after 5 s what does not end', async () => {
    const idle = open();
    idle.socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await idle.seen(/alive/);
    harness.gateway.play(textThenSilence);
    const busy = open();
    busy.socket.write(post('/generate/stream', { prompt: 'Hi' }));
    await busy.seen(/Hel/);
    const closed = harness.close();
    await untilClosed(idle.socket);
    harness.clock.advance(5_000);
    await closed;
    await (await harness.gateway.call(0)).released;
  });
});
