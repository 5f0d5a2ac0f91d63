import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderPreset } from '../../../src/config/providers.ts';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { textOf } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { foldEvents, isContent } from '../../../src/core/events.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { type FakeOpenAi, type Fault, startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import type { Manner } from '../../support/fake-openai/wording.ts';
import { type ManualClock, manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

const fakes: FakeOpenAi[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

async function open(manner: Manner = 'openai', preset: ProviderPreset = 'openai', totalMs: number | null = 60_000) {
  const fake = await startFakeOpenAi(manner);
  fakes.push(fake);
  const clock: ManualClock = manualClock();
  const timeouts = { firstByteMs: 5_000, idleMs: 2_000, totalMs };
  const config = providerConfig({ preset, baseUrl: fake.baseUrl, models: [cloudModel('toy')], timeouts });
  return { fake, clock, provider: createOpenAiCompatibleProvider({ config, clock }) };
}

const chat = (changes: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'toy',
  input: {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Say something.' }] }],
    tools: [],
    toolChoice: { type: 'auto' },
  },
  sampling: {},
  stop: [],
  ...changes,
});

const page = `<html><head><title>502</title></head><body><h1>Bad Gateway</h1>${'x'.repeat(1_000)}</body></html>`;

describe('a failure before the answer', () => {
  it.each<[string, Fault, Partial<AppError>]>([
    [
      '429 with Retry-After',
      { type: 'error', status: 429, message: 'slow down', headers: { 'retry-after': '7' } },
      { code: 'upstream_rate_limited', retryAfterSeconds: 7 },
    ],
    [
      '429 with Retry-After-Ms',
      { type: 'error', status: 429, message: 'slow down', headers: { 'retry-after-ms': '1500', 'retry-after': '9' } },
      { code: 'upstream_rate_limited', retryAfterSeconds: 2 },
    ],
    [
      '429 with a time',
      {
        type: 'error',
        status: 429,
        message: 'x',
        headers: { date: 'Sun, 29 Nov 2026 00:00:00 GMT', 'retry-after': 'Sun, 29 Nov 2026 00:01:00 GMT' },
      },
      { code: 'upstream_rate_limited', retryAfterSeconds: 60 },
    ],
    [
      '429 without',
      { type: 'error', status: 429, message: 'slow down' },
      { code: 'upstream_rate_limited', retryAfterSeconds: null },
    ],
    [
      'an account without credit',
      {
        type: 'answer',
        status: 429,
        body: '{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}',
      },
      { code: 'upstream_quota_exceeded', retryable: false, mayFailOver: true },
    ],
    ['402', { type: 'error', status: 402, message: 'Insufficient Balance' }, { code: 'upstream_quota_exceeded' }],
    [
      '401',
      { type: 'error', status: 401, message: 'Incorrect API key provided: sk-canary' },
      { code: 'upstream_access_denied', mayFailOver: true },
    ],
    [
      'a model that is configured and not there',
      { type: 'error', status: 404, message: 'The model `toy` does not exist' },
      { code: 'upstream_access_denied' },
    ],
    [
      '400',
      { type: 'error', status: 400, message: 'temperature is too hot' },
      { code: 'upstream_refused', mayFailOver: false },
    ],
    [
      'a prompt that is too long',
      {
        type: 'answer',
        status: 400,
        body: '{"error":{"message":"This model\'s maximum context length is 8 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
      },
      { code: 'context_length_exceeded' },
    ],
    ['500', { type: 'error', status: 500, message: 'oops' }, { code: 'upstream_unavailable', retryable: true }],
    ['503', { type: 'error', status: 503, message: 'Loading model' }, { code: 'upstream_overloaded' }],
    ['529', { type: 'error', status: 529, message: 'Overloaded' }, { code: 'upstream_overloaded' }],
    ['504', { type: 'error', status: 504, message: 'late' }, { code: 'upstream_timeout' }],
    [
      'a page of a proxy',
      { type: 'answer', status: 502, contentType: 'text/html', body: page },
      { code: 'upstream_unavailable', status: 502 },
    ],
    [
      'a page in place of the answer',
      { type: 'answer', status: 200, contentType: 'text/html', body: page },
      { code: 'upstream_unavailable', status: 502 },
    ],
    [
      'a page of a proxy that takes less',
      { type: 'answer', status: 413, contentType: 'text/html', body: page },
      { code: 'upstream_refused', retryable: false },
    ],
    ['an empty answer', { type: 'answer', status: 200, body: '' }, { code: 'upstream_unavailable' }],
    ['broken JSON', { type: 'answer', status: 200, body: '{"choices":[{"mess' }, { code: 'upstream_unavailable' }],
    [
      'an error in place of the answer',
      { type: 'answer', status: 200, body: '{"error":{"message":"busy","code":503}}' },
      { code: 'upstream_overloaded' },
    ],
    [
      'a redirect',
      { type: 'answer', status: 302, body: '', headers: { location: 'https://elsewhere.test/' } },
      { code: 'upstream_access_denied', message: expect.stringContaining('leads elsewhere (status 302); base_url') },
    ],
    ['a reset', { type: 'reset' }, { code: 'upstream_unavailable' }],
  ])('is told as what it is: %s', async (_what, fault, expected) => {
    const { fake, provider } = await open();
    fake.play(fault);
    const error = await collect(provider.stream(chat(), anyContext())).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject(expected);
    // One request is one try: who tries again is decided elsewhere.
    expect(fake.requests).toHaveLength(1);
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('sk-canary');
  });

  it('of a service that is not there is one that another may answer', async () => {
    const { fake, provider } = await open();
    await fake.close();
    await expect(collect(provider.stream(chat(), anyContext()))).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: expect.stringMatching(/cannot be reached \(ECONN\w+\)\.$/),
      mayFailOver: true,
    });
  });

  it('keeps the first 200 characters of a page as text, and no more of it', async () => {
    const { fake, provider } = await open();
    fake.play({ type: 'answer', status: 502, contentType: 'text/html', body: page });
    const error: AppError = await collect(provider.stream(chat(), anyContext())).catch((thrown) => thrown);
    expect(error.message).toContain('502 Bad Gateway xxx');
    expect(error.message).not.toContain('<');
    expect(error.message.length).toBeLessThan(300);
    expect(error.upstream).toMatchObject({ provider: 'cloud', status: 502, body: null });
  });

  it("keeps the service's own words for clients of its dialect, Gemini's out of their list", async () => {
    const openai = await open();
    openai.fake.play({
      type: 'answer',
      status: 400,
      body: '{"error":{"message":"no","type":"t","param":"p","code":"c","own":1}}',
      headers: { 'x-ratelimit-limit-requests': '5' },
    });
    const error: AppError = await collect(openai.provider.stream(chat(), anyContext())).catch((thrown) => thrown);
    expect(error.upstream).toMatchObject({
      dialect: 'openai',
      status: 400,
      headers: { 'x-request-id': 'req_fake', 'x-ratelimit-limit-requests': '5' },
      body: { error: { message: 'no', type: 't', param: 'p', code: 'c', own: 1 } },
    });
    const gemini = await open('gemini', 'gemini');
    gemini.fake.play({ type: 'error', status: 400, message: 'bad' });
    const other: AppError = await collect(gemini.provider.stream(chat(), anyContext())).catch((thrown) => thrown);
    expect(other.upstream?.body).toMatchObject({
      error: { message: 'bad', code: 400, param: null, type: 'INVALID_ARGUMENT' },
    });
  });

  it('is the client’s own where the model is its own word', async () => {
    const { fake } = await open();
    const provider = createOpenAiCompatibleProvider({
      config: providerConfig({ baseUrl: fake.baseUrl }),
      clock: manualClock(),
    });
    await expect(collect(provider.stream(chat({ model: 'nope' }), anyContext()))).rejects.toMatchObject({
      code: 'model_not_found',
      field: 'model',
    });
  });
});

