import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { answerEvents, finishEvent, startEvent, textEvents, toolCallEvents } from '../support/fake-engine.ts';
import { expectPrinted } from './printed.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());
afterEach(() => harness.gateway.play(() => answerEvents(['Hello', ' world'])));

const post = (path: string, body: unknown, headers: Record<string, string> = { 'x-request-id': 'req_1' }) =>
  harness.send('POST', `/api/v1/messages/${path}`, body, headers);
const lastRequest = () => harness.gateway.calls.at(-1)!.request;

const model = 'claude-sonnet-4-20250514';
const request = {
  model,
  messages: [{ role: 'user', content: 'Hello, Claude!' }],
  max_tokens: 1024,
  temperature: 0.7,
};
const metadata = { request_id: 'req_xxx', processing_time_ms: 1200 };

describe('the fourth seed specification', () => {
  it('has its message', async () => {
    const response = await post('create', request);
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), {
      success: true,
      data: {
        id: 'msg_xxx',
        content: [{ type: 'text', text: 'Hello! How can I help you?' }],
        usage: { input_tokens: 10, output_tokens: 8 },
      },
      metadata,
    });
    expect(response.json()).toMatchObject({
      success: true,
      data: {
        content: [{ type: 'text', text: 'Hello world' }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 3, cache_read_input_tokens: 2, output_tokens: 2 },
      },
      metadata: { request_id: 'req_1' },
    });
    expect(lastRequest()).toMatchObject({ model, maxTokens: 1024, sampling: { temperature: 0.7 } });
  });

  it('has its stream: every event that it lists, told by its type, and each text as its sample reads it', async () => {
    const response = await post('stream', request);
    expect(response.headers['content-type']).toBe('text/event-stream');
    // A reader by EventSource.onmessage sees no record that has an event name.
    expect(response.body).not.toContain('event:');
    const records = sseData(response.body).map((record) => JSON.parse(record));
    expect(records.map(({ type }) => type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'text',
      'content_block_delta',
      'text',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const texts = records.filter(({ type }) => type === 'text').map(({ text }) => text);
    expect(texts).toEqual(['Hello', ' world']);
  });

  it('streams from its other route too, where the body says so', async () => {
    expect((await post('create', { ...request, stream: true })).headers['content-type']).toBe('text/event-stream');
  });

  it('refuses what its sample for EventSource sends: a GET, which has no body', async () => {
    const response = await harness.send('GET', '/api/v1/messages/stream');
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe('POST');
    expectPrinted(response.json(), {
      success: false,
      error: 'text',
      metadata: { error_type: 'x', request_id: 'req_xxx' },
    });
  });

  it('has its count of tokens', async () => {
    const response = await post('count-tokens', { model, messages: [{ role: 'user', content: 'Hello, world' }] });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), { success: true, data: { input_tokens: 10 }, metadata });
    expect(response.json().data).toEqual({ input_tokens: 5 });
  });

  it('has its tools, with the choice as a word and without the most tokens', async () => {
    const tools = [
      {
        name: 'get_weather',
        description: 'Get weather information',
        input_schema: { type: 'object', properties: { location: { type: 'string' } } },
      },
    ];
    const messages = [{ role: 'user', content: "What's the weather?" }];
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_1', 'get_weather', ['{"location":', '"Oslo"}']),
      finishEvent(3, 'tool_calls'),
    ]);
    const response = await post('create', { model, messages, tools, tool_choice: 'auto' });
    expect(response.json()).toMatchObject({
      success: true,
      data: {
        content: [{ type: 'tool_use', name: 'get_weather', input: { location: 'Oslo' } }],
        stop_reason: 'tool_use',
      },
    });
    expect(lastRequest().input).toMatchObject({ tools: [{ name: 'get_weather' }], toolChoice: { type: 'auto' } });
    for (const [choice, arrived] of [
      ['any', { type: 'required' }],
      ['none', { type: 'none' }],
      [
        { type: 'tool', name: 'get_weather' },
        { type: 'tool', name: 'get_weather' },
      ],
    ]) {
      await post('create', { model, messages, tools, tool_choice: choice });
      expect(lastRequest().input).toMatchObject({ toolChoice: arrived });
    }
    const counted = await post('count-tokens', { model, messages, tools, tool_choice: 'auto' });
    expect(counted.statusCode).toBe(200);
    expect((await post('create', { model, messages, tools, tool_choice: 'tool' })).json()).toMatchObject({
      metadata: { field: 'tool_choice' },
    });
  });

  it('has its system message', async () => {
    const messages = [{ role: 'user', content: 'Hello!' }];
    const response = await post('create', { model, messages, system: 'You are a helpful assistant.' });
    expect(response.statusCode).toBe(200);
    expect(lastRequest().input).toMatchObject({
      messages: [{ role: 'system', content: [{ text: 'You are a helpful assistant.' }] }, { role: 'user' }],
    });
  });

  it.each(['create', 'stream', 'count-tokens'])('has its error at %s', async (path) => {
    const response = await post(path, { ...request, messages: [{ role: 'robot', content: 'x' }] });
    expect(response.statusCode).toBe(400);
    expectPrinted(response.json(), {
      success: false,
      error: 'Detailed error message',
      metadata: { error_type: 'APIError', request_id: 'req_xxx' },
    });
    expect(response.json().metadata).toMatchObject({ error_type: 'BadRequestError', field: 'messages.0.role' });
  });

  it('has its error under its prefix also where there is no route', async () => {
    expect((await post('batches', {})).json()).toMatchObject({
      success: false,
      metadata: { error_type: 'NotFoundError' },
    });
  });

  it('has its error as the last record of a stream that failed in the middle', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0).slice(0, -1);
      throw new AppError('worker_crashed', 'The model stopped.');
    });
    const records = sseData((await post('stream', request)).body).map((record) => JSON.parse(record));
    expect(records.at(-1)).toEqual({
      type: 'error',
      success: false,
      error: 'The model stopped.',
      metadata: { error_type: 'InternalServerError', request_id: 'req_1', code: 'worker_crashed' },
    });
    expect(records.map(({ type }) => type)).not.toContain('message_stop');
  });

  it('begins a stream before its answer does, as Anthropic’s own route', async () => {
    const gate = Promise.withResolvers<void>();
    harness.gateway.play(async function* () {
      await gate.promise;
      yield* answerEvents(['late']);
    });
    const calls = harness.gateway.calls.length;
    const asked = post('stream', request);
    await harness.gateway.call(calls);
    harness.clock.advance(9_500);
    await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    const records = sseData((await asked).body).map((record) => JSON.parse(record));
    expect(records.map(({ type }) => type)).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'text',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('has its list of models and its model in the envelope', async () => {
    for (const path of ['/api/v1/models', '/api/v1/models/tiny']) {
      const answer = (await harness.send('GET', path)).json();
      expectPrinted(answer, { success: true, data: null, metadata: { request_id: 'req_xxx' } });
      expect(answer.success).toBe(true);
    }
  });

  it('has its health', async () => {
    expectPrinted((await harness.send('GET', '/health')).json(), {
      status: 'healthy',
      version: '1.0.0',
      clients_initialized: true,
    });
  });
});
