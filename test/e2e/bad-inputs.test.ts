import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sseData } from '../http/harness.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** Where a dialect has what only a model can find wrong. */
interface Dialect {
  url: string;
  /** A body for this prompt. */
  ask(prompt: string): Record<string, unknown>;
  /** What holds the answer to a schema. */
  withSchema(schema: unknown): object;
  /** Where these are, as an error names it. */
  prompt: string;
  schema: string;
  maxTokens: string;
  /** An image as it is sent; null: there is no place for one. */
  withImage: ((prompt: string) => object) | null;
}

const messages = (prompt: unknown) => [{ role: 'user', content: prompt }];
const jsonSchema = (schema: unknown) => ({ type: 'json_schema', schema });
const png = 'iVBORw0KGgo=';

const dialects: Dialect[] = [
  {
    url: '/v1/chat/completions',
    ask: (prompt) => ({ messages: messages(prompt) }),
    withSchema: (schema) => ({ response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } }),
    prompt: 'messages',
    schema: 'response_format',
    maxTokens: 'max_tokens',
    withImage: (text) => ({
      messages: messages([
        { type: 'text', text },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
      ]),
    }),
  },
  {
    url: '/v1/completions',
    ask: (prompt) => ({ prompt }),
    withSchema: (schema) => ({ response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } }),
    prompt: 'prompt',
    schema: 'response_format',
    maxTokens: 'max_tokens',
    withImage: null,
  },
  {
    url: '/v1/responses',
    ask: (prompt) => ({ input: prompt, store: false }),
    withSchema: (schema) => ({ text: { format: { ...jsonSchema(schema), name: 'a' } } }),
    prompt: 'input',
    schema: 'text.format',
    maxTokens: 'max_output_tokens',
    withImage: (text) => ({
      input: messages([
        { type: 'input_text', text },
        { type: 'input_image', image_url: `data:image/png;base64,${png}` },
      ]),
    }),
  },
  {
    url: '/v1/messages',
    ask: (prompt) => ({ model: 'default', max_tokens: 16, messages: messages(prompt) }),
    withSchema: (schema) => ({ output_config: { format: jsonSchema(schema) } }),
    prompt: 'messages',
    schema: 'output_config.format',
    maxTokens: 'max_tokens',
    withImage: (text) => ({
      messages: messages([
        { type: 'text', text },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
      ]),
    }),
  },
  {
    url: '/api/chat',
    ask: (prompt) => ({ model: 'default', stream: false, messages: messages(prompt) }),
    withSchema: (schema) => ({ format: schema }),
    prompt: 'messages',
    schema: 'format',
    maxTokens: 'options.num_predict',
    withImage: (prompt) => ({ messages: [{ role: 'user', content: prompt, images: [png] }] }),
  },
  {
    url: '/api/generate',
    ask: (prompt) => ({ model: 'default', stream: false, prompt }),
    withSchema: (schema) => ({ format: schema }),
    prompt: 'prompt',
    schema: 'format',
    maxTokens: 'options.num_predict',
    withImage: (prompt) => ({ prompt, images: [png] }),
  },
  {
    url: '/generate',
    ask: (prompt) => ({ prompt }),
    withSchema: (schema) => ({ format: schema }),
    prompt: 'prompt',
    schema: 'format',
    maxTokens: 'max_tokens',
    withImage: null,
  },
  {
    url: '/api/v1/chat',
    ask: (prompt) => ({ messages: messages(prompt) }),
    withSchema: (schema) => ({ format: schema }),
    prompt: 'messages',
    schema: 'format',
    maxTokens: 'max_tokens',
    withImage: null,
  },
];

