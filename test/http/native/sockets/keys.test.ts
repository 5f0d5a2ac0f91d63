import { afterEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../../src/core/events.ts';
import { answerEvents, startEvent, textEvents, untilAborted } from '../../../support/fake-engine.ts';
import { openWebSocket, type WebSocketClient } from '../../../support/websocket-client.ts';
import { cloudOf, createHarness, type Harness } from '../../harness.ts';

const admin = { 'x-api-key': 'secret-admin' };
const keys = [{ name: 'admin', key: 'secret-admin', scopes: ['admin', 'inference'] }];
let harness: Harness;
let base: string;
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  const closed = harness.close();
  harness.clock.advance(5_000);
  await closed;
});

async function serve(): Promise<void> {
  harness = await createHarness({}, {}, [], cloudOf({ keys }));
  base = await harness.http.listen();
}
async function make(wish: object = {}): Promise<string> {
  return (await harness.send('POST', '/api/v1/keys', { name: 'kitchen', ...wish }, admin)).json().key;
}
async function open(key: string, path = '/ws/generate'): Promise<WebSocketClient> {
  const client = await openWebSocket(`${base.replace('http:', 'ws:')}${path}`, { 'x-api-key': key });
  clients.push(client.socket);
  return client;
}
const revoke = () => harness.send('DELETE', '/api/v1/keys/kitchen', undefined, admin);
const generate = { action: 'generate', prompt: 'Hi' };

describe('an open WebSocket', () => {
  it.each(['/ws/generate', '/api/v1/ws/providers'])('ends soon after its key was revoked: %s', async (path) => {
    await serve();
    const client = await open(await make(), path);
    harness.clock.advance(5_000);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    await revoke();
    harness.clock.advance(5_000);
    expect(await client.closed).toMatchObject({ code: 4401, reason: 'the key was revoked or has expired' });
  });

  it('answers no message more of a key that was revoked', async () => {
    await serve();
    const client = await open(await make());
    await revoke();
    client.send(generate);
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('ends with what it generates when its key expires', async () => {
    await serve();
    const ended = Promise.withResolvers<void>();
    harness.gateway.play(async function* (_request: unknown, signal: AbortSignal): AsyncGenerator<StreamEvent> {
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      yield await untilAborted(signal).finally(ended.resolve);
    });
    const client = await open(
      await make({ expires_at: new Date(harness.clock.now().getTime() + 7_000).toISOString() }),
    );
    client.send(generate);
    expect(await client.next()).toMatchObject({ type: 'token' });
    harness.clock.advance(5_000);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    harness.clock.advance(5_000);
    expect(await client.closed).toMatchObject({ code: 4401 });
    await ended.promise;
  });

  it('has the rights that its key has now', async () => {
    await serve();
    const withKitchen = (changes: object) =>
      cloudOf({ keys: [...keys, { name: 'kitchen', key: 'secret-kitchen', ...changes }] });
    const reload = async (changes: object) => {
      harness.next.load = () => ({ ...harness.configuration.current(), cloud: withKitchen(changes) });
      await harness.send('POST', '/api/v1/config/reload', undefined, admin);
    };
    await reload({});
    const client = await open('secret-kitchen');
    harness.gateway.play(() => answerEvents(['Hello']));
    client.send(generate);
    await client.until('done');
    await reload({ models: ['another'] });
    client.send(generate);
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'FORBIDDEN' } });
    await reload({ scopes: ['admin'] });
    client.send(generate);
    expect((await client.closed).code).toBe(4403);
  });

  it('is not opened by a ticket whose key was revoked since', async () => {
    await serve();
    const key = await make();
    const { ticket } = (await harness.send('POST', '/tickets', undefined, { 'x-api-key': key })).json();
    await revoke();
    await expect(openWebSocket(`${base.replace('http:', 'ws:')}/ws/generate?ticket=${ticket}`)).rejects.toThrow(
      'refused',
    );
  });
});
