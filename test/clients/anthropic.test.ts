import Anthropic070 from 'anthropic-0-70';
import Anthropic0137 from 'anthropic-0-137';
import Anthropic1 from 'anthropic-1';
import { describe, expect, it } from 'vitest';
import { light, model, useServer, weather } from './server.ts';

const baseUrl = useServer();
const messages = [{ role: 'user' as const, content: 'What is Hearth?' }];
const tools = [
  { name: weather.name, description: weather.description, input_schema: { ...weather.parameters, required: ['city'] } },
];
const tool_choice = { type: 'any' as const };

describe.each([
  ['1.14', Anthropic1],
  ['0.137', Anthropic0137 as unknown as typeof Anthropic1],
  ['0.70', Anthropic070 as unknown as typeof Anthropic1],
])('@anthropic-ai/sdk %s', (_version, Anthropic) => {
  const client = () => new Anthropic({ baseURL: baseUrl(), apiKey: 'none', maxRetries: 0 });

  it('asks and streams', async () => {
    const whole = await client().messages.create({ model, messages, max_tokens: 24 });
    expect(whole.content[0]).toMatchObject({ type: 'text', text: expect.stringMatching(/\S/) });
    expect(whole.usage.output_tokens).toBeGreaterThan(0);
    const stream = client().messages.stream({ model, messages, max_tokens: 24 });
    let text = '';
    stream.on('text', (delta) => {
      text += delta;
    });
    const final = await stream.finalMessage();
    expect(final.content.map((block) => (block.type === 'text' ? block.text : '')).join('')).toBe(text);
    expect(final.stop_reason).toMatch(/^(end_turn|max_tokens)$/);
  });

  it('has a tool called, whole and streamed, and answers it', async () => {
    const wish = { model, messages, tools, tool_choice, max_tokens: 128 };
    const whole = await client().messages.create(wish);
    const call = whole.content.find((block) => block.type === 'tool_use')!;
    expect(call).toMatchObject({ name: 'get_weather', input: { city: expect.stringMatching(/^(Bern|Oslo)$/) } });
    expect(whole.stop_reason).toBe('tool_use');
    const streamed = await client().messages.stream(wish).finalMessage();
    expect(streamed.content.find((block) => block.type === 'tool_use')).toMatchObject({ name: 'get_weather' });
    const after = await client().messages.create({
      model,
      max_tokens: 16,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: whole.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'Sunny.' }] },
      ],
    });
    expect(after.type).toBe('message');
  });

  it('gets structured output', async () => {
    const answer = await client().messages.create({
      model,
      messages,
      max_tokens: 128,
      output_config: { format: { type: 'json_schema', schema: { ...light, required: ['room', 'on'] } } },
    });
    const [block] = answer.content;
    expect(block?.type === 'text' && JSON.parse(block.text)).toEqual({
      room: expect.stringMatching(/^(kitchen|hall)$/),
      on: expect.any(Boolean),
    });
  });

  it('counts tokens as the answer does', async () => {
    const { input_tokens } = await client().messages.countTokens({ model, messages });
    const { usage } = await client().messages.create({ model, messages, max_tokens: 1 });
    expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(input_tokens);
  });

  it('knows its errors', async () => {
    await expect(client().messages.create({ model: 'no-such', messages, max_tokens: 1 })).rejects.toBeInstanceOf(
      Anthropic.NotFoundError,
    );
    await expect(client().messages.create({ model, messages: [], max_tokens: 1 })).rejects.toMatchObject({
      status: 400,
      error: { type: 'error', error: { type: 'invalid_request_error' } },
    });
  });

  it('gives up in the middle, and the server is there for the next', async () => {
    const stream = await client().messages.create({ model, messages, max_tokens: 2_000, stream: true });
    for await (const _ of stream) break;
    expect(stream.controller.signal.aborted).toBe(true);
    const { data } = await client().models.list();
    expect(data.map(({ id }) => id)).toContain(model);
  });
});
