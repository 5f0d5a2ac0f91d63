import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { AppError, type ErrorCode } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { promptUsage } from '../../../src/core/usage.ts';
import {
  answerEvents,
  finishEvent,
  startEvent,
  textEvents,
  toolCallEvents,
  untilAborted,
} from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';
import { accumulate } from './accumulate.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const hi = { role: 'user', content: 'Hi' };
const valid = { model: 'default', max_tokens: 64, messages: [hi] };
const older = { 'anthropic-version': '2023-06-01' };
const newer = { 'anthropic-version': '2026-10-21' };
const post = (fields: object, headers: Record<string, string> = newer) =>
  harness.send('POST', '/v1/messages', { ...valid, ...fields }, headers);
/** What a request with these fields has become. */
async function asked(fields: object, headers = newer): Promise<ChatRequest> {
  const response = await post(fields, headers);
  expect(response.json()).toMatchObject({ type: 'message' });
  return harness.gateway.calls.at(-1)!.request;
}
async function conversation(fields: object) {
  const { input } = await asked(fields);
  if (input.type !== 'chat') throw new Error('a conversation');
  return input;
}
async function refused(fields: object, field: string, headers = newer) {
  const before = harness.gateway.calls.length;
  const response = await post(fields, headers);
  expect(response.statusCode, response.body).toBe(400);
  expect(response.json()).toEqual({
    type: 'error',
    error: {
      type: 'invalid_request_error',
      message: expect.any(String),
      details: expect.objectContaining({ field, error_code: 'invalid_request' }),
    },
    request_id: response.headers['request-id'],
  });
  expect(harness.gateway.calls).toHaveLength(before);
  return response.json().error.message as string;
}
const ended = (changes: Partial<Extract<StreamEvent, { type: 'finish' }>>): StreamEvent => ({
  ...(finishEvent(3) as Extract<StreamEvent, { type: 'finish' }>),
  ...changes,
});
const tool = (name: string, more: object = {}) => ({ name, input_schema: { type: 'object', properties: {} }, ...more });

describe('a message', () => {
  it('has every key that clients read, null where there is nothing', async () => {
    const response = await post({});
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      id: expect.stringMatching(/^msg_[0-9a-f]{24}$/),
      type: 'message',
      role: 'assistant',
      model: 'tiny',
      content: [{ type: 'text', text: 'Hello world', citations: null }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      stop_details: null,
      container: null,
      diagnostics: null,
      usage: {
        input_tokens: 3,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 2,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { thinking_tokens: 0 },
        server_tool_use: null,
        service_tier: null,
        speed: null,
        inference_geo: null,
      },
    });
    expect(response.headers['request-id']).toMatch(/^req_/);
    expect(response.headers['x-request-id']).toBe(response.headers['request-id']);
  });

  it('is the same as a stream', async () => {
    const whole = (await post({})).json();
    const response = await post({ stream: true });
    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(response.headers['request-id']).toMatch(/^req_/);
    expect(accumulate(response.body)).toEqual({ ...whole, id: expect.stringMatching(/^msg_/) });
    expect(response.body).not.toContain('[DONE]');
  });

  it('comes at both versions, without one, by both kinds of key, and with the query of beta calls', async () => {
    await harness.close();
    harness = await createHarness({ apiKeys: ['secret'] });
    for (const version of [older, newer, {}]) {
      expect((await post({}, { ...version, 'x-api-key': 'secret' })).statusCode).toBe(200);
      expect((await post({}, { ...version, authorization: 'Bearer secret' })).statusCode).toBe(200);
    }
    const headers = { ...newer, 'x-api-key': 'secret', 'anthropic-beta': 'a-2026-01-01,b-2026-02-02' };
    expect((await harness.send('POST', '/v1/messages?beta=true', valid, headers)).statusCode).toBe(200);
    const response = await post({}, newer);
    expect(response.statusCode).toBe(401);
    expect(response.json()).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error' },
      request_id: response.headers['request-id'],
    });
  });

  it('is refused at a version that does not exist', async () => {
    await refused({}, 'anthropic-version', { 'anthropic-version': '2024-01-01' });
  });
});

