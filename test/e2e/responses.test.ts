import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, tokenCounts, tools } from '../support/answers.ts';
import { statusOfUpgrade } from '../support/client.ts';
import { collect } from '../support/collect.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const responseTools = tools.map(({ function: tool }) => ({ type: 'function' as const, strict: null, ...tool }));

describe('responses through the official OpenAI SDK, with the built-in model', () => {
  let server: RunningServer;
  let client: OpenAI;

  beforeAll(async () => {
    server = await startServer();
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
  });
  afterAll(async () => {
    await server?.stop();
  });

  const ask = { model: 'default', temperature: 0, input: 'What is Hearth?' };

  it('answers whole, with the usage of the same chat', async () => {
    const response = await client.responses.create(ask);
    expect(response.output_text).toBe(answers['What is Hearth?']);
    expect(response).toMatchObject({ status: 'completed', error: null, incomplete_details: null });
    const { prompt, completion } = tokenCounts['What is Hearth?'];
    expect(response.usage).toMatchObject({
      input_tokens: prompt,
      output_tokens: completion,
      total_tokens: prompt + completion,
    });
    const count = await client.responses.inputTokens.count({ model: 'default', input: ask.input });
    expect(count).toMatchObject({ object: 'response.input_tokens', input_tokens: prompt });
  });

  it('streams events that the strict reader of the SDK joins to the same response', async () => {
    const stream = client.responses.stream(ask);
    const events = await collect(stream);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_event, index) => index));
    const final = await stream.finalResponse();
    expect(final.output_text).toBe(answers['What is Hearth?']);
    expect(final.status).toBe('completed');
  });

  it('remembers by previous_response_id, keeps, lists and deletes', async () => {
    const first = await client.responses.create({ ...ask, input: 'Hello!' });
    const second = await client.responses.create({ ...ask, input: 'Thanks!', previous_response_id: first.id });
    expect(second.output_text).toBe(answers['Thanks!']);
    expect(second.usage!.input_tokens).toBeGreaterThan(tokenCounts['Hello!'].prompt + tokenCounts['Hello!'].completion);
    expect(second.usage!.input_tokens_details.cached_tokens).toBeGreaterThan(0);
    expect((await client.responses.retrieve(second.id)).output_text).toBe(second.output_text);
    const items = await collect(client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 }));
    expect(items.map((item) => ('role' in item ? item.role : item.type))).toEqual(['user', 'assistant', 'user']);
    await client.responses.delete(first.id);
    await expect(client.responses.retrieve(first.id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it('calls a function and goes on with what it returned', async () => {
    const first = await client.responses.create({
      ...ask,
      input: 'What is the weather in Paris?',
      tools: responseTools,
      tool_choice: { type: 'function', name: 'get_weather' },
    });
    const call = first.output.find((item) => item.type === 'function_call')!;
    expect(call).toMatchObject({ name: 'get_weather', status: 'completed' });
    expect(JSON.parse(call.arguments)).toHaveProperty('city');
    const second = await client.responses.create({
      ...ask,
      tools: responseTools,
      tool_choice: 'none',
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: '{"temperature": 21}' }],
    });
    expect(second.status).toBe('completed');
    expect(second.output_text).not.toBe('');
  });

  it('gives a custom tool plain text, piece by piece', async () => {
    const stream = client.responses.stream({
      ...ask,
      input: 'Write a note.',
      max_output_tokens: 80,
      tools: [{ type: 'custom', name: 'note', description: 'Keeps a note' }],
      tool_choice: { type: 'custom', name: 'note' },
    });
    const events = await collect(stream);
    const deltas = events.flatMap((event) =>
      event.type === 'response.custom_tool_call_input.delta' ? [event.delta] : [],
    );
    const { output } = await stream.finalResponse();
    expect(output).toMatchObject([{ type: 'custom_tool_call', name: 'note', input: deltas.join('') }]);
  });

  it('keeps to a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { name: { type: 'string', maxLength: 10 }, ok: { type: 'boolean' } },
      required: ['name', 'ok'],
      additionalProperties: false,
    };
    const response = await client.responses.create({
      ...ask,
      text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } },
    });
    expect(JSON.parse(response.output_text)).toEqual({ name: expect.any(String), ok: expect.any(Boolean) });
  });

  it('ends at max_output_tokens as incomplete', async () => {
    const response = await client.responses.create({ ...ask, max_output_tokens: 5 });
    expect(response).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
    expect(response.usage!.output_tokens).toBe(5);
  });

  it('cuts what is too long where it may', async () => {
    const input = Array.from({ length: 200 }, (_, turn) => [
      { role: 'user' as const, content: `Question ${turn}: what is a KV cache, and what is it good for?` },
      { role: 'assistant' as const, content: 'It holds the keys and values of all tokens so far.' },
    ]).flat();
    const long = { ...ask, input: [...input, { role: 'user' as const, content: 'What is Hearth?' }] };
    await expect(client.responses.create(long)).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    const response = await client.responses.create({ ...long, truncation: 'auto', max_output_tokens: 20 });
    expect(response.usage!.output_tokens).toBeGreaterThan(0);
  });

  it('makes a response in the background, which can be followed and asked for', async () => {
    const queued = await client.responses.create({ ...ask, background: true });
    expect(queued.status).toBe('queued');
    const events = await collect(await client.responses.retrieve(queued.id, { stream: true }));
    expect(events.at(-1)).toMatchObject({ type: 'response.completed' });
    const rest = await collect(await client.responses.retrieve(queued.id, { stream: true, starting_after: 5 }));
    expect(rest).toEqual(events.slice(6));
    await expect.poll(async () => (await client.responses.retrieve(queued.id)).status).toBe('completed');
    expect((await client.responses.retrieve(queued.id)).output_text).toBe(answers['What is Hearth?']);
    expect((await client.responses.cancel(queued.id)).status).toBe('completed');
  });

  it('compacts a conversation and goes on from it', async () => {
    const compacted = await client.responses.compact({
      model: 'default',
      input: [
        { role: 'user', content: 'What is GGUF?' },
        { role: 'assistant', content: answers['What is GGUF?'] },
      ],
    });
    expect(compacted.output.map(({ type }) => type)).toEqual(['message', 'compaction']);
    expect(compacted.usage.output_tokens).toBeGreaterThan(0);
    const input = [...compacted.output, { role: 'user', content: 'Thanks!' }] as OpenAI.Responses.ResponseInput;
    expect((await client.responses.create({ ...ask, input })).status).toBe('completed');
  });

  it('refuses by name', async () => {
    const wrong = client.responses.create({ ...ask, tools: [{ type: 'web_search' }] });
    await expect(wrong).rejects.toMatchObject({ status: 400, param: 'tools.0.type' });
    await expect(client.responses.create({ ...ask, model: 'none' })).rejects.toThrow(OpenAI.NotFoundError);
  });

  it('answers a WebSocket on a real socket with 426', async () => {
    expect(await statusOfUpgrade(`${server.baseUrl}/v1/responses`)).toBe(426);
  });
});

describe('responses of a server that was killed', () => {
  it('are there after it, and the unfinished one says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-kept-'));
    const args = ['--data', folder];
    const clientOf = ({ baseUrl }: RunningServer) =>
      new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
    try {
      const first = await startServer({ args });
      const before = clientOf(first);
      const kept = await before.responses.create({ model: 'default', temperature: 0, input: 'Hello!' });
      const endless = { model: 'default', input: 'Hello!', background: true, ignore_eos: true };
      const unfinished = await before.responses.create(endless);
      await first.stop('SIGKILL');
      const second = await startServer({ args });
      const after = clientOf(second);
      expect(await after.responses.retrieve(kept.id)).toEqual(kept);
      const next = { model: 'default', temperature: 0, input: 'Thanks!', previous_response_id: kept.id };
      expect((await after.responses.create(next)).output_text).toBe(answers['Thanks!']);
      expect(await after.responses.retrieve(unfinished.id)).toMatchObject({
        status: 'failed',
        error: { code: 'server_error' },
      });
      await second.stop();
      expect(second.stderr()).not.toContain('Experimental');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
