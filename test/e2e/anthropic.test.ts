import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeGguf } from '../../scripts/gguf/write-gguf.ts';
import { decoder } from '../../scripts/tiny-models/decoder.ts';
import { bytePairTokenizer } from '../../scripts/tiny-models/tokenizers.ts';
import { accumulate } from '../http/anthropic/accumulate.ts';
import { answers, tools as openAiTools, tokenCounts } from '../support/answers.ts';
import { postJson } from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

interface Message {
  model: string;
  content: {
    type: string;
    text?: string;
    thinking?: string;
    signature?: string;
    name?: string;
    id?: string;
    input?: object;
  }[];
  stop_reason: string;
  stop_sequence: string | null;
  usage: {
    input_tokens: number;
    cache_read_input_tokens: number;
    output_tokens: number;
    output_tokens_details: { thinking_tokens: number };
  };
}

const older = { 'anthropic-version': '2023-06-01' };
const user = (content: string) => ({ role: 'user', content });
const tools = openAiTools.map(({ function: { name, description, parameters } }) => ({
  name,
  description,
  input_schema: parameters,
}));

/** A template that opens the reasoning of every answer and has no switch for it. */
const thinkingTemplate =
  "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}";

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-anthropic-'));
  const tokenizer = bytePairTokenizer(thinkingTemplate);
  const file = decoder({ architecture: 'qwen2', tokenizer, storage: 'q8_0', seed: 27, layers: 2, hasBias: true });
  await writeGguf({ filePath: join(folder, 'thinker.gguf'), ...file });
  server = await startServer({ models: folder });
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const post = (path: string, body: object) =>
  postJson(`${server.baseUrl}/v1/messages${path}`, { model: 'default', ...body }, older);