describe('what other servers answer wrongly', () => {
  it('says stop_sequence with its value where a text of the request ended the answer', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...textEvents(['One'], 0),
      ended({ reason: 'stop_sequence', stopSequence: 'END' }),
    ]);
    const { stop } = await asked({ stop_sequences: ['END', ''] });
    expect(stop).toEqual(['END']);
    expect((await post({ stop_sequences: ['END'] })).json()).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: 'END',
    });
  });

  it('says max_tokens where the answer was cut at its length', async () => {
    harness.gateway.play(() => answerEvents(['a', 'b'], 'length'));
    expect((await asked({ max_tokens: 2 })).maxTokens).toBe(2);
    expect((await post({ max_tokens: 2 })).json()).toMatchObject({ stop_reason: 'max_tokens' });
  });

  it('names one tool, any, none, or leaves the choice, and lets one turn hold one call only', async () => {
    const tools = [tool('f'), tool('g')];
    const choice = async (tool_choice: object) => {
      const { toolChoice, parallelToolCalls } = await conversation({ tools, tool_choice });
      return [toolChoice, parallelToolCalls];
    };
    expect(await choice({ type: 'tool', name: 'g' })).toEqual([{ type: 'tool', name: 'g' }, undefined]);
    expect(await choice({ type: 'none' })).toEqual([{ type: 'none' }, undefined]);
    expect(await choice({ type: 'any', disable_parallel_tool_use: true })).toEqual([{ type: 'required' }, false]);
    expect(await choice({ type: 'auto', disable_parallel_tool_use: true })).toEqual([{ type: 'auto' }, false]);
    expect(await choice({ type: 'auto', disable_parallel_tool_use: false })).toEqual([{ type: 'auto' }, undefined]);
  });

  it('hands a budget for thinking on, and signs thoughts recognisably', async () => {
    harness.gateway.play(() => [
      startEvent(),
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'Hm.' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      ...textEvents(['Yes'], 1),
      ended({ usage: { ...promptUsage(5, 2), outputTokens: 4, reasoningTokens: 2 } }),
    ]);
    const thinking = { type: 'enabled', budget_tokens: 1_024 };
    expect((await asked({ max_tokens: 2_000, thinking })).reasoning).toEqual({ mode: 'on', budgetTokens: 1_024 });
    const message = (await post({ max_tokens: 2_000, thinking })).json();
    expect(message.content).toEqual([
      { type: 'thinking', thinking: 'Hm.', signature: expect.stringMatching(/^hearth-thinking-1\.[\w-]{43}$/) },
      { type: 'text', text: 'Yes', citations: null },
    ]);
    expect(message.usage.output_tokens_details).toEqual({ thinking_tokens: 2 });
  });

  it('refuses a conversation without messages, and a request without max_tokens', async () => {
    await refused({ messages: [] }, 'messages');
    await refused({ max_tokens: undefined }, 'max_tokens');
    await refused({ max_tokens: null }, 'max_tokens');
    await refused({ model: undefined }, 'model');
  });

  it('gives documents and results of searches to the model', async () => {
    const text = { type: 'text', media_type: 'text/plain', data: 'The sky is green.' };
    const { messages } = await conversation({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'document', source: text, title: 'Sky', context: 'A dream.', citations: { enabled: true } },
            {
              type: 'document',
              source: {
                type: 'content',
                content: [
                  { type: 'text', text: 'a' },
                  { type: 'text', text: 'b' },
                ],
              },
            },
            { type: 'search_result', source: 'https://a.b', title: 'Sea', content: [{ type: 'text', text: 'Wet.' }] },
          ],
        },
      ],
    });
    expect(messages[0]!.content).toEqual([
      {
        type: 'document',
        mediaType: 'text/plain',
        source: { type: 'text', text: 'The sky is green.' },
        title: 'Sky',
        context: 'A dream.',
        mayBeCited: true,
      },
      { type: 'document', mediaType: 'text/plain', source: { type: 'text', text: 'a\nb' } },
      {
        type: 'document',
        mediaType: 'text/plain',
        source: { type: 'text', text: 'Wet.' },
        title: 'Sea',
        context: 'https://a.b',
      },
    ]);
  });

  it('answers 400 with the place where the model reads no images', async () => {
    harness.gateway.play(() => {
      throw new AppError('invalid_request', '"tiny" reads text only, and was sent an image.', {
        field: 'input.messages.0.content.1',
      });
    });
    const response = await post({});
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({
      type: 'invalid_request_error',
      message: expect.stringContaining('sent an image'),
      details: { field: 'messages.0.content.1' },
    });
  });

  it.each<[string, string, string, object | undefined, number]>([
    ['a bad message', 'POST', '/v1/messages', { model: 'tiny', max_tokens: 8, messages: [] }, 400],
    ['no JSON', 'POST', '/v1/messages', undefined, 400],
    ['a bad count', 'POST', '/v1/messages/count_tokens', { model: 'tiny', messages: [] }, 400],
    ['an unknown model in the list', 'GET', '/v1/models/missing', undefined, 404],
    ['a batch of nothing', 'POST', '/v1/messages/batches', { requests: [] }, 400],
    ['an unknown batch', 'GET', '/v1/messages/batches/missing', undefined, 404],
    ['another method', 'GET', '/v1/messages', undefined, 405],
  ])('has its envelope with the id of the request for %s', async (_title, method, url, body, status) => {
    const headers = { 'anthropic-version': '2023-06-01', 'x-request-id': 'req_1' };
    const response = await harness.send(method, url, body, headers);
    expect(response.statusCode).toBe(status);
    expect(response.headers['request-id']).toBe('req_1');
    expect(response.json()).toMatchObject({
      type: 'error',
      error: { type: expect.stringMatching(/_error$/), message: expect.any(String) },
      request_id: 'req_1',
    });
  });

  it('has an error event in the middle of a stream, and nothing behind it', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0).slice(0, -1);
      throw new AppError('worker_crashed', 'The model stopped.');
    });
    const { body } = await post({ stream: true });
    const names = [...body.matchAll(/^event: (.+)$/gm)].map(([, name]) => name);
    expect(names).toEqual(['message_start', 'content_block_start', 'content_block_delta', 'error']);
  });

  it('counts tokens without an answer', async () => {
    const response = await harness.send('POST', '/v1/messages/count_tokens', {
      model: 'tiny',
      messages: [{ role: 'user', content: 'Hi' }],
    });
    expect(response.json()).toMatchObject({ input_tokens: 5 });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('counts what a cache had apart, in streams as in whole answers', async () => {
    const usage = {
      ...promptUsage(100, 90),
      cacheWrite5mTokens: 4,
      cacheWrite1hTokens: 3,
      outputTokens: 1,
      reasoningTokens: 0,
    };
    harness.gateway.play(() => [startEvent(), ...textEvents(['a'], 0), ended({ usage })]);
    const counted = {
      input_tokens: 10,
      cache_read_input_tokens: 90,
      cache_creation_input_tokens: 7,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 3 },
    };
    expect((await post({})).json().usage).toMatchObject(counted);
    const { cache_creation: _whole, ...cumulative } = counted;
    expect(accumulate((await post({ stream: true })).body)).toMatchObject({ usage: cumulative });
  });
});

