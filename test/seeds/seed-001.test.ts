import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, sseData } from '../http/harness.ts';
import { expectPrinted, output, sample, works } from './printed.ts';

const hasHttpx = await works('python3', '-c', 'import httpx');
const hasCurl = await works('curl', '--version');

let harness: Harness;
let baseUrl: string;
beforeAll(async () => {
  harness = await createHarness();
  baseUrl = await harness.http.listen();
});
afterAll(() => harness.close());

const completion = {
  id: 'chatcmpl-123',
  object: 'chat.completion',
  created: 1705593600,
  model: 'claude-sonnet-4.5',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello! How can I help you?' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 },
};

describe('the first seed specification', () => {
  it('has its health', async () => {
    expectPrinted((await harness.send('GET', '/health')).json(), { status: 'healthy', aws: 'connected' });
  });

  it('has its list of models', async () => {
    const data = [
      {
        id: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
        object: 'model',
        created: 1705593600,
        owned_by: 'anthropic',
      },
    ];
    const answer = (await harness.send('GET', '/v1/models')).json();
    expectPrinted(answer, { object: 'list', data });
    expect(answer).toMatchObject({ object: 'list', data: [{ object: 'model' }] });
  });

  const request = {
    model: 'claude-sonnet-4.5',
    messages: [{ role: 'user', content: 'Hello!' }],
    temperature: 1.0,
    max_tokens: 4096,
    stream: false,
  };

  it('has its chat completion', async () => {
    const response = await harness.send('POST', '/v1/chat/completions', request);
    expect(response.statusCode).toBe(200);
    expectPrinted(response.json(), completion);
    expect(response.json()).toMatchObject({
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop' }],
    });
    expect(harness.gateway.calls.at(-1)!.request).toMatchObject({
      model: 'claude-sonnet-4.5',
      sampling: { temperature: 1 },
      maxTokens: 4096,
    });
  });

  it('has its stream', async () => {
    const response = await harness.send('POST', '/v1/chat/completions', { ...request, stream: true });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const records = sseData(response.body);
    expect(records.at(-1)).toBe('[DONE]');
    for (const record of records.slice(0, -1)) {
      expectPrinted(JSON.parse(record), { id: 'chatcmpl-123', object: 'chat.completion.chunk' });
      expect(JSON.parse(record)).toMatchObject({ object: 'chat.completion.chunk' });
    }
  });

  it('has its error', async () => {
    const response = await harness.send('POST', '/v1/chat/completions', { ...request, messages: 'Hello!' });
    expect(response.statusCode).toBe(400);
    expectPrinted(response.json(), { detail: 'Error message' });
  });

  it('answers what its sample for httpx sends', async () => {
    const sent = '{"model":"claude-sonnet-4.5","messages":[{"role":"user","content":"Hello!"}]}';
    const headers = { accept: '*/*', 'user-agent': 'python-httpx/0.28.1' };
    expectPrinted((await harness.send('POST', '/v1/chat/completions', sent, headers)).json(), completion);
  });

  it.skipIf(!hasHttpx)('runs its Python sample (needs httpx)', async () => {
    expect(await output('python3', sample('001-client.py', baseUrl))).toContain("'content': 'Hello world'");
  });

  it.skipIf(!hasCurl)('runs its sample for cURL (needs curl)', async () => {
    expectPrinted(JSON.parse(await output('sh', sample('001-client.sh', baseUrl))), completion);
  });

  it('runs its JavaScript sample', async () => {
    const printed = await output('node', sample('001-client.mjs.txt', baseUrl), { suffix: '.mjs' });
    expect(printed).toContain("object: 'chat.completion'");
    expect(printed).toContain("finish_reason: 'stop'");
  });
});
