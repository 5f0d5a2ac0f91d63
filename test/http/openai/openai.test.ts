import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { unknownTimings, unknownUsage } from '../../../src/core/usage.ts';
import { finishEvent, modelInfo, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const hello = { messages: [{ role: 'user', content: 'Hi' }] };
const createdSeconds = 1772600767;

const chat = (body: object) => harness.send('POST', '/v1/chat/completions', { ...hello, ...body });

describe('POST /v1/chat/completions', () => {
  it('answers with the whole object that OpenAI describes, null fields included', async () => {
    const response = await chat({ model: 'tiny' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    const body = response.json();
    expect(body.id).toMatch(/^chatcmpl-[0-9a-f]{24}$/);
    expect(body).toStrictEqual({
      id: body.id,
      object: 'chat.completion',
      created: createdSeconds,
      model: 'tiny',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello world', refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
        completion_tokens_details: {
          reasoning_tokens: 0,
          accepted_prediction_tokens: 0,
          rejected_prediction_tokens: 0,
        },
      },
    });
  });

  it('says in its headers who answered', async () => {
    for (const url of ['/v1/chat/completions', '/v1/completions']) {
      const response = await harness.send('POST', url, { ...hello, prompt: 'Hi', model: 'tiny' });
      expect(response.headers).toMatchObject({ 'x-model-used': 'tiny', 'x-provider-used': expect.any(String) });
    }
  });

  it('streams role, text, finish reason and [DONE], byte for byte', async () => {
    const response = await chat({ stream: true });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(response.headers['cache-control']).toBe('no-cache');
    expect(response.headers['x-accel-buffering']).toBe('no');
    const id = /"id":"(chatcmpl-[0-9a-f]{24})"/.exec(response.body)![1];
    const chunk = (delta: string, finish: string) =>
      `data: {"id":"${id}","object":"chat.completion.chunk","created":${createdSeconds},"model":"tiny",` +
      `"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}]}\n\n`;
    expect(response.body).toBe(
      chunk('{"role":"assistant","content":"","refusal":null}', 'null') +
        chunk('{"content":"Hello"}', 'null') +
        chunk('{"content":" world"}', 'null') +
        chunk('{}', '"stop"') +
        'data: [DONE]\n\n',
    );
  });

  it('adds a chunk with usage and no choices when asked, and usage null to all others', async () => {
    const response = await chat({ stream: true, stream_options: { include_usage: true } });
    const items = sseData(response.body);
    expect(items.at(-1)).toBe('[DONE]');
    const chunks = items.slice(0, -1).map((item) => JSON.parse(item));
    expect(chunks.slice(0, -1).map((chunk) => chunk.usage)).toEqual([null, null, null, null]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } });
  });

  it('counts tool calls, not blocks, and sends id, type and name once', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...textEvents(['Let me see.'], 0),
      ...toolCallEvents(1, 'call_a', 'weather', ['{"city":', '"Oslo"}']),
      ...toolCallEvents(2, 'call_b', 'time', ['{}']),
      finishEvent(9, 'tool_calls'),
    ]);
    const response = await chat({ stream: true });
    const deltas = sseData(response.body)
      .slice(0, -1)
      .map((item) => JSON.parse(item).choices[0]);
    expect(deltas.slice(2).map((choice) => choice.delta)).toEqual([
      { tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'weather', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '"Oslo"}' } }] },
      { tool_calls: [{ index: 1, id: 'call_b', type: 'function', function: { name: 'time', arguments: '' } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      {},
    ]);
    expect(deltas.at(-1).finish_reason).toBe('tool_calls');
  });

  it('answers tool calls with null content and the arguments as the model wrote them', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_a', 'weather', ['{ "city": "Oslo" }']),
      finishEvent(9, 'tool_calls'),
    ]);
    const { choices } = (await chat({})).json();
    expect(choices[0]).toEqual({
      index: 0,
      message: {
        role: 'assistant',
        content: null,
        refusal: null,
        annotations: [],
        tool_calls: [
          { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{ "city": "Oslo" }' } },
        ],
      },
      logprobs: null,
      finish_reason: 'tool_calls',
    });
  });

  it('keeps reasoning apart from the answer, streaming or not', async () => {
    harness.gateway.play((): StreamEvent[] => [
      startEvent(),
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'hm' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      ...textEvents(['Yes'], 1),
      finishEvent(2),
    ]);
    expect((await chat({})).json().choices[0].message).toMatchObject({ content: 'Yes', reasoning_content: 'hm' });
    const items = sseData((await chat({ stream: true })).body);
    expect(JSON.parse(items[1]!).choices[0].delta).toEqual({ reasoning_content: 'hm' });
    expect(JSON.parse(items[2]!).choices[0].delta).toEqual({ content: 'Yes' });
  });

  it('says null, not zero, for usage that nobody counted', async () => {
    harness.gateway.play((): StreamEvent[] => [
      startEvent(),
      {
        type: 'finish',
        reason: 'stop',
        rawReason: null,
        stopSequence: null,
        usage: unknownUsage,
        timings: unknownTimings,
      },
    ]);
    expect((await chat({})).json().usage).toBeNull();
  });

  it('keeps the true status of a failure before the first event, with all four keys and the detail', async () => {
    harness.gateway.play(() => {
      throw new AppError('queue_full', 'Too many requests wait.', { fix: 'Try later.', retryAfterSeconds: 2.2 });
    });
    const response = await chat({ stream: true });
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBe('3');
    expect(response.headers['x-should-retry']).toBeUndefined();
    expect(response.json()).toStrictEqual({
      error: {
        message: 'Too many requests wait. Try later.',
        type: 'rate_limit_error',
        param: null,
        code: 'rate_limit_exceeded',
      },
      detail: 'Too many requests wait. Try later.',
    });
  });

  it('tells clients not to repeat what no waiting heals, also where it has a status that they repeat', async () => {
    harness.gateway.play(() => {
      throw new AppError('upstream_quota_exceeded', 'The tokens of the day are used up.');
    });
    const response = await chat({});
    expect(response.statusCode).toBe(429);
    expect(response.headers['x-should-retry']).toBe('false');
  });

  it('ends a stream that fails in the middle with an error record and no [DONE]', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      throw new AppError('worker_crashed', 'The model stopped.');
    });
    const items = sseData((await chat({ stream: true })).body);
    expect(items).not.toContain('[DONE]');
    expect(items.at(-1)).toBe(
      '{"error":{"message":"The model stopped.","type":"server_error","param":null,"code":"worker_crashed"}}',
    );
  });

  it('says nothing of an unexpected failure but that there was one, and tells clients not to repeat it', async () => {
    harness.gateway.play(() => {
      throw new Error('/secret/path exploded');
    });
    const response = await chat({});
    expect(response.statusCode).toBe(500);
    expect(response.headers['x-should-retry']).toBe('false');
    expect(response.body).not.toContain('secret');
    expect(response.json().error).toMatchObject({ type: 'server_error', code: 'internal_error' });
  });

  it('hands the request to the core in its own words', async () => {
    await chat({
      model: 'tiny:q8_0',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'a' }] },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'time', arguments: '{"zone":"UTC"}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: '12:00' },
      ],
      tools: [{ type: 'function', function: { name: 'time', parameters: { type: 'object', properties: {} } } }],
      tool_choice: { type: 'function', function: { name: 'time' } },
      temperature: 0.5,
      top_p: null,
      seed: -1,
      max_tokens: 5,
      max_completion_tokens: 6,
      stop: 'END',
      keep_alive: '5m',
      user: 'somebody',
      of_tomorrow: 'unknown fields are dropped',
    });
    expect(harness.gateway.calls[0]!.request).toEqual({
      model: 'tiny:q8_0',
      endUserId: 'somebody',
      input: {
        type: 'chat',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
          { role: 'user', content: [{ type: 'text', text: 'a' }] },
          {
            role: 'assistant',
            content: [
              {
                type: 'tool-call',
                id: 'c1',
                name: 'time',
                arguments: { zone: 'UTC' },
                argumentsText: '{"zone":"UTC"}',
              },
            ],
          },
          {
            role: 'user',
            content: [
              { type: 'tool-result', callId: 'c1', isError: false, content: [{ type: 'text', text: '12:00' }] },
            ],
          },
        ],
        tools: [{ name: 'time', parameters: { type: 'object', properties: {} } }],
        toolChoice: { type: 'tool', name: 'time' },
      },
      sampling: { temperature: 0.5, seed: 4294967295 },
      stop: ['END'],
      maxTokens: 6,
      keepAliveMs: 300_000,
    });
  });

  it.each([
    ['behind a reference', { $ref: '#/definitions/A', definitions: { A: { type: 'object' } } }],
    ['without a type', { properties: { a: { type: 'string' } } }],
    ['of an object or null', { type: ['object', 'null'] }],
  ])('takes parameters of a tool %s', async (_title, parameters) => {
    await chat({
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [{ type: 'function', function: { name: 'time', parameters } }],
    });
    expect(harness.gateway.calls[0]!.request.input).toMatchObject({ tools: [{ name: 'time', parameters }] });
  });

  it('leaves it to the provider whether it can read an image or a file, and names the place as the client knows it', async () => {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
      { type: 'image_url', image_url: { url: 'https://example.com/cat.jpg', detail: 'low' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,aGk=' } },
      { type: 'file', file: { file_id: 'file-1' } },
    ];
    harness.gateway.play(() => {
      throw new AppError('invalid_request', '"tiny" reads text only, and was sent an image.', {
        field: 'input.messages.0.content.1',
      });
    });
    const response = await chat({ messages: [{ role: 'user', content }] });
    const { input } = harness.gateway.calls[0]!.request;
    expect(input).toMatchObject({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image', mediaType: 'image/png', source: { type: 'bytes', base64: 'aGk=' } },
            { type: 'image', mediaType: null, source: { type: 'url', url: 'https://example.com/cat.jpg' } },
            {
              type: 'document',
              mediaType: 'application/pdf',
              source: { type: 'bytes', base64: 'aGk=' },
              title: 'a.pdf',
            },
            { type: 'document', mediaType: null, source: { type: 'file', fileId: 'file-1' } },
          ],
        },
      ],
    });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({
      param: 'messages.0.content.1',
      message: expect.stringContaining('reads text only'),
    });
  });

  it('asks for the default model when none is named', async () => {
    await chat({});
    expect(harness.gateway.calls[0]!.request.model).toBe('default');
  });
});