describe('errors', () => {
  it.each<[ErrorCode, number, string]>([
    ['invalid_request', 400, 'invalid_request_error'],
    ['unauthorized', 401, 'authentication_error'],
    ['forbidden', 403, 'permission_error'],
    ['model_not_found', 404, 'not_found_error'],
    ['model_busy', 409, 'conflict_error'],
    ['payload_too_large', 413, 'request_too_large'],
    ['model_load_failed', 422, 'invalid_request_error'],
    ['queue_full', 429, 'rate_limit_error'],
    ['internal_error', 500, 'api_error'],
    ['upstream_timeout', 504, 'timeout_error'],
    ['insufficient_memory', 507, 'api_error'],
    ['worker_crashed', 529, 'overloaded_error'],
  ])('of code %s have status %i and type %s, in bodies and in streams', async (code, status, type) => {
    const error = new AppError(code, 'It failed.', { retryAfterSeconds: 7 });
    harness.gateway.play(() => {
      throw error;
    });
    const response = await post({ stream: true });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toContain('application/json');
    expect(response.headers['retry-after']).toBe('7');
    const body = { type: 'error', error: { type, message: 'It failed.', details: { error_code: code } } };
    expect(response.json()).toEqual({ ...body, request_id: response.headers['request-id'] });
    harness.gateway.play(function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      throw error;
    });
    const broken = await post({ stream: true });
    const last = broken.body.trimEnd().split('\n\n').at(-1)!;
    expect(last).toBe(`event: error\ndata: ${JSON.stringify({ ...body, request_id: broken.headers['request-id'] })}`);
    expect(broken.body).not.toContain('message_stop');
  });

  it('of a prompt that is too long are worded as agents know them', async () => {
    harness.gateway.play(() => {
      throw new AppError('context_length_exceeded', 'x', {
        field: 'input',
        details: { prompt_tokens: 3_000, context_tokens: 2_048 },
      });
    });
    const { error } = (await post({})).json();
    expect(error.message).toMatch(/^prompt is too long: 3000 tokens > 2048 maximum/);
    expect(error.type).toBe('invalid_request_error');
  });

  it('of unknown places under /v1 have the shape for clients that say a version', async () => {
    for (const url of ['/v1/complete', '/v1/skills', '/v1/organizations/x', '/v1/models/nope']) {
      const response = await harness.send('GET', url, undefined, newer);
      expect(response.statusCode, url).toBe(404);
      expect(response.json()).toMatchObject({
        type: 'error',
        error: { type: 'not_found_error' },
        request_id: response.headers['request-id'],
      });
    }
    expect((await harness.send('GET', '/v1/complete')).json()).toMatchObject({ error: { param: null } });
    const method = await harness.send('GET', '/v1/messages');
    expect(method.statusCode).toBe(405);
    expect(method.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
  });

  it('of the list of models have it too', async () => {
    const bad = await harness.send('GET', '/v1/models?limit=0', undefined, newer);
    expect(bad.statusCode).toBe(400);
    expect(bad.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', details: { field: 'limit' } },
    });
    expect((await harness.send('GET', '/v1/models/nope')).json()).toMatchObject({ error: { code: 'model_not_found' } });
  });

  it.each([
    ['broken JSON', '{"model":', 400],
    ['a list', '[]', 400],
    ['nothing', '', 400],
    ['brackets without end', '['.repeat(100_000), 400],
    ['half a character', '{"model":"\\ud83d"}', 400],
    ['a prototype', '{"__proto__":{"x":1}}', 400],
  ])('of %s for a body have it', async (_title, body, status) => {
    const response = await harness.send('POST', '/v1/messages', body, newer);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
    expect(harness.gateway.calls).toEqual([]);
  });

  it('are 529 while the server drains', async () => {
    harness.lifecycle.isDraining = true;
    const response = await post({});
    expect(response.statusCode).toBe(529);
    expect(response.json().error.type).toBe('overloaded_error');
  });
});

