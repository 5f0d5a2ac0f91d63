import { describe, expect, it } from 'vitest';
import { badInputs } from './runner.ts';
import { bodyWith, generating, targetOf } from './targets.ts';

const { harness, refused } = badInputs();
const openai = targetOf('/v1/chat/completions');

describe.each(generating.filter(({ isStrict, required }) => isStrict && required === 'prompt'))(
  'POST $url',
  (target) => {
    it.each(['temperature', 'max_tokens', 'stop', 'model', 'stream'])('refuses null for %s', async (field) => {
      await refused(target, { ...target.valid, [field]: null }, { field });
    });

    it.each([null, 5, 'xml', []])('refuses the format %j', async (format) => {
      await refused(target, { ...target.valid, format }, { field: 'format' });
    });

    it('refuses an empty prompt', async () => {
      await refused(target, { prompt: '' }, { field: 'prompt' });
    });

    it('refuses two names for one thing', async () => {
      await refused(target, { ...target.valid, stop: 'a', stop_sequences: ['b'] }, { field: 'stop_sequences' });
      await refused(target, { ...target.valid, system: 'a', system_prompt: 'b' }, { field: 'system' });
    });

    it('refuses instructions beside raw', async () => {
      await refused(target, { ...target.valid, raw: true, system: 'a' }, { field: 'raw' });
    });
  },
);

describe('POST /v1/chat/completions, by its own rules', () => {
  const schemaField = 'response_format.json_schema.schema';
  const tool = (name: string, parameters?: unknown) => ({ type: 'function', function: { name, parameters } });

  it.each<[string, Record<string, unknown>, string]>([
    ['no messages', { messages: [] }, 'messages'],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    ['a message without content', { messages: [{ role: 'user' }] }, 'messages.0.content'],
    ['a number as content', { messages: [{ role: 'user', content: 1 }] }, 'messages.0.content'],
    [
      'an image without an address',
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'x' },
              { type: 'image_url', image_url: {} },
            ],
          },
        ],
      },
      'messages.0.content.1.image_url.url',
    ],
    [
      'a text part without text',
      { messages: [{ role: 'user', content: [{ type: 'text' }] }] },
      'messages.0.content.0.text',
    ],
    ['129 tools', { tools: Array.from({ length: 129 }, (_, index) => tool(`f${index}`)) }, 'tools'],
    [
      'a mebibyte of tools',
      { tools: [{ type: 'function', function: { name: 'f', description: 'x'.repeat(1024 * 1024) } }] },
      'tools',
    ],
    ['two tools of one name', { tools: [tool('f'), tool('f')] }, 'tools.1.function.name'],
    ['a bad tool name', { tools: [tool('a b')] }, 'tools.0.function.name'],
    [
      'tool parameters that are no object schema',
      { tools: [tool('f', { type: 'string' })] },
      'tools.0.function.parameters',
    ],
    ['a tool that is neither a function nor custom', { tools: [{ type: 'web_search' }] }, 'tools.0.type'],
    ['a choice without tools', { tool_choice: 'required' }, 'tool_choice'],
    [
      'a choice that names no tool',
      { tools: [tool('f')], tool_choice: { type: 'function', function: { name: 'g' } } },
      'tool_choice',
    ],
    ['nine choices', { n: 9 }, 'n'],
    ['no choices', { n: 0 }, 'n'],
    ['a million choices', { n: 1_000_000 }, 'n'],
    ['logprobs that are a number', { logprobs: 5 }, 'logprobs'],
    ['21 top_logprobs', { logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
    ['top_logprobs without logprobs', { top_logprobs: 2 }, 'top_logprobs'],
    ['an unknown response format', { response_format: { type: 'xml' } }, 'response_format.type'],
    ['a response format without a type', { response_format: {} }, 'response_format.type'],
    ['a JSON schema that is not there', { response_format: { type: 'json_schema' } }, schemaField],
    ['a JSON schema without a schema', { response_format: { type: 'json_schema', json_schema: {} } }, schemaField],
    [
      'a JSON schema that is a list',
      { response_format: { type: 'json_schema', json_schema: { schema: [] } } },
      schemaField,
    ],
    [
      'a schema of JSON mode that is a text',
      { response_format: { type: 'json_object', schema: '{}' } },
      'response_format.schema',
    ],
    ['stream options of a wrong type', { stream_options: { include_usage: 'yes' } }, 'stream_options.include_usage'],
    ['max_completion_tokens 0', { max_completion_tokens: 0 }, 'max_completion_tokens'],
  ])('refuses %s by name', async (_title, fields, field) => {
    await refused(openai, { ...openai.valid, ...fields }, { field });
  });

  it('says where text only can stand', async () => {
    const content = [{ type: 'image_url', image_url: { url: 'data:,' } }];
    const messages = [
      { role: 'system', content },
      { role: 'user', content: 'Hi' },
    ];
    const response = await harness().send('POST', openai.url, { messages });
    expect(response.json().error).toMatchObject({
      param: 'messages.0.content.0',
      message: expect.stringContaining('only text can stand here'),
    });
  });

  it('takes null for whatever OpenAI lets be null, and drops what it does not know', async () => {
    const body = { ...openai.valid, temperature: null, stop: null, tools: null, n: null, api_base: 'x', id_slot: 1 };
    expect((await harness().send('POST', openai.url, body)).statusCode).toBe(200);
  });
});

