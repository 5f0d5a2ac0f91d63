import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { answerEvents, finishEvent, modelInfo, startEvent, textEvents } from '../support/fake-engine.ts';
import { expectPrinted, output, sample, works } from './printed.ts';

const hasRequests = await works('python3', '-c', 'import requests');
const question = 'Please explain the concept of artificial intelligence';

let harness: Harness;
let baseUrl: string;
beforeAll(async () => {
  harness = await createHarness();
  harness.engine.models.push(modelInfo({ name: 'llama-2-7b-chat', aliases: [] }));
  baseUrl = await harness.http.listen();
});
afterAll(() => harness.close());

const usage = { prompt_tokens: 15, completion_tokens: 128, total_tokens: 143 };
const generated = { text: 'Artificial Intelligence is...', usage, latency: 2.3 };

describe('the third seed specification', () => {
  it('has its health', async () => {
    const answer = (await harness.send('GET', '/health')).json();
    expectPrinted(answer, { status: 'healthy', model_loaded: true, memory_usage: '2.1GB/8GB', active_connections: 5 });
    expect(answer.memory_usage).toMatch(/^[\d.]+GB\/[\d.]+GB$/);
  });

  it.each(['', '/api/v1'])('has its generation at %s/generate', async (mount) => {
    const response = await harness.send('POST', `${mount}/generate`, {
      prompt: question,
      model: 'llama-2-7b-chat',
      max_tokens: 512,
      temperature: 0.7,
      stream: false,
    });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), generated);
  });

  it.each(['', '/api/v1'])('has its stream at %s/generate/stream', async (mount) => {
    const body = { prompt: question, model: 'qwen-7b-chat', max_tokens: 512, temperature: 0.7 };
    const response = await harness.send('POST', `${mount}/generate/stream`, body, { accept: 'text/event-stream' });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const items = sseData(response.body).map((item) => JSON.parse(item));
    for (const item of items) expectPrinted(item, { token: 'Arti', finished: false });
    expect(items.map(({ token }) => token).join('')).toBe('Hello world');
    expect(items.map(({ finished }) => finished)).toEqual([false, false, true]);
  });

  it('loads a model by its settings, and then lists it', async () => {
    const load = await harness.send('POST', '/models/llama-2-7b-chat/load', {
      quantization: 'q4_0',
      prefer_gpu: false,
    });
    expect(load.statusCode).toBe(200);
    expect(harness.engine.loads.at(-1)).toEqual({
      name: 'llama-2-7b-chat',
      wish: { quantization: 'q4_0', preferGpu: false },
    });
    const { models } = (await harness.send('GET', '/models')).json();
    const listed = models.find(({ name }: { name: string }) => name === 'llama-2-7b-chat');
    expectPrinted(listed, {
      name: 'llama-2-7b-chat',
      format: 'gguf',
      size: '4.2GB',
      loaded: true,
      memory_usage: '3.8GB',
    });
    expect(listed).toMatchObject({ format: 'gguf', loaded: true });
  });

  it('has its error, with the details as an object', async () => {
    const answer = (await harness.send('GET', '/models/missing')).json();
    expectPrinted(answer, {
      error: { code: 'MODEL_NOT_LOADED', message: 'Requested model is not loaded', details: {} },
    });
    expect(answer.error.code).toMatch(/^[A-Z_]+$/);
  });

  it('has its metrics', async () => {
    await harness.send('POST', '/generate', { prompt: question });
    const { body } = await harness.send('GET', '/metrics');
    expect(body).toContain('# TYPE model_inference_seconds histogram');
    expect(body).toContain('# TYPE active_connections gauge');
    expect(body).toMatch(/^active_connections \d+$/m);
  });

  it.each(['', '/api/v1'])('has its batch at %s/batch/generate', async (mount) => {
    const response = await harness.send('POST', `${mount}/batch/generate`, {
      requests: [
        { prompt: 'Question 1', max_tokens: 100 },
        { prompt: 'Question 2', max_tokens: 150 },
      ],
    });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), { results: [{ text: 'Answer 1', usage }] });
    expect(response.json().results).toHaveLength(2);
  });

  it('answers what its Python sample sends', async () => {
    const sent = '{"prompt": "Write a poem about spring", "model": "default", "max_tokens": 512, "temperature": 0.7}';
    const headers = { accept: '*/*', 'accept-encoding': 'gzip, deflate', 'user-agent': 'python-requests/2.34.2' };
    expectPrinted((await harness.send('POST', '/api/v1/generate', sent, headers)).json(), generated);
  });

  it.skipIf(!hasRequests)('runs its Python sample (needs requests)', async () => {
    expect(await output('python3', sample('003-client.py', baseUrl))).toBe('Hello world\n');
  });

  it('runs its JavaScript sample as a page would', async () => {
    const page = `const fetch = (url, init) => globalThis.fetch(new URL(url, '${baseUrl}'), init);\n`;
    const program = `${page}${sample('003-client.js.txt', baseUrl)}\nawait streamGenerate('Hi');\n`;
    // It takes each chunk that it reads for one record: the next one comes when it has told of the last.
    let printed = '';
    let wake = () => {};
    const until = async (text: string) => {
      while (!printed.includes(text)) await new Promise<void>((resolve) => (wake = resolve));
    };
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hello'], 0).slice(0, -1);
      await until('Hello\n');
      yield* textEvents([' world'], 0).slice(1);
      await until(' world\n');
      yield finishEvent(2);
    });
    const onPrinted = (text: string) => {
      printed += text;
      wake();
    };
    expect(await output('node', program, { suffix: '.mjs', onPrinted })).toBe('Hello\n world\n\n');
    harness.gateway.play(() => answerEvents(['Hello', ' world']));
  });
});

