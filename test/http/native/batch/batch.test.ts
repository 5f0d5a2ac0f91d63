import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../../src/core/errors.ts';
import { answerEvents, startEvent, untilAborted } from '../../../support/fake-engine.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const batch = (requests: unknown, mount = '') => harness.send('POST', `${mount}/batch/generate`, { requests });
const promptOf = (request: { input: object }) => JSON.stringify(request.input).match(/"text":"([^"]*)"/)![1]!;

describe('POST /batch/generate', () => {
  it('answers in the order of the requests, each as it would be alone', async () => {
    harness.gateway.play((request) => answerEvents([`to ${promptOf(request)}`]));
    const { results } = (
      await batch([
        { prompt: 'a', max_tokens: 3 },
        { prompt: 'b', temperature: 0 },
      ])
    ).json();
    const alone = (await harness.send('POST', '/generate', { prompt: 'a' })).json();
    expect(results.map(({ text }: { text: string }) => text)).toEqual(['to a', 'to b']);
    expect(Object.keys(results[0])).toEqual(Object.keys(alone));
    expect(harness.gateway.calls.map(({ request }) => [request.maxTokens, request.sampling.temperature])).toEqual([
      [3, undefined],
      [undefined, 0],
      [undefined, undefined],
    ]);
  });

  it('has four at a time with the provider, and the next when one has ended', async () => {
    const gates = Array.from({ length: 9 }, () => Promise.withResolvers<void>());
    let open = 0;
    const seen: number[] = [];
    harness.gateway.play(async function* (request) {
      seen.push(++open);
      await gates[Number(promptOf(request))]!.promise;
      yield* answerEvents([promptOf(request)]);
      open--;
    });
    const answered = batch(gates.map((_, index) => ({ prompt: String(index) })));
    await harness.gateway.call(3);
    // The last of the first four ends first: order of ending is not order of results.
    for (const index of [3, 2, 1, 0, 8, 7, 6, 5, 4]) gates[index]!.resolve();
    const { results } = (await answered).json();
    expect(Math.max(...seen)).toBe(4);
    expect(results.map(({ text }: { text: string }) => text)).toEqual(gates.map((_, index) => String(index)));
  });

  it.each([
    ['', { error: { code: 'MODEL_NOT_FOUND', message: 'No such model.', details: { field: 'model' } } }],
    ['/api/v1', { error: 'NotFound', detail: 'No such model.', status_code: 404, field: 'model' }],
  ])('has the error of one as its result at %s/, and answers the others', async (mount, error) => {
    harness.gateway.play((request) => {
      if (request.model === 'missing') throw new AppError('model_not_found', 'No such model.', { field: 'model' });
      return answerEvents(['fine']);
    });
    const response = await batch([{ prompt: 'a' }, { prompt: 'b', model: 'missing' }, { prompt: 'c' }], mount);
    expect(response.statusCode).toBe(200);
    expect(response.json().results).toMatchObject([{ text: 'fine' }, error, { text: 'fine' }]);
  });

  it('has an error in the middle of an answer as its result, not half of the answer', async () => {
    harness.gateway.play(async function* () {
      yield* answerEvents(['half']).slice(0, -1);
      throw new AppError('worker_crashed', 'The model stopped.');
    });
    const [result] = (await batch([{ prompt: 'a' }])).json().results;
    expect(Object.keys(result)).toEqual(['error']);
    expect(result.error.code).toBe('WORKER_CRASHED');
  });

  it('names what is wrong with one request in its result, and counts it', async () => {
    const wrong: [unknown, string | undefined][] = [
      [{ prompt: '' }, 'prompt'],
      [{}, 'prompt'],
      [{ prompt: 'a', temperature: 3 }, 'temperature'],
      [{ prompt: 'a', stream: true }, 'stream'],
      [{ prompt: 'a', unknown: 1 }, 'unknown'],
      [{ prompt: 'a', model: '../x' }, 'model'],
      [{ prompt: 'a', stop: 'x', stop_sequences: 'y' }, 'stop_sequences'],
      [{ prompt: 'a', raw: true, system: 'b' }, 'raw'],
      ['a', undefined],
      [null, undefined],
    ];
    const { results } = (await batch([...wrong.map(([item]) => item), { prompt: 'a' }])).json();
    expect(results.slice(0, -1).map(({ error }: { error: { code: string } }) => error.code)).toEqual(
      wrong.map(() => 'INVALID_REQUEST'),
    );
    expect(
      results.slice(0, -1).map(({ error }: { error: { details: { field?: string } } }) => error.details.field),
    ).toEqual(wrong.map(([, field]) => field));
    expect(results.at(-1)).toMatchObject({ text: 'Hello world' });
    expect(harness.gateway.calls).toHaveLength(1);
    expect(await harness.metrics()).toContain(`hearth_rejected_total{reason="invalid_request"} ${wrong.length}`);
  });

  it.each<[string, object, string]>([
    ['no requests', { requests: [] }, 'requests'],
    ['257 requests', { requests: Array.from({ length: 257 }, () => ({ prompt: 'a' })) }, 'requests'],
    ['a hundred thousand', { requests: Array.from({ length: 100_001 }, () => 1) }, 'requests'],
    ['requests that are no list', { requests: { prompt: 'a' } }, 'requests'],
    ['a body without requests', {}, 'requests'],
    ['another field', { requests: [{ prompt: 'a' }], stream: true }, 'stream'],
  ])('refuses %s as a whole', async (_title, body, field) => {
    const response = await harness.send('POST', '/batch/generate', body);
    expect([response.statusCode, response.json().error.details.field]).toEqual([400, field]);
    expect(harness.gateway.calls).toEqual([]);
  });

  it('takes no batch while the server drains', async () => {
    harness.lifecycle.isDraining = true;
    expect((await batch([{ prompt: 'a' }])).statusCode).toBe(503);
  });

  it('ends those that run, and begins no other, when its client leaves', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      yield await untilAborted(signal);
    });
    const socket = connect(Number(new URL(await harness.http.listen()).port), '127.0.0.1');
    const json = JSON.stringify({ requests: Array.from({ length: 6 }, () => ({ prompt: 'a' })) });
    socket.write(
      `POST /batch/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${json.length}\r\n\r\n${json}`,
    );
    await harness.gateway.call(3);
    socket.destroy();
    await once(socket, 'close');
    await Promise.all(harness.gateway.calls.map(({ released }) => released));
    await harness.close();
    expect(harness.gateway.calls).toHaveLength(4);
    for (const { context } of harness.gateway.calls) {
      expect(context.signal.reason).toMatchObject({ code: 'client_closed_request' });
    }
  });
});