it('HEAD / answers 200, without a key too', async () => {
  await harness.close();
  harness = await createHarness({ apiKeys: ['secret'] });
  const response = await harness.send('HEAD', '/');
  expect(response.statusCode).toBe(200);
  expect(response.body).toBe('');
});

describe('fields', () => {
  it('of sampling are taken at the older version, and refused at the newer', async () => {
    const { sampling } = await asked({ temperature: 0.5, top_p: 0.9, top_k: 40 }, older);
    expect(sampling).toEqual({ temperature: 0.5, topP: 0.9, topK: 40 });
    for (const field of ['temperature', 'top_p', 'top_k']) await refused({ [field]: 1 }, field);
    expect((await asked({ temperature: null })).sampling).toEqual({});
    await refused({ temperature: 1.5 }, 'temperature', older);
  });

  it.each<[object, string]>([
    [{ container: 'c' }, 'container'],
    [{ mcp_servers: [{ type: 'url' }] }, 'mcp_servers'],
    [{ fallbacks: ['x'] }, 'fallbacks'],
    [{ fallback_credit_token: 'x' }, 'fallback_credit_token'],
    [{ billing_policy: {} }, 'billing_policy'],
    [{ compaction: {} }, 'compaction'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ stream: 'yes' }, 'stream'],
    [{ stop_sequences: 'x' }, 'stop_sequences'],
    [{ stop_sequences: Array.from({ length: 17 }, () => 'x') }, 'stop_sequences'],
    [{ service_tier: 5 }, 'service_tier'],
    [{ thinking: { type: 'enabled', budget_tokens: 1_023 } }, 'thinking.budget_tokens'],
    [{ thinking: { type: 'enabled', budget_tokens: 4_000 }, max_tokens: 4_000 }, 'thinking.budget_tokens'],
    [{ thinking: { type: 'always' } }, 'thinking.type'],
    [{ output_config: { effort: 'enormous' } }, 'output_config.effort'],
    [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type'],
    [{ context_management: { edits: [{ type: 'compact_20260112' }] } }, 'context_management.edits.0.type'],
    [{ tool_choice: 'auto' }, 'tool_choice'],
    [{ tool_choice: { type: 'any' } }, 'tool_choice'],
    [{ tools: [tool('f')], tool_choice: { type: 'tool', name: 'g' } }, 'tool_choice.name'],
    [{ tools: [tool('f')], tool_choice: { type: 'any' }, thinking: { type: 'adaptive' } }, 'tool_choice'],
    [{ tools: [tool('a b')] }, 'tools.0.name'],
    [{ tools: [tool('f'), tool('f')] }, 'tools.1.name'],
    [{ tools: [{ name: 'f' }] }, 'tools.0.input_schema'],
    [{ tools: [{ name: 'f', input_schema: { type: 'string' } }] }, 'tools.0.input_schema'],
    [{ tools: [tool('f', { description: 'x'.repeat(600_000) })] }, 'tools'],
    [{ messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages.0.content'],
    [{ messages: [{ role: 'user', content: [{ text: 'x' }] }] }, 'messages.0.content.0.type'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages.0.content.0.text'],
    [{ messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }, 'messages.0.content.0'],
    [{ messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'f' }] }] }, 'messages.0.content.0'],
    [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages.0.content.0.source'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'film' } }] }] },
      'messages.0.content.0.source.type',
    ],
    [{ messages: [{ role: 'user', content: [{ type: 'tool_result' }] }] }, 'messages.0.content.0.tool_use_id'],
    [
      { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [5] }] }] },
      'messages.0.content.0.content',
    ],
    [
      { messages: [hi, { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: 'x' }] }, hi] },
      'messages.1.content.0.input',
    ],
    [
      { messages: [hi, { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: {} }] }] },
      'messages.1',
    ],
    [{ messages: [hi, { role: 'assistant', content: 'The answer is ' }] }, 'messages.1.content'],
    [{ system: [{ type: 'image', source: {} }] }, 'system.0'],
    [{ system: 5 }, 'system'],
  ])('refuse %j by name', async (fields, field) => {
    await refused(fields, field);
  });

  it('that mean the same exclude each other', async () => {
    const format = { type: 'json_schema', schema: { type: 'object' } };
    await refused({ output_config: { format }, output_format: format }, 'output_format');
    await refused({ output_format: format, messages: [hi, { role: 'assistant', content: '{' }] }, 'messages');
    expect((await asked({ output_format: format })).format).toEqual({
      type: 'json-schema',
      schema: { type: 'object' },
    });
    expect((await asked({ output_config: { format } })).format).toEqual({
      type: 'json-schema',
      schema: { type: 'object' },
    });
  });

  it('name the code of a thread that is not supported', async () => {
    const response = await post({ thread: { id: 't' } });
    expect(response.json().error.details).toEqual({ error_code: 'thread_unsupported_request', field: 'thread' });
  });

  it('that change nothing are named in a header, those that do are not', async () => {
    const response = await post({
      service_tier: 'auto',
      speed: 'fast',
      inference_geo: 'us',
      diagnostics: {},
      a_new_field: 1,
      cache_control: { type: 'ephemeral' },
      metadata: { user_id: 'someone' },
      output_config: { effort: 'low', task_budget: { type: 'tokens', total: 5 } },
      tools: [
        tool('f', {
          defer_loading: true,
          allowed_callers: ['direct'],
          a_newer_field: 1,
          cache_control: { type: 'ephemeral' },
          eager_input_streaming: true,
          strict: true,
        }),
      ],
      messages: [
        {
          role: 'user',
          content: [{ type: 'document', source: { type: 'text', data: 'x' }, citations: { enabled: true } }],
        },
      ],
    });
    expect(response.statusCode, response.body).toBe(200);
    expect(String(response.headers['x-hearth-ignored']).split(', ').sort()).toEqual(
      [
        'a_new_field',
        'diagnostics',
        'inference_geo',
        'messages.content.citations',
        'output_config.effort',
        'output_config.task_budget',
        'service_tier',
        'speed',
        'tools.a_newer_field',
        'tools.allowed_callers',
        'tools.cache_control',
        'tools.defer_loading',
      ].sort(),
    );
    expect((await post({})).headers['x-hearth-ignored']).toBeUndefined();
  });

  it('say how the model is to think', async () => {
    const wish = async (fields: object) => (await asked({ max_tokens: 9_000, ...fields })).reasoning;
    expect(await wish({})).toEqual({ mode: 'off' });
    expect(await wish({ thinking: { type: 'disabled' } })).toEqual({ mode: 'off' });
    expect(await wish({ thinking: { type: 'adaptive' } })).toEqual({ mode: 'on' });
    expect(await wish({ thinking: { type: 'between_tools' } })).toEqual({ mode: 'on' });
    expect(
      await wish({ thinking: { type: 'enabled', budget_tokens: 2_048 }, output_config: { effort: 'medium' } }),
    ).toEqual({ mode: 'on', budgetTokens: 2_048, effort: 'medium' });
  });

  it('of no tokens ask for the prompt alone, to be kept', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ended({ reason: 'length', usage: { ...promptUsage(5, 2), outputTokens: 0, reasoningTokens: 0 } }),
    ]);
    const request = await asked({ max_tokens: 0, tools: [tool('f')], tool_choice: { type: 'any' } });
    expect(request).toMatchObject({ maxTokens: 0, promptCache: 'pin', input: { toolChoice: { type: 'auto' } } });
    const message = (await post({ max_tokens: 0 })).json();
    expect(message).toMatchObject({
      content: [],
      stop_reason: 'max_tokens',
      usage: { input_tokens: 3, output_tokens: 0 },
    });
  });
});