describe('the third seed specification at /v1', () => {
  const body = {
    model: 'qwen-7b-chat',
    messages: [
      { role: 'system', content: 'You are a helpful assistant' },
      { role: 'user', content: question },
    ],
    max_tokens: 512,
    temperature: 0.7,
    stream: false,
  };

  it('has its chat completion', async () => {
    expectPrinted((await harness.send('POST', '/v1/chat/completions', body)).json(), {
      id: 'chatcmpl-123',
      object: 'chat.completion',
      created: 1677652288,
      model: 'qwen-7b-chat',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Artificial Intelligence is...' },
          finish_reason: 'stop',
        },
      ],
      usage,
    });
  });

  it('has its stream, whose last chunk ends the answer', async () => {
    const records = sseData((await harness.send('POST', '/v1/chat/completions', { ...body, stream: true })).body);
    const chunks = records.slice(0, -1).map((record) => JSON.parse(record));
    for (const chunk of chunks) {
      expectPrinted(chunk, { id: 'chatcmpl-123', object: 'chat.completion.chunk', choices: [{ delta: {}, index: 0 }] });
    }
    expect(chunks.map(({ choices: [{ delta }] }) => delta.content ?? '').join('')).toBe('Hello world');
    expect(chunks.at(-1)).toMatchObject({ choices: [{ delta: {}, finish_reason: 'stop', index: 0 }] });
    expect(records.at(-1)).toBe('[DONE]');
  });

  it('refuses the printed streaming body with its comment, which is no JSON', async () => {
    const printed = JSON.stringify({ ...body, stream: true }, null, 2).replace(
      'true',
      'true  // Enable streaming output',
    );
    expect((await harness.send('POST', '/v1/chat/completions', printed)).statusCode).toBe(400);
  });

  it('has a list of models', async () => {
    expectPrinted((await harness.send('GET', '/v1/models')).json(), { object: 'list', data: [{ id: 'qwen-7b-chat' }] });
  });

  it('answers what its sample for the first version of the OpenAI library sends', async () => {
    const sent = JSON.stringify({ model: body.model, messages: body.messages });
    const response = await harness.send('POST', '/v1/chat/completions', sent, {
      authorization: 'Bearer any-key',
      'user-agent': 'OpenAI/v1 PythonBindings/0.28.1',
    });
    expect(response.json()).toMatchObject({ choices: [{ message: { content: 'Hello world' } }] });
  });

  it('answers what its sample for LangChain sends: a completion and a chat', async () => {
    const completion = {
      model: body.model,
      prompt: ['Hi'],
      temperature: 0.7,
      max_tokens: 256,
      top_p: 1,
      n: 1,
      best_of: 1,
    };
    const { choices } = (await harness.send('POST', '/v1/completions', completion)).json();
    expect(choices).toMatchObject([{ text: 'Hello world', finish_reason: 'stop' }]);
    const chat = {
      model: body.model,
      messages: [{ role: 'user', content: 'Hi' }],
      temperature: 0.7,
      n: 1,
      stream: false,
    };
    const answer = (await harness.send('POST', '/v1/chat/completions', chat)).json();
    expect(answer.choices).toMatchObject([{ message: { role: 'assistant', content: 'Hello world' } }]);
  });
});
