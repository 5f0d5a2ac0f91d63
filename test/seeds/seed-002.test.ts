import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { expectPrinted, output, sample, works } from './printed.ts';

const hasHttpx = await works('python3', '-c', 'import httpx');
const hasCurl = await works('curl', '--version');

const key = { 'x-api-key': 'your-api-key' };
let harness: Harness;
let baseUrl: string;
beforeAll(async () => {
  harness = await createHarness({ apiKeys: ['your-api-key', 'your-token'] });
  baseUrl = await harness.http.listen();
});
afterAll(() => harness.close());

const post = (path: string, body: object, headers: Record<string, string> = key) =>
  harness.send('POST', `/api/v1${path}`, body, headers);
const usage = { prompt_tokens: 15, completion_tokens: 22, total_tokens: 37 };
const generated = {
  text: 'Lines of code flow down\nBugs emerge like morning mist\nDebug, rinse, repeat',
  usage,
  provider: 'gemini',
  model: 'gemini-2.0-flash-exp',
  cost: 0.0,
  latency_ms: 450,
};

describe('the second seed specification', () => {
  it('takes a key in either of its headers', async () => {
    const body = { prompt: 'Hello, world!', max_tokens: 100 };
    expect((await post('/generate', body, {})).statusCode).toBe(401);
    expect((await post('/generate', body, key)).statusCode).toBe(200);
    expect((await post('/generate', body, { authorization: 'Bearer your-token' })).statusCode).toBe(200);
  });

  it('has its generation', async () => {
    const response = await post('/generate', {
      prompt: 'Write a haiku about coding',
      system_prompt: 'You are a creative poet',
      max_tokens: 100,
      temperature: 0.7,
      top_p: 0.9,
      stop_sequences: ['\n\n'],
      stream: false,
    });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), generated);
    expect(harness.gateway.calls.at(-1)!.request).toMatchObject({
      input: { messages: [{ role: 'system', content: [{ text: 'You are a creative poet' }] }, { role: 'user' }] },
      sampling: { temperature: 0.7, topP: 0.9 },
      stop: ['\n\n'],
      maxTokens: 100,
    });
  });

  it('says in headers who answered, and repeats the id of the request', async () => {
    const { headers } = await post('/generate', { prompt: 'Hi' }, { ...key, 'x-request-id': 'req_abc123' });
    expect(headers).toMatchObject({
      'x-provider-used': 'local',
      'x-model-used': 'tiny',
      'x-request-id': 'req_abc123',
    });
  });

  it('has its stream', async () => {
    const body = { prompt: 'Write a story about a robot', max_tokens: 500, temperature: 0.8 };
    const response = await post('/generate/stream', body);
    expect(response.headers['content-type']).toBe('text/event-stream');
    const records = sseData(response.body);
    expect(records.at(-1)).toBe('[DONE]');
    const items = records.slice(0, -1).map((record) => JSON.parse(record));
    for (const item of items) expectPrinted(item, { delta: 'Once', index: 0 });
    expect(items.map(({ index }) => index)).toEqual([...items.keys()]);
    expect(items.map(({ delta }) => delta).join('')).toBe('Hello world');
  });

  it('has its chat', async () => {
    const response = await post('/chat', {
      messages: [
        { role: 'system', content: 'You are a helpful assistant' },
        { role: 'user', content: 'Hello!' },
        { role: 'assistant', content: 'Hello! How can I help you today?' },
        { role: 'user', content: "What's the weather like?" },
      ],
      max_tokens: 200,
      temperature: 0.7,
    });
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), {
      message: { role: 'assistant', content: 'I do not have access to real-time weather data.' },
      usage,
      provider: 'gemini',
      model: 'gemini-2.0-flash-exp',
    });
    expect(response.json()).toMatchObject({ message: { role: 'assistant', content: 'Hello world' } });
  });

  it.each<[object]>([
    [{ input: 'The quick brown fox jumps over the lazy dog', model: 'text-embedding-3-small' }],
    [{ input: ['First sentence', 'Second sentence', 'Third sentence'] }],
  ])('has its embeddings of %j', async (body) => {
    const response = await post('/embeddings', body);
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), {
      embeddings: [{ index: 0, embedding: [0.001, -0.023, 0.145], dimensions: 1536 }],
      usage: { total_tokens: 9 },
      provider: 'openai',
      model: 'text-embedding-3-small',
    });
    expect(response.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny-embed' });
  });

  it('has its error', async () => {
    const response = await post('/generate', { prompt: 'Hi', max_tokens: 0 });
    expectPrinted(response.json(), {
      error: 'ErrorType',
      detail: 'Detailed error message',
      status_code: 400,
      request_id: 'req_abc123',
      timestamp: '2024-01-15T10:30:00Z',
    });
    expect(response.json()).toMatchObject({ error: 'ValidationError', status_code: 400 });
  });

  it('has its health at its own address', async () => {
    expectPrinted((await harness.send('GET', '/api/v1/health')).json(), {
      status: 'healthy',
      timestamp: '2024-01-15T10:30:00Z',
      version: '1.0.0',
      components: {},
    });
  });
});

