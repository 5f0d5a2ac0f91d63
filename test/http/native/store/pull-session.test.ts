import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../../src/config/schema.ts';
import type { PullInfo } from '../../../../src/core/pull.ts';
import { pullInfo } from '../../../support/fake-store.ts';
import { openWebSocket, type WebSocketClient } from '../../../support/websocket-client.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
let base: string;
const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  const closed = harness.close();
  harness.clock.advance(5_000);
  await closed;
});

async function serve(server: Partial<Config['server']> = {}): Promise<void> {
  harness = await createHarness(server);
  base = (await harness.http.listen()).replace('http:', 'ws:');
}

async function open(path = '/ws/pull/pull-1'): Promise<WebSocketClient> {
  const client = await openWebSocket(`${base}${path}`);
  clients.push(client.socket);
  return client;
}

const finishedAt = new Date('2026-02-03T04:06:00Z');

/** A pull that stays as it is until it is told its end, or nobody watches any more. */
function pullUnderWay() {
  const end = Promise.withResolvers<PullInfo>();
  const unwatched = Promise.withResolvers<void>();
  harness.store.changes = async function* (signal) {
    yield pullInfo();
    const gone = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null)));
    const last = await Promise.race([end.promise, gone]);
    if (last) yield last;
    else unwatched.resolve();
  };
  return { end: end.resolve, unwatched: unwatched.promise };
}

describe.each(['', '/api/v1'])('%s/ws/pull/{id}', (prefix) => {
  it('tells how the pull stands, each change and its end, in the fields of the event stream', async () => {
    await serve();
    harness.store.changes = async function* () {
      yield pullInfo();
      yield pullInfo({ receivedBytes: 3_000_000 });
      yield pullInfo({ state: 'done', receivedBytes: 4_000_000, finishedAt });
    };
    const events = await harness.send('GET', `${prefix}/models/pull/pull-1/events`);
    const records = [...events.body.matchAll(/^event: (\w+)\ndata: (.*)$/gm)];
    const client = await open(`${prefix}/ws/pull/pull-1`);
    const messages = await client.until('done');
    expect(messages).toEqual(records.map(([, type, data]) => ({ type, ...JSON.parse(data!) })));
    expect(messages.map(({ type, percent }) => [type, percent])).toEqual([
      ['progress', 50],
      ['progress', 75],
      ['done', 100],
    ]);
    expect(await client.closed).toMatchObject({ code: 1000, wasClean: true });
  });

  it('answers an unknown id with an error and a clean close', async () => {
    await serve();
    const client = await open(`${prefix}/ws/pull/none`);
    expect(await client.next()).toEqual({
      type: 'error',
      error: {
        code: 'NOT_FOUND',
        message: 'There is no pull of this id.',
        details: { field: 'id', request_id: expect.any(String) },
      },
    });
    expect(await client.closed).toMatchObject({ code: 1008, wasClean: true });
  });
});

describe('a WebSocket that follows a pull', () => {
  it('tells a failure as an error with its reason', async () => {
    await serve();
    const error = { code: 'hub_failed', message: 'The hub could not be read.', fix: 'Try again later.', details: {} };
    harness.store.changes = async function* () {
      yield pullInfo({ state: 'failed', error, finishedAt });
    };
    expect(await (await open()).next()).toMatchObject({
      type: 'error',
      state: 'failed',
      error: { code: 'hub_failed', message: 'The hub could not be read.', fix: 'Try again later.' },
    });
  });

  it('cancels the pull when told to, and tells its end', async () => {
    await serve();
    const pull = pullUnderWay();
    const client = await open();
    expect(await client.next()).toMatchObject({ type: 'progress', state: 'downloading' });
    client.send({ action: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
    client.send({ action: 'cancel', discard: true });
    client.send({ action: 'ping' });
    await client.next();
    expect(harness.store.cancelled).toEqual([{ id: 'pull-1', discard: true }]);
    pull.end(pullInfo({ state: 'cancelled', finishedAt }));
    expect(await client.next()).toMatchObject({ type: 'cancelled', state: 'cancelled' });
    expect((await client.closed).code).toBe(1000);
  });

  it('does not cancel it by going away', async () => {
    await serve();
    const pull = pullUnderWay();
    const client = await open();
    await client.next();
    client.socket.close();
    await pull.unwatched;
    expect(harness.store.cancelled).toEqual([]);
  });

  it('says what was wrong with a message, and goes on', async () => {
    await serve();
    const pull = pullUnderWay();
    const client = await open();
    await client.next();
    const refused = async (message: unknown) => {
      client.send(message);
      return ((await client.next())['error'] as { details: { field?: string } }).details.field;
    };
    expect(await refused({ action: 'generate', prompt: 'Hi' })).toBe('action');
    expect(await refused({ action: 'cancel', discard: 'yes' })).toBe('discard');
    expect(await refused({ action: 'cancel', id: 'pull-2' })).toBe('id');
    expect(await refused('{broken')).toBeUndefined();
    expect(harness.store.cancelled).toEqual([]);
    pull.end(pullInfo({ state: 'done', receivedBytes: 4_000_000, finishedAt }));
    expect(await client.next()).toMatchObject({ type: 'done' });
  });

  it('learns that a cancelling failed', async () => {
    await serve();
    pullUnderWay();
    const client = await open();
    await client.next();
    harness.store.known.clear();
    client.send({ action: 'cancel' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'NOT_FOUND' } });
  });

  it('is closed with 1011 when watching breaks, and the reason stays in the log', async () => {
    await serve();
    harness.store.changes = async function* () {
      yield pullInfo();
      throw new Error('/secret/path is broken');
    };
    const client = await open();
    const [, failure] = await client.until('error');
    expect(failure).toMatchObject({ error: { code: 'INTERNAL_ERROR' } });
    expect(JSON.stringify(failure)).not.toContain('secret');
    expect((await client.closed).code).toBe(1011);
  });

  it('is closed with 1001 when the server shuts down', async () => {
    await serve();
    const pull = pullUnderWay();
    const client = await open();
    await client.next();
    const closed = harness.http.close();
    expect((await client.closed).code).toBe(1001);
    await closed;
    await pull.unwatched;
    expect(harness.store.cancelled).toEqual([]);
  });
});

describe('an upgrade at /ws/pull/{id}', () => {
  it.each([
    ['without the key', 'Host: localhost\r\n', 401],
    ['with a wrong key', 'Host: localhost\r\nX-API-Key: wrong\r\n', 401],
    ['from a foreign host', 'Host: evil.example\r\nX-API-Key: secret-key\r\n', 403],
    ['from a foreign origin', 'Host: localhost\r\nX-API-Key: secret-key\r\nOrigin: https://evil.example\r\n', 403],
    ['with all in order', 'Host: localhost\r\nX-API-Key: secret-key\r\n', 101],
  ])('%s is answered before anything is upgraded: %3$i', async (_title, headers, status) => {
    await serve({ apiKeys: ['secret-key'] });
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.write(
      'GET /ws/pull/pull-1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`,
    );
    const [text] = await once(socket, 'data');
    socket.destroy();
    expect(String(text)).toContain(`HTTP/1.1 ${status} `);
  });

  it('that is none is told so', async () => {
    await serve();
    const response = await harness.send('GET', '/ws/pull/pull-1');
    expect(response.statusCode).toBe(400);
    expect(response.json().error.message).toContain('WebSocket');
  });
});
