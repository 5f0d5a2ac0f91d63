import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../../src/config/schema.ts';
import { AppError } from '../../../../src/core/errors.ts';
import type { StreamEvent } from '../../../../src/core/events.ts';
import { answerEvents, startEvent, textEvents, untilAborted } from '../../../support/fake-engine.ts';
import { untilClosed } from '../../../support/sockets.ts';
import { openWebSocket, type WebSocketClient } from '../../../support/websocket-client.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
let base: string;
const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  // Peers that do not answer a close are cut by the clock.
  const closed = harness.close();
  harness.clock.advance(5_000);
  await closed;
});

async function serve(server: Partial<Config['server']> = {}): Promise<void> {
  harness = await createHarness(server);
  base = (await harness.http.listen()).replace('http:', 'ws:');
}

async function open(path = '/ws/generate', headers: Record<string, string> = {}): Promise<WebSocketClient> {
  const client = await openWebSocket(`${base}${path}`, headers);
  clients.push(client.socket);
  return client;
}

const generate = { action: 'generate', prompt: 'Hi' };
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, cached_prompt_tokens: 2 };

/** Text, then silence until the request is aborted. */
async function* textThenSilence(_request: unknown, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  yield startEvent();
  yield* textEvents(['Hel'], 0);
  yield await untilAborted(signal);
}

describe.each(['/ws/generate', '/api/v1/ws/generate'])('%s', (path) => {
  it('tells an end in the words of its own dialect', async () => {
    await serve();
    harness.gateway.play(() => answerEvents(['Hello'], 'stop_sequence'));
    const client = await open(path);
    client.send(generate);
    expect((await client.until('done')).at(-1)).toMatchObject({ finish_reason: 'stop' });
  });

  it('answers with tokens and done, and echoes no id that was not given', async () => {
    await serve();
    const client = await open(path);
    client.send({ ...generate, model: 'tiny', max_tokens: 9, temperature: 0 });
    expect(await client.until('done')).toEqual([
      { type: 'token', content: 'Hello', index: 0 },
      { type: 'token', content: ' world', index: 1 },
      {
        type: 'done',
        usage,
        finish_reason: 'stop',
        latency_ms: 0,
        model: 'tiny',
        cost: 0,
        request_id: expect.stringMatching(/^req_/),
      },
    ]);
    expect(harness.gateway.calls[0]!.request).toMatchObject({ model: 'tiny', maxTokens: 9 });
  });
});

describe('what a message says of the cloud', () => {
  it.each<[Record<string, string>, unknown, string | null]>([
    [{}, undefined, null],
    [{}, 'allow', 'allow'],
    [{ 'x-cloud': 'allow' }, false, 'never'],
    [{ 'x-cloud': 'allow' }, undefined, 'allow'],
  ])('counts beside the upgrade: %j, %j', async (headers, cloud, expected) => {
    await serve();
    const client = await open('/ws/generate', headers);
    client.send({ ...generate, cloud });
    await client.until('done');
    expect(harness.gateway.calls.at(-1)!.context).toMatchObject({ routing: { cloud: expected } });
  });

  it.each<[unknown, Record<string, string>]>([
    ['maybe', {}],
    [true, { 'x-cloud': 'never' }],
  ])('is refused by name: %j, %j', async (cloud, headers) => {
    await serve();
    const client = await open('/ws/generate', headers);
    client.send({ ...generate, cloud, id: 'a' });
    expect((await client.until('error')).at(-1)).toMatchObject({ id: 'a', error: { details: { field: 'cloud' } } });
  });

  it('sends it out where it must go, and nowhere else', async () => {
    await serve();
    const client = await open();
    client.send({ ...generate, cloud: true });
    const told = (await client.until('error')).at(-1);
    expect(told).toMatchObject({ error: { message: expect.stringContaining('must go to the cloud') } });
  });
});

