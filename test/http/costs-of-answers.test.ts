import { afterEach, describe, expect, it } from 'vitest';
import type { AttemptGuard } from '../../src/core/attempt.ts';
import type { ProviderEvent } from '../../src/core/events.ts';
import { answerEvents } from '../support/fake-engine.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { createHarness, type Harness, sseData } from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

/** Books in which every answer has this cost, from its end on. */
const booksAt = (costNanoUsd: bigint | null): AttemptGuard => ({
  async admit() {
    let cost: bigint | null = null;
    return {
      cost: () => cost,
      async ended() {
        cost = costNanoUsd;
      },
    };
  },
});

/** A provider of the cloud that has the model `far-model`, beside this machine. */
async function setup(cost: bigint | null, events: ProviderEvent[] = answerEvents(['Hello'])) {
  const far = scriptedProvider(events, {
    id: 'far',
    commitsAt: 'content',
    nameOf: (model) => (model === 'far-model' ? model : null),
    relays: () => events.some(({ type }) => type === 'relay-head'),
    embed: async () => ({ model: 'far-model', vectors: [[1]], promptTokens: 3, queueMs: null }),
  });
  harness = await createHarness({}, {}, [far], undefined, [booksAt(cost)]);
}

const messages = [{ role: 'user', content: 'Hi' }];
const wholes: [string, object][] = [
  ['/generate', { prompt: 'Hi' }],
  ['/api/v1/generate', { prompt: 'Hi' }],
  ['/api/v1/chat', { messages }],
  ['/v1/chat/completions', { messages }],
  ['/v1/messages', { messages, max_tokens: 9 }],
  ['/v1/responses', { input: 'Hi', store: false }],
  ['/api/chat', { messages, stream: false }],
  ['/api/v1/embeddings', { input: 'Hi' }],
  ['/v1/embeddings', { input: 'Hi' }],
  ['/api/generate', { prompt: 'Hi', stream: false }],
  ['/api/v1/messages/create', { messages, max_tokens: 9 }],
  ['/api/embed', { input: 'Hi' }],
];

describe('the cost of an answer of the cloud', () => {
  it.each(wholes)('stands in a header where it comes whole: %s', async (path, body) => {
    await setup(150_000n);
    const response = await harness.send('POST', path, { model: 'far-model', ...body });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers['x-request-cost']).toBe('$0.000150');
  });

  it.each(wholes)('is in no header where it is unknown: %s', async (path, body) => {
    await setup(null);
    const response = await harness.send('POST', path, { model: 'far-model', ...body });
    expect(response.headers).not.toHaveProperty('x-request-cost');
  });

  it.each(wholes)('is in no header of an answer of this machine: %s', async (path, body) => {
    await setup(0n);
    const response = await harness.send('POST', path, { model: 'tiny', ...body });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers).not.toHaveProperty('x-request-cost');
  });

  it('stands in the answers that have a field for it, and null is unknown', async () => {
    await setup(150_000n);
    const ask = async (model: string) =>
      (await harness.send('POST', '/api/v1/generate', { model, prompt: 'Hi' })).json();
    expect(await ask('far-model')).toMatchObject({ cost: 0.00015, provider: 'far' });
    expect(await ask('tiny')).toMatchObject({ cost: 0, provider: 'local' });
    await harness.close();
    await setup(null);
    expect(await ask('far-model')).toMatchObject({ cost: null });
  });

  it.each(['/generate/stream', '/api/v1/generate/stream'])('stands in the last item of a stream: %s', async (path) => {
    await setup(150_000n);
    const { body } = await harness.send('POST', path, { model: 'far-model', prompt: 'Hi' });
    const items = sseData(body)
      .filter((data) => data !== '[DONE]')
      .map((data) => JSON.parse(data));
    expect(items.at(-1)).toMatchObject({ finished: true, cost: 0.00015 });
    expect(items.filter((item) => 'cost' in item)).toHaveLength(1);
  });

  it('stands in the last event of a stream of the zeroth specification, and in its whole answer', async () => {
    await setup(150_000n);
    const ask = (fields: object) =>
      harness.send('POST', '/api/generate', { model: 'far-model', prompt: 'Hi', ...fields });
    expect((await ask({ max_tokens: 9 })).json()).toMatchObject({ output: 'Hello', cost: 0.00015 });
    const events = sseData((await ask({ max_tokens: 9, stream: true })).body).map((data) => JSON.parse(data));
    expect(events.at(-1)).toMatchObject({ request_id: expect.any(String), cost: 0.00015 });
    expect(events.filter((event) => 'cost' in event)).toHaveLength(1);
    expect((await ask({ max_tokens: 9, model: 'tiny' })).json()).toMatchObject({ cost: 0 });
  });

  it('stands in the last event of a stream of the fourth specification, and in its envelope', async () => {
    await setup(150_000n);
    const ask = (path: string, model = 'far-model') =>
      harness.send('POST', `/api/v1/messages/${path}`, { model, messages, max_tokens: 9 });
    expect((await ask('create')).json()).toMatchObject({ metadata: { cost: 0.00015 } });
    const records = sseData((await ask('stream')).body).map((data) => JSON.parse(data));
    expect(records.at(-1)).toEqual({ type: 'message_stop', cost: 0.00015 });
    expect(records.filter((record) => 'cost' in record)).toHaveLength(1);
    expect((await ask('create', 'tiny')).json()).toMatchObject({ metadata: { cost: 0 } });
  });

  it.each([true, false])(
    'of a response is told again when it is asked for later (background: %s)',
    async (background) => {
      await setup(150_000n);
      const send = (method: 'GET' | 'POST', path: string, body?: object) => harness.send(method, path, body);
      const made = await send('POST', '/v1/responses', { model: 'far-model', input: 'Hi', background });
      const { id } = made.json();
      const later = async () => {
        for (;;) {
          const response = await send('GET', `/v1/responses/${id}`);
          if (response.json().status === 'completed' && (!background || response.headers['x-request-cost']))
            return response;
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      expect((await later()).headers['x-request-cost']).toBe('$0.000150');
      const here = await send('POST', '/v1/responses', { model: 'tiny', input: 'Hi' });
      expect((await send('GET', `/v1/responses/${here.json().id}`)).headers).not.toHaveProperty('x-request-cost');
    },
  );

  it('is the sum of several prompts', async () => {
    await setup(150_000n);
    const response = await harness.send('POST', '/v1/completions', { model: 'far-model', prompt: ['a', 'b', 'c'] });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers['x-request-cost']).toBe('$0.000450');
  });

  it('stands in the header of one that passes as it came', async () => {
    const [start, ...rest] = answerEvents(['Hello']);
    await setup(1_500_000_000n, [
      { type: 'relay-head', status: 200, headers: { 'content-type': 'application/json' } },
      { type: 'relay', bytes: Buffer.from('{"id":"msg_1"}') },
      start!,
      ...rest,
    ]);
    const response = await harness.send('POST', '/v1/messages', { model: 'far-model', messages, max_tokens: 9 });
    expect(response.body).toBe('{"id":"msg_1"}');
    expect(response.headers['x-request-cost']).toBe('$1.500000');
  });
});
