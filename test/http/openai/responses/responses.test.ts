import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../../../src/core/errors.ts';
import type { StreamEvent } from '../../../../src/core/events.ts';
import {
  answerEvents,
  finishEvent,
  startEvent,
  textEvents,
  toolCallEvents,
  untilAborted,
} from '../../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../../harness.ts';

let harness: Harness;
const keys = { me: { authorization: 'Bearer key-of-me' }, you: { authorization: 'Bearer key-of-you' } };
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['key-of-me', 'key-of-you'] });
});
afterEach(() => harness.close());

const create = (body: object, headers: Record<string, string> = keys.me) =>
  harness.send('POST', '/v1/responses', { input: 'Hi', ...body }, headers);
const get = (path: string, headers: Record<string, string> = keys.me) =>
  harness.send('GET', `/v1/responses/${path}`, undefined, headers);
const lastRequest = () => harness.gateway.calls.at(-1)!.request;
const lastMessages = () => {
  const { input } = lastRequest();
  return input.type === 'chat' ? input.messages : [];
};
const eventsOf = (body: string) => sseData(body).map((data) => JSON.parse(data));
const typesOf = (body: string) => eventsOf(body).map(({ type }) => type.replace('response.', ''));
const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] });
const ended = (id: string) =>
  expect.poll(async () => (await get(id)).json().status).not.toMatch(/^(queued|in_progress)$/);