describe('POST /v1/completions, by its own rules', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ prompt: '' }, 'prompt'],
    [{ prompt: [] }, 'prompt'],
    [{ prompt: [''] }, 'prompt.0'],
    [{ prompt: ['a', ''] }, 'prompt.1'],
    [{ prompt: ['a', 7] }, 'prompt.1'],
    [{ prompt: [1, -2] }, 'prompt.1'],
    [{ prompt: [[1], [2, 1.5]] }, 'prompt.1.1'],
    [{ prompt: [[1], []] }, 'prompt.1'],
    [{ prompt: Array.from({ length: 257 }, () => 'a') }, 'prompt'],
    [{ echo: true, logprobs: 1 }, 'echo'],
    [{ n: 2, best_of: 1 }, 'best_of'],
    [{ best_of: 9 }, 'best_of'],
    [{ best_of: 2, stream: true }, 'best_of'],
    [{ best_of: 2, grammar: 'root ::= "a"' }, 'best_of'],
    [{ n: 9 }, 'n'],
    [{ logprobs: 6 }, 'logprobs'],
    [{ logprobs: true }, 'logprobs'],
  ])('refuses %j by name', async (fields, field) => {
    await refused(targetOf('/v1/completions'), { prompt: 'Hi', ...fields }, { field });
  });
});

describe.each(generating.filter(({ errors }) => errors.name === 'Ollama'))('POST $url', (target) => {
  it.each<[string, unknown]>([
    ['stream', 'yes'],
    ['format', 'xml'],
    ['format', 5],
    ['think', 'very'],
    ['think', 1],
    ['keep_alive', 'soon'],
    ['keep_alive', {}],
    ['logprobs', 1],
    ['top_logprobs', 21],
    ['options', []],
    ['options', 'x'],
    ['model', '../x'],
    ['model', 'a\u0000b'],
    ['model', 'x'.repeat(1_025)],
    ['model', 7],
  ])('refuses %s = %j by name', (field, value) => refused(target, { ...target.valid, [field]: value }, { field }));

  it.each<[string, unknown]>([
    ['temperature', -0.1],
    ['temperature', '1'],
    ['top_k', 1.5],
    ['top_p', 2],
    ['min_p', -1],
    ['seed', 1.5],
    ['repeat_penalty', 0],
    ['repeat_last_n', -2],
    ['frequency_penalty', 3],
    ['presence_penalty', -3],
    ['num_ctx', 1.5],
    ['num_ctx', 2 ** 31],
    ['num_predict', 1e308],
    ['stop', Array.from({ length: 17 }, () => 'x')],
    ['stop', 'x'.repeat(257)],
  ])('refuses the option %s = %j by name', (name, value) =>
    refused(target, { ...target.valid, options: { [name]: value } }, { field: `options.${name}` }),
  );
});

