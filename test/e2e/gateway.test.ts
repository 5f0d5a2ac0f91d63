import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../support/collect.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../support/fake-openai/fake-openai.ts';
import {
  builtInModel,
  type GatewayServer,
  localWords,
  openAiSection,
  startGateway,
} from '../support/gateway-server.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const messages = [{ role: 'user' as const, content: 'Say something.' }];
const tool = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const said = localWords.join('');

describe('the SDK of OpenAI, before the server and a service of its dialect', () => {
  let fake: FakeOpenAi;
  let server: GatewayServer;
  let client: OpenAI;
  let direct: OpenAI;
  beforeAll(async () => {
    fake = await startFakeOpenAi();
    server = await startGateway({ providers: { openai: openAiSection(fake.baseUrl) } });
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'sk-client', maxRetries: 0 });
    direct = new OpenAI({ baseURL: fake.baseUrl, apiKey: 'sk-client', maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close();
    await fake.close();
  });
  const last = () => fake.requests.at(-1)!;

  it('has the answer that it would have had directly, and hears who gave it', async () => {
    const asked = { model: 'toy', messages, max_completion_tokens: 9 };
    const { data, response } = await client.chat.completions.create(asked).withResponse();
    expect(data).toEqual(await direct.chat.completions.create(asked));
    expect(data.choices[0]!.message.content).toBe('The sea is wide and blue, and nobody has');
    expect(response.headers.get('x-provider-used')).toBe('openai');
    expect(response.headers.get('x-model-used')).toBe('toy');
  });

  it('has the chunks that it would have had directly, and no usage that it did not ask for', async () => {
    const asked = { model: 'toy', messages, stream: true as const };
    for (const more of [{}, { stream_options: { include_usage: true } }]) {
      const chunks = await collect(await client.chat.completions.create({ ...asked, ...more }));
      const expected = await collect(await direct.chat.completions.create({ ...asked, ...more }));
      // The usage is asked for here: a service says `null` of it in every chunk then.
      expect(chunks.map((chunk) => ({ ...chunk, usage: chunk.usage ?? null }))).toEqual(
        expected.map((chunk) => ({ ...chunk, usage: chunk.usage ?? null })),
      );
      expect(chunks.length).toBeGreaterThan(10);
    }
  });

  it('sends tools and their results through, and has the calls as they came', async () => {
    const asked = { model: 'toy', messages, tools: [tool], tool_choice: 'required' as const };
    const whole = await client.chat.completions.create(asked);
    const [call] = whole.choices[0]!.message.tool_calls!;
    expect(call).toMatchObject({ type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } });
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    expect(streamed.choices[0]!.message.tool_calls).toMatchObject([{ id: call!.id, function: { name: 'weather' } }]);
    const history = [
      ...messages,
      whole.choices[0]!.message,
      { role: 'tool' as const, tool_call_id: call!.id, content: '-3' },
    ];
    await client.chat.completions.create({ model: 'toy', messages: history, tools: [tool] });
    expect(last().body).toEqual({ model: 'toy', messages: history, tools: [tool] });
  });

  it('sends fields, parts and beta headers through that nobody here knows, and no key of the client', async () => {
    const asked = {
      model: 'toy',
      messages: [{ role: 'user', content: [{ type: 'hologram', hologram: { depth: 3 } }], weight: 0.5 }],
      frobnicate: { level: 11, deep: [1.0, 2, null] },
    };
    const headers = { 'openai-beta': 'frobnication=v2' };
    await client.chat.completions.create(asked as never, { headers });
    expect(last().text).toBe(JSON.stringify(asked));
    expect(last().headers).toMatchObject({ ...headers, authorization: 'Bearer sk-canary-openai' });
  });

  it.each([
    [400, { message: 'odd', type: 'invalid_request_error', param: 'frobnicate', code: 'bad_frob', extra: { a: 1 } }],
    [413, { message: 'long', type: 'invalid_request_error', param: null, code: 'string_above_max_length' }],
    [422, { message: 'never', type: 'invalid_request_error', param: null, code: null }],
    [429, { message: 'slow down', type: 'requests', param: null, code: 'rate_limit_exceeded' }],
  ])('has an error %i as the service worded it, before the answer', async (status, error) => {
    await server.reconfigure({ global: { max_retries: 0 }, providers: { openai: openAiSection(fake.baseUrl) } });
    const fault = {
      type: 'answer' as const,
      status,
      body: JSON.stringify({ error }),
      headers: { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0' },
    };
    const failureOf = async (asked: Promise<unknown>) => {
      fake.play(fault);
      const failure = await asked.then(
        () => expect.unreachable(),
        (thrown: unknown) => thrown as InstanceType<typeof OpenAI.APIError>,
      );
      const { headers } = failure as { headers: Headers };
      const told = ['retry-after', 'x-ratelimit-remaining-requests'].map((name) => headers.get(name));
      return { kind: failure.constructor, status: failure.status, error: failure.error, told };
    };
    for (const stream of [false, true]) {
      const asked = { model: 'toy', messages, stream };
      expect(await failureOf(client.chat.completions.create(asked))).toEqual(
        await failureOf(direct.chat.completions.create(asked)),
      );
    }
  });

  it('has an error within the stream as the service worded it, and the stream ends there', async () => {
    const error = { message: 'The engine caught fire.', type: 'server_error', param: null, code: 'fire' };
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'toy' };
    const first = {
      ...chunk,
      choices: [{ index: 0, delta: { role: 'assistant', content: 'Hm' }, finish_reason: null }],
    };
    const body = [first, { error }].map((record) => `data: ${JSON.stringify(record)}\n\n`).join('');
    fake.play({ type: 'answer', status: 200, body, contentType: 'text/event-stream' });
    const response = await client.chat.completions.create({ model: 'toy', messages, stream: true }).asResponse();
    expect(await response.text()).toBe(body);
  });

  it('ends the answer of the service when it goes away, before the head and within the stream', async () => {
    for (const afterBytes of [-1, 0, 700]) {
      fake.play({ type: 'stall', afterBytes });
      const gone = new AbortController();
      const asked = client.chat.completions.create({ model: 'toy', messages, stream: true }, { signal: gone.signal });
      if (afterBytes === 700) await (await asked)[Symbol.asyncIterator]().next();
      else await expect.poll(fake.running).toBe(1);
      gone.abort();
      await asked.catch(() => {});
      await expect.poll(fake.running).toBe(0);
    }
  });

  it('lists the models of both sides', async () => {
    const listed = (await collect(client.models.list())).map(({ id }) => id);
    expect(listed).toContain('toy');
    expect(listed).toContain(builtInModel);
  });
});

