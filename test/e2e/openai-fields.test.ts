import { zstdCompressSync } from 'node:zlib';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, tokenCounts, tools } from '../support/answers.ts';
import { collect } from '../support/collect.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** What is looked at of any answer. */
interface Reply {
  error: { param: string | null; message: string };
  count: number;
  tokens: { id: number }[];
  content: string;
  prompt: string;
  input_tokens: number;
  usage: { prompt_tokens: number };
  choices: { text: string; message: { content: string } }[];
}

const question = 'What is Hearth?';
const ask = (content: string) => [{ role: 'user' as const, content }];

describe('fields of OpenAI with the built-in model', () => {
  let server: RunningServer;
  let client: OpenAI;

  beforeAll(async () => {
    server = await startServer();
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
  });
  afterAll(async () => {
    await server?.stop();
  });

  const post = async (path: string, body: object | Uint8Array, headers: Record<string, string> = {}) => {
    const response = await fetch(server.baseUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Reply };
  };
  const chat = (body: object) =>
    post('/v1/chat/completions', { messages: ask(question), temperature: 0, max_tokens: 8, ...body });

  it('gives the same text with a prediction, and counts what came true of it', async () => {
    const answer = answers[question];
    const predicted = async (content: string) => {
      const completion = await client.chat.completions.create({
        model: 'default',
        messages: ask(question),
        temperature: 0,
        prediction: { type: 'content', content },
      });
      expect(completion.choices[0]!.message.content).toBe(answer);
      expect(completion.usage!.completion_tokens).toBe(tokenCounts[question].completion);
      const { accepted_prediction_tokens: accepted, rejected_prediction_tokens: rejected } =
        completion.usage!.completion_tokens_details!;
      return { accepted: accepted!, rejected: rejected! };
    };
    const right = await predicted(answer);
    expect(right.accepted).toBeGreaterThan(0);
    expect(right.accepted).toBeLessThanOrEqual(tokenCounts[question].completion);
    expect((await predicted('Nothing of this is ever said by anyone at all.')).accepted).toBe(0);
  });

  it('names the fields that change nothing for this model', async () => {
    const { headers, status } = await chat({
      store: true,
      user: 'u',
      service_tier: 'flex',
      reasoning_effort: 'high',
      of_tomorrow: 1,
      stream_options: { include_obfuscation: true },
    });
    expect(status).toBe(200);
    expect(headers.get('x-hearth-ignored')!.split(', ').sort()).toEqual(
      ['of_tomorrow', 'reasoning_effort', 'service_tier', 'store', 'stream_options.include_obfuscation', 'user'].sort(),
    );
    expect((await chat({ reasoning_effort: 'none' })).headers.get('x-hearth-ignored')).toBeNull();
  });

  it.each([
    [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } }, 'an image'],
    [{ type: 'file', file: { file_data: 'aGk=', filename: 'a.pdf' } }, 'a document'],
    [{ type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } }, 'sound'],
  ])('refuses %j with the name of the model and the place', async (part, what) => {
    const { status, body } = await chat({
      messages: [{ role: 'user', content: [{ type: 'text', text: 'See' }, part] }],
    });
    expect(status).toBe(400);
    expect(body.error.param).toBe('messages.0.content.1');
    expect(body.error.message).toContain('"hearth-guide-3m"');
    expect(body.error.message).toContain(what);
  });

  it('refuses a suffix with the name of the model', async () => {
    const { status, body } = await post('/v1/completions', { prompt: 'a', suffix: 'b' });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ param: 'suffix', message: expect.stringContaining('"hearth-guide-3m"') });
  });

  it('gives a custom tool text that keeps to its expression, whole and in a stream', async () => {
    const format = { type: 'grammar' as const, grammar: { syntax: 'regex' as const, definition: '[A-Z]{3}-[0-9]{2}' } };
    const request = {
      model: 'default',
      messages: ask(question),
      temperature: 0,
      max_tokens: 100,
      tools: [{ type: 'custom' as const, custom: { name: 'enter_code', description: 'Enter a code', format } }],
      tool_choice: { type: 'custom' as const, custom: { name: 'enter_code' } },
    };
    const completion = await client.chat.completions.create(request);
    const [call] = completion.choices[0]!.message.tool_calls!;
    expect(call).toMatchObject({
      type: 'custom',
      custom: { name: 'enter_code', input: expect.stringMatching(/^[A-Z]{3}-[0-9]{2}$/) },
    });
    const chunks = await collect(await client.chat.completions.create({ ...request, stream: true }));
    const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    const streamed = deltas.map((delta) => delta.custom?.input ?? '').join('');
    expect(call).toMatchObject({ custom: { input: streamed } });
  });

  it('calls only what is allowed, and must where it must', async () => {
    const completion = await client.chat.completions.create({
      model: 'default',
      messages: ask(question),
      temperature: 0,
      max_tokens: 200,
      tools,
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: tools[0]!.function.name } }] },
      },
    });
    const [call] = completion.choices[0]!.message.tool_calls!;
    expect(call).toMatchObject({ type: 'function', function: { name: tools[0]!.function.name } });
  });

  it('turns text into tokens and back', async () => {
    const text = 'Grüße, 世界 <|im_end|>!';
    const { body } = await post('/tokenize', { content: text, with_pieces: true });
    expect(body.count).toBe(body.tokens.length);
    const tokens = body.tokens.map(({ id }) => id);
    expect((await post('/detokenize', { tokens })).body.content).toBe(text);
    const plain = (await post('/tokenize', { content: text, parse_special: false })).body.tokens;
    expect(plain.length).toBeGreaterThan(tokens.length);
    expect((await post('/detokenize', { tokens: plain })).body.content).toBe(text);
    const unknown = await post('/detokenize', { tokens: [2 ** 30] });
    expect(unknown).toMatchObject({ status: 400, body: { error: { param: 'tokens' } } });
  });

  it('shows the prompt of a chat and counts what its answer counts', async () => {
    const { prompt } = (await post('/apply-template', { messages: ask(question) })).body;
    expect(prompt).toContain(question);
    const counted = (await post('/v1/chat/completions/input_tokens', { messages: ask(question) })).body.input_tokens;
    expect(counted).toBe(tokenCounts[question].prompt);
    expect((await post('/tokenize', { messages: ask(question) })).body.count).toBe(counted);
    const repeated = await post('/v1/completions', { prompt, max_tokens: 1 });
    expect(repeated.body.usage.prompt_tokens).toBe(counted);
  });

  it('repeats a prompt of tokens as text', async () => {
    const { tokens } = (await post('/tokenize', { content: 'Hearth is' })).body;
    const { body } = await post('/v1/completions', {
      prompt: [tokens, 'Hearth is'],
      echo: true,
      max_tokens: 4,
      temperature: 0,
    });
    const [first, second] = body.choices.map(({ text }) => text);
    expect(first).toBe(second);
    expect(first).toMatch(/^Hearth is./);
  });

  it('asks for short answers where verbosity is low', async () => {
    const { prompt } = (await post('/apply-template', { messages: ask(question), verbosity: 'low' })).body;
    expect(prompt).toContain('short');
  });

  it('reads a body in zstd', async () => {
    const body = zstdCompressSync(JSON.stringify({ messages: ask(question), temperature: 0 }));
    const answer = await post('/v1/chat/completions', body, { 'content-encoding': 'zstd' });
    expect(answer.body.choices[0]!.message.content).toBe(answers[question]);
  });
});
