import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Canary, createCanary, expectNothingKept } from './canary.ts';
import { createHarness, type Harness } from './harness.ts';

/** One place where text is generated, and what a valid body is there. */
interface Target {
  url: string;
  valid: Record<string, unknown>;
  /** Where the prompt stands, for inputs that replace it. */
  promptField: string;
  /** Its name of `max_tokens`, where it has another. */
  maxTokens?: string;
  check(body: never, field: string | null): void;
}

const native: Target = {
  url: '/generate',
  valid: { prompt: 'Hi' },
  promptField: 'prompt',
  check: (body, field) => {
    expect(body).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    if (field !== null) expect(body).toMatchObject({ error: { details: { field } } });
  },
};
const openai: Target = {
  url: '/v1/chat/completions',
  valid: { messages: [{ role: 'user', content: 'Hi' }] },
  promptField: 'messages',
  check: (body, field) => {
    expect(Object.keys((body as { error: object }).error)).toEqual(['message', 'type', 'param', 'code']);
    expect(body).toMatchObject({ detail: (body as { error: { message: string } }).error.message });
    if (field !== null) expect(body).toMatchObject({ error: { param: field } });
  },
};
const anthropic: Target = {
  url: '/v1/messages',
  valid: { model: 'default', max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }] },
  promptField: 'messages',
  check: (body, field) => {
    expect(body).toMatchObject({ type: 'error', error: { type: expect.any(String), message: expect.any(String) } });
    if (field !== null) expect(body).toMatchObject({ error: { details: { field } } });
  },
};
const nativeAtApi: Target = {
  ...native,
  url: '/api/v1/generate',
  check: (body, field) => {
    expect(body).toMatchObject({
      error: expect.any(String),
      detail: expect.any(String),
      timestamp: expect.any(String),
    });
    if (field !== null) expect(body).toMatchObject({ field });
  },
};
const targets: Target[] = [
  native,
  { ...native, url: '/generate/stream' },
  nativeAtApi,
  {
    ...nativeAtApi,
    url: '/api/v1/chat',
    valid: { messages: [{ role: 'user', content: 'Hi' }] },
    promptField: 'messages',
  },
  openai,
  { ...openai, url: '/v1/completions', valid: { prompt: 'Hi' }, promptField: 'prompt' },
  { ...openai, url: '/v1/responses', valid: { input: 'Hi' }, promptField: 'input', maxTokens: 'max_output_tokens' },
];

let harness: Harness;
let canary: Canary;
beforeAll(async () => {
  harness = await createHarness({ bodyLimitBytes: 3 * 1024 * 1024 });
  canary = await createCanary(harness);
});
afterAll(async () => {
  await canary.release();
  await harness.close();
});

/**
 * Sends a bad request and checks the invariants of every refusal: status, shape, no native text, nothing started, a stream
 * beside it that goes on, counted once. Targets of all dialects pass through it.
 */
async function refused(
  target: Target,
  body: string | Buffer | object,
  expected: { status?: number; field?: string | null; headers?: Record<string, string> } = {},
): Promise<void> {
  const before = harness.gateway.calls.length;
  const response = await canary.beside(() => harness.send('POST', target.url, body, expected.headers));
  expect(response.statusCode).toBe(expected.status ?? 400);
  expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
  target.check(response.json() as never, expected.field ?? null);
  expect(response.body).not.toMatch(/node_modules|\bat .+:\d+:\d+|FST_ERR|ZodError/);
  expect(harness.gateway.calls).toHaveLength(before);
}

const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

const fieldOf = (target: Target) => (name: string, json: string) =>
  `${JSON.stringify(target.valid).slice(0, -1)},${JSON.stringify(name)}:${json}}`;

const nameOf = (target: Target) => (name: string) => (name === 'max_tokens' ? (target.maxTokens ?? name) : name);