async function ask(body: object): Promise<Message> {
  const { status, body: message } = await post('', { max_tokens: 256, temperature: 0, ...body });
  expect(status, JSON.stringify(message)).toBe(200);
  return message as Message;
}
async function stream(body: object): Promise<Message> {
  const response = await fetch(`${server.baseUrl}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...older },
    body: JSON.stringify({ model: 'default', max_tokens: 256, temperature: 0, stream: true, ...body }),
  });
  expect(response.status).toBe(200);
  return accumulate(await response.text()) as Message;
}
const promptTokens = ({ usage }: Message) => usage.input_tokens + usage.cache_read_input_tokens;

describe('the built-in model behind the Anthropic dialect', () => {
  it('answers with its exact text, whole and streamed, and counts what count_tokens says', async () => {
    const messages = [user('What is Hearth?')];
    const whole = await ask({ messages });
    expect(whole).toMatchObject({
      model: builtInModel,
      content: [{ type: 'text', text: answers['What is Hearth?'], citations: null }],
      stop_reason: 'end_turn',
      usage: { output_tokens: tokenCounts['What is Hearth?'].completion },
    });
    expect(promptTokens(whole)).toBe(tokenCounts['What is Hearth?'].prompt);
    const streamed = await stream({ messages });
    expect(streamed.content).toEqual(whole.content);
    expect(promptTokens(streamed)).toBe(promptTokens(whole));
    expect((await post('/count_tokens', { messages })).body).toEqual({ input_tokens: promptTokens(whole) });
    const withTools = { messages, tools, system: 'Be brief.' };
    const counted = (await post('/count_tokens', withTools)).body as { input_tokens: number };
    expect(promptTokens(await ask({ ...withTools, max_tokens: 1 }))).toBe(counted.input_tokens);
  });

  it('ends at a stop sequence, at its length, and goes on from a beginning', async () => {
    const messages = [user('What is Hearth?')];
    expect(await ask({ messages, stop_sequences: ['never seen', 'running'] })).toMatchObject({
      content: [{ text: 'Hearth is a server for ' }],
      stop_reason: 'stop_sequence',
      stop_sequence: 'running',
    });
    expect(await ask({ messages, max_tokens: 5 })).toMatchObject({
      stop_reason: 'max_tokens',
      usage: { output_tokens: 5 },
    });
    const begun = 'Hearth is a server for';
    const { content } = await ask({ messages: [...messages, { role: 'assistant', content: begun }] });
    expect(begun + content[0]!.text).toBe(answers['What is Hearth?']);
  });

  it('reads a prompt ahead of time with max_tokens 0, and the next request finds it', async () => {
    const messages = [user(`Please remember: ${'the lamp is in the attic. '.repeat(12)}`)];
    const ahead = await ask({ messages, max_tokens: 0 });
    expect(ahead).toMatchObject({ content: [], stop_reason: 'max_tokens', usage: { output_tokens: 0 } });
    const next = await ask({ messages, max_tokens: 4 });
    expect(promptTokens(next)).toBe(promptTokens(ahead));
    expect(next.usage.cache_read_input_tokens).toBeGreaterThanOrEqual(promptTokens(ahead) - 1);
  });

  it('calls a named tool, once, with arguments of its schema, and takes the result', async () => {
    const question = user('Switch on the light in the kitchen.');
    const request = {
      messages: [question],
      tools,
      tool_choice: { type: 'tool', name: 'set_light', disable_parallel_tool_use: true },
    };
    for (const message of [await ask(request), await stream(request)]) {
      expect(message.stop_reason).toBe('tool_use');
      const calls = message.content.filter(({ type }) => type === 'tool_use');
      expect(calls).toEqual([
        expect.objectContaining({
          id: expect.stringMatching(/^toolu_/),
          name: 'set_light',
          input: { room: expect.any(String), state: expect.stringMatching(/^(on|off)$/) },
        }),
      ]);
    }
    const first = await ask(request);
    const call = first.content.find(({ type }) => type === 'tool_use')!;
    const after = await ask({
      messages: [
        question,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'done' }] },
      ],
      tools,
      max_tokens: 8,
    });
    expect(promptTokens(after)).toBeGreaterThan(promptTokens(first));
    const none = await ask({ messages: [question], tools, tool_choice: { type: 'none' } });
    expect(none.content.filter(({ type }) => type === 'tool_use')).toEqual([]);
  });

  it('cuts a call at its length into valid JSON', async () => {
    const request = {
      messages: [user('Switch on the light.')],
      tools,
      tool_choice: { type: 'tool', name: 'set_light' },
    };
    for (const max_tokens of [2, 4, 6, 8]) {
      const message = await stream({ ...request, max_tokens });
      expect(['max_tokens', 'tool_use']).toContain(message.stop_reason);
      for (const { type, input } of message.content) if (type === 'tool_use') expect(input).toEqual(expect.any(Object));
    }
  });

  it('holds an answer to a schema', async () => {
    const schema = {
      type: 'object',
      properties: { kind: { enum: ['server', 'client'] } },
      required: ['kind'],
      additionalProperties: false,
    };
    const message = await ask({
      messages: [user('What is Hearth?')],
      output_config: { format: { type: 'json_schema', schema } },
    });
    expect(['server', 'client']).toContain(JSON.parse(message.content[0]!.text!).kind);
  });

  it('refuses an image with the place, and a prompt that is too long with both numbers', async () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } };
    const seen = await post('', {
      max_tokens: 8,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Look' }, image] }],
    });
    expect(seen.status).toBe(400);
    expect(seen.body).toMatchObject({ type: 'error', error: { details: { field: 'messages.0.content.1' } } });
    const long = await post('', { max_tokens: 8, messages: [user('word '.repeat(20_000))] });
    expect(long.status).toBe(400);
    expect(long.body).toMatchObject({
      error: { message: expect.stringMatching(/^prompt is too long: \d+ tokens > \d+ maximum/) },
    });
  });

  it('reads the prompt of an agent once: with another attribution line the next turn finds at least 95 % of it', async () => {
    const system = (hash: string) => [
      {
        type: 'text',
        text: `x-anthropic-billing-header: cc_version=2.1.37.${hash.slice(0, 3)}; cc_entrypoint=cli; cch=${hash};`,
      },
      { type: 'text', text: 'You are a coding agent.', cache_control: { type: 'ephemeral' } },
      {
        type: 'text',
        text: `Rules of the house:\n${'Read before you write, and say what you did. '.repeat(40)}`,
        cache_control: { type: 'ephemeral' },
      },
    ];
    const reminder = { role: 'system', content: 'You have 1500 tokens left.' };
    const first = [user('Hello!'), reminder];
    const one = await ask({ system: system('fa690'), messages: first, max_tokens: 12 });
    const two = await ask({
      system: system('0c1d2'),
      messages: [...first, { role: 'assistant', content: one.content }, user('Go on')],
      max_tokens: 4,
    });
    expect(promptTokens(two)).toBeGreaterThan(400);
    expect(two.usage.cache_read_input_tokens / promptTokens(two)).toBeGreaterThanOrEqual(0.95);
  });
});

describe('a model that always thinks', () => {
  const messages = [user('Hello')];
  // Greedy: at random it may end its answer before the budget does.
  const asked = (body: object) => ask({ model: 'thinker', messages, temperature: 0, ...body });

  it('is stopped at its budget, and goes on with the answer', async () => {
    const message = await asked({
      max_tokens: 1_100,
      thinking: { type: 'enabled', budget_tokens: 1_024 },
      output_config: { effort: 'low' },
    });
    const [thought, answer] = message.content;
    expect(thought).toMatchObject({ type: 'thinking', signature: expect.stringMatching(/^hearth-/) });
    expect(answer).toMatchObject({ type: 'text' });
    // A quarter of the budget, as the effort is low.
    expect(message.usage.output_tokens_details.thinking_tokens).toBeLessThanOrEqual(256);
    expect(message.usage.output_tokens_details.thinking_tokens).toBeGreaterThan(0);
  });

  it('does not think where nobody asked for it', async () => {
    const message = await asked({ max_tokens: 24 });
    expect(message.content.map(({ type }) => type)).not.toContain('thinking');
    expect(message.usage.output_tokens_details.thinking_tokens).toBeLessThan(8);
  });
});