describe('a conversation', () => {
  it('keeps system messages in their place, and joins turns of one side', async () => {
    const { messages } = await conversation({
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        hi,
        { role: 'user', content: [{ type: 'text', text: 'there' }] },
        { role: 'assistant', content: 'Hello' },
        { role: 'system', content: 'You have 500 tokens left.' },
        { role: 'user', content: 'Go on' },
      ],
    });
    expect(messages).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Be brief.', cacheMark: { ttlSeconds: 3_600 } }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'text', text: 'there' },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'Hello' }] },
      { role: 'system', content: [{ type: 'text', text: 'You have 500 tokens left.' }] },
      { role: 'user', content: [{ type: 'text', text: 'Go on' }] },
    ]);
  });

  it('goes on where the assistant began, and takes a turn that is begun with nothing for none', async () => {
    const begun = await conversation({ messages: [hi, { role: 'assistant', content: 'The answer is' }] });
    expect(begun).toMatchObject({ continuesLast: true, messages: [{}, { role: 'assistant' }] });
    const empty = await conversation({ messages: [hi, { role: 'assistant', content: '' }] });
    expect(empty).toMatchObject({ messages: [{ role: 'user' }] });
    expect(empty.continuesLast).toBeUndefined();
  });

  it('keeps thoughts, calls and results, and takes its own signatures off', async () => {
    harness.gateway.play(() => answerEvents(['x']));
    const own = 'hearth-thinking-1.abc';
    const carried = `hearth-thinking-text-1.${Buffer.from('Secret thought').toString('base64url')}`;
    const { messages } = await conversation({
      messages: [
        hi,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Mine', signature: own },
            { type: 'thinking', thinking: '', signature: carried },
            { type: 'thinking', thinking: 'Theirs', signature: 'EqMB' },
            { type: 'redacted_thinking', data: 'c2VjcmV0' },
            { type: 'text', text: '' },
            { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: 'x' } },
            { type: 'fallback', from: 'a' },
            { type: 'tool_use', id: 'toolu_1', name: 'read', input: { path: '/a' } },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              is_error: true,
              content: [
                { type: 'text', text: 'no' },
                { type: 'tool_reference', tool_name: 'write' },
              ],
            },
            { type: 'tool_result', tool_use_id: 'toolu_9' },
          ],
        },
      ],
    });
    const thought = { type: 'reasoning', redactedData: null, origin: null };
    expect(messages[1]!.content).toEqual([
      { ...thought, text: 'Mine', signature: null },
      { ...thought, text: 'Secret thought', signature: null },
      { ...thought, text: 'Theirs', signature: 'EqMB' },
      { ...thought, text: '', signature: null, redactedData: 'c2VjcmV0' },
      { type: 'text', text: '{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}' },
      { type: 'tool-call', id: 'toolu_1', name: 'read', arguments: { path: '/a' } },
    ]);
    expect(messages[2]!.content).toEqual([
      {
        type: 'tool-result',
        callId: 'toolu_1',
        name: 'read',
        isError: true,
        content: [
          { type: 'text', text: 'no' },
          { type: 'text', text: 'write' },
        ],
      },
      { type: 'tool-result', callId: 'toolu_9', isError: false, content: [] },
    ]);
  });

  it('keeps images and documents for whoever can read them', async () => {
    const { messages } = await conversation({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBOR' } },
            { type: 'image', source: { type: 'url', url: 'https://a.b/c.png' } },
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERg' } },
            { type: 'document', source: { type: 'file', file_id: 'file_1' } },
          ],
        },
      ],
    });
    expect(messages[0]!.content).toEqual([
      { type: 'image', mediaType: 'image/png', source: { type: 'bytes', base64: 'iVBOR' } },
      { type: 'image', mediaType: null, source: { type: 'url', url: 'https://a.b/c.png' } },
      { type: 'document', mediaType: 'application/pdf', source: { type: 'bytes', base64: 'JVBERg' } },
      { type: 'document', mediaType: null, source: { type: 'file', fileId: 'file_1' } },
    ]);
  });
});

