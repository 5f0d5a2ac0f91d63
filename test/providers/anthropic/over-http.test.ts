import { readFileSync } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observe/logger.ts';
import { createAnthropicProvider } from '../../../src/providers/anthropic/anthropic.ts';
import { createHarness, type Harness, sseData } from '../../http/harness.ts';
import { anthropicConfig } from '../../support/fake-anthropic/config.ts';
import {
  type FakeAnthropic,
  fakeModel,
  sseOf,
  startFakeAnthropic,
} from '../../support/fake-anthropic/fake-anthropic.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel } from '../../support/provider-config.ts';

// The whole way: a client of a dialect, the server, the gateway, the provider, the API on a socket.

let fake: FakeAnthropic;
let harness: Harness;
beforeEach(async () => {
  fake = await startFakeAnthropic();
  const config = anthropicConfig({ baseUrl: fake.url, models: [cloudModel(fakeModel, { aliases: ['mine'] })] });
  const provider = createAnthropicProvider({ config, clock: manualClock(), log: createLogger('silent') });
  harness = await createHarness({}, {}, [provider]);
});
afterEach(async () => {
  await harness.close();
  await fake.close();
});

const recording = readFileSync(new URL('../../fixtures/anthropic/stream.sse', import.meta.url), 'utf8');
const message = JSON.parse(readFileSync(new URL('../../fixtures/anthropic/message.json', import.meta.url), 'utf8'));
const body = { model: fakeModel, max_tokens: 12, messages: [{ role: 'user' as const, content: 'hello' }] };
const chatBody = { model: fakeModel, max_completion_tokens: 12, messages: body.messages };
const version = { 'anthropic-version': '2026-10-21' };
const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'busy' }, request_id: 'req_9' };

describe('a client of the API', () => {
  it('has every byte of the answer, and every byte of its request arrives', async () => {
    fake.recording = recording;
    const text = `{"model":"${fakeModel}", "max_tokens":12, "stream":true, "messages":[{"role":"user","content":"hi"}], "container":"c"}`;
    const answer = await harness.send('POST', '/v1/messages', text, version);
    expect(fake.requests.at(-1)!.text).toBe(text);
    expect(answer.body).toBe(sseOf(sseData(recording).map((data) => JSON.parse(data))));
  });

  it('is the official SDK, whole and streamed', async () => {
    fake.recording = recording;
    const client = new Anthropic({ baseURL: await harness.http.listen(), apiKey: 'any', maxRetries: 0 });
    const streamed = await client.messages.stream(body).finalMessage();
    expect(streamed.content).toEqual(message.content);
    expect(streamed.usage).toMatchObject({ input_tokens: 21, output_tokens: 161, cache_read_input_tokens: 2048 });
    const whole = await client.messages.create({ ...body, model: 'mine' });
    expect(whole.content).toEqual(message.content);
    expect(fake.requests.at(-1)!.body['model']).toBe(fakeModel);
  });

  it('has the words of the API where it fails, before an answer and within one', async () => {
    fake.faults.push({
      type: 'answer',
      status: 400,
      body: { type: 'error', error: { type: 'invalid_request_error', message: 'no' } },
    });
    const refused = await harness.send('POST', '/v1/messages', body, version);
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error', message: 'no' } });
    fake.faults.push({ type: 'record', afterRecords: 5, text: sseOf([overloaded]) });
    const cut = await harness.send('POST', '/v1/messages', { ...body, stream: true }, version);
    const records = sseData(cut.body).map((data) => JSON.parse(data));
    expect(records.filter(({ type }) => type === 'error')).toEqual([
      expect.objectContaining({ error: overloaded.error }),
    ]);
    expect(records.at(-1)).toMatchObject({ type: 'error' });
  });
});

describe('a client of another dialect', () => {
  it('is answered in its own, and its prompt tokens include those of the cache', async () => {
    fake.recording = recording;
    const answer = (await harness.send('POST', '/v1/chat/completions', chatBody)).json();
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: expect.stringContaining('für beide Städte 🌦'),
        tool_calls: [{ id: 'toolu_01A' }, { id: 'toolu_01B' }],
      },
    });
    expect(answer.usage).toMatchObject({
      prompt_tokens: 21 + 188 + 2048,
      completion_tokens: 161,
      prompt_tokens_details: { cached_tokens: 2048 },
    });
  });

  it('has no mark of a whole answer behind a failure', async () => {
    fake.faults.push({ type: 'record', afterRecords: 5, text: sseOf([overloaded]) });
    const answer = await harness.send('POST', '/v1/chat/completions', { ...chatBody, stream: true });
    const records = sseData(answer.body);
    expect(JSON.parse(records.at(-1)!)).toMatchObject({ error: { message: expect.stringContaining('busy') } });
    expect(records).not.toContain('[DONE]');
  });

  it('reads which of its fields the model has not heard', async () => {
    const answer = await harness.send('POST', '/v1/chat/completions', { ...chatBody, seed: 7, temperature: 0 });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['x-hearth-ignored']).toContain('seed');
    expect(fake.requests.at(-1)!.body['temperature']).toBe(0);
  });
});
