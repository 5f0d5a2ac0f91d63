import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, tokenCounts, tools } from '../support/answers.ts';
import { collect } from '../support/collect.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const ask = (content: string) => [{ role: 'user' as const, content }];

describe('the official OpenAI SDK on a real socket', () => {
  let server: RunningServer;
  let client: OpenAI;

  beforeAll(async () => {
    server = await startServer();
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('completes with the exact text of the built-in model', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: ask('What is Hearth?'),
      temperature: 0,
    });
    expect(completion.object).toBe('chat.completion');
    expect(completion.id).toMatch(/^chatcmpl-/);
    expect(completion.choices).toHaveLength(1);
    expect(completion.choices[0]).toMatchObject({
      index: 0,
      finish_reason: 'stop',
      message: { role: 'assistant', content: answers['What is Hearth?'] },
    });
    const { prompt, completion: generated } = tokenCounts['What is Hearth?'];
    expect(completion.usage).toMatchObject({
      prompt_tokens: prompt,
      completion_tokens: generated,
      total_tokens: prompt + generated,
    });
  });

  it('ends at max_tokens with finish_reason length', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: ask('What is Hearth?'),
      temperature: 0,
      max_tokens: 5,
    });
    const { content } = completion.choices[0]!.message;
    expect(completion.choices[0]!.finish_reason).toBe('length');
    expect(completion.usage?.completion_tokens).toBe(5);
    expect(content?.length).toBeGreaterThan(0);
    expect(answers['What is Hearth?'].startsWith(content ?? '')).toBe(true);
  });

  it('ends before a stop string', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: ask('What is Hearth?'),
      temperature: 0,
      stop: ['running', 'never seen'],
    });
    expect(completion.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: 'Hearth is a server for ' },
    });
  });

  it('streams chunks that join to the same text, with the usage at the end when asked for', async () => {
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: ask('What is Hearth?'),
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(new Set(chunks.map((chunk) => chunk.object))).toEqual(new Set(['chat.completion.chunk']));
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant');
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(answers['What is Hearth?']);
    // Pieces that travel together are one chunk, so how many there are hangs on the machine; the whole at once it is not.
    expect(chunks.filter((chunk) => chunk.choices[0]?.delta.content).length).toBeGreaterThan(1);
    const reasons = chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter((reason) => reason);
    expect(reasons).toEqual(['stop']);
    const last = chunks.at(-1)!;
    expect(last.choices).toEqual([]);
    expect(last.usage).toMatchObject({ prompt_tokens: 32, completion_tokens: 68, total_tokens: 100 });
  });

  it('streams no usage unless asked for', async () => {
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: ask('Thanks!'),
      temperature: 0,
      stream: true,
    });
    const chunks = await collect(stream);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(answers['Thanks!']);
    expect(chunks.filter((chunk) => chunk.usage || chunk.choices.length === 0)).toEqual([]);
  });

  it('streams characters whose bytes are spread over tokens, whole', async () => {
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: ask('你好'),
      temperature: 0,
      stream: true,
    });
    const deltas = (await collect(stream)).map((chunk) => chunk.choices[0]?.delta.content ?? '');
    expect(deltas.join('')).toBe(answers['你好']);
    expect(deltas.filter((delta) => delta.includes('\uFFFD'))).toEqual([]);
  });

  it('remembers what was said earlier in the conversation', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: [
        { role: 'user', content: 'My name is Dora.' },
        { role: 'assistant', content: 'Nice to meet you, Dora.' },
        { role: 'user', content: 'What is my name?' },
      ],
      temperature: 0,
    });
    expect(completion.choices[0]!.message.content).toBe('Your name is Dora.');
  });

  it('calls a tool and answers from its result', async () => {
    const question = ask('What is the weather in Oslo?');
    const first = await client.chat.completions.create({ model: 'default', messages: question, tools, temperature: 0 });
    const choice = first.choices[0]!;
    expect(choice.finish_reason).toBe('tool_calls');
    expect(choice.message.content).toBeNull();
    expect(choice.message.tool_calls).toHaveLength(1);
    const call = choice.message.tool_calls![0]!;
    if (call.type !== 'function') throw new Error(`a call of type ${call.type}`);
    expect(call.id).not.toBe('');
    expect(call.function.name).toBe('get_weather');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Oslo' });

    const result = '{"city": "Oslo", "temperature_c": 4, "sky": "cloudy"}';
    const second = await client.chat.completions.create({
      model: 'default',
      messages: [...question, choice.message, { role: 'tool', tool_call_id: call.id, content: result }],
      tools,
      temperature: 0,
    });
    // How the sentence goes on is a close call of the model (its card has "clocky"), which rounds one way or the other
    // with the processor and with how much of the prompt was reused.
    expect(second.choices[0]).toMatchObject({ finish_reason: 'stop' });
    expect(second.choices[0]!.message.content).toMatch(/^It is 4 degrees .*in Oslo\.$/);
  });

  it('streams a tool call that the SDK puts together', async () => {
    const runner = client.chat.completions.stream({
      model: 'default',
      messages: ask('Switch the light in the kitchen off.'),
      tools,
      temperature: 0,
    });
    const completion = await runner.finalChatCompletion();
    const choice = completion.choices[0]!;
    expect(choice.finish_reason).toBe('tool_calls');
    const calls = (choice.message.tool_calls ?? []).map((call) =>
      call.type === 'function' ? [call.function.name, JSON.parse(call.function.arguments)] : [call.type],
    );
    expect(calls).toEqual([['set_light', { room: 'kitchen', state: 'off' }]]);
  });

  it('answers in words when no tool is needed', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: ask('Hello!'),
      tools,
      temperature: 0,
    });
    expect(completion.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: answers['Hello!'] },
    });
  });

  it('continues plain text through the legacy completions', async () => {
    const prompt = '<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n';
    const whole = await client.completions.create({ model: 'default', prompt, temperature: 0, max_tokens: 8 });
    expect(whole.object).toBe('text_completion');
    expect(whole.choices[0]!.finish_reason).toBe('length');
    expect(whole.choices[0]!.text.length).toBeGreaterThan(0);
    expect(whole.usage?.completion_tokens).toBe(8);
    const stream = await client.completions.create({
      model: 'default',
      prompt,
      temperature: 0,
      max_tokens: 8,
      stream: true,
    });
    const text = (await collect(stream)).map((chunk) => chunk.choices[0]?.text ?? '').join('');
    expect(text).toBe(whole.choices[0]!.text);
  });

  it('lists models and retrieves one by name and by alias', async () => {
    const models = await collect(client.models.list());
    const builtIn = models.find((model) => model.id === builtInModel);
    expect(builtIn).toMatchObject({ id: builtInModel, object: 'model', owned_by: expect.any(String) });
    expect(Number.isInteger(builtIn?.created)).toBe(true);
    expect(await client.models.retrieve(builtInModel)).toMatchObject({ id: builtInModel, object: 'model' });
    expect(await client.models.retrieve('default')).toMatchObject({ object: 'model' });
  });

  it('raises NotFoundError for an unknown model, with all four keys of an OpenAI error', async () => {
    const failure = client.chat.completions.create({ model: 'no-such-model', messages: ask('Hello!') });
    const error = await failure.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found' });
    expect((error as InstanceType<typeof OpenAI.APIError>).error).toEqual({
      message: expect.stringContaining('no-such-model'),
      type: expect.any(String),
      param: 'model',
      code: 'model_not_found',
    });
    await expect(client.models.retrieve('no-such-model')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it.each([
    ['temperature', { temperature: 9 }],
    ['top_p', { top_p: -1 }],
    ['max_tokens', { max_tokens: 0 }],
    ['messages', { messages: [] }],
  ])('raises BadRequestError that names %s when it is out of range', async (param, wrong) => {
    const failure = client.chat.completions.create({ model: 'default', messages: ask('Hello!'), ...wrong });
    const error = await failure.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, param });
  });

  it('raises BadRequestError with both numbers when the prompt is longer than the context', async () => {
    const failure = client.chat.completions.create({ model: 'default', messages: ask('hello '.repeat(5000)) });
    const error = await failure.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' });
    const { message } = (error as InstanceType<typeof OpenAI.APIError>).error as { message: string };
    const numbers = (message.match(/\d[\d,]*/g) ?? []).map((text) => Number(text.replaceAll(',', '')));
    expect(numbers.some((number) => number > 5000)).toBe(true);
    // The built-in model was trained with 2,048 tokens; a slot may have fewer.
    expect(numbers.some((number) => number >= 256 && number <= 2048)).toBe(true);
  });

  it('frees the slot when the SDK aborts a stream, and answers the next request', async () => {
    const stream = await client.chat.completions.create({
      model: 'default',
      messages: ask('Tell me a story.'),
      temperature: 0,
      stream: true,
    });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    stream.controller.abort();
    const next = await client.chat.completions.create({ model: 'default', messages: ask('Thanks!'), temperature: 0 });
    expect(next.choices[0]!.message.content).toBe(answers['Thanks!']);
  });
});