describe('the headers of the second seed specification that choose who answers', () => {
  it.each(['/generate', '/generate/stream', '/chat'])(
    'X-Model is the model where the body of %s names none',
    async (path) => {
      const body = path === '/chat' ? { messages: [{ role: 'user', content: 'Hi' }] } : { prompt: 'Hi' };
      await post(path, body, { ...key, 'x-model': 'gpt-4o' });
      expect(harness.gateway.calls.at(-1)!.request.model).toBe('gpt-4o');
      await post(path, { ...body, model: 'tiny' }, { ...key, 'x-model': 'gpt-4o' });
      expect(harness.gateway.calls.at(-1)!.request.model).toBe('tiny');
    },
  );

  it('X-Model is the model of embeddings and of each item of a batch that names none', async () => {
    await post('/embeddings', { input: 'Hi' }, { ...key, 'x-model': 'all-minilm' });
    expect(harness.gateway.wholeCalls.at(-1)!.request.model).toBe('all-minilm');
    await post(
      '/batch/generate',
      { requests: [{ prompt: 'Hi' }, { prompt: 'Hi', model: 'tiny' }] },
      { ...key, 'x-model': 'x' },
    );
    expect(harness.gateway.calls.slice(-2).map(({ request }) => request.model)).toEqual(['x', 'tiny']);
  });

  it('X-Model is held to what a model can be called', async () => {
    const response = await post('/generate', { prompt: 'Hi' }, { ...key, 'x-model': '../x' });
    expect(response.json()).toMatchObject({ status_code: 400, field: 'X-Model' });
  });

  it('X-Provider takes this machine, and refuses what is no provider by name', async () => {
    expect((await post('/generate', { prompt: 'Hi' }, { ...key, 'x-provider': 'local' })).statusCode).toBe(200);
    for (const path of ['/generate', '/generate/stream']) {
      const response = await post(
        path,
        { prompt: 'Explain AI' },
        { ...key, 'x-provider': 'openai', 'x-model': 'gpt-4o' },
      );
      expect(response.json()).toMatchObject({
        error: 'ValidationError',
        detail: 'There is no provider called "openai", or it is off. Providers that are on: local.',
        status_code: 400,
        field: 'X-Provider',
        details: { known: ['local'] },
      });
    }
  });

  it.each(['premium', 'constructor', '__proto__'])('X-Failover-Chain refuses %s, which is no chain', async (chain) => {
    const response = await post('/generate', { prompt: 'Hi' }, { ...key, 'x-failover-chain': chain });
    expect(response.json()).toMatchObject({ status_code: 400, field: 'X-Failover-Chain' });
  });
});

describe('the samples of the second seed specification', () => {
  it.skipIf(!hasCurl).each(['002-generate.sh', '002-hello.sh'])('run with curl: %s', async (name) => {
    expectPrinted(JSON.parse(await output('sh', sample(name, baseUrl))), generated);
  });

  it.skipIf(!hasCurl).each(['002-stream.sh', '002-stream-short.sh'])('stream with curl: %s', async (name) => {
    const records = sseData(await output('sh', sample(name, baseUrl)));
    expect(records).toHaveLength(4);
    expect(JSON.parse(records[0]!)).toMatchObject({ delta: 'Hello', index: 0 });
    expect(records.at(-1)).toBe('[DONE]');
  });

  it.skipIf(!hasCurl).each([
    ['002-provider.sh', 'There is no provider called "openai", or it is off. Providers that are on: local.'],
    ['002-provider-short.sh', 'There is no provider called "openai", or it is off. Providers that are on: local.'],
    ['002-chain.sh', 'There is no chain of providers called "premium". The configuration has no failover_chains.'],
  ])('are told what is missing: %s', async (name, detail) => {
    expect(JSON.parse(await output('sh', sample(name, baseUrl)))).toMatchObject({ detail, status_code: 400 });
  });

  /** The sample with the wish for another provider taken out, which needs one that is configured. */
  const withoutProvider = (text: string) => text.replace(/\n +provider="openai",\n +model="gpt-4o",/, '');

  it.skipIf(!hasHttpx)('run in Python (needs httpx)', async () => {
    const program = `${withoutProvider(sample('002-client.py', baseUrl))}\nimport asyncio\nasyncio.run(main())\n`;
    const [first, second, stream] = (await output('python3', program)).split('\n', 3);
    expect([first, second]).toEqual(['Hello world', 'Hello world']);
    expect(stream).toMatch(/^\{"token":"Hello","delta":"Hello".*\}\[DONE\]$/);
  });

  it.skipIf(!hasHttpx)('fail in Python at a provider that is not configured (needs httpx)', async () => {
    const program = `${sample('002-client.py', baseUrl)}\nimport asyncio\nasyncio.run(main())\n`;
    await expect(output('python3', program)).rejects.toThrow('400 Bad Request');
  });

  it('run in TypeScript', async () => {
    expect(await output('node', sample('002-client.ts.txt', baseUrl), { suffix: '.mts' })).toBe(
      'Hello world\nHello world',
    );
  });

  it('send from Python what is answered', async () => {
    const headers = { ...key, accept: '*/*', 'user-agent': 'python-httpx/0.28.1' };
    const sent = '{"prompt":"Write a haiku about coding","temperature":0.7}';
    expectPrinted((await harness.send('POST', '/api/v1/generate', sent, headers)).json(), generated);
    const lines = (await harness.send('POST', '/api/v1/generate/stream', '{"prompt":"Write a story"}', headers)).body
      .split('\n')
      .filter((line) => line.startsWith('data: '));
    expect(lines.at(-1)).toBe('data: [DONE]');
  });
});