describe('the SDK of Anthropic, before the server and a service of another dialect', () => {
  let fake: FakeOpenAi;
  let server: GatewayServer;
  let client: Anthropic;
  beforeAll(async () => {
    fake = await startFakeOpenAi();
    server = await startGateway({
      global: { max_retries: 0 },
      providers: { openai: openAiSection(fake.baseUrl) },
    });
    client = new Anthropic({ baseURL: server.baseUrl, apiKey: 'sk-client', maxRetries: 0 });
  });
  afterAll(async () => {
    await server.close();
    await fake.close();
  });

  it('has messages, whole and streamed, with the same content', async () => {
    const asked = { model: 'toy', max_tokens: 9, messages };
    const whole = await client.messages.create(asked);
    expect(whole.content).toMatchObject([{ type: 'text', text: 'The sea is wide and blue, and nobody has' }]);
    expect(whole).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 9 } });
    const streamed = await client.messages.stream(asked).finalMessage();
    expect(streamed.content).toEqual(whole.content);
    expect(streamed.usage.output_tokens).toBe(9);
  });

  it('has calls of tools, and its results reach the service', async () => {
    const tools = [{ name: 'weather', input_schema: tool.function.parameters as Anthropic.Tool.InputSchema }];
    const asked = { model: 'toy', max_tokens: 50, messages, tools, tool_choice: { type: 'any' as const } };
    const whole = await client.messages.create(asked);
    expect(whole.content).toMatchObject([{ type: 'tool_use', name: 'weather', input: { city: 'Oslo' } }]);
    expect((await client.messages.stream(asked).finalMessage()).content).toEqual(whole.content);
    const [{ id }] = whole.content as [Anthropic.ToolUseBlock];
    const result = {
      role: 'user' as const,
      content: [{ type: 'tool_result' as const, tool_use_id: id, content: '-3' }],
    };
    const history = [...messages, { role: 'assistant' as const, content: whole.content }, result];
    await client.messages.create({ model: 'toy', max_tokens: 5, messages: history, tools });
    expect(fake.requests.at(-1)!.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: [{ id, function: { name: 'weather', arguments: '{"city":"Oslo"}' } }] },
      { role: 'tool', tool_call_id: id, content: '-3' },
    ]);
  });

  it.each([
    [400, Anthropic.BadRequestError, 'invalid_request_error'],
    [429, Anthropic.RateLimitError, 'rate_limit_error'],
    [500, Anthropic.InternalServerError, 'api_error'],
  ])('has a failure %i of the service in its own dialect', async (status, kind, type) => {
    fake.play({ type: 'error', status, message: 'It is the sea.' });
    const failure = await client.messages.create({ model: 'toy', max_tokens: 9, messages }).catch((thrown) => thrown);
    expect(failure).toBeInstanceOf(kind);
    expect(failure.error).toMatchObject({
      type: 'error',
      error: { type, message: expect.stringContaining('It is the sea.') },
    });
  });

  it('has a failure within the stream as its own error event, once, and no end of a message', async () => {
    fake.play({ type: 'cut', afterBytes: 900 });
    const response = await client.messages
      .create({ model: 'toy', max_tokens: 50, messages, stream: true })
      .asResponse();
    const text = await response.text();
    expect(text).toContain('content_block_delta');
    expect(text.match(/^event: error$/gm)).toHaveLength(1);
    expect(text).not.toContain('message_stop');
  });
});

