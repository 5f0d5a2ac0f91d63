import OpenAI6 from 'openai-6';
import OpenAI7 from 'openai-7';
import { describe, expect, it } from 'vitest';
import { embedder, light, model, realModels, useServer, weather } from './server.ts';

const baseUrl = useServer();
const question = [{ role: 'user' as const, content: 'What is Hearth?' }];
const tools = [{ type: 'function' as const, function: weather }];

describe.each([
  ['7.59', OpenAI7],
  ['6.49', OpenAI6 as unknown as typeof OpenAI7],
])('openai %s', (_version, OpenAI) => {
  const client = () => new OpenAI({ baseURL: `${baseUrl()}/v1`, apiKey: 'none', maxRetries: 0 });

  it('asks and streams, with the same text', async () => {
    const wish = { model, messages: question, temperature: 0, max_completion_tokens: 24 };
    const whole = await client().chat.completions.create(wish);
    const text = whole.choices[0]!.message.content!;
    expect(text).not.toBe('');
    expect(whole.usage!.total_tokens).toBe(whole.usage!.prompt_tokens + whole.usage!.completion_tokens);
    const chunks = await Array.fromAsync(
      await client().chat.completions.create({ ...wish, stream: true, stream_options: { include_usage: true } }),
    );
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(text);
    expect(chunks.at(-1)!.usage).toMatchObject({ completion_tokens: whole.usage!.completion_tokens });
  });

  it('has a tool called, whole and streamed, and answers it', async () => {
    const wish = { model, messages: question, tools, tool_choice: 'required' as const, temperature: 0 };
    const { choices } = await client().chat.completions.create(wish);
    const call = choices[0]!.message.tool_calls![0]!;
    if (call.type !== 'function') throw new Error('another kind of call');
    expect(call.function.name).toBe('get_weather');
    expect(['Bern', 'Oslo']).toContain(JSON.parse(call.function.arguments).city);
    const streamed = await client().chat.completions.stream(wish).finalChatCompletion();
    expect(streamed.choices[0]!.message.tool_calls![0]).toMatchObject({
      function: { arguments: call.function.arguments },
    });
    const after = await client().chat.completions.create({
      model,
      max_completion_tokens: 16,
      tools,
      messages: [...question, choices[0]!.message, { role: 'tool', tool_call_id: call.id, content: 'Sunny.' }],
    });
    expect(after.choices[0]!.finish_reason).toMatch(/^(stop|length|tool_calls)$/);
  });

  it('gets structured output', async () => {
    const { choices } = await client().chat.completions.parse({
      model,
      messages: question,
      response_format: { type: 'json_schema', json_schema: { name: 'light', schema: light, strict: true } },
    });
    expect(choices[0]!.message.parsed).toEqual({
      room: expect.stringMatching(/^(kitchen|hall)$/),
      on: expect.any(Boolean),
    });
  });

  it('asks for responses, goes on with them, and streams them', async () => {
    const first = await client().responses.create({ model, input: 'What is Hearth?', max_output_tokens: 16 });
    expect(first.output_text).not.toBe('');
    const next = await client().responses.create({
      model,
      input: 'And why?',
      previous_response_id: first.id,
      max_output_tokens: 16,
    });
    expect(next.usage!.input_tokens).toBeGreaterThan(first.usage!.input_tokens);
    const events = await Array.fromAsync(
      await client().responses.create({ model, input: 'Hello', max_output_tokens: 16, stream: true }),
    );
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    expect(events.at(-1)!.type).toMatch(/^response\.(completed|incomplete)$/);
  });

  it.skipIf(realModels === undefined)('gets vectors, which it asks for in base64', async () => {
    const { data } = await client().embeddings.create({ model: embedder, input: ['a cat', 'a dog'] });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([384, 384]);
    expect(Math.hypot(...data[0]!.embedding)).toBeCloseTo(1, 3);
  });

  it('knows its errors', async () => {
    await expect(client().chat.completions.create({ model: 'no-such', messages: question })).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
    await expect(client().chat.completions.create({ model, messages: question, temperature: 9 })).rejects.toMatchObject(
      { status: 400, param: 'temperature' },
    );
  });

  it('gives up in the middle, and the server is there for the next', async () => {
    const stream = await client().chat.completions.create({
      model,
      messages: question,
      max_completion_tokens: 2_000,
      stream: true,
    });
    for await (const _ of stream) break;
    expect(stream.controller.signal.aborted).toBe(true);
    const { data } = await client().models.list();
    expect(data.map(({ id }) => id)).toContain(model);
  });
});