describe('tools', () => {
  it('are taken with strict and with examples', async () => {
    const { tools } = await conversation({
      tools: [
        tool('f', { type: 'custom', description: 'Does it.', strict: true, input_examples: [{ a: 1 }] }),
        tool('g', { description: null }),
      ],
    });
    const parameters = { type: 'object', properties: {} };
    expect(tools).toEqual([
      { name: 'f', description: 'Does it.\n\nExamples of arguments:\n{"a":1}', parameters, strict: true },
      { name: 'g', parameters },
    ]);
  });

  it.each([
    ['bash_20241022', 'bash', ['command', 'restart']],
    ['bash_20250124', 'bash', ['command', 'restart']],
    [
      'text_editor_20250124',
      'str_replace_editor',
      ['command', 'path', 'file_text', 'old_str', 'new_str', 'insert_line', 'view_range'],
    ],
    [
      'text_editor_20250728',
      'str_replace_based_edit_tool',
      ['command', 'path', 'file_text', 'old_str', 'new_str', 'insert_line', 'insert_text', 'view_range'],
    ],
    [
      'memory_20250818',
      'memory',
      [
        'command',
        'path',
        'file_text',
        'old_str',
        'new_str',
        'insert_line',
        'insert_text',
        'view_range',
        'old_path',
        'new_path',
      ],
    ],
  ])('of the client are spelled out: %s', async (type, name, properties) => {
    const { tools } = await conversation({ tools: [{ type, name }] });
    expect(tools[0]).toMatchObject({ name, description: expect.any(String), parameters: { type: 'object' } });
    expect(Object.keys(tools[0]!.parameters!['properties']!)).toEqual(properties);
  });

  it.each([
    'web_search_20260318',
    'web_fetch_20260309',
    'code_execution_20260521',
    'tool_search_tool_regex_20251119',
    'tool_search_tool_bm25_20251119',
    'advisor_20260301',
    'mcp_toolset',
    'computer_20250124',
    'browser_toolset_20260801',
    'bash',
    'anything_else',
  ])('that only Anthropic runs are refused: %s', async (type) => {
    expect(await refused({ tools: [tool('ok'), { type, name: 'x' }] }, 'tools.1.type')).toContain(type);
  });

  it('are called with whole arguments, in a stream and without', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_ab', 'read', ['{"path":', '"/a"}']),
      ...toolCallEvents(1, 'call_cd', 'stop', []),
      ended({ reason: 'tool_calls' }),
    ]);
    const content = [
      { type: 'tool_use', id: 'toolu_ab', name: 'read', input: { path: '/a' }, caller: { type: 'direct' } },
      { type: 'tool_use', id: 'toolu_cd', name: 'stop', input: {}, caller: { type: 'direct' } },
    ];
    const fields = { tools: [tool('read'), tool('stop')] };
    expect((await post(fields)).json()).toMatchObject({ content, stop_reason: 'tool_use' });
    expect(accumulate((await post({ ...fields, stream: true })).body)).toMatchObject({
      content,
      stop_reason: 'tool_use',
    });
  });
});