/** Schemas that no answer can be held to. */
const schemas: [string, unknown][] = [
  ['a reference to another server', { $ref: 'https://evil.example/schema.json' }],
  ['a reference that is not there', { $ref: '#/$defs/missing' }],
  ['a reference to itself', { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
  ['a billion items', { type: 'array', items: { type: 'string' }, minItems: 1e9 }],
  ['a pattern of 60,000 brackets', { type: 'string', pattern: '('.repeat(60_000) + ')'.repeat(60_000) }],
  ['a pattern that is none', { type: 'string', pattern: '*' }],
];

let server: RunningServer;
let canary: { pid: number; text: string };
beforeAll(async () => {
  server = await startServer();
  canary = { pid: server.pid, text: await sing() };
});
afterAll(() => server?.stop());

const post = (url: string, body: object) =>
  fetch(`${server.baseUrl}${url}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** A greedy stream of somebody else. */
async function sing(): Promise<string> {
  const body = { messages: messages('What is a KV cache?'), temperature: 0, stream: true };
  const text = await (await post('/v1/chat/completions', body)).text();
  const records = sseData(text);
  expect(records.at(-1)).toBe('[DONE]');
  const chunks = records.slice(0, -1).map((record) => JSON.parse(record));
  return chunks.map(({ choices: [{ delta }] }) => delta.content ?? '').join('');
}

/** What is refused while somebody else's stream says every word that it would have said. */
async function refused(url: string, body: object): Promise<string> {
  const [response, song] = await Promise.all([post(url, body), sing()]);
  const text = await response.text();
  expect(response.status, text).toBe(400);
  expect(song).toBe(canary.text);
  expect(text).not.toMatch(/node_modules|\bat \S+:\d+:\d+|\.gguf|ZodError/);
  expect(text.length).toBeLessThan(4_000);
  return text;
}

describe.each(dialects)('POST $url', ({ url, ask, withSchema, withImage, prompt, schema, maxTokens }) => {
  it.each(schemas)('refuses a schema with %s', async (_title, given) => {
    expect(await refused(url, { ...ask('Hi'), ...withSchema(given) })).toContain(`"${schema}`);
  });

  it('refuses a prompt beyond the context with both numbers, before any token', async () => {
    const text = await refused(url, ask('again and '.repeat(20_000)));
    expect(text).toMatch(/\d{4,}\D+\d{4,}/);
    expect(text).toContain(prompt);
  });

  it('ends an answer that may go on beyond the context at its end', async () => {
    const [first, ...rest] = maxTokens.split('.');
    const most = rest.length === 0 ? 2_000_000 : { [rest[0]!]: 2_000_000 };
    const response = await post(url, { ...ask('What is GGUF?'), [first!]: most });
    expect(response.status, await response.text()).toBe(200);
  });

  if (withImage !== null) {
    it('refuses an image for a model that reads text only, with the place', async () => {
      expect(await refused(url, { ...ask('Hi'), ...withImage('What is this?') })).toMatch(/image/);
    });
  }
});

/** Conversations that hold a mistake and must be ones that can go on. */
const odd: [string, unknown[]][] = [
  ['only a system message', [{ role: 'system', content: 'Be kind.' }]],
  ['nothing said', [{ role: 'user', content: '' }]],
  ['two turns of one side', [...messages('Hello!'), ...messages('Who are you?')]],
];

describe.each(dialects.filter(({ prompt }) => prompt === 'messages'))('POST $url', ({ url, ask }) => {
  it.each(odd)('goes on after %s', async (_title, conversation) => {
    const response = await post(url, { ...ask('Hi'), messages: conversation });
    expect(response.status, await response.text()).toBe(200);
  });
});

describe('POST /v1/chat/completions', () => {
  it('goes on after a result that answers no call', async () => {
    const lost = { role: 'tool', tool_call_id: 'call_1', content: '7' };
    const response = await post('/v1/chat/completions', { messages: [...messages('Hi'), lost], max_tokens: 8 });
    expect(response.status, await response.text()).toBe(200);
  });
});

describe('the server', () => {
  it('has outlived all of it, with the same process and model', async () => {
    expect(server.child.exitCode).toBeNull();
    expect(server.pid).toBe(canary.pid);
    expect(await sing()).toBe(canary.text);
    const metrics = await (await fetch(`${server.baseUrl}/metrics`)).text();
    expect(metrics).toMatch(/^# TYPE hearth_worker_restarts_total counter$/m);
    expect(metrics).not.toMatch(/^hearth_worker_restarts_total\S* [1-9]/m);
  });
});