describe('a request that has ended', () => {
  it.each<[string, Fault[]]>([
    ['whole', []],
    ['with a refusal', [{ type: 'error', status: 400, message: 'no' }]],
    ['without an answer', [{ type: 'reset' }]],
  ])('%s listens to the signal of its client no more', async (_how, faults) => {
    const { fake, provider } = await open();
    fake.play(...faults);
    const { signal } = new AbortController();
    await collect(provider.stream(chat(), anyContext({ signal }))).catch(() => {});
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('an answer that is slow', () => {
  it('is given up when its first byte is late, and the connection is closed', async () => {
    const { fake, clock, provider } = await open();
    fake.play({ type: 'stall', afterBytes: -1 });
    const answer = collect(provider.stream(chat(), anyContext()));
    await expect.poll(() => fake.running()).toBe(1);
    clock.advance(4_999);
    clock.advance(1);
    await expect(answer).rejects.toMatchObject({ code: 'upstream_timeout', details: { waited_for: 'first_byte' } });
    await expect.poll(() => fake.running()).toBe(0);
  });

  it('has ten minutes where it comes whole, since it says nothing until it is all there', async () => {
    const { fake, clock, provider } = await open('openai', 'openai', null);
    fake.play({ type: 'stall', afterBytes: -1 });
    const body = { model: 'toy', messages: [{ role: 'user', content: 'Hi' }] };
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const original = { dialect: 'openai' as const, path: '/v1/chat/completions', bytes, body, headers: {} };
    let hasEnded = false;
    const answer = collect(provider.stream(chat({ original, onlyRelayed: true }), anyContext())).finally(() => {
      hasEnded = true;
    });
    answer.catch(() => {});
    await expect.poll(() => fake.running()).toBe(1);
    clock.advance(599_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasEnded).toBe(false);
    clock.advance(1);
    await expect(answer).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('is given up when nothing more of it comes', async () => {
    const { fake, clock, provider } = await open();
    fake.play({ type: 'stall', afterBytes: 600 });
    const seen: string[] = [];
    const answer = (async () => {
      for await (const event of provider.stream(chat(), anyContext())) seen.push(event.type);
    })();
    await expect.poll(() => seen).toContain('text-delta');
    clock.advance(2_000);
    await expect(answer).rejects.toMatchObject({ code: 'upstream_timeout', details: { waited_for: 'next_piece' } });
    await expect.poll(() => fake.running()).toBe(0);
  });
});

describe('an answer in pieces', () => {
  it('is the same wherever it is cut, byte by byte too', async () => {
    const { fake, provider } = await open();
    const whole = await foldEvents(provider.stream(chat(), anyContext()));
    for (const bytes of [1, 2, 7, 64]) {
      fake.play({ type: 'pieces', bytes });
      expect(await foldEvents(provider.stream(chat(), anyContext()))).toEqual(whole);
    }
  });

  it.each(['cut', 'end'] as const)('that stops at any byte (%s) is whole or fails, and nobody waits', async (type) => {
    const { fake, provider } = await open();
    const whole = textOf((await foldEvents(provider.stream(chat({ maxTokens: 2 }), anyContext()))).choices[0].blocks);
    const length = 1_800;
    for (let afterBytes = 0; afterBytes < length; afterBytes += 23) {
      fake.play({ type, afterBytes });
      const answer = await foldEvents(provider.stream(chat({ maxTokens: 2 }), anyContext())).catch((thrown) => thrown);
      if (answer instanceof AppError) expect(answer.code).toBe('upstream_unavailable');
      else expect(textOf(answer.choices[0].blocks)).toBe(whole);
    }
    await expect.poll(() => fake.running()).toBe(0);
  });
});

describe('an abort', () => {
  const reason = new AppError('client_closed_request', 'gone');
  const long = chat({ maxTokens: 300, sampling: {} });

  it.each<[string, Fault[], (type: string) => boolean]>([
    ['before the head', [{ type: 'stall', afterBytes: -1 }], () => false],
    ['after the head', [{ type: 'stall', afterBytes: 300 }], (type) => type === 'start'],
    ['in the middle of the text', [{ type: 'stall', afterBytes: 900 }], (type) => type === 'text-delta'],
    [
      'in the middle of a call',
      [
        {
          type: 'say',
          answer: {
            choices: [
              {
                words: [],
                thoughts: [],
                calls: [{ id: 'c', name: 'f', arguments: '{"a":1}' }],
                finish: 'tool_calls',
                stop: null,
              },
            ],
          },
        },
      ],
      (type) => type === 'tool-call-delta',
    ],
    ['after the last token', [], (type) => type === 'text-end'],
  ])('%s ends the request at the service too', async (_when, faults, isTime) => {
    const { fake, provider } = await open();
    fake.play(...faults);
    const leaving = new AbortController();
    const answer = (async () => {
      for await (const event of provider.stream(long, anyContext({ signal: leaving.signal }))) {
        if (isTime(event.type)) leaving.abort(reason);
      }
    })();
    answer.catch(() => {});
    await expect.poll(() => fake.requests.length).toBe(1);
    if (!isTime('start') && faults[0]?.type === 'stall' && faults[0].afterBytes === -1) leaving.abort(reason);
    await expect(answer).rejects.toBe(reason);
    await expect.poll(() => fake.running()).toBe(0);
  });

  it('at any time, a thousand times over, leaves no answer, no connection and no rejection behind', async () => {
    const { fake, provider } = await open();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    let state = 42;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    };
    const one = async () => {
      const leaving = new AbortController();
      const after = Math.floor(random() * 12);
      let count = 0;
      if (after === 0) setImmediate(() => leaving.abort(reason));
      for await (const event of provider.stream(chat(), anyContext({ signal: leaving.signal }))) {
        if (++count === after) leaving.abort(reason);
        if (count > after && isContent(event) && random() < 0.2) return;
      }
    };
    for (let round = 0; round < 100; round++) {
      const ends = await Promise.allSettled(Array.from({ length: 10 }, one));
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toBe(reason);
    }
    await expect.poll(() => fake.running()).toBe(0);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(textOf((await foldEvents(provider.stream(chat(), anyContext()))).choices[0].blocks)).toMatch(/^The sea/);
  });
});