describe('POST /api/chat', () => {
  const tool = (name: string, parameters?: unknown) => ({ type: 'function', function: { name, parameters } });
  it.each<[string, Record<string, unknown>, string]>([
    ['messages that are a text', { messages: 'Hi' }, 'messages'],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    ['a number as content', { messages: [{ role: 'user', content: 1 }] }, 'messages.0.content'],
    [
      'arguments as a text',
      { messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '{}' } }] }] },
      'messages.0.tool_calls.0.function.arguments',
    ],
    ['129 tools', { tools: Array.from({ length: 129 }, (_, index) => tool(`f${index}`)) }, 'tools'],
    ['300 KiB of tools', { tools: [tool('f', { description: 'x'.repeat(300 * 1024) })] }, 'tools'],
    ['two tools of one name', { tools: [tool('f'), tool('f')] }, 'tools.1.function.name'],
    ['a bad tool name', { tools: [tool('a b')] }, 'tools.0.function.name'],
    ['a tool that is no function', { tools: [{ type: 'custom', function: { name: 'f' } }] }, 'tools.0.type'],
  ])('refuses %s by name', (_title, fields, field) =>
    refused(targetOf('/api/chat'), { ...targetOf('/api/chat').valid, ...fields }, { field }),
  );
});

describe('POST /api/generate', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a template of Go', { template: '{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}' }, 'template'],
    ['a template over 64 KiB', { template: 'x'.repeat(70_000) }, 'template'],
    ['a system text beside raw', { raw: true, system: 'x' }, 'system'],
    ['a template beside raw', { raw: true, template: 'x' }, 'template'],
    ['an image beside raw', { raw: true, images: ['QUJD'] }, 'images'],
    ['a suffix', { suffix: 'x' }, 'suffix'],
  ])('refuses %s by name', (_title, fields, field) =>
    refused(targetOf('/api/generate'), { prompt: 'Hi', ...fields }, { field }),
  );
});

describe('POST /batch/generate', () => {
  const batch = targetOf('/batch/generate');
  const item = { prompt: 'Hi' };

  it.each<[string, unknown]>([
    ['no requests', []],
    ['257 requests', Array.from({ length: 257 }, () => item)],
    ['100,001 requests', Array.from({ length: 100_001 }, () => 1)],
    ['one text for a list', 'Hi'],
  ])('refuses %s, and begins none', (_title, requests) => refused(batch, { requests }, { field: 'requests' }));

  it('gives a bad item its error in its place', async () => {
    const before = harness().gateway.calls.length;
    const requests = [item, { ...item, temperature: 3 }, item];
    const { results } = (await harness().send('POST', batch.url, { requests })).json();
    batch.errors.check(results[1], 'temperature');
    expect(results).toMatchObject([{ text: 'Hello world' }, {}, { text: 'Hello world' }]);
    expect(harness().gateway.calls).toHaveLength(before + 2);
  });
});

const deciding = ['/v1/decisions', '/v1/systemone', '/decide', '/api/v1/decide'].map(targetOf);

describe.each(deciding)('POST $url', (target) => {
  it.each<[string, string]>([
    ['a number', '7'],
    ['null', 'null'],
    ['none', target.url === '/v1/systemone' ? '{}' : '[]'],
    ['a million', `[${'0,'.repeat(1_000_000)}0]`],
    ['one of brackets', `[${'['.repeat(60)}${']'.repeat(60)}]`],
  ])('refuses as questions: %s', (_title, json) => refused(target, bodyWith(target, 'questions', json)));
});
