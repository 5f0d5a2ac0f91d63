import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

interface Target {
  url: string;
  valid: Record<string, unknown>;
}

const chat: Target = { url: '/api/chat', valid: { messages: [{ role: 'user', content: 'Hi' }] } };
const targets: Target[] = [
  chat,
  { ...chat, url: '/ollama/api/chat' },
  { url: '/api/generate', valid: { prompt: 'Hi' } },
  { url: '/ollama/api/generate', valid: { prompt: 'Hi' } },
  { url: '/api/embed', valid: { input: 'Hi' } },
  { url: '/api/embeddings', valid: { prompt: 'Hi' } },
  { url: '/api/show', valid: { model: 'tiny' } },
  { url: '/api/pull', valid: { model: 'tiny' } },
  { url: '/api/copy', valid: { source: 'tiny', destination: 'mine' } },
  { url: '/api/create', valid: { model: 'mine', from: 'tiny' } },
];

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

/** Sends a bad request: one sentence of the dialect, no native text, nothing started. */
async function refused(
  url: string,
  body: unknown,
  { status = 400, field, headers }: { status?: number; field?: string; headers?: Record<string, string> } = {},
): Promise<void> {
  const { calls, wholeCalls } = harness.gateway;
  const before = calls.length + wholeCalls.length;
  const response = await harness.send('POST', url, body, headers);
  expect(response.statusCode, response.body).toBe(status);
  expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(response.json()).toEqual({ error: expect.any(String) });
  if (field !== undefined) expect(response.json().error).toContain(`"${field}"`);
  expect(response.body).not.toMatch(/node_modules|\bat .+:\d+:\d+|FST_ERR|ZodError/);
  expect(calls.length + wholeCalls.length).toBe(before);
}

const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);

describe.each(targets)('POST $url', ({ url, valid }) => {
  it('takes the body that the others are made from', async () => {
    expect((await harness.send('POST', url, valid)).statusCode).toBe(200);
  });

  it('takes what curl sends without being told a type', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await harness.send('POST', url, valid, type)).statusCode).toBe(200);
  });

  it.each([
    ['an empty body', ''],
    ['null', 'null'],
    ['an array', '[]'],
    ['a number', '1'],
    ['broken JSON', '{"model":'],
    ['brackets a hundred thousand deep', nested('[', ']', 100_000)],
    ['brackets 65 deep', `{"options":${nested('[', ']', 64)}}`],
    ['20,000 keys', `{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
    ['__proto__', '{"__proto__":{"x":1}}'],
    ['a __proto__ in the options', '{"options":{"__proto__":{"x":1}}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
    ['half of a surrogate pair', '{"model":"\\ud83d"}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ])('refuses %s', (_title, body) => refused(url, body));

  it.each(['text/plain', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16'])(
    'refuses the type %s',
    (type) => refused(url, JSON.stringify(valid), { status: 415, headers: { 'content-type': type } }),
  );

  it('refuses a body over the limit', () =>
    refused(url, { ...valid, padding: 'x'.repeat(2 * 1024 * 1024) }, { status: 413 }));
});

describe.each(targets.slice(0, 4))('POST $url', ({ url, valid }) => {
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
  ])('refuses %s = %j by name', (field, value) => refused(url, { ...valid, [field]: value }, { field }));

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
    refused(url, { ...valid, options: { [name]: value } }, { field: `options.${name}` }),
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
  ])('refuses %s by name', (_title, fields, field) => refused('/api/chat', { ...chat.valid, ...fields }, { field }));
});

describe('POST /api/generate', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a template of Go', { template: '{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}' }, 'template'],
    ['a template over 64 KiB', { template: 'x'.repeat(70_000) }, 'template'],
    ['a system text beside raw', { raw: true, system: 'x' }, 'system'],
    ['a template beside raw', { raw: true, template: 'x' }, 'template'],
    ['an image beside raw', { raw: true, images: ['QUJD'] }, 'images'],
    ['a suffix', { suffix: 'x' }, 'suffix'],
  ])('refuses %s by name', (_title, fields, field) => refused('/api/generate', { prompt: 'Hi', ...fields }, { field }));
});

describe('names of models', () => {
  it.each(['/api/show', '/api/pull', '/api/create'])('are required by POST %s', (url) =>
    refused(url, { from: 'tiny' }, { field: 'model' }),
  );

  it('are required to delete', async () => {
    const response = await harness.send('DELETE', '/api/delete', {});
    expect(response.statusCode).toBe(400);
    expect(harness.store.removed).toEqual([]);
  });

  it('are not followed out of the folder', async () => {
    const response = await harness.send('DELETE', '/api/delete', { model: '../../etc/passwd' });
    expect(response.statusCode).toBe(400);
    expect(harness.store.removed).toEqual([]);
  });
});