describe('POST /v1/responses', () => {
  it('answers whole, and as a stream of the same', async () => {
    const whole = await create({ metadata: { a: 'b' }, temperature: 0.5 });
    expect(whole.statusCode).toBe(200);
    expect(whole.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny' });
    expect(whole.json()).toMatchObject({
      status: 'completed',
      metadata: { a: 'b' },
      temperature: 0.5,
      store: true,
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hello world' }] }],
    });
    const streamed = await create({ stream: true });
    expect(streamed.headers['content-type']).toBe('text/event-stream');
    expect(streamed.body).toMatch(/^event: response\.created\ndata: \{"type":"response\.created","sequence_number":0,/);
    const last = eventsOf(streamed.body).at(-1);
    expect(last.type).toBe('response.completed');
    const comparable = ({
      output,
      usage,
      status,
    }: {
      output: { content: object }[];
      usage: object;
      status: string;
    }) => ({
      output: output.map(({ content }) => content),
      usage,
      status,
    });
    expect(comparable(last.response)).toEqual(comparable(whole.json()));
  });

  it('is given all the same where it cannot be kept, and says that it is not', async () => {
    vi.spyOn(harness.kept, 'put').mockRejectedValue(new AppError('storage_unavailable', 'The disk is full.'));
    const whole = (await create({})).json();
    expect(whole).toMatchObject({ status: 'completed', store: false });
    expect((await get(whole.id)).statusCode).toBe(404);
    const [created, ...rest] = eventsOf((await create({ stream: true })).body);
    expect(created.response.store).toBe(true);
    expect(rest.at(-1)).toMatchObject({ type: 'response.completed', response: { store: false } });
    expect((await create({ store: false })).json().store).toBe(false);
  });

  it('ends a stream that fails with response.failed, and nothing after it', async () => {
    harness.gateway.play(function* () {
      yield* [startEvent(), ...textEvents(['Hel'], 0).slice(0, 2)];
      throw new AppError('worker_crashed', 'The model crashed.');
    });
    const { body } = await create({ stream: true });
    expect(typesOf(body).at(-1)).toBe('failed');
    expect(body).not.toContain('[DONE]');
    const { response } = eventsOf(body).at(-1);
    expect(response).toMatchObject({
      status: 'failed',
      error: { code: 'server_error', message: 'The model crashed.' },
    });
    expect((await get(response.id)).json()).toEqual(response);
    expect((await create({})).statusCode).toBe(503);
  });

  it('keeps its true status where it fails before it begins', async () => {
    harness.gateway.play(() => {
      throw new AppError('model_not_found', 'There is no model.', { field: 'model' });
    });
    const response = await create({ stream: true, model: 'none' });
    expect(response.statusCode).toBe(404);
    expect(response.json().error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('hands instructions and items to the model as turns', async () => {
    await create({
      instructions: 'Be brief.',
      input: [
        { role: 'developer', content: 'Rules.' },
        { role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
        { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Look it up' }] },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.', annotations: [] }] },
        { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{"city":"Ulm"}' },
        { type: 'custom_tool_call', call_id: 'c2', name: 'run', input: 'ls\n' },
        { type: 'function_call_output', call_id: 'c1', output: 'sunny' },
        { type: 'custom_tool_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'a.txt' }] },
        { role: 'system', content: 'Hurry.' },
        { role: 'user', content: 'So?' },
      ],
    });
    const thought = { type: 'reasoning', text: 'Look it up', signature: null, redactedData: null, origin: null };
    const result = (callId: string, text: string) => ({
      type: 'tool-result',
      callId,
      isError: false,
      content: [{ type: 'text', text }],
    });
    const call = (id: string, name: string, given: object) => ({
      type: 'tool-call',
      id,
      name,
      arguments: given,
      argumentsText: JSON.stringify(given),
    });
    const system = (text: string) => ({ role: 'system', content: [{ type: 'text', text }] });
    expect(lastMessages()).toEqual([
      system('Be brief.'),
      system('Rules.'),
      user('Weather?'),
      {
        role: 'assistant',
        content: [
          thought,
          { type: 'text', text: 'I look.' },
          call('c1', 'weather', { city: 'Ulm' }),
          call('c2', 'run', { input: 'ls\n' }),
        ],
      },
      { role: 'user', content: [result('c1', 'sunny'), result('c2', 'a.txt')] },
      system('Hurry.'),
      user('So?'),
    ]);
  });

  it('reads the calls of client tools and what they returned', async () => {
    const operation = { type: 'delete_file', path: 'a' };
    await create({
      input: [
        { type: 'apply_patch_call', call_id: 'c1', status: 'completed', operation },
        { type: 'apply_patch_call_output', call_id: 'c1', status: 'failed', output: 'no such file' },
        { type: 'local_shell_call', id: 'l1', call_id: 'c2', action: { type: 'exec', command: ['ls'], user: null } },
        { type: 'local_shell_call_output', id: 'c2', output: 'b' },
      ],
    });
    expect(lastMessages()).toMatchObject([
      { role: 'assistant', content: [{ name: 'apply_patch', arguments: operation }] },
      { role: 'user', content: [{ callId: 'c1', isError: true, content: [{ text: 'failed: no such file' }] }] },
      { role: 'assistant', content: [{ name: 'local_shell', arguments: { command: ['ls'] } }] },
      { role: 'user', content: [{ callId: 'c2', content: [{ text: 'b' }] }] },
    ]);
  });

  it('hands over how to answer', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const response = await create({
      model: 'tiny',
      temperature: 0.2,
      top_p: 0.5,
      max_output_tokens: 7,
      text: { format: { type: 'json_schema', name: 'x', schema, strict: true }, verbosity: 'low' },
      reasoning: { effort: 'none' },
      metadata: { a: 'b' },
      safety_identifier: 'person',
      service_tier: 'flex',
      user: 'u',
      prompt_cache_key: 'k',
      stream_options: { include_obfuscation: true },
      max_tool_calls: 3,
      top_logprobs: 2,
      include: ['web_search_call.results'],
      brand_new: 1,
    });
    expect(response.statusCode).toBe(200);
    expect(lastRequest()).toMatchObject({
      model: 'tiny',
      sampling: { temperature: 0.2, topP: 0.5 },
      maxTokens: 7,
      format: { type: 'json-schema', schema },
      reasoning: { mode: 'off' },
      metadata: { a: 'b' },
      endUserId: 'person',
    });
    expect(lastRequest()).not.toHaveProperty('logprobs');
    expect(String(response.headers['x-hearth-ignored']).split(', ').sort()).toEqual([
      'brand_new',
      'include.web_search_call.results',
      'max_tool_calls',
      'prompt_cache_key',
      'safety_identifier',
      'service_tier',
      'stream_options',
      'text.verbosity',
      'top_logprobs',
      'user',
    ]);
    await create({ reasoning: { effort: 'high' }, include: ['message.output_text.logprobs'], top_logprobs: 3 });
    expect(lastRequest()).toMatchObject({ reasoning: { mode: 'on', effort: 'high' }, logprobs: { top: 3 } });
  });

  it('names what the provider does not honour', async () => {
    harness.gateway.play(() => [
      { ...startEvent(), warnings: [{ field: 'reasoning.effort', message: 'makes no difference' }] } as StreamEvent,
      ...textEvents(['a'], 0),
      finishEvent(1),
    ]);
    const { headers } = await create({ reasoning: { effort: 'high' }, stream: true });
    expect(headers['x-hearth-ignored']).toBe('reasoning.effort');
  });

  it('takes the last change of configuration in the input, and tools that stand there', async () => {
    const tool = { type: 'function', name: 'late', parameters: null, strict: null };
    await create({
      reasoning: { effort: 'high' },
      input: [
        { type: 'configuration_update', reasoning: { effort: 'none' } },
        { type: 'additional_tools', role: 'developer', tools: [tool] },
        { role: 'user', content: 'Hi' },
      ],
    });
    expect(lastRequest()).toMatchObject({ reasoning: { mode: 'off' }, input: { tools: [{ name: 'late' }] } });
  });
});

describe('tools', () => {
  const weather = { type: 'function', name: 'weather', parameters: { type: 'object' }, strict: true, description: 'd' };
  const patch = {
    type: 'custom',
    name: 'patch',
    format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' },
  };
  const code = { type: 'custom', name: 'code', format: { type: 'grammar', syntax: 'regex', definition: '[a-z]+' } };

  it('are functions for the model, whatever they are for the client', async () => {
    const response = await create({ tools: [weather, patch, code, { type: 'apply_patch' }, { type: 'local_shell' }] });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-ignored']).toBeUndefined();
    expect(lastRequest().input).toMatchObject({
      tools: [
        { name: 'weather', parameters: { type: 'object' }, strict: true, description: 'd' },
        {
          name: 'patch',
          description: expect.stringContaining('start: "x"'),
          parameters: { properties: { input: { pattern: '^(?:x)$' } } },
        },
        { name: 'code', parameters: { properties: { input: { pattern: '^(?:[a-z]+)$' } } } },
        { name: 'apply_patch', parameters: { required: ['type', 'path'] } },
        { name: 'local_shell', parameters: { required: ['command'] } },
      ],
      toolChoice: { type: 'auto' },
    });
    expect(response.json().tools).toEqual([weather, patch, code, { type: 'apply_patch' }, { type: 'local_shell' }]);
  });

  it.each([
    ['none', { type: 'none' }],
    ['required', { type: 'required' }],
    [
      { type: 'function', name: 'weather' },
      { type: 'tool', name: 'weather' },
    ],
    [
      { type: 'custom', name: 'patch' },
      { type: 'tool', name: 'patch' },
    ],
    [{ type: 'apply_patch' }, { type: 'tool', name: 'apply_patch' }],
    [
      {
        type: 'allowed_tools',
        mode: 'required',
        tools: [{ type: 'function', name: 'weather' }, { type: 'apply_patch' }],
      },
      { type: 'allowed', mode: 'required', names: ['weather', 'apply_patch'] },
    ],
  ])('are chosen by %j', async (choice, expected) => {
    const tools = [weather, patch, { type: 'apply_patch' }];
    expect((await create({ tools, tool_choice: choice, parallel_tool_calls: false })).statusCode).toBe(200);
    expect(lastRequest().input).toMatchObject({ toolChoice: expected, parallelToolCalls: false });
  });

  it('go round: a call, its output, an answer', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_1', 'weather', ['{"city":', '"Ulm"}']),
      finishEvent(3, 'tool_calls'),
    ]);
    const first = (await create({ tools: [weather], input: 'Weather?' })).json();
    expect(first.output).toMatchObject([{ type: 'function_call', call_id: 'call_1', arguments: '{"city":"Ulm"}' }]);
    harness.gateway.play(() => answerEvents(['Sunny']));
    const output = { type: 'function_call_output', call_id: 'call_1', output: 'sun' };
    const second = await create({ tools: [weather], previous_response_id: first.id, input: [output] });
    expect(second.json().output).toMatchObject([{ content: [{ text: 'Sunny' }] }]);
    expect(lastMessages()).toMatchObject([
      user('Weather?'),
      { role: 'assistant', content: [{ type: 'tool-call', id: 'call_1' }] },
      { role: 'user', content: [{ type: 'tool-result', callId: 'call_1' }] },
    ]);
  });
});

describe('refusals', () => {
  const f = { type: 'function', name: 'f' };
  const message = (content: unknown) => ({ input: [{ role: 'user', content }] });
  it.each<[object, string, number?]>([
    [{ input: null }, 'input'],
    [{ input: [{ type: 'computer_call' }] }, 'input.0.type'],
    [{ input: [{ type: 'web_search_call', id: 'x' }] }, 'input.0.type'],
    [{ input: [{}] }, 'input.0.type'],
    [{ input: [{ role: 'robot', content: 'x' }] }, 'input.0.role'],
    [{ input: [{ role: 'user' }] }, 'input.0.content'],
    [message([{ type: 'input_text' }]), 'input.0.content.0.text'],
    [message([{ type: 'input_audio' }]), 'input.0.content.0.type'],
    [message([{ type: 'input_image' }]), 'input.0.content.0.image_url'],
    [message([{ type: 'input_file' }]), 'input.0.content.0.file_data'],
    [{ input: [{ type: 'function_call', name: 'f', arguments: '{}' }] }, 'input.0.call_id'],
    [{ input: [{ type: 'function_call_output', call_id: 'c' }] }, 'input.0.output'],
    [{ input: [{ type: 'compaction', encrypted_content: 'hearth1.forged' }] }, 'input.0.encrypted_content'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input.0.id', 404],
    [{ previous_response_id: 'resp_none' }, 'previous_response_id', 404],
    [{ conversation: 'conv_1' }, 'conversation', 404],
    [{ conversation: { id: 'conv_1' }, previous_response_id: 'resp_1' }, 'conversation'],
    [{ prompt: { id: 'pmpt_1' } }, 'prompt'],
    [{ context_management: [{ type: 'compaction' }] }, 'context_management'],
    [{ background: true, store: false }, 'background'],
    [{ tools: [{ type: 'web_search' }] }, 'tools.0.type'],
    [{ tools: [{ type: 'mcp' }] }, 'tools.0.type'],
    [{ tools: [{ type: 'function', name: 'a b' }] }, 'tools.0.name'],
    [{ tools: [f, f] }, 'tools.1.name'],
    [{ tools: [{ ...f, parameters: { type: 'string' } }] }, 'tools.0.parameters'],
    [{ tools: [{ type: 'custom', name: 'c', format: { type: 'grammar', syntax: 'ebnf' } }] }, 'tools.0.format.syntax'],
    [{ tools: [{ ...f, description: 'x'.repeat(300_000) }] }, 'tools'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools: [f], tool_choice: { type: 'function', name: 'g' } }, 'tool_choice'],
    [{ tools: [f], tool_choice: { type: 'web_search' } }, 'tool_choice.type'],
    [
      { tools: [f], tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'custom', name: 'f' }] } },
      'tool_choice.tools.0',
    ],
    [{ text: { format: { type: 'json_schema' } } }, 'text.format.schema'],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
    [{ reasoning: { effort: 'enormous' } }, 'reasoning.effort'],
    [{ truncation: 'middle' }, 'truncation'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'],
    [{ top_logprobs: 21 }, 'top_logprobs'],
    [{ metadata: { a: 1 } }, 'metadata.a'],
    [{ stream: 'yes' }, 'stream'],
  ])('of %j name %s', async (body, field, status = 400) => {
    const response = await create(body);
    expect(response.statusCode).toBe(status);
    expect(response.json().error.param).toBe(field);
    expect(harness.gateway.calls).toEqual([]);
  });

  it('name the item that the provider cannot read', async () => {
    harness.gateway.play(() => {
      throw new AppError('invalid_request', 'It reads text only.', { field: 'input.messages.1.content.0' });
    });
    const image = { type: 'input_image', image_url: 'data:image/png;base64,AA==' };
    const response = await create({ instructions: 'x', input: [{ role: 'user', content: [image] }] });
    expect(response.json().error).toMatchObject({ param: expect.stringMatching(/^input\.0/) });
    expect(lastMessages()[1]).toMatchObject({
      content: [{ type: 'image', source: { type: 'bytes', base64: 'AA==' } }],
    });
  });
});

