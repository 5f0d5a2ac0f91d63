import { Ollama } from 'ollama';
import { describe, expect, it } from 'vitest';
import { embedder, light, model, realModels, useServer, weather } from './server.ts';

const baseUrl = useServer();
const messages = [{ role: 'user', content: 'What is Hearth?' }];
const options = { temperature: 0, num_predict: 24 };
const client = () => new Ollama({ host: baseUrl() });

describe('ollama 0.6.4', () => {
  it('asks and streams, with the same text, and times that add up', async () => {
    const whole = await client().chat({ model, messages, options });
    expect(whole.message.content).not.toBe('');
    expect(whole.total_duration).toBeGreaterThanOrEqual(whole.load_duration + whole.eval_duration);
    const parts = await Array.fromAsync(await client().chat({ model, messages, options, stream: true }));
    expect(parts.map(({ message }) => message.content).join('')).toBe(whole.message.content);
    const generated = await client().generate({ model, prompt: 'Hello', options });
    expect(generated.done).toBe(true);
  });

  it('has a tool called, with arguments that are an object', async () => {
    const parameters = { ...weather.parameters, required: ['city'], properties: { city: { type: 'string' } } };
    const tools = [{ type: 'function', function: { ...weather, parameters } }];
    const ask = [{ role: 'user', content: 'Call get_weather for Bern.' }];
    const { message } = await client().chat({ model, messages: ask, tools, options: { ...options, num_predict: 96 } });
    for (const call of message.tool_calls ?? []) expect(call.function.arguments).toBeTypeOf('object');
    const after = await client().chat({
      model,
      tools,
      options,
      messages: [
        ...ask,
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ function: { name: 'get_weather', arguments: { city: 'Bern' } } }],
        },
        { role: 'tool', content: 'Sunny.', tool_name: 'get_weather' },
      ],
    });
    expect(after.done).toBe(true);
  });

  it('gets structured output', async () => {
    const { message } = await client().chat({ model, messages, format: light, options: { num_predict: 128 } });
    expect(JSON.parse(message.content)).toEqual({
      room: expect.stringMatching(/^(kitchen|hall)$/),
      on: expect.any(Boolean),
    });
  });

  it('lists, shows, copies and deletes', async () => {
    const { models } = await client().list();
    expect(models.map(({ name }) => name.replace(/:.*$/, ''))).toContain(model);
    const shown = await client().show({ model });
    expect(shown.capabilities).toContain('completion');
    await client().copy({ source: model, destination: 'mine' });
    expect((await client().chat({ model: 'mine', messages, options })).done).toBe(true);
    await client().delete({ model: 'mine' });
    expect((await client().ps()).models).not.toEqual([]);
  });

  it.skipIf(realModels === undefined)('gets vectors', async () => {
    const { embeddings } = await client().embed({ model: embedder, input: ['a cat', 'a dog'] });
    expect(embeddings.map(({ length }) => length)).toEqual([384, 384]);
  });

  it('knows its errors', async () => {
    await expect(client().chat({ model: 'no-such', messages })).rejects.toMatchObject({ status_code: 404 });
  });

  it('gives up in the middle', async () => {
    const stream = await client().chat({ model, messages, options: { num_predict: 2_000 }, stream: true });
    const reading = (async () => {
      for await (const _ of stream) stream.abort();
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    expect((await client().list()).models).not.toEqual([]);
  });
});