describe.each([...targets, anthropic])('POST $url', (target) => {
  const withField = fieldOf(target);

  it('takes the body that the others are made from', async () => {
    expect((await harness.send('POST', target.url, target.valid)).statusCode).toBe(200);
  });

  it('takes a byte order mark', async () => {
    const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(target.valid))]);
    expect((await harness.send('POST', target.url, body)).statusCode).toBe(200);
  });

  it('takes the last of two equal keys', async () => {
    await harness.send(
      'POST',
      target.url,
      withField(nameOf(target)('max_tokens'), `3,"${nameOf(target)('max_tokens')}":4`),
    );
    expect(harness.gateway.calls.at(-1)!.request.maxTokens).toBe(4);
  });

  it.each([
    ['an empty body', ''],
    ['null', 'null'],
    ['an array', '[]'],
    ['a number', '1'],
    ['NaN', '{"temperature":NaN}'],
    ['broken JSON', '{"prompt":'],
    ['brackets a million deep', nested('[', ']', 1_000_000)],
    ['objects 500,000 deep', '{"a":'.repeat(500_000)],
    ['brackets 65 deep', `{"a":${nested('[', ']', 64)}}`],
    ['200,000 keys', `{${Array.from({ length: 200_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
    ['__proto__', '{"__proto__":{"x":1}}'],
    ['an escaped __proto__', '{"\\u005f_proto__":{"x":1}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
    ['a nested __proto__', '{"a":[{"__proto__":1}]}'],
    ['half of a surrogate pair', '{"prompt":"\\ud83d"}'],
  ])('refuses %s', async (_title, body) => {
    await refused(target, body);
  });

  it('refuses bytes that are not UTF-8', async () => {
    await refused(target, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]));
  });

  it('refuses a body over the limit', async () => {
    const body = { ...target.valid, padding: 'x'.repeat(4 * 1024 * 1024) };
    await refused(target, body, { status: 413 });
  });

  it.each([
    'text/plain',
    'application/json\ta',
    'application/json; charset=utf-16',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    '',
  ])('refuses the type %j', async (type) => {
    await refused(target, JSON.stringify(target.valid), { status: 415, headers: { 'content-type': type } });
  });

  it.each(['compress', 'gzip, br', 'aes128gcm', 'constructor'])('refuses the encoding %s', async (encoding) => {
    await refused(target, target.valid, { status: 415, headers: { 'content-encoding': encoding } });
  });

  it('keeps nothing of what it refused', async () => {
    const huge = [
      { ...target.valid, padding: 'x'.repeat(4 * 1024 * 1024) },
      { ...target.valid, [target.promptField]: Array.from({ length: 500_000 }, () => 1) },
      `{"a":${'"'.repeat(2 * 1024 * 1024)}`,
      nested('[', ']', 1_000_000),
    ];
    await expectNothingKept(async () => {
      for (let round = 0; round < 4; round++) {
        for (const body of huge) {
          expect((await harness.send('POST', target.url, body)).statusCode).toBeGreaterThanOrEqual(400);
        }
      }
    });
  });

  it('refuses a request without any body', async () => {
    const response = await harness.send('POST', target.url);
    expect(response.statusCode).toBe(400);
    target.check(response.json() as never, null);
  });

  it('asks for the prompt by name', async () => {
    await refused(target, { model: 'tiny' }, { field: target.promptField });
  });
});

describe.each(targets)('POST $url, field by field', (target) => {
  const named = nameOf(target);
  const withField = fieldOf(target);

  it.each([
    ['temperature', '-0.1'],
    ['temperature', '2.1'],
    ['temperature', '"1"'],
    ['temperature', '1e999'],
    ['temperature', '[]'],
    ['top_p', '-0.1'],
    ['top_p', '1.1'],
    ['top_p', 'true'],
    ['top_k', '-2'],
    ['top_k', '1.5'],
    ['min_p', '-1'],
    ['frequency_penalty', '2.5'],
    ['presence_penalty', '-2.5'],
    ['repeat_penalty', '0'],
    ['seed', '1.5'],
    ['seed', '9223372036854775808'],
    ['seed', '"1"'],
    ['max_tokens', '0'],
    ['max_tokens', '-2'],
    ['max_tokens', '1.5'],
    ['max_tokens', '1e308'],
    ['max_tokens', '"10"'],
    ['stop', '5'],
    ['stop', JSON.stringify('x'.repeat(257))],
    ['stop', JSON.stringify(Array.from({ length: 17 }, () => 'x'))],
    ['logit_bias', '[]'],
    ['logit_bias', '{"a":1}'],
    ['logit_bias', '{"-1":1}'],
    ['logit_bias', '{"1.5":1}'],
    ['logit_bias', '{"99999999999999999999":1}'],
    ['logit_bias', '{"5":101}'],
    ['logit_bias', '{"5":-101}'],
    ['logit_bias', '{"5":"1"}'],
    ['logit_bias', '{"5":null}'],
    ['ignore_eos', '1'],
    ['min_tokens', '-1'],
    ['min_tokens', '0.5'],
    ['xtc_probability', '1.1'],
    ['xtc_threshold', '-0.1'],
    ['dry_multiplier', '-1'],
    ['dry_multiplier', '1e300'],
    ['dry_base', '0.5'],
    ['dry_allowed_length', '-1'],
    ['dry_penalty_last_n', '-2'],
    ['dry_penalty_last_n', '2147483647'],
    ['dry_sequence_breakers', '"x"'],
    ['dry_sequence_breakers', JSON.stringify(Array.from({ length: 17 }, () => 'x'))],
    ['stream', '"yes"'],
    ['stream', '1'],
    ['keep_alive', '"soon"'],
    ['keep_alive', '{}'],
    ['cache_prompt', '"yes"'],
    ['cache_prompt', '1'],
    ['model', '""'],
    ['model', '"../x"'],
    ['model', '"a/../../b"'],
    ['model', '"a\\u0000b"'],
    ['model', '"https://evil.example/x.gguf"'],
    ['model', '"a\\u001b[31m"'],
    ['model', JSON.stringify('x'.repeat(1_025))],
    ['model', '7'],
  ])('refuses %s = %s by name', async (field, json) => {
    await refused(target, withField(named(field), json), { field: named(field) });
  });

  it('names a stop string among others that is too long', async () => {
    await refused(target, withField('stop', JSON.stringify(['a', 'x'.repeat(257)])), { field: 'stop.1' });
  });

  it('refuses more than 300 biases', async () => {
    const biases = (length: number) => Object.fromEntries(Array.from({ length }, (_, token) => [token, 1]));
    await refused(target, withField('logit_bias', JSON.stringify(biases(301))), { field: 'logit_bias' });
    const response = await harness.send('POST', target.url, withField('logit_bias', JSON.stringify(biases(300))));
    expect(response.statusCode).toBe(200);
  });

  it.each(['[""]', JSON.stringify(['x'.repeat(65)])])('refuses the sequence breakers %s by item', async (json) => {
    await refused(target, withField('dry_sequence_breakers', json), { field: 'dry_sequence_breakers.0' });
  });
});

const strict = targets.filter(({ check, promptField }) => check !== openai.check && promptField === 'prompt');

describe.each(strict)('POST $url, strict', (target) => {
  it.each(['n_discard', 'cache_prompt', 'id_slot', 'api_base', 'base_url', 'api_key', 'messages', 'maxTokens'])(
    'refuses the unknown field %s by name',
    async (field) => {
      await refused(target, { ...target.valid, [field]: 1 }, { field });
    },
  );

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
});

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
    const response = await harness.send('POST', openai.url, { messages });
    expect(response.json().error).toMatchObject({
      param: 'messages.0.content.0',
      message: expect.stringContaining('only text can stand here'),
    });
  });

  it('takes null for whatever OpenAI lets be null, and drops what it does not know', async () => {
    const body = { ...openai.valid, temperature: null, stop: null, tools: null, n: null, api_base: 'x', id_slot: 1 };
    expect((await harness.send('POST', openai.url, body)).statusCode).toBe(200);
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
    await refused({ ...openai, url: '/v1/completions' }, { prompt: 'Hi', ...fields }, { field });
  });
});

describe('names in paths', () => {
  const bad = [
    '..%2fx',
    '%2e%2e%2fx',
    'a%00b',
    'a%1b[31m',
    'a%2f..%2fb',
    'a%2f',
    '%20x',
    'https:%2f%2fx',
    '%e2%80%aex',
  ];
  const urls = bad.flatMap((name) => [`/models/${name}`, `/api/v1/models/${name}`, `/v1/models/${name}`]);

  it.each(urls)('GET %s is a bad request, not a lookup', async (url) => {
    const response = await harness.send('GET', url);
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain('model');
  });

  it.each(bad)('POST /models/%s/load loads nothing', async (name) => {
    expect((await harness.send('POST', `/models/${name}/load`)).statusCode).toBe(400);
    expect(harness.engine.loads).toEqual([]);
  });

  it.each(['/models/%ff', '/v1/models/%ff', `/models/${'x'.repeat(1_025)}`, `/v1/models/${'x'.repeat(1_025)}`])(
    'GET %s is a bad request in the dialect of the prefix',
    async (url) => {
      const response = await harness.send('GET', url);
      expect(response.statusCode).toBe(400);
      (url.startsWith('/v1') ? openai : native).check(response.json() as never, null);
    },
  );
});

describe('POST /models/{name}/load', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ quantization: '../x' }, 'quantization'],
    [{ prefer_gpu: 'yes' }, 'prefer_gpu'],
    [{ context_length: 0 }, 'context_length'],
    [{ context_length: 1.5 }, 'context_length'],
    [{ parallel: 0 }, 'parallel'],
    [{ parallel: 33 }, 'parallel'],
    [{ keep_alive: 'x' }, 'keep_alive'],
    [{ n_gpu_layers: 1 }, 'n_gpu_layers'],
  ])('refuses %j by name', async (body, field) => {
    const response = await harness.send('POST', '/models/tiny/load', body);
    expect(response.statusCode).toBe(400);
    native.check(response.json() as never, field);
    expect(harness.engine.loads).toEqual([]);
  });

  it('refuses a form of another site', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect((await harness.send('POST', '/models/tiny/load', '{}', headers)).statusCode).toBe(415);
  });
});

describe.each([
  ['/v1/decisions', { input: 'x', questions: [{ type: 'predicate', instructions: 'y' }] }],
  ['/v1/systemone', { state: 'x', questions: { a: { type: 'noul', instructions: 'y' } } }],
  ['/decide', { input: 'x', questions: [{ type: 'yes_no', question: 'y' }] }],
  ['/api/v1/decide', { input: 'x', questions: [{ type: 'yes_no', question: 'y' }] }],
])('POST %s', (url, valid) => {
  const text = JSON.stringify(valid);

  it('takes the body that the others are made from', async () => {
    expect((await harness.send('POST', url, valid)).statusCode).toBe(200);
  });

  it.each([
    ['an empty body', ''],
    ['null', 'null'],
    ['an array', '[]'],
    ['half a body', text.slice(0, -3)],
    ['brackets a million deep', nested('[', ']', 1_000_000)],
    ['200,000 keys', `{${Array.from({ length: 200_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
    ['__proto__', `${text.slice(0, -1)},"__proto__":{"x":1}}`],
    ['a number for the questions', `${text.slice(0, -1)},"questions":7}`],
    ['null for the questions', `${text.slice(0, -1)},"questions":null}`],
    ['a million questions', `${text.slice(0, -1)},"questions":[${'0,'.repeat(1_000_000)}0]}`],
    ['a question of brackets', `${text.slice(0, -1)},"questions":[${nested('[', ']', 60)}]}`],
    ['a name for the model that no file has', `${text.slice(0, -1)},"model":"../x"}`],
    ['a number for the model', `${text.slice(0, -1)},"model":7}`],
    ['a wrong time to stay', `${text.slice(0, -1)},"keep_alive":"soon"}`],
  ])('refuses %s, starts nothing and goes on', async (_what, body) => {
    const before = harness.gateway.wholeCalls.length;
    const response = await harness.send('POST', url, body);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toHaveProperty('error');
    expect(response.body.length).toBeLessThan(2_000);
    expect(response.body).not.toMatch(/node_modules|FST_ERR|ZodError/);
    expect(harness.gateway.wholeCalls).toHaveLength(before);
  });
});