describe('responses that are kept', () => {
  it('can be gone on from, asked for and deleted by the key that made them, and by no other', async () => {
    const first = (await create({ input: 'One', instructions: 'Only now.' })).json();
    const second = (await create({ input: 'Two', previous_response_id: first.id })).json();
    expect(second.previous_response_id).toBe(first.id);
    expect(lastMessages()).toEqual([
      user('One'),
      { role: 'assistant', content: [{ type: 'text', text: 'Hello world' }] },
      user('Two'),
    ]);
    expect((await get(first.id)).json()).toEqual(first);
    for (const [method, path] of [
      ['GET', first.id],
      ['DELETE', first.id],
      ['GET', `${first.id}/input_items`],
      ['POST', `${first.id}/cancel`],
    ] as const) {
      const foreign = await harness.send(method, `/v1/responses/${path}`, undefined, keys.you);
      expect(foreign.statusCode).toBe(404);
      expect(foreign.json().error).toMatchObject({ type: 'invalid_request_error', code: 'not_found' });
    }
    expect((await create({ previous_response_id: first.id }, keys.you)).statusCode).toBe(404);
    const reference = [{ type: 'item_reference', id: first.output[0].id }];
    expect((await create({ input: reference }, keys.you)).statusCode).toBe(404);
    const gone = await harness.send('DELETE', `/v1/responses/${first.id}`, undefined, keys.me);
    expect(gone.json()).toEqual({ id: first.id, object: 'response', deleted: true });
    expect((await get(first.id)).statusCode).toBe(404);
    const lost = await create({ previous_response_id: second.id });
    expect(lost.statusCode).toBe(404);
    expect(lost.json().error.param).toBe('previous_response_id');
  });

  it('are not where store is false', async () => {
    const { id } = (await create({ store: false })).json();
    expect((await get(id)).statusCode).toBe(404);
  });

  it('list their input, that of earlier ones too, in pages', async () => {
    const first = (await create({ input: 'One' })).json();
    const input = [
      { role: 'user', content: 'Two' },
      { type: 'item_reference', id: first.output[0].id },
    ];
    const second = (await create({ input, previous_response_id: first.id })).json();
    expect(lastMessages().map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    const all = (await get(`${second.id}/input_items?order=asc`)).json();
    expect(all.data.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(all.data[0]).toEqual({
      id: expect.stringMatching(/^msg_/),
      type: 'message',
      role: 'user',
      status: 'completed',
      content: [{ type: 'input_text', text: 'One' }],
    });
    const newest = (await get(`${second.id}/input_items?limit=1`)).json();
    expect(newest).toMatchObject({ object: 'list', has_more: true, first_id: newest.last_id });
    const rest = (await get(`${second.id}/input_items?after=${newest.last_id}`)).json();
    expect(rest).toMatchObject({ has_more: false, data: [{ role: 'user' }, { role: 'assistant' }, { role: 'user' }] });
    for (const query of ['limit=0', 'limit=101', 'order=up', 'after=msg_none']) {
      expect((await get(`${second.id}/input_items?${query}`)).statusCode).toBe(400);
    }
  });

  it('can be streamed again, whole', async () => {
    const { id } = (await create({})).json();
    const { body } = await get(`${id}?stream=true`);
    expect(typesOf(body).slice(-2)).toEqual(['output_item.done', 'completed']);
    const after = await get(`${id}?stream=true&starting_after=3`);
    expect(after.json().error.param).toBe('starting_after');
    expect((await get(`${id}?starting_after=3`)).statusCode).toBe(400);
  });

  it('cannot be cancelled where somebody waited for them', async () => {
    const { id } = (await create({})).json();
    const response = await harness.send('POST', `/v1/responses/${id}/cancel`, undefined, keys.me);
    expect(response.statusCode).toBe(400);
  });
});

describe('in the background', () => {
  it('a response is queued, made and kept, and its events can be followed from anywhere', async () => {
    const queued = (await create({ background: true })).json();
    expect(queued).toMatchObject({ status: 'queued', background: true, output: [], usage: null });
    await ended(queued.id);
    const made = (await get(queued.id)).json();
    expect(made).toMatchObject({ status: 'completed', output: [{ content: [{ text: 'Hello world' }] }] });
    const all = eventsOf((await get(`${queued.id}?stream=true`)).body);
    expect(all.slice(0, 3).map(({ type }) => type)).toEqual([
      'response.created',
      'response.queued',
      'response.in_progress',
    ]);
    expect(all.map(({ sequence_number }) => sequence_number)).toEqual(all.map((_event, index) => index));
    expect(all.at(-1).response).toEqual(made);
    const rest = eventsOf((await get(`${queued.id}?stream=true&starting_after=4`)).body);
    expect(rest).toEqual(all.slice(5));
    expect((await create({ previous_response_id: queued.id })).statusCode).toBe(200);
  });

  it('it goes on when its stream is left, and can be cancelled, which a stream is told', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield* [startEvent(), ...textEvents(['Hel'], 0).slice(0, 2)];
      await untilAborted(signal);
    });
    const { id } = (await create({ background: true })).json();
    const call = await harness.gateway.call(0);
    const following = get(`${id}?stream=true`);
    await expect.poll(async () => (await get(id)).json().status).toBe('in_progress');
    const refused = await create({ previous_response_id: id });
    expect(refused.json().error).toMatchObject({ param: 'previous_response_id' });
    const cancelled = await harness.send('POST', `/v1/responses/${id}/cancel`, undefined, keys.me);
    expect(cancelled.json()).toMatchObject({ status: 'cancelled', output: [{ content: [{ text: 'Hel' }] }] });
    await call.released;
    const last = eventsOf((await following).body).at(-1);
    expect(last).toMatchObject({ type: 'response.incomplete', response: { status: 'cancelled' } });
    const again = await harness.send('POST', `/v1/responses/${id}/cancel`, undefined, keys.me);
    expect(again.json().status).toBe('cancelled');
    expect((await get(id)).json()).toEqual(cancelled.json());
  });

  it('it can be deleted while it is made', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      await untilAborted(signal);
    });
    const { id } = (await create({ background: true })).json();
    const call = await harness.gateway.call(0);
    expect((await harness.send('DELETE', `/v1/responses/${id}`, undefined, keys.you)).statusCode).toBe(404);
    expect((await harness.send('DELETE', `/v1/responses/${id}`, undefined, keys.me)).statusCode).toBe(200);
    await call.released;
    expect((await get(id)).statusCode).toBe(404);
  });

  it('it waits for its turn, four are made at a time, and one that waits can be cancelled', async () => {
    const { promise: open, resolve: go } = Promise.withResolvers<void>();
    harness.gateway.play(async function* () {
      await open;
      yield* answerEvents(['done']);
    });
    const made = await Promise.all(Array.from({ length: 6 }, () => create({ background: true })));
    const all = made.map((response) => response.json().id);
    await harness.gateway.call(3);
    const cancelled = await harness.send('POST', `/v1/responses/${all[4]}/cancel`, undefined, keys.me);
    expect(cancelled.json()).toMatchObject({ status: 'cancelled', output: [] });
    expect(harness.gateway.calls).toHaveLength(4);
    go();
    for (const id of all) await ended(id);
    const statuses = await Promise.all(all.map(async (id) => (await get(id)).json().status));
    expect(statuses.toSorted()).toEqual(['cancelled', ...Array(5).fill('completed')]);
    expect(harness.gateway.calls).toHaveLength(5);
  });

  it('it waits for a model whose queue is full', async () => {
    let asked = 0;
    harness.gateway.play(() => {
      if (asked++ === 0) throw new AppError('queue_full', 'Full.', { retryAfterSeconds: 3 });
      return answerEvents(['late']);
    });
    const { id } = (await create({ background: true })).json();
    await harness.gateway.call(0);
    await expect
      .poll(async () => {
        harness.clock.advance(3_000);
        return (await get(id)).json().status;
      })
      .toBe('completed');
    expect(asked).toBe(2);
  });

  it('its failure is kept, in the names of the client', async () => {
    harness.gateway.play(() => {
      throw new AppError('model_not_found', 'There is no model.', { field: 'model' });
    });
    const { id } = (await create({ background: true, stream: false })).json();
    await ended(id);
    expect((await get(id)).json()).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_prompt', param: 'model' },
    });
  });

  it('it says that the server ended, when that ends', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      await untilAborted(signal);
    });
    const following = create({ background: true, stream: true });
    await harness.gateway.call(0);
    await harness.close();
    expect(eventsOf((await following).body).at(-1)).toMatchObject({
      type: 'response.failed',
      response: { error: { message: expect.stringContaining('shut down') } },
    });
    harness = await createHarness();
  });
});

