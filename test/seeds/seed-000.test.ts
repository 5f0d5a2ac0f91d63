import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { finishEvent, startEvent, textEvents } from '../support/fake-engine.ts';
import { expectPrinted } from './printed.ts';

const key = { authorization: 'Bearer secret-key' };

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key', 'other-key'] });
});
afterEach(() => harness.close());

/** The body as it is printed. */
const printed = {
  prompt: 'Explain quantum computing to a 5-year-old.',
  model: 'claude-3.5',
  max_tokens: 100,
};
const answer = {
  request_id: 'req_12345',
  output: 'Quantum computing is like...',
  model: 'claude-3.5',
  usage: { input_tokens: 10, output_tokens: 20 },
};
const generate = (fields: object = {}, headers: Record<string, string> = key) =>
  harness.send('POST', '/api/generate', { ...printed, ...fields }, headers);

describe('the zeroth seed specification', () => {
  it('has its generation', async () => {
    const response = await generate();
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), answer);
    expect(response.json()).toMatchObject({
      request_id: response.headers['x-request-id'],
      output: 'Hello world',
      model: 'claude-3.5',
    });
    expect(harness.gateway.calls[0]!.request).toMatchObject({
      model: 'claude-3.5',
      maxTokens: 100,
      sampling: { temperature: 0 },
    });
  });

  it('has its fields and their defaults', async () => {
    const metadata = { team: 'kitchen', turn: 7 };
    await harness.send('POST', '/api/generate', { prompt: 'Hi', temperature: 0.5, metadata, stream: false }, key);
    expect(harness.gateway.calls[0]!.request).toMatchObject({
      maxTokens: 800,
      sampling: { temperature: 0.5 },
      metadata: { team: 'kitchen', turn: '7' },
    });
  });

  it.each<[number, object, Record<string, string>]>([
    [400, { prompt: 7 }, key],
    [400, { max_tokens: 'many' }, key],
    [400, { temperature: 'warm' }, key],
    [401, {}, {}],
    [401, {}, { authorization: 'Bearer wrong-key' }],
  ])('has its error %d', async (status, fields, headers) => {
    const response = await generate(fields, headers);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({ error: expect.any(String) });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('takes its key as a bearer token and as an API key', async () => {
    expect((await generate({}, { 'x-api-key': 'secret-key' })).statusCode).toBe(200);
  });

  it('has its error 500, which tells nothing of the fault', async () => {
    harness.gateway.play(() => {
      throw new Error('secret at /home/someone');
    });
    const response = await generate();
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toMatch(/secret|home/);
  });

  it('streams by server-sent events', async () => {
    const response = await generate({ stream: true });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const records = sseData(response.body).map((data) => JSON.parse(data));
    expect(records.map(({ response: text }) => text).join('')).toBe('Hello world');
    expect(records.at(-1)).toMatchObject({ request_id: response.headers['x-request-id'], usage: { output_tokens: 2 } });
  });

  it('has its health, without a key', async () => {
    const healthy = await harness.send('GET', '/api/health');
    expect([healthy.statusCode, healthy.json()]).toEqual([200, { status: 'ok' }]);
    harness.engine.failure = new AppError('internal_error', 'broken');
    const unhealthy = await harness.send('GET', '/api/health');
    expect([unhealthy.statusCode, unhealthy.json()]).toEqual([500, { status: 'unhealthy' }]);
  });

  it('has the health under its own address too, in the words that the others ask for', async () => {
    expectPrinted((await harness.send('GET', '/health')).json(), { status: 'ok' });
  });
});

describe('the status of a request', () => {
  const status = (id: string, headers: Record<string, string> = key) =>
    harness.send('GET', `/status/${id}`, undefined, headers);

  /** An answer that waits at each step until it is let go on. */
  function stepwise() {
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    harness.gateway.play(async function* () {
      await steps[0].promise;
      yield startEvent();
      yield* textEvents(['Quantum', ' computing'], 0).slice(0, -1);
      await steps[1].promise;
      yield finishEvent(2);
    });
    return { begin: steps[0].resolve, end: steps[1].resolve };
  }

  it('is as printed from the queue to the end', async () => {
    const { begin, end } = stepwise();
    const asked = generate({}, { ...key, 'x-request-id': 'req_12345' });
    await harness.gateway.call(0);
    const created_at = '2026-03-04T05:06:07.089Z';
    const request_id = 'req_12345';
    expect((await status(request_id)).json()).toEqual({ request_id, status: 'queued', created_at });
    harness.clock.advance(1_000);
    begin();
    const running = { request_id, status: 'running', created_at, partial_output: 'Quantum computing' };
    await expect.poll(async () => (await status(request_id)).json()).toEqual(running);
    harness.clock.advance(1_000);
    end();
    await asked;
    expect((await status(request_id)).json()).toEqual({
      request_id,
      status: 'done',
      created_at,
      completed_at: '2026-03-04T05:06:09.089Z',
    });
  });

  it.each([
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/responses', { input: 'Hi' }],
    ['/v1/messages', { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] }],
    ['/api/chat', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/generate', { prompt: 'Hi', stream: true }],
  ])('is there for requests to %s', async (url, body) => {
    const { headers } = await harness.send('POST', url, body, key);
    expect((await status(String(headers['x-request-id']))).json()).toMatchObject({ status: 'done' });
  });

  it('is failed where the answer failed, before its begin and after it', async () => {
    for (const [id, before] of Object.entries({ early: [], late: [startEvent(), ...textEvents(['Hel'], 0)] })) {
      harness.gateway.play(function* () {
        yield* before;
        throw new AppError('worker_crashed', 'The model stopped.');
      });
      await generate({}, { ...key, 'x-request-id': id });
      expect((await status(id)).json()).toMatchObject({ status: 'failed', completed_at: expect.any(String) });
    }
  });

  it('of a batch is that of all its items', async () => {
    const { begin, end } = stepwise();
    const requests = [{ prompt: 'a' }, { prompt: 'b' }];
    const headers = { ...key, 'x-request-id': 'batch' };
    const asked = harness.send('POST', '/batch/generate', { requests }, headers);
    await harness.gateway.call(1);
    expect((await status('batch')).json()).toMatchObject({ status: 'queued' });
    begin();
    end();
    await asked;
    expect((await status('batch')).json()).toMatchObject({ status: 'done' });
  });

  it('is not there for an unknown request, and somebody else’s is unknown', async () => {
    await generate({}, { ...key, 'x-request-id': 'mine' });
    expect((await status('mine')).statusCode).toBe(200);
    const unknown = await status('yours');
    const foreign = await status('mine', { authorization: 'Bearer other-key' });
    expect([unknown.statusCode, foreign.statusCode]).toEqual([404, 404]);
    const withoutId = ({ error }: { error: { details: object } }) => ({
      ...error,
      details: { ...error.details, request_id: '' },
    });
    expect(withoutId(foreign.json())).toEqual(withoutId(unknown.json()));
    expect((await status('mine', {})).statusCode).toBe(401);
  });

  it('is forgotten after an hour, and the oldest of more than a thousand', async () => {
    const ids = Array.from({ length: 1_001 }, (_, index) => `r${index}`);
    for (const id of ids) await generate({}, { ...key, 'x-request-id': id });
    const statuses = async () => Promise.all(['r0', 'r1', 'r1000'].map(async (id) => (await status(id)).statusCode));
    expect(await statuses()).toEqual([404, 200, 200]);
    harness.clock.advance(60 * 60_000);
    expect(await statuses()).toEqual([404, 404, 404]);
  });
});