describe('a chain over this machine and two services', () => {
  let down: FakeOpenAi;
  let good: FakeOpenAi;
  let clock: ManualClock;
  let server: GatewayServer;
  let client: OpenAI;
  const file = (more: object = {}) => ({
    models: { default: builtInModel },
    global: { max_retries: 0 },
    providers: { down: openAiSection(down.baseUrl), good: openAiSection(good.baseUrl) },
    failover_chains: { all: ['local', 'down', 'good'], far: ['down', 'good'] },
    ...more,
  });
  beforeEach(async () => {
    [down, good] = await Promise.all([startFakeOpenAi(), startFakeOpenAi()]);
    await down.close();
    clock = manualClock();
    server = await startGateway(file(), { clock });
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any', maxRetries: 0 });
  });
  afterEach(async () => {
    await server.close();
    await good.close();
  });
  const ask = (headers: Record<string, string>, model = 'toy', stream = false) =>
    client.chat.completions
      .create({ model, messages, stream }, { headers })
      .withResponse()
      .then(async ({ data, response }) => ({
        by: response.headers.get('x-provider-used'),
        text:
          'choices' in data
            ? data.choices[0]!.message.content
            : (await collect(data)).map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
      }));

  it('is answered by this machine while it can', async () => {
    expect(await ask({ 'x-failover-chain': 'all' })).toEqual({ by: 'local', text: said });
    expect(good.requests).toHaveLength(0);
  });

  it('is answered by the service that is up, where the model is not here and the first service is down', async () => {
    await server.close();
    server = await startGateway(file({ models: { builtin: false } }), { clock });
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any', maxRetries: 0 });
    for (const stream of [false, true]) {
      expect(await ask({ 'x-failover-chain': 'all' }, 'toy', stream)).toMatchObject({ by: 'good', text: /^The sea/ });
    }
  });

  it('is answered by the service that is up, where the model here crashes', async () => {
    server.local('crash');
    expect(await ask({ 'x-failover-chain': 'all' })).toMatchObject({ by: 'good' });
  });

  it('names everyone who was tried where nobody can', async () => {
    good.play({ type: 'error', status: 500, message: 'It is the sea.' });
    const failure = await ask({ 'x-failover-chain': 'far' }).catch((thrown) => thrown);
    expect(failure).toBeInstanceOf(OpenAI.InternalServerError);
    expect(failure.status).toBe(503);
    expect(failure.headers.get('x-should-retry')).toBe('false');
    expect(JSON.stringify(failure.error)).toContain('It is the sea.');
  });

  it('stays with whoever began the answer', async () => {
    await server.reconfigure(file({ failover_chains: { far: ['good', 'down'] } }));
    good.play({ type: 'cut', afterBytes: 700 });
    const stream = await client.chat.completions.create(
      { model: 'toy', messages, stream: true },
      { headers: { 'x-failover-chain': 'far' } },
    );
    await expect(collect(stream)).rejects.toThrow();
    expect(good.requests).toHaveLength(1);
  });

  it('leaves out a service that failed too often, tries it once after a while, and asks it again when that went well', async () => {
    const failing = async (count: number) => {
      for (let index = 0; index < count; index++) {
        good.play({ type: 'error', status: 500, message: 'It is the sea.' });
        await ask({ 'x-provider': 'good' }).catch(() => {});
      }
    };
    await failing(5);
    expect(good.requests).toHaveLength(5);
    const open = await ask({ 'x-provider': 'good' }).catch((thrown) => thrown);
    expect(open.status).toBe(503);
    expect(Number(open.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(good.requests).toHaveLength(5);
    // The one call that tries fails: it rests again.
    clock.advance(30_000);
    await failing(1);
    expect(good.requests).toHaveLength(6);
    await expect(ask({ 'x-provider': 'good' })).rejects.toMatchObject({ status: 503 });
    expect(good.requests).toHaveLength(6);
    // Of several that come at once only one tries.
    clock.advance(30_000);
    good.play({ type: 'stall', afterBytes: 700 });
    const gone = new AbortController();
    const probe = await client.chat.completions.create(
      { model: 'toy', messages, stream: true },
      { headers: { 'x-provider': 'good' }, signal: gone.signal },
    );
    await expect(ask({ 'x-provider': 'good' })).rejects.toMatchObject({ status: 503 });
    expect(good.requests).toHaveLength(7);
    gone.abort();
    await collect(probe).catch(() => {});
    // It was given up, which says nothing: the next one tries, and all is well.
    await expect.poll(async () => (await ask({ 'x-provider': 'good' }).catch(() => null))?.by).toBe('good');
    expect(await ask({ 'x-provider': 'good' })).toMatchObject({ by: 'good' });
  });
});

describe('a request that may leave where this machine cannot', () => {
  let fake: FakeOpenAi;
  let server: GatewayServer;
  let client: OpenAI;
  beforeEach(async () => {
    fake = await startFakeOpenAi();
    server = await startGateway({
      models: { parallel: 1, max_queue: 1 },
      global: { default_provider: 'openai' },
      providers: { openai: openAiSection(fake.baseUrl) },
    });
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any', maxRetries: 0 });
  });
  afterEach(async () => {
    await server.close();
    await fake.close();
  });
  const ask = async (more: object = {}, headers: Record<string, string> = {}) => {
    const { data, response } = await client.chat.completions
      .create({ model: builtInModel, messages, ...more }, { headers })
      .withResponse();
    return { by: response.headers.get('x-provider-used'), data };
  };
  /** The slot and the queue of the model here are taken. */
  const fill = async () => {
    server.local('hold');
    const gone = new AbortController();
    const held = [0, 1].map(() =>
      client.chat.completions.create({ model: builtInModel, messages }, { signal: gone.signal }).catch(() => {}),
    );
    await expect
      .poll(() => server.app.engine.getModel(builtInModel).then(({ loaded }) => loaded?.queuedRequests))
      .toBe(1);
    return async () => {
      gone.abort();
      await Promise.all(held);
    };
  };

  it('stays here while the model here is free', async () => {
    expect(await ask({ cloud: 'allow' })).toMatchObject({
      by: 'local',
      data: { choices: [{ message: { content: said } }] },
    });
    expect(fake.requests).toHaveLength(0);
  });

  it('leaves when the queue here is full, marked by its body or its header; unmarked it is refused', async () => {
    const release = await fill();
    expect(await ask({ cloud: 'allow' })).toMatchObject({ by: 'openai' });
    expect(await ask({}, { 'x-cloud': 'allow' })).toMatchObject({ by: 'openai' });
    expect(fake.requests).toHaveLength(2);
    expect(fake.requests.map(({ body }) => body)).toEqual([
      { model: 'toy', messages },
      { model: 'toy', messages },
    ]);
    await expect(ask()).rejects.toMatchObject({ status: 429 });
    await expect(ask({ cloud: 'never' })).rejects.toMatchObject({ status: 429 });
    expect(fake.requests).toHaveLength(2);
    await release();
  });

  it('goes straight out where it must', async () => {
    expect(await ask({ cloud: 'require' })).toMatchObject({ by: 'openai' });
    expect(server.workers).toHaveLength(0);
  });
});

describe('another server like this one behind it', () => {
  it('answers in its own dialects, with its own model, through both', async () => {
    const inner = await startGateway({});
    const outer = await startGateway({
      providers: {
        upstairs: { type: 'hearth', base_url: `${inner.baseUrl}/v1`, models: [{ id: builtInModel }] },
      },
    });
    try {
      const model = `upstairs/${builtInModel}`;
      const openai = new OpenAI({ baseURL: `${outer.baseUrl}/v1`, apiKey: 'any', maxRetries: 0 });
      const completion = await openai.chat.completions.create({ model, messages });
      expect(completion.choices[0]!.message.content).toBe(said);
      const { output_text: text } = await openai.responses.create({ model, input: 'Say something.' });
      expect(text).toBe(said);
      const anthropic = new Anthropic({ baseURL: outer.baseUrl, apiKey: 'any', maxRetries: 0 });
      const message = await anthropic.messages.stream({ model, max_tokens: 50, messages }).finalMessage();
      expect(message.content).toMatchObject([{ type: 'text', text: said }]);
      expect(outer.workers).toHaveLength(0);
      // What runs in the inner one ends with the client of the outer one.
      inner.local('hold');
      const gone = new AbortController();
      const asked = openai.chat.completions.create({ model, messages, stream: true }, { signal: gone.signal });
      const running = () => inner.workers.reduce((sum, worker) => sum + worker.running.length, 0);
      await expect.poll(running).toBe(1);
      gone.abort();
      await asked.catch(() => {});
      await expect.poll(running).toBe(0);
    } finally {
      await outer.close();
      await inner.close();
    }
  });
});