describe('sealed reasoning', () => {
  const think = (text: string): StreamEvent[] => [
    startEvent(),
    { type: 'reasoning-start', blockId: 0 },
    { type: 'reasoning-delta', blockId: 0, text },
    { type: 'reasoning-end', blockId: 0, signature: null },
    ...textEvents(['So'], 1),
    finishEvent(2),
  ];
  const include = ['reasoning.encrypted_content'];

  it('comes back to the model without being kept here, for its own key only', async () => {
    harness.gateway.play(() => think('A secret thought'));
    const body = { store: false, include, reasoning: { summary: 'auto' } };
    const { output } = (await create(body)).json();
    const [{ content: _content, summary: _summary, ...sealed }] = output;
    expect(sealed.encrypted_content).toMatch(/^hearth1\./);
    const input = [
      { role: 'user', content: 'Hi' },
      { ...sealed, summary: [] },
      output[1],
      { role: 'user', content: 'And?' },
    ];
    const response = await create({ ...body, input });
    expect(response.headers).not.toHaveProperty('x-hearth-ignored');
    expect(lastMessages()[1]).toMatchObject({
      role: 'assistant',
      content: [{ type: 'reasoning', text: 'A secret thought', origin: { provider: 'local', model: 'tiny' } }, {}],
    });
    const foreign = await create({ ...body, input }, keys.you);
    expect(foreign.headers['x-hearth-ignored']).toBe('input.encrypted_content');
    expect(lastMessages()[1]).toEqual({ role: 'assistant', content: [{ type: 'text', text: 'So' }] });
  });

  it('that was forged is left out and named', async () => {
    const item = { type: 'reasoning', summary: [], encrypted_content: `hearth1.${'A'.repeat(60)}` };
    const response = await create({ input: [{ role: 'user', content: 'Hi' }, item] });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-ignored']).toBe('input.encrypted_content');
    expect(lastMessages()).toEqual([user('Hi')]);
  });
});