describe('a WebSocket', () => {
  it('answers ping with pong', async () => {
    await serve();
    const client = await open();
    client.send({ action: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
  });

  it.each(['x-provider', 'x-failover-chain'])('asks only whom the %s of its upgrade names', async (header) => {
    await serve();
    const client = await open('/ws/generate', { [header]: 'nowhere' });
    client.send(generate);
    expect(await client.next()).toMatchObject({
      type: 'error',
      error: { message: expect.stringContaining('nowhere') },
    });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('runs several generations side by side, told apart by their ids', async () => {
    await serve();
    harness.gateway.play(textThenSilence);
    const client = await open();
    client.send({ ...generate, id: 'a' });
    expect(await client.next()).toMatchObject({ type: 'token', id: 'a' });
    client.send({ ...generate, id: 'b' });
    expect(await client.next()).toMatchObject({ type: 'token', id: 'b' });
    client.send({ action: 'cancel', id: 'a' });
    expect(await client.next()).toMatchObject({ type: 'done', finish_reason: 'cancelled', id: 'a' });
    expect((await harness.gateway.call(0)).context.signal.aborted).toBe(true);
    expect((await harness.gateway.call(1)).context.signal.aborted).toBe(false);
  });

  it('cancels the generation without an id by a cancel without an id, and the id is free again', async () => {
    await serve();
    harness.gateway.play(textThenSilence);
    const client = await open();
    client.send(generate);
    await client.until('token');
    client.send({ action: 'cancel' });
    expect(await client.next()).toMatchObject({ type: 'done', finish_reason: 'cancelled', model: 'tiny' });
    client.send(generate);
    expect(await client.next()).toMatchObject({ type: 'token' });
  });

  it('refuses an id that is running, and a cancel of one that is not', async () => {
    await serve();
    harness.gateway.play(textThenSilence);
    const client = await open();
    client.send({ ...generate, id: 'a' });
    await client.until('token');
    client.send({ ...generate, id: 'a' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'INVALID_REQUEST' }, id: 'a' });
    client.send({ action: 'cancel', id: 'b' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'NOT_FOUND' }, id: 'b' });
    expect(harness.gateway.calls).toHaveLength(1);
  });

  it('refuses a ninth generation', async () => {
    await serve();
    harness.gateway.play(textThenSilence);
    const client = await open();
    for (let number = 0; number < 8; number++) {
      client.send({ ...generate, id: `g${number}` });
      await client.until('token');
    }
    client.send({ ...generate, id: 'g8' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'QUEUE_FULL' }, id: 'g8' });
  });

  it.each([
    ['broken JSON', '{', null],
    ['a list', '[]', null],
    ['a JSON bomb', '['.repeat(100_000), null],
    ['an unknown action', { action: 'explode' }, 'action'],
    ['no action', { prompt: 'Hi' }, 'action'],
    ['an unknown field', { ...generate, colour: 1 }, 'colour'],
    ['an empty prompt', { action: 'generate', prompt: '' }, 'prompt'],
    ['a temperature out of range', { ...generate, temperature: 3 }, 'temperature'],
    ['a name with ..', { ...generate, model: '../x' }, 'model'],
    ['an id too long', { ...generate, id: 'x'.repeat(65) }, 'id'],
  ])('answers %s with an error and stays open', async (_title, message, field) => {
    await serve();
    const client = await open();
    client.send(message);
    const answer = await client.next();
    expect(answer).toMatchObject({ type: 'error', error: { code: 'INVALID_REQUEST' } });
    if (field !== null) expect(answer).toMatchObject({ error: { details: { field } } });
    client.send({ action: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('says which generation an error is about, whatever else is wrong with its message', async () => {
    await serve();
    const client = await open();
    client.send({ action: 'generate', id: 'a', prompt: 5 });
    expect(await client.next()).toMatchObject({ type: 'error', id: 'a' });
    client.send({ action: 'explode', id: 'b' });
    expect(await client.next()).toMatchObject({ type: 'error', id: 'b' });
    client.send({ ...generate, id: 7 });
    expect(await client.next()).not.toHaveProperty('id');
  });

  it('refuses binary messages and stays open', async () => {
    await serve();
    const client = await open();
    client.socket.send(new Uint8Array([1, 2, 3]));
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'INVALID_REQUEST' } });
  });

  it('reports a failure in mid-stream as an error of that generation', async () => {
    await serve();
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      throw new AppError('worker_crashed', 'The model stopped.');
    });
    const client = await open();
    client.send({ ...generate, id: 'a' });
    expect(await client.until('error')).toEqual([
      { type: 'token', content: 'Hel', index: 0, id: 'a' },
      {
        type: 'error',
        error: {
          code: 'WORKER_CRASHED',
          message: 'The model stopped.',
          details: { request_id: expect.stringMatching(/^req_/) },
        },
        id: 'a',
      },
    ]);
  });

  it('aborts all its generations when it is closed', async () => {
    await serve();
    harness.gateway.play(textThenSilence);
    const client = await open();
    client.send({ ...generate, id: 'a' });
    client.send({ ...generate, id: 'b' });
    await client.until('token');
    const calls = [await harness.gateway.call(0), await harness.gateway.call(1)];
    client.socket.close();
    await Promise.all(calls.map((call) => call.released));
    expect(calls.map((call) => call.context.signal.aborted)).toEqual([true, true]);
  });

  it('is closed with 1008 by the 101st message of ten seconds', async () => {
    await serve();
    const client = await open();
    for (let number = 0; number < 101; number++) client.send({ action: 'ping' });
    expect((await client.closed).code).toBe(1008);
  });

  it('is closed once, however long the flood that ended it goes on', async () => {
    await serve();
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    const client = await open();
    for (let number = 0; number < 300; number++) client.send({ action: 'ping' });
    await client.closed;
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  it('is closed with 1009 by a message over 1 MiB', async () => {
    await serve();
    const client = await open();
    client.send({ ...generate, prompt: 'x'.repeat(1024 * 1024) });
    expect((await client.closed).code).toBe(1009);
  });

  it('is counted in both directions, and with 101 when it is over', async () => {
    await serve();
    const client = await open();
    client.send({ action: 'ping' });
    await client.next();
    expect(harness.http.activeConnections()).toBe(1);
    const text = await harness.metrics();
    expect(text).toContain('hearth_websocket_messages_total{direction="in"} 1');
    expect(text).toContain('hearth_websocket_messages_total{direction="out"} 1');
    const [socket] = [...harness.http.app.websocketServer.clients];
    const closed = once(socket!, 'close');
    client.socket.close();
    await closed;
    expect(await harness.metrics()).toContain('route="/ws/generate",status="101"} 1');
  });

  it('takes no new generation while the server drains, and lets running ones end', async () => {
    await serve();
    const gate = Promise.withResolvers<void>();
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['before'], 0);
      await gate.promise;
      yield* textEvents(['after'], 1);
    });
    const client = await open();
    client.send({ ...generate, id: 'a' });
    await client.until('token');
    harness.lifecycle.isDraining = true;
    client.send({ ...generate, id: 'b' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'SHUTTING_DOWN' }, id: 'b' });
    const closed = harness.http.close();
    gate.resolve();
    expect(await client.next()).toMatchObject({ type: 'token', content: 'after', id: 'a' });
    expect((await client.closed).code).toBe(1001);
    await closed;
  });
});