describe('volatile lines', () => {
  const line = (hash: string) => `x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=${hash};`;

  it('of coding agents are left out of the prompt, and a header says so', async () => {
    const system = (hash: string) => [
      { type: 'text', text: line(hash) },
      { type: 'text', text: 'You are an agent.' },
    ];
    const rest = { role: 'system', content: [{ type: 'text', text: 'You are an agent.' }] };
    for (const hash of ['fa690', '00000']) {
      expect((await conversation({ system: system(hash) })).messages[0]).toEqual(rest);
    }
    expect((await conversation({ system: `${line('x')}\nYou are an agent.` })).messages[0]).toEqual(rest);
    const response = await post({ system: system('x') });
    expect(response.headers['x-hearth-left-out']).toBe('claude-code-attribution');
    expect((await post({ system: 'You are an agent.' })).headers['x-hearth-left-out']).toBeUndefined();
  });

  it('are looked for a few times only', async () => {
    const { messages } = await conversation({ system: `${line('x')}\n`.repeat(5_000) });
    expect(JSON.stringify(messages).match(/cch=x/g)).toHaveLength(4_996);
  });

  it('elsewhere, and reminders in the conversation, stay', async () => {
    const { messages } = await conversation({
      system: [
        { type: 'text', text: 'You are an agent.' },
        { type: 'text', text: line('x') },
      ],
      messages: [{ role: 'user', content: line('y') }, { role: 'system', content: line('z') }, hi],
    });
    expect(JSON.stringify(messages).match(/x-anthropic-billing-header/g)).toHaveLength(3);
  });

  it('stay where the configuration says so', async () => {
    await harness.close();
    harness = await createHarness({ dropAttribution: false });
    expect(JSON.stringify((await conversation({ system: line('x') })).messages)).toContain('cch=x');
  });
});

describe('edits of the context', () => {
  const turns = Array.from({ length: 5 }, (_, index) => [
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: `t${index}`, signature: 's' },
        { type: 'tool_use', id: `c${index}`, name: index === 0 ? 'keep' : 'read', input: { at: index } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: `c${index}`, content: `result ${index}` }] },
  ]).flat();
  const messages = [hi, ...turns];
  const edited = async (edits: object[]) => {
    const response = await post({ messages, context_management: { edits } });
    const { input } = harness.gateway.calls.at(-1)!.request;
    return { applied: response.json().context_management.applied_edits, text: JSON.stringify(input) };
  };

  it('clear the results of tools but the last ones, and tell it', async () => {
    const { applied, text } = await edited([
      {
        type: 'clear_tool_uses_20250919',
        trigger: { type: 'tool_uses', value: 2 },
        keep: { type: 'tool_uses', value: 2 },
        exclude_tools: ['keep'],
        clear_tool_inputs: true,
      },
    ]);
    expect(applied).toEqual([{ type: 'clear_tool_uses_20250919', cleared_tool_uses: 2, cleared_input_tokens: 0 }]);
    expect([0, 1, 2, 3, 4].filter((index) => text.includes(`result ${index}`))).toEqual([0, 3, 4]);
    expect([0, 1, 2, 3, 4].filter((index) => text.includes(`{"at":${index}}`))).toEqual([0, 3, 4]);
  });

  it('clear thoughts but the last ones', async () => {
    const { applied, text } = await edited([
      { type: 'clear_thinking_20251015', keep: { type: 'thinking_turns', value: 2 } },
    ]);
    expect(applied).toEqual([{ type: 'clear_thinking_20251015', cleared_thinking_turns: 3, cleared_input_tokens: 0 }]);
    expect([0, 1, 2, 3, 4].filter((index) => text.includes(`"t${index}"`))).toEqual([3, 4]);
  });

  it('do nothing below their trigger, with too little to gain, and for all thoughts', async () => {
    const type = 'clear_tool_uses_20250919';
    for (const edit of [
      { type },
      { type, trigger: { type: 'input_tokens', value: 5 } },
      { type, trigger: { type: 'tool_uses', value: 1 }, clear_at_least: { type: 'input_tokens', value: 1 } },
      { type: 'clear_thinking_20251015', keep: 'all' },
    ]) {
      expect((await edited([edit])).applied).toEqual([]);
    }
    expect((await post({})).json()).not.toHaveProperty('context_management');
  });

  it('are told at the end of a stream, and in a count', async () => {
    const context_management = { edits: [{ type: 'clear_thinking_20251015' }] };
    const { body } = await post({ messages, context_management, stream: true });
    expect(accumulate(body)).toMatchObject({ context_management: { applied_edits: [{ cleared_thinking_turns: 4 }] } });
    const { model } = valid;
    const response = await harness.send(
      'POST',
      '/v1/messages/count_tokens',
      { model, messages, context_management },
      newer,
    );
    expect(response.json()).toEqual({ input_tokens: 5, context_management: { original_input_tokens: 5 } });
  });
});

