import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { abortable } from '../../src/core/abortable.ts';
import { AppError } from '../../src/core/errors.ts';
import { finishEvent, startEvent, textEvents } from '../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-1', 'secret-2'] });
});
afterEach(() => harness.close());

const messages = [{ role: 'user', content: 'Hi' }];
const headers = { 'x-api-key': 'secret-1', 'idempotency-key': 'order-7' };
const chat = (fields: object = {}, more: Record<string, string> = {}) =>
  harness.send('POST', '/v1/chat/completions', { messages, ...fields }, { ...headers, ...more });

describe('a request that is repeated with its Idempotency-Key', () => {
  it.each([
    ['/v1/chat/completions', { messages }],
    ['/v1/chat/completions', { messages, stream: true }],
    ['/v1/messages', { model: 'tiny', messages, max_tokens: 10 }],
    ['/v1/messages', { model: 'tiny', messages, max_tokens: 10, stream: true }],
    ['/generate', { prompt: 'Hi' }],
    ['/api/v1/generate/stream', { prompt: 'Hi' }],
    ['/api/chat', { model: 'tiny', messages }],
    ['/v1/embeddings', { input: 'Hi' }],
  ])('gets the same answer of POST %s for %j, and no model is asked again', async (url, body) => {
    const first = await harness.send('POST', url, body, headers);
    const again = await harness.send('POST', url, body, headers);
    expect([again.statusCode, again.body]).toEqual([200, first.body]);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
    expect(again.headers['x-model-used']).toBe(first.headers['x-model-used']);
    expect([first.headers['idempotent-replayed'], again.headers['idempotent-replayed']]).toEqual([undefined, 'true']);
    expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(harness.gateway.calls.length + harness.gateway.wholeCalls.length).toBe(1);
  });

  it('is refused, with the header named, when it asks for something else', async () => {
    await chat();
    const refusals = [
      await chat({ temperature: 0.5 }),
      await chat({ stream: true }),
      await chat({}, { 'x-cloud': 'never' }),
      await harness.send('POST', '/v1/completions', { prompt: 'Hi' }, headers),
    ];
    for (const refused of refusals) {
      expect(refused.statusCode).toBe(422);
      expect(refused.json().error).toMatchObject({
        code: 'idempotency_key_reused',
        param: 'Idempotency-Key',
        message: expect.stringContaining('Idempotency-Key'),
      });
    }
    expect(harness.gateway.calls).toHaveLength(1);
  });

  it('is another request with another key', async () => {
    await chat();
    expect((await chat({}, { 'x-api-key': 'secret-2' })).headers['idempotent-replayed']).toBeUndefined();
    expect((await chat({}, { 'idempotency-key': 'order-8' })).headers['idempotent-replayed']).toBeUndefined();
    expect(harness.gateway.calls).toHaveLength(3);
  });

  it('is told to wait while the first is answered', async () => {
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    harness.gateway.play(async function* () {
      yield startEvent();
      await mayGoOn;
      yield* textEvents(['Hello'], 0);
      yield finishEvent(1);
    });
    const first = chat();
    await harness.gateway.call(0);
    const second = await chat();
    expect([second.statusCode, second.headers['retry-after']]).toEqual([409, '1']);
    expect(second.json().error.code).toBe('idempotency_key_in_use');
    goOn();
    await first;
    expect(harness.gateway.calls).toHaveLength(1);
  });

  it.each([false, true])('is tried anew when the first failed: as a stream %s', async (stream) => {
    harness.gateway.play(function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0).slice(0, 2);
      throw new AppError('worker_crashed', 'gone');
    });
    const failed = await chat({ stream });
    expect(stream ? sseData(failed.body).join() : failed.statusCode).toEqual(
      stream ? expect.stringContaining('gone') : 503,
    );
    harness.gateway.play(() => [startEvent(), ...textEvents(['Whole'], 0), finishEvent(1)]);
    const again = await chat({ stream });
    expect(again.body).toContain('Whole');
    expect(again.headers['idempotent-replayed']).toBeUndefined();
  });

  it('is tried anew when the first was not valid', async () => {
    expect((await chat({ messages: 7 })).statusCode).toBe(400);
    expect((await chat()).statusCode).toBe(200);
  });

  it('is tried anew when the client of the first left', async () => {
    const url = await harness.http.listen();
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      await abortable(signal, () => () => {});
    });
    const leaving = new AbortController();
    const init = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    };
    const first = fetch(`${url}/v1/chat/completions`, { ...init, signal: leaving.signal }).catch(() => null);
    const call = await harness.gateway.call(0);
    leaving.abort();
    await first;
    await call.released;
    harness.gateway.play(() => [startEvent(), ...textEvents(['Whole'], 0), finishEvent(1)]);
    let answer = await chat();
    while (answer.statusCode === 409) answer = await chat();
    expect(answer.body).toContain('Whole');
  });

  it('is forgotten after a day', async () => {
    await chat();
    harness.clock.advance(24 * 3_600_000);
    expect((await chat()).headers['idempotent-replayed']).toBeUndefined();
  });

  it.each(['', ' ', 'two words', 'x'.repeat(256)])('is refused with the key %j', async (key) => {
    const refused = await chat({}, { 'idempotency-key': key });
    expect([refused.statusCode, refused.json().error.param]).toEqual([400, 'Idempotency-Key']);
  });
});
