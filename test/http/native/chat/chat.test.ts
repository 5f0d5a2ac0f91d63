import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../../src/core/errors.ts';
import { finishEvent, startEvent, textEvents } from '../../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const messages = [{ role: 'user', content: 'Hi' }];
const chat = (body: object = {}) =>
  harness.send('POST', '/api/v1/chat', { messages, ...body }, { 'x-request-id': 'req_1' });

describe('POST /api/v1/chat', () => {
  it('answers with a message, and says of itself what a generation says', async () => {
    const response = await chat();
    expect(response.json()).toStrictEqual({
      message: { role: 'assistant', content: 'Hello world' },
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, cached_prompt_tokens: 2 },
      latency: 0,
      latency_ms: 0,
      model: 'tiny',
      provider: 'local',
      finish_reason: 'stop',
      cost: 0,
      request_id: 'req_1',
    });
    expect(response.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny' });
  });

  it('has the reasoning beside the content', async () => {
    harness.gateway.play(() => [
      startEvent(),
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'Hm.' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      ...textEvents(['Yes'], 1),
      finishEvent(2),
    ]);
    expect((await chat()).json().message).toEqual({ role: 'assistant', content: 'Yes', reasoning: 'Hm.' });
  });

  it('hands the conversation and the settings to the core', async () => {
    const turns = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '' },
      { role: 'assistant', content: 'Hello' },
      ...messages,
    ];
    await chat({ messages: turns, model: 'tiny', max_tokens: 7, top_p: 0.5, stop: 'x', format: 'json', keep_alive: 1 });
    expect(harness.gateway.calls[0]!.request).toEqual({
      model: 'tiny',
      input: {
        type: 'chat',
        messages: turns.map(({ role, content }) => ({ role, content: [{ type: 'text', text: content }] })),
        tools: [],
        toolChoice: { type: 'auto' },
      },
      sampling: { topP: 0.5 },
      stop: ['x'],
      maxTokens: 7,
      format: { type: 'json' },
      keepAliveMs: 1000,
    });
  });

  it('streams as /generate/stream does', async () => {
    const { body } = await chat({ stream: true });
    const own = await harness.send('POST', '/api/v1/generate/stream', { prompt: 'Hi' }, { 'x-request-id': 'req_1' });
    expect(body).toBe(own.body);
    expect(sseData(body).at(-1)).toBe('[DONE]');
  });

  it.each<[object, string]>([
    [{ messages: [] }, 'messages'],
    [{ messages: Array.from({ length: 500_000 }, () => 1) }, 'messages'],
    [{ messages: 'Hi' }, 'messages'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages.0.role'],
    [{ messages: [...messages, { role: 'user' }] }, 'messages.1.content'],
    [{ messages: [{ role: 'user', content: [] }] }, 'messages.0.content'],
    [{ messages: [{ role: 'user', content: 'x', name: 'y' }] }, 'messages.0.name'],
    [{ prompt: 'Hi' }, 'prompt'],
    [{ raw: true }, 'raw'],
    [{ tools: [] }, 'tools'],
  ])('refuses %j by name', async (fields, field) => {
    const response = await chat(fields);
    expect([response.statusCode, response.json().field]).toEqual([400, field]);
    expect(harness.gateway.calls).toEqual([]);
  });

  it('names the messages where the prompt is too long', async () => {
    harness.gateway.play(() => {
      throw new AppError('context_length_exceeded', 'Too long.', { field: 'input' });
    });
    expect((await chat()).json()).toMatchObject({ status_code: 400, field: 'messages' });
  });

  it('is not at the root', async () => {
    expect((await harness.send('POST', '/chat', { messages })).statusCode).toBe(404);
  });
});

describe('GET /api/v1/models/{name}', () => {
  it('has the model, and the envelope of the fourth specification around it', async () => {
    const own = (await harness.send('GET', '/models/tiny')).json();
    const response = await harness.send('GET', '/api/v1/models/tiny', undefined, { 'x-request-id': 'req_1' });
    expect(response.json()).toEqual({ ...own, success: true, data: own, metadata: { request_id: 'req_1' } });
  });
});