describe('count_tokens', () => {
  const count = (body: object) => harness.send('POST', '/v1/messages/count_tokens', body, newer);

  it('counts a conversation that needs no max_tokens', async () => {
    const response = await count({ model: 'default', messages: [hi], tools: [tool('f')], system: 'x' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ input_tokens: 5 });
    expect(response.headers['request-id']).toMatch(/^req_/);
  });

  it('refuses what the answer would be refused for', async () => {
    for (const body of [
      { model: 'default', messages: [] },
      { messages: [hi] },
      { model: 'default', messages: [hi], thread: {} },
    ]) {
      const response = await count(body);
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
    }
  });
});

describe('a stream whose answer takes long', () => {
  let url: string;
  beforeEach(async () => {
    url = await harness.http.listen();
  });
  /** A real connection: what has arrived so far, while nothing ends. */
  async function open(fields: object = {}) {
    const before = harness.gateway.calls.length;
    const responding = fetch(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...newer },
      body: JSON.stringify({ ...valid, stream: true, ...fields }),
    });
    await harness.gateway.call(before);
    const reader = async () => (await responding).body!.pipeThrough(new TextDecoderStream()).getReader();
    return { responding, reader };
  }

  it('begins within 10 s by itself, pings, and goes on with the answer', async () => {
    const { promise: loaded, resolve: load } = Promise.withResolvers<void>();
    harness.gateway.play(async function* () {
      yield { type: 'progress', stage: 'loading' };
      await loaded;
      yield* answerEvents(['Hello']);
    });
    const { responding, reader } = await open();
    harness.clock.advance(8_900);
    harness.clock.advance(1_000);
    const { status, headers } = await responding;
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const stream = await reader();
    let text = '';
    const until = async (pattern: RegExp) => {
      while (!pattern.test(text)) text += (await stream.read()).value ?? '';
    };
    await until(/event: ping\n/);
    expect(text).toMatch(/^event: message_start\ndata: .*"model":"default".*"input_tokens":0/);
    harness.clock.advance(20_000);
    await until(/(event: ping\n[\s\S]*){2}/);
    load();
    await until(/message_stop/);
    expect(text.match(/event: message_start/g)).toHaveLength(1);
    expect(accumulate(text)).toMatchObject({
      content: [{ type: 'text', text: 'Hello' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 3, cache_read_input_tokens: 2, output_tokens: 1 },
    });
  });

  it('tells in the stream what fails after that, and by its status what fails before', async () => {
    const failures = [Promise.withResolvers<never>(), Promise.withResolvers<never>()];
    const failure = new AppError('insufficient_memory', 'It does not fit.');
    let next = 0;
    harness.gateway.play(async function* () {
      yield await failures[next++]!.promise;
    });
    const late = await open();
    harness.clock.advance(9_500);
    const response = await late.responding;
    failures[0]!.reject(failure);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(
      text
        .trimEnd()
        .split('\n\n')
        .map((record) => record.split('\n')[0]),
    ).toEqual(['event: message_start', 'event: ping', 'event: error']);
    expect(text).toContain('"error_code":"insufficient_memory"');

    const soon = await open();
    harness.clock.advance(8_000);
    failures[1]!.reject(failure);
    expect((await soon.responding).status).toBe(507);
  });

  it('that its client leaves is given up', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield await untilAborted(signal);
    });
    const leaving = new AbortController();
    const responding = fetch(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...newer },
      body: JSON.stringify({ ...valid, stream: true }),
      signal: leaving.signal,
    });
    const call = await harness.gateway.call(0);
    harness.clock.advance(9_500);
    await responding;
    leaving.abort();
    await call.released;
    expect(call.context.signal.aborted).toBe(true);
  });
});