describe('truncation', () => {
  const turns = [1, 2, 3, 4].flatMap((turn) => [
    { role: 'user', content: `question ${turn} ${'x'.repeat(100)}` },
    { role: 'assistant', content: `answer ${turn} ${'x'.repeat(100)}` },
  ]);
  const input = [{ role: 'system', content: 'Rules' }, ...turns, { role: 'user', content: 'last' }];
  /** A context for so many messages. */
  const holds = (most: number) => {
    harness.gateway.play(({ input: asked }) => {
      const count = asked.type === 'chat' ? asked.messages.length : 0;
      if (count <= most) return answerEvents(['fits']);
      throw new AppError('context_length_exceeded', 'Too long.', {
        field: 'input',
        details: { prompt_tokens: count * 10, context_tokens: most * 10 },
      });
    });
  };

  it('auto leaves the oldest turns out, and neither the instructions nor the last turn', async () => {
    holds(6);
    const response = await create({ input, truncation: 'auto' });
    expect(response.statusCode).toBe(200);
    const texts = lastMessages().map(({ role, content }) => `${role} ${'text' in content[0]! ? content[0].text : ''}`);
    expect(texts[0]).toBe('system Rules');
    expect(texts[1]).toMatch(/^user question [234]/);
    expect(texts.at(-1)).toBe('user last');
    expect(response.json().truncation).toBe('auto');
  });

  it('auto cannot cut a last turn that is too long by itself; disabled cuts nothing', async () => {
    holds(1);
    expect((await create({ input, truncation: 'auto' })).json().error.code).toBe('context_length_exceeded');
    holds(6);
    const before = harness.gateway.calls.length;
    expect((await create({ input })).json().error).toMatchObject({ code: 'context_length_exceeded', param: 'input' });
    expect(harness.gateway.calls).toHaveLength(before + 1);
  });
});