describe('POST /v1/completions', () => {
  it('continues text as it stands, 16 tokens unless told otherwise', async () => {
    const response = await harness.send('POST', '/v1/completions', { prompt: ['Once'] });
    const body = response.json();
    expect(body.id).toMatch(/^cmpl-[0-9a-f]{24}$/);
    expect(body).toMatchObject({
      object: 'text_completion',
      created: createdSeconds,
      choices: [{ index: 0, text: 'Hello world', logprobs: null, finish_reason: 'stop' }],
      usage: { total_tokens: 7 },
    });
    const { request } = harness.gateway.calls[0]!;
    expect(request.input).toEqual({ type: 'text', prompt: 'Once' });
    expect(request.maxTokens).toBe(16);
  });

  it('streams text and ends with [DONE]', async () => {
    const response = await harness.send('POST', '/v1/completions', { prompt: 'Once', stream: true });
    const items = sseData(response.body);
    expect(items.at(-1)).toBe('[DONE]');
    const choices = items.slice(0, -1).map((item) => JSON.parse(item).choices[0]);
    expect(choices.map((choice) => choice.text)).toEqual(['Hello', ' world', '']);
    expect(choices.map((choice) => choice.finish_reason)).toEqual([null, null, 'stop']);
  });
});

describe('GET /v1/models', () => {
  const tiny = {
    id: 'tiny',
    object: 'model',
    created: 1767323045,
    owned_by: 'hearth',
    output_modalities: ['text', 'decisions'],
  };

  it('says what comes of a model', async () => {
    harness.engine.models = [
      modelInfo(),
      modelInfo({ name: 'vectors', aliases: [], purpose: 'embed' }),
      modelInfo({ name: 'ranks', aliases: [], purpose: 'rank' }),
    ];
    const { data } = (await harness.send('GET', '/v1/models')).json();
    expect(data.map((model: typeof tiny) => model.output_modalities)).toEqual([
      ['text', 'decisions'],
      ['embeddings'],
      ['rerank'],
    ]);
  });

  it('lists usable models by their names, without aliases', async () => {
    harness.engine.models.push(modelInfo({ name: 'broken', aliases: [], state: 'invalid', reason: 'cut short' }));
    const response = await harness.send('GET', '/v1/models');
    expect(response.json()).toStrictEqual({
      object: 'list',
      data: [tiny],
      models: [expect.objectContaining({ slug: 'tiny' })],
    });
  });

  it('shows a model under its alias, by its name', async () => {
    const response = await harness.send('GET', '/v1/models/default');
    expect(response.json()).toStrictEqual(tiny);
  });

  it('answers 404 for an unknown model as OpenAI does', async () => {
    const response = await harness.send('GET', '/v1/models/absent');
    expect(response.statusCode).toBe(404);
    expect(response.json().error).toStrictEqual({
      message: 'There is no model "absent".',
      type: 'invalid_request_error',
      param: 'model',
      code: 'model_not_found',
    });
  });
});