/** An upgraded connection without a WebSocket client: it answers nothing by itself. */
async function openRaw(): Promise<Socket> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  socket.write(
    'GET /ws/generate HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await once(socket, 'data');
  return socket;
}

/** A masked text frame (the mask is zero) of fewer than 126 bytes. */
function frame(message: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
}

describe('a peer', () => {
  it('that answers no ping is cut off at the third', async () => {
    await serve();
    const socket = await openRaw();
    const opcodes: number[] = [];
    socket.on('data', (bytes) => opcodes.push(bytes[0]! & 0x0f));
    const closed = untilClosed(socket);
    for (const _ of [1, 2]) {
      harness.clock.advance(30_000);
      await once(socket, 'data');
    }
    expect(opcodes).toEqual([9, 9]);
    harness.clock.advance(30_000);
    await closed;
  });

  it('that answers pings stays, however long it says nothing', async () => {
    await serve();
    const client = await open();
    const [socket] = [...harness.http.app.websocketServer.clients];
    for (const _ of [1, 2, 3, 4]) {
      const pong = once(socket!, 'pong');
      harness.clock.advance(30_000);
      await pong;
    }
    client.send({ action: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
  });

  it('that does not read has its generations aborted at 1 MiB, and is cut off', async () => {
    await serve();
    harness.gateway.play(async function* () {
      yield startEvent();
      // Endless: only the abort ends it.
      while (true) {
        yield { type: 'text-delta', blockId: 0, text: 'x'.repeat(64 * 1024) };
        await new Promise(setImmediate);
      }
    });
    const socket = await openRaw();
    socket.pause();
    socket.write(frame(generate));
    const call = await harness.gateway.call(0);
    await call.released;
    expect(call.context.signal.aborted).toBe(true);
    const [peer] = [...harness.http.app.websocketServer.clients];
    const closed = once(peer!, 'close');
    harness.clock.advance(5_000);
    await closed;
    socket.destroy();
  });
});

describe('an upgrade', () => {
  /** The status line of an upgrade with these headers. */
  async function upgrade(headers: string, path = '/ws/generate'): Promise<string> {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.setEncoding('utf8');
    socket.write(
      `GET ${path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`,
    );
    const [text] = await once(socket, 'data');
    // A refused one is ended by the server: whoever asks for many must not fill it with sockets.
    if (!String(text).includes(' 101 ')) await once(socket.resume(), 'close');
    socket.destroy();
    return String(text).split('\r\n')[0]!;
  }

  it.each([
    ['a foreign origin', 'Host: localhost\r\nOrigin: https://evil.example\r\n', 403],
    ['the origin null', 'Host: localhost\r\nOrigin: null\r\n', 403],
    ['a foreign host', 'Host: evil.example\r\n', 403],
    ['another port of its host', 'Host: localhost:8000\r\nOrigin: http://localhost:9000\r\n', 403],
    ['its host without the usual port', 'Host: localhost:80\r\nOrigin: http://localhost\r\n', 101],
    ['the origin of its host', 'Host: localhost:8000\r\nOrigin: http://localhost:8000\r\n', 101],
    ['a listed origin', 'Host: localhost\r\nOrigin: https://app.example\r\n', 101],
    ['no origin', 'Host: localhost\r\n', 101],
  ])('from %s is answered before anything is upgraded', async (_title, headers, status) => {
    await serve({ origins: ['https://app.example'] });
    expect(await upgrade(headers)).toContain(`HTTP/1.1 ${status} `);
  });

  it('asks for the key', async () => {
    await serve({ apiKeys: ['secret-key'] });
    expect(await upgrade('Host: localhost\r\n')).toContain(' 401 ');
    expect(await upgrade('Host: localhost\r\nAuthorization: Bearer secret-key\r\n')).toContain(' 101 ');
  });

  it.each([
    ['bearer', 'secret-key'],
    ['hearth', 'bearer.secret-key'],
    ['realtime', 'openai-insecure-api-key.secret-key'],
  ])('takes the key among the subprotocols %s, %s, and names the other one', async (...protocols) => {
    await serve({ apiKeys: ['secret-key'] });
    const socket = new WebSocket(`${base}/ws/generate`, protocols);
    clients.push(socket);
    await once(socket, 'open');
    expect(socket.protocol).toBe(protocols[0]);
  });

  it.each([
    'Sec-WebSocket-Protocol: bearer, wrong\r\n',
    'Sec-WebSocket-Protocol: secret-key\r\n',
    'Sec-WebSocket-Protocol: bearer\r\n',
    'Sec-WebSocket-Protocol: bearer, secret-key, bearer.other\r\n',
  ])('with %j is refused', async (header) => {
    await serve({ apiKeys: ['secret-key'] });
    expect(await upgrade(`Host: localhost\r\n${header}`)).toMatch(/ 40[01] /);
  });

  it('takes a ticket for the key that asked for it', async () => {
    await serve({ apiKeys: ['secret-1', 'secret-2'] });
    const headers = { 'x-api-key': 'secret-2' };
    await harness.send('POST', '/generate', { prompt: 'Hi' }, headers);
    const { ticket } = (await harness.send('POST', '/tickets', undefined, headers)).json();
    const client = await open(`/ws/generate?ticket=${ticket}`);
    client.send({ action: 'generate', prompt: 'Hi' });
    await client.until('done');
    const [overHttp, overSocket] = harness.gateway.calls.map(({ context }) => context.principal.id);
    expect(overSocket).toBe(overHttp);
    expect(await upgrade('Host: localhost\r\n', `/ws/generate?ticket=${ticket}`)).toContain(' 401 ');
  });

  it('generates for the owner of its key', async () => {
    await serve({ apiKeys: ['secret-1', 'secret-2'] });
    const body = { prompt: 'Hi' };
    await harness.send('POST', '/generate', body, { 'x-api-key': 'secret-2' });
    const client = await open('/ws/generate', { 'x-api-key': 'secret-2' });
    client.send({ action: 'generate', ...body });
    await client.until('done');
    const [overHttp, overSocket] = harness.gateway.calls.map(({ context }) => context.principal.cacheOwner);
    expect(overSocket).toMatch(/^[0-9a-f]{16}$/);
    expect(overSocket).toBe(overHttp);
  });

  it('is refused while draining', async () => {
    await serve();
    harness.lifecycle.isDraining = true;
    expect(await upgrade('Host: localhost\r\n')).toContain(' 503 ');
  });

  it('of another URL is an ordinary request', async () => {
    await serve();
    expect(await upgrade('Host: localhost\r\nConnection: close\r\n', '/livez')).toContain(' 200 ');
    expect(await upgrade('Host: localhost\r\nConnection: close\r\n', '/nowhere')).toContain(' 404 ');
  });

  it('that is none is told so', async () => {
    await serve();
    const response = await harness.send('GET', '/ws/generate');
    expect(response.statusCode).toBe(400);
    expect(response.json().error.message).toContain('WebSocket');
  });
});
