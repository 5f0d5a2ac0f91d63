import Anthropic from '@anthropic-ai/sdk';
import { createParser } from 'eventsource-parser';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anonymous, localRouting, noWish } from '../../../src/core/call.ts';
import { foldEvents } from '../../../src/core/events.ts';
import type { Provider } from '../../../src/core/provider.ts';
import { createGateway } from '../../../src/gateway/gateway.ts';
import { createHarness, type Harness } from '../../http/harness.ts';
import { anyContext } from '../../support/calls.ts';
import { type FakeBedrock, startFakeBedrock } from '../../support/fake-bedrock/fake-bedrock.ts';
import { bedrockOver, claude, nova } from '../../support/fake-bedrock/provider.ts';
import { answerEvents } from '../../support/fake-engine.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { scriptedProvider } from '../../support/scripted-provider.ts';

let fake: FakeBedrock;
let provider: ReturnType<typeof bedrockOver>;
let harness: Harness;
beforeEach(async () => {
  fake = await startFakeBedrock();
  provider = bedrockOver(fake.baseUrl);
  harness = await createHarness({}, {}, [provider]);
});
afterEach(async () => {
  await harness.close();
  provider.close();
  await fake.close();
});

const messages = [{ role: 'user', content: 'hi' }];
/** How each dialect asks for a stream, and what marks its end and its failure. */
const dialects = [
  [
    '/v1/messages',
    { model: 'claude-sonnet-4.5', max_tokens: 50, messages, stream: true },
    /message_stop/,
    /event: error/,
  ],
  ['/v1/messages', { model: nova, max_tokens: 50, messages, stream: true }, /message_stop/, /event: error/],
  ['/v1/chat/completions', { model: 'claude-sonnet-4.5', messages, stream: true }, /\[DONE\]/, /"error"/],
  ['/api/chat', { model: nova, messages, stream: true }, /"done":true/, /"error"/],
] as const;
const exceptions = [
  'throttlingException',
  'modelStreamErrorException',
  'internalServerException',
  'serviceUnavailableException',
  'validationException',
  'modelTimeoutException',
];

describe('an exception within a stream of Bedrock', () => {
  const cases = exceptions.flatMap((name) =>
    dialects.map(([url, body, end, error]) => ({ name, url, model: body.model, body, end, error })),
  );
  it.each(exceptions.flatMap((name) => [0, 1].map((afterFrames) => ({ name, afterFrames }))))(
    '$name before the first content ($afterFrames frames) is the next provider’s chance, if it is not the client’s fault',
    async ({ name, afterFrames }) => {
      fake.script.push({ type: 'exception', name, afterFrames });
      const next = scriptedProvider(answerEvents(['from the next']), { id: 'next', commitsAt: 'content' });
      const gateway = createGateway({
        providers: () => new Map<string, Provider>([provider, next].map((one) => [one.id, one])),
        guards: [],
        clock: manualClock(),
        bus: { publish: () => {} },
      });
      const chains = { c: ['aws', 'next'] };
      const context = anyContext({
        principal: { ...anonymous, mayUseCloud: true },
        routing: { ...noWish, chain: 'c' },
        config: {
          ...localRouting,
          cloudAllowed: true,
          chains,
          defaultModels: { aws: nova, next: 'm' },
          retries: { ...localRouting.retries, maxAttempts: 2 },
        },
      });
      const asked = gateway.stream(
        {
          model: nova,
          input: {
            type: 'chat',
            messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
            tools: [],
            toolChoice: { type: 'auto' },
          },
          sampling: {},
          stop: [],
        },
        context,
      );
      if (name === 'validationException') await expect(asked).rejects.toMatchObject({ code: 'upstream_refused' });
      else {
        const { providerId, events } = await asked;
        expect(providerId).toBe('next');
        expect((await foldEvents(events)).choices[0].blocks).toMatchObject([{ text: 'from the next' }]);
      }
      await expect.poll(fake.running).toBe(0);
    },
  );

  it.each(cases)(
    '$name after it is one error at $url of $model, and the end',
    async ({ name, url, body, end, error }) => {
      fake.script.push({ type: 'exception', name, afterFrames: 5 });
      const { statusCode, body: text } = await harness.send('POST', url, body);
      expect(statusCode).toBe(200);
      expect(text).toContain('sea');
      expect(text.match(new RegExp(error, 'g'))).toHaveLength(1);
      expect(text).not.toMatch(end);
      await expect.poll(fake.running).toBe(0);
    },
  );
});

describe('the official SDKs', () => {
  it('of Anthropic have Claude’s own stream, and its message', async () => {
    const client = new Anthropic({ baseURL: await harness.http.listen(), apiKey: 'any', maxRetries: 0 });
    const asked = { model: 'claude-sonnet-4.5', max_tokens: 50, messages: [{ role: 'user' as const, content: 'hi' }] };
    const final = await client.messages.stream(asked).finalMessage();
    expect(fake.arrived.map(({ operation }) => operation)).toEqual(['invoke-with-response-stream']);
    const whole = await client.messages.create(asked);
    expect(whole.content).toEqual(final.content);
    expect(whole.usage.output_tokens).toBe(final.usage.output_tokens);
    const { input_tokens } = await client.messages.countTokens({ model: asked.model, messages: asked.messages });
    expect(input_tokens).toBeGreaterThan(0);
  });

  it('of OpenAI have a model of Converse', async () => {
    const client = new OpenAI({ baseURL: `${await harness.http.listen()}/v1`, apiKey: 'any', maxRetries: 0 });
    const stream = client.chat.completions.stream({
      model: nova,
      messages: [{ role: 'user', content: 'hi' }],
      stream_options: { include_usage: true },
    });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]!.message.content).toContain('sea');
    expect(completion.usage!.prompt_tokens).toBeGreaterThan(0);
    expect(fake.arrived[0]!.operation).toBe('converse-stream');
    const names = (await client.models.list()).data.map(({ id }) => id);
    expect(names).toEqual(expect.arrayContaining([claude, nova]));
  });
});

describe('a stream that Claude’s client reads', () => {
  it('is what Bedrock sent, event for event', async () => {
    const { body } = await harness.send('POST', '/v1/messages', { ...dialects[0][1] });
    const seen: unknown[] = [];
    const parser = createParser({ onEvent: ({ data }) => seen.push(JSON.parse(data)) });
    parser.feed(body);
    expect(seen.at(-1)).toMatchObject({
      type: 'message_stop',
      'amazon-bedrock-invocationMetrics': { outputTokenCount: 14 },
    });
  });
});
