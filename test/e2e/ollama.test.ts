import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, tokenCounts, tools } from '../support/answers.ts';
import { builtInModel, builtInModels } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

interface Line {
  message: { role: string; content: string; tool_calls?: { function: { name: string; arguments: object } }[] };
  done: boolean;
  done_reason?: string;
  total_duration?: number;
  load_duration?: number;
  prompt_eval_count?: number;
  prompt_eval_duration?: number;
  eval_count?: number;
  eval_duration?: number;
  error?: string;
}

const question = 'What is Hearth?';
const ask = (content: string) => [{ role: 'user', content }];

describe("Ollama's API on a real socket", () => {
  let server: RunningServer;
  let models: string;
  const send = (method: string, path: string, body?: object) =>
    fetch(`${server.baseUrl}${path}`, { method, ...(body && { body: JSON.stringify(body), headers: json }) });
  const json = { 'content-type': 'application/json' };
  const post = async <Answer>(path: string, body: object): Promise<Answer> =>
    (await send('POST', path, body)).json() as Promise<Answer>;
  const chat = (body: object) => post<Line>('/api/chat', { model: 'default:latest', stream: false, ...body });
  const names = async (path: string) =>
    ((await (await send('GET', path)).json()) as { models: { name: string }[] }).models.map(({ name }) => name);

  beforeAll(async () => {
    models = await mkdtemp(join(tmpdir(), 'hearth-ollama-'));
    server = await startServer({ models });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(models, { recursive: true, force: true });
  });

  it('answers with the exact text of the built-in model, counts and times that add up', async () => {
    const answer = await chat({ messages: ask(question), options: { temperature: 0 } });
    const { prompt, completion } = tokenCounts[question];
    expect(answer).toMatchObject({
      message: { role: 'assistant', content: answers[question] },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: prompt,
      eval_count: completion,
    });
    const parts = answer.load_duration! + answer.prompt_eval_duration! + answer.eval_duration!;
    expect(answer.eval_duration).toBeGreaterThan(0);
    expect(parts).toBeLessThanOrEqual(answer.total_duration!);
  });

  it('streams the same in lines', async () => {
    const response = await send('POST', '/api/chat', {
      model: 'default',
      messages: ask(question),
      options: { temperature: 0 },
    });
    const lines = (await response.text()).trim().split('\n');
    const items = lines.map((line): Line => JSON.parse(line));
    expect(items.length).toBeGreaterThan(3);
    expect(items.map(({ message }) => message.content).join('')).toBe(answers[question]);
    expect(items.filter(({ done }) => done)).toHaveLength(1);
  });

  it('ends where it is told to', async () => {
    const short = await chat({ messages: ask(question), options: { temperature: 0, num_predict: 5 } });
    expect(short).toMatchObject({ done_reason: 'length', eval_count: 5 });
    const stopped = await chat({ messages: ask(question), options: { temperature: 0, stop: ['running'] } });
    expect(stopped).toMatchObject({ done_reason: 'stop', message: { content: 'Hearth is a server for ' } });
  });

  it('calls a tool with its arguments as an object, and goes on with the result', async () => {
    const asked = { messages: ask('What is the weather in Paris?'), tools, options: { temperature: 0 } };
    const { message } = await chat(asked);
    expect(message.tool_calls?.[0]?.function).toMatchObject({ name: 'get_weather', arguments: expect.any(Object) });
    const answered = await chat({
      ...asked,
      messages: [...asked.messages, message, { role: 'tool', tool_name: 'get_weather', content: '{"celsius": 9}' }],
    });
    expect(answered.message.content.length).toBeGreaterThan(0);
  });

  it('samples by typical_p, and says where a schema leaves no room for it', async () => {
    const asked = { model: 'default', stream: false, messages: ask(question), options: { seed: 1, typical_p: 0.5 } };
    const free = await send('POST', '/api/chat', asked);
    expect(free.headers.get('x-hearth-ignored')).toBeNull();
    expect(((await free.json()) as Line).message.content).not.toBe('');
    const name = { enum: ['Hearth', 'stove'] };
    const bound = await send('POST', '/api/chat', { ...asked, format: { type: 'object', properties: { name } } });
    expect(bound.headers.get('x-hearth-ignored')).toBe('options.typical_p');
  });

  it('keeps to a schema', async () => {
    const name = { enum: ['Hearth', 'stove'] };
    const format = { type: 'object', properties: { name }, required: ['name'] };
    const { message } = await chat({ messages: ask(question), format, options: { num_predict: 60, temperature: 0 } });
    expect(JSON.parse(message.content)).toEqual({ name: expect.stringMatching(/^(Hearth|stove)$/) });
  });

  it('gives the tokens of a prompt and its answer back', async () => {
    const answer = await post<{ context: number[]; response: string }>('/ollama/api/generate', {
      model: 'default',
      prompt: question,
      stream: false,
      options: { temperature: 0 },
    });
    const { prompt, completion } = tokenCounts[question];
    expect(answer.response).toBe(answers[question]);
    expect(answer.context).toHaveLength(prompt + completion);
  });

  it('renders the template that a request brings', async () => {
    const template = "{{ '<|im_start|>user\\n' + messages[0].content + '<|im_end|>\\n<|im_start|>assistant\\n' }}";
    const answer = await post<{ prompt_eval_count: number }>('/api/generate', {
      prompt: question,
      template,
      options: { num_predict: 1 },
    });
    expect(answer.prompt_eval_count).toBeLessThan(tokenCounts[question].prompt);
  });

  it('loads and unloads', async () => {
    expect(await chat({ messages: [] })).toMatchObject({ done_reason: 'load' });
    expect(await names('/api/ps')).toEqual(['hearth-guide-3m:latest']);
    expect(await chat({ messages: [], keep_alive: 0 })).toMatchObject({ done_reason: 'unload' });
    expect(await names('/api/ps')).toEqual([]);
  });

  it('makes a name that every API knows, shows and deletes it', async () => {
    await post('/api/create', {
      model: 'short',
      from: 'default',
      system: 'You are short.',
      parameters: { num_predict: 3, temperature: 0 },
      stream: false,
    });
    expect(await names('/api/tags')).toEqual(['hearth-guide-3m:latest', 'short:latest']);
    expect(await chat({ model: 'short:latest', messages: ask(question) })).toMatchObject({ eval_count: 3 });
    const openai = await post<{ usage: { completion_tokens: number } }>('/v1/chat/completions', {
      model: 'short',
      messages: ask(question),
    });
    expect(openai.usage.completion_tokens).toBe(3);
    const shown = await post<{ system: string; model_info: Record<string, unknown> }>('/api/show', { model: 'short' });
    expect(shown.system).toBe('You are short.');
    expect(shown.model_info['general.architecture']).toBe('llama');
    expect((await send('DELETE', '/api/delete', { model: 'short' })).status).toBe(200);
    expect((await send('POST', '/api/show', { model: 'short' })).status).toBe(404);
  });

  it('makes a model of a file that is sent', async () => {
    const bytes = await readFile(join(builtInModels, `${builtInModel}-q8_0.gguf`));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const blob = `${server.baseUrl}/api/blobs/${digest}`;
    expect((await fetch(blob, { method: 'HEAD' })).status).toBe(404);
    expect((await fetch(blob, { method: 'POST', body: bytes, headers: json })).status).toBe(201);
    expect((await fetch(blob, { method: 'HEAD' })).status).toBe(200);
    const made = await post('/api/create', { model: 'sent', files: { 'a.gguf': digest }, stream: false });
    expect(made).toEqual({ status: 'success' });
    const answer = await chat({ model: 'sent', messages: ask(question), options: { temperature: 0 } });
    expect(answer.message.content).toBe(answers[question]);
    expect((await send('DELETE', '/api/delete', { model: 'sent' })).status).toBe(200);
    expect((await readdir(models)).filter((name) => name.endsWith('.gguf'))).toEqual([]);
  });

  it('refuses by the names of this API', async () => {
    const unknown = await send('POST', '/api/chat', { model: 'nope', messages: ask('Hi') });
    expect(unknown.status).toBe(404);
    expect(((await unknown.json()) as Line).error).toContain('not found');
    const image = await send('POST', '/api/chat', {
      model: 'default',
      messages: [{ role: 'user', content: 'Hi', images: ['QUJD'] }],
    });
    expect(image.status).toBe(400);
    expect(((await image.json()) as Line).error).toContain('hearth-guide-3m');
    const thinking = await send('POST', '/api/chat', { model: 'default', messages: ask('Hi'), think: true });
    expect(thinking.status).toBe(400);
  });
});