describe('POST /v1/responses/input_tokens', () => {
  it('counts', async () => {
    const first = (await create({})).json();
    const body = { input: 'Hi', previous_response_id: first.id, tools: [{ type: 'function', name: 'f' }] };
    const response = await harness.send('POST', '/v1/responses/input_tokens', body, keys.me);
    expect(response.json()).toEqual({ object: 'response.input_tokens', input_tokens: 5 });
    const foreign = await harness.send('POST', '/v1/responses/input_tokens', body, keys.you);
    expect(foreign.statusCode).toBe(404);
  });
});

describe('POST /v1/responses/compact', () => {
  const compact = (body: object, headers: Record<string, string> = keys.me) =>
    harness.send('POST', '/v1/responses/compact', body, headers);

  it('gives what the user said and a sealed summary, from which the next response goes on', async () => {
    harness.gateway.play(() => answerEvents(['The user', ' likes tea.']));
    const input = [
      { role: 'user', content: 'I like tea.' },
      { role: 'assistant', content: 'Good.' },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: 'x' },
    ];
    const compacted = (await compact({ model: 'tiny', input, instructions: 'Be kind.' })).json();
    expect(lastMessages().at(-1)).toMatchObject({
      role: 'user',
      content: [{ text: expect.stringMatching(/^Summarise/) }],
    });
    expect(lastRequest().input).toMatchObject({ tools: [], toolChoice: { type: 'none' } });
    expect(compacted).toMatchObject({
      object: 'response.compaction',
      id: expect.stringMatching(/^resp_/),
      output: [
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'I like tea.' }] },
        { type: 'compaction', encrypted_content: expect.stringMatching(/^hearth1\./) },
      ],
      usage: { input_tokens: 5, output_tokens: 2 },
    });
    await create({ input: [...compacted.output, { role: 'user', content: 'So?' }] });
    expect(lastMessages()).toEqual([
      user('I like tea.'),
      user('Summary of the conversation so far:\n\nThe user likes tea.'),
      user('So?'),
    ]);
    const foreign = await create({ input: compacted.output }, keys.you);
    expect(foreign.json().error.param).toBe('input.1.encrypted_content');
  });

  it('asks nobody else than its headers name', async () => {
    const response = await compact({ input: 'Hi' }, { ...keys.me, 'x-provider': 'nowhere' });
    expect(response.statusCode).toBe(400);
    expect(response.json().error.message).toContain('nowhere');
    expect(harness.gateway.calls).toEqual([]);
  });

  it('asks for something to compact', async () => {
    expect((await compact({})).json().error.param).toBe('input');
    const { id } = (await create({})).json();
    expect((await compact({ previous_response_id: id })).json().output).toHaveLength(2);
  });
});

describe('what clients try first', () => {
  it('a WebSocket is answered with 426, a plain GET with 405', async () => {
    const upgrade = { ...keys.me, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const response = await harness.send('GET', '/v1/responses', undefined, upgrade);
    expect(response.statusCode).toBe(426);
    expect(response.json().error).toMatchObject({ code: 'upgrade_refused' });
    const plain = await harness.send('GET', '/v1/responses', undefined, keys.me);
    expect(plain.statusCode).toBe(405);
    expect(plain.headers['allow']).toBe('POST');
  });

  it.each([
    ['POST', '/v1/conversations'],
    ['GET', '/v1/conversations/conv_1'],
    ['GET', '/v1/conversations/conv_1/items'],
  ])("%s %s is 404 in OpenAI's shape", async (method, url) => {
    const response = await harness.send(method, url, method === 'POST' ? {} : undefined, keys.me);
    expect(response.statusCode).toBe(404);
    expect(Object.keys(response.json().error)).toEqual(['message', 'type', 'param', 'code']);
  });
});
