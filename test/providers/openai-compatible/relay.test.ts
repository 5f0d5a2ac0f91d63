import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderPreset } from '../../../src/config/providers.ts';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { textOf, toolCallsOf } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { foldEvents, heardOf, type ProviderEvent } from '../../../src/core/events.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { anyContext } from '../../support/calls.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import type { Manner } from '../../support/fake-openai/wording.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

const fakes: FakeOpenAi[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

async function open(manner: Manner = 'openai', preset: ProviderPreset = 'openai') {
  const fake = await startFakeOpenAi(manner);
  fakes.push(fake);
  const models = [cloudModel('toy', { aliases: ['my-toy'] }), cloudModel('toy-embed')];
  const provider = createOpenAiCompatibleProvider({
    config: providerConfig({ preset, baseUrl: fake.baseUrl, models }),
    clock: manualClock(),
  });
  return { fake, provider };
}

/** A request as OpenAI's dialect hands it on: `text` is the body, byte for byte. */
function original(text: string, path = '/v1/chat/completions', headers: Record<string, string> = {}): ChatRequest {
  const body = JSON.parse(text);
  return {
    model: body.model,
    input: { type: 'chat', messages: [], tools: [], toolChoice: { type: 'auto' } },
    sampling: {},
    stop: [],
    original: { dialect: 'openai', path, bytes: new TextEncoder().encode(text), body, headers },
    onlyRelayed: true,
  };
}

interface Relayed {
  head: Extract<ProviderEvent, { type: 'relay-head' }> | undefined;
  /** Each piece by itself. */
  pieces: string[];
  text: string;
  events: ProviderEvent[];
  /** What the reader made of it. */
  answer: Awaited<ReturnType<typeof foldEvents>> | null;
  error: unknown;
}

async function relay(
  provider: ReturnType<typeof createOpenAiCompatibleProvider>,
  request: ChatRequest,
): Promise<Relayed> {
  const events: ProviderEvent[] = [];
  let error: unknown = null;
  try {
    for await (const event of provider.stream(request, anyContext())) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  const pieces = events.flatMap((event) => (event.type === 'relay' ? [new TextDecoder().decode(event.bytes)] : []));
  async function* replay() {
    yield* events;
  }
  return {
    head: events.find((event) => event.type === 'relay-head'),
    pieces,
    text: pieces.join(''),
    events,
    answer: error === null ? await foldEvents(replay(), provider.id) : null,
    error,
  };
}

const messages = '"messages": [{"role":"user","content":"Hi"}]';
/** Odd on purpose: blanks, an unknown field, numbers as people write them. */
const oddBody = (more = '') =>
  `{ "model":"toy",  ${messages},"unknown_field": {"deep": [1.50, 1e3]},\n"temperature": 0.10${more} }`;
const recordsOf = (text: string) =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((record) => record.replace(/^data: /, ''));

describe('a request in the dialect of its service', () => {
  it('goes out in the very bytes that came, with the key and nothing of the client’s own head', async () => {
    const { fake, provider } = await open();
    await relay(
      provider,
      original(oddBody(), undefined, { 'openai-beta': 'x=1', authorization: 'Bearer client', 'content-length': '1' }),
    );
    const [seen] = fake.requests;
    expect(seen!.text).toBe(oddBody());
    expect(seen!.headers).toMatchObject({
      authorization: 'Bearer sk-canary',
      'openai-beta': 'x=1',
      'content-type': 'application/json',
    });
    expect(seen!.path).toBe('/v1/chat/completions');
  });

  it('has only the name of its model changed where it was asked for by another one', async () => {
    const { fake, provider } = await open();
    const text = oddBody().replace('"toy"', '"my-toy"');
    await relay(provider, original(text));
    expect(fake.requests[0]!.text).toBe(oddBody());
  });

  it('twice is the same bytes twice, and one turn later they still begin it', async () => {
    const { fake, provider } = await open();
    const turn = (count: number) =>
      `{"model":"my-toy","messages":[${Array.from({ length: count }, (_, index) => `{"role":"user","content":"${index}"}`).join(',')}`;
    await relay(provider, original(`${turn(2)}]}`));
    await relay(provider, original(`${turn(2)}]}`));
    await relay(provider, original(`${turn(3)}]}`));
    const [first, second, third] = fake.requests.map(({ text }) => text);
    expect(second).toBe(first);
    expect(third!.startsWith(first!.slice(0, -2))).toBe(true);
  });

  it('tells the limit of tokens under the name that the service reads', async () => {
    const { fake, provider } = await open('deepseek', 'deepseek');
    await relay(provider, original(oddBody(',"max_completion_tokens": 3')));
    expect(fake.requests[0]!.body).toMatchObject({ max_tokens: 3, max_completion_tokens: 3 });
    const openai = await open();
    await relay(openai.provider, original(oddBody(',"max_completion_tokens": 3')));
    expect(openai.fake.requests[0]!.body).not.toHaveProperty('max_tokens');
  });
});

describe('a relayed stream', () => {
  const stream = (more = '') => original(oddBody(`,"stream": true${more}`));

  it('comes record by record as it was sent, and is understood beside that', async () => {
    const { provider } = await open();
    const { head, text, answer, events } = await relay(provider, stream(',"stream_options":{"include_usage":true}'));
    expect(head).toEqual({
      type: 'relay-head',
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'x-request-id': 'req_fake' },
    });
    expect(events[0]!.type).toBe('relay-head');
    const records = recordsOf(text);
    expect(records.at(-1)).toBe('[DONE]');
    const said = records
      .slice(0, -1)
      .map((record) => JSON.parse(record).choices[0]?.delta.content ?? '')
      .join('');
    expect(textOf(answer!.choices[0].blocks)).toBe(said);
    expect(said).toMatch(/^The sea is wide/);
    expect(answer!.usage).toMatchObject({
      inputTokens: 1,
      cacheReadTokens: 1,
      outputTokens: 14,
      servedTier: 'default',
    });
  });

  it('is told of only after the bytes that hold it', async () => {
    const { provider } = await open();
    const { events } = await relay(provider, stream());
    let relayed = '';
    let told = '';
    for (const event of events) {
      if (event.type === 'relay') relayed += new TextDecoder().decode(event.bytes);
      for (const heard of heardOf(event)) {
        if (heard.type !== 'text-delta') continue;
        told += heard.text;
        const said = recordsOf(relayed)
          .map((record) => (record === '[DONE]' ? '' : (JSON.parse(record).choices[0]?.delta.content ?? '')))
          .join('');
        expect(said.startsWith(told)).toBe(true);
      }
    }
    expect(told).not.toBe('');
  });

  it('has its usage counted although the client did not ask, who gets no record of it', async () => {
    const { fake, provider } = await open();
    const { text, answer } = await relay(provider, stream());
    expect(fake.requests[0]!.body.stream_options).toEqual({ include_usage: true });
    // Nothing else of the body has changed.
    expect(fake.requests[0]!.text.replace(',"stream_options":{"include_usage":true}', '')).toBe(
      oddBody(',"stream": true'),
    );
    expect(answer!.usage).toMatchObject({ outputTokens: 14 });
    const records = recordsOf(text);
    expect(records.slice(0, -1).every((record) => JSON.parse(record).choices.length === 1)).toBe(true);
    expect(records.at(-1)).toBe('[DONE]');
  });

  it('is what the client would have had directly, to the byte: no null for usage in its other records either', async () => {
    const { fake, provider } = await open();
    const direct = await fetch(`${fake.baseUrl}/chat/completions`, {
      method: 'POST',
      body: oddBody(',"stream": true'),
    });
    const { text } = await relay(provider, stream());
    expect(text).toBe(await direct.text());
    expect(text).not.toContain('"usage"');
  });

  it.each([
    [
      'in the middle',
      '{"usage" : null, "choices":[{"index":0,"delta":{"content":"\\"usage\\":null"}}], "obfuscation":"x"}',
    ],
    ['at the end', '{"choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}'],
    ['alone in its place', '{"choices":[{"index":0,"delta":{"content":"Hi","usage":null}}], "usage": null, "a":1.50}'],
  ])('loses a null for usage %s, and nothing else', async (_title, json) => {
    const { fake, provider } = await open();
    const end = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}';
    const body = `data: ${json}\n\ndata: ${end}\n\ndata: [DONE]\n\n`;
    fake.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body });
    const { text } = await relay(provider, stream());
    const { usage: _usage, ...expected } = JSON.parse(json);
    const [record] = recordsOf(text);
    expect(JSON.parse(record!)).toEqual(expected);
    expect(record).not.toMatch(/,\s*\}$/);
    if (json.includes('1.50')) expect(record).toContain('"a":1.50');
  });

  it('keeps the other stream options of the client, and the usage that it asked for', async () => {
    const { fake, provider } = await open();
    await relay(provider, stream(',"stream_options":{"include_obfuscation":false}'));
    expect(fake.requests[0]!.body.stream_options).toEqual({ include_obfuscation: false, include_usage: true });
    const asked = await relay(provider, stream(',"stream_options":{"include_usage":true}'));
    expect(JSON.parse(recordsOf(asked.text).at(-2)!)).toMatchObject({ choices: [], usage: { completion_tokens: 14 } });
  });

  it('passes in whole records, whatever pieces it comes in, so that nothing written between them breaks one', async () => {
    const { fake, provider } = await open();
    const { text: whole } = await relay(provider, stream());
    for (const bytes of [1, 5, 100]) {
      fake.play({ type: 'pieces', bytes });
      const { pieces, text } = await relay(provider, stream());
      expect(text).toBe(whole);
      for (const piece of pieces) expect(piece.endsWith('\n\n')).toBe(true);
    }
  });

  it('passes comments of the service on, which understand themselves as nothing', async () => {
    const { fake, provider } = await open();
    const done = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n';
    const body = `: PROCESSING\n\n${done}data: [DONE]\n\n`;
    fake.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body });
    const { text, answer } = await relay(provider, stream());
    expect(text).toBe(body);
    expect(textOf(answer!.choices[0].blocks)).toBe('Hi');
  });

  it('ends where a failure is in it: nothing of it passes, and no [DONE] behind it', async () => {
    const { fake, provider } = await open();
    const begun = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n';
    const failure = { error: { message: 'gone', type: 'server_error', param: null, code: null } };
    fake.play({
      type: 'answer',
      status: 200,
      contentType: 'text/event-stream',
      body: `${begun}data: ${JSON.stringify(failure)}\n\ndata: [DONE]\n\n`,
    });
    const { text, error } = await relay(provider, stream());
    expect(text).toBe(begun);
    const record = `data: ${JSON.stringify(failure)}\n\n`;
    expect(error).toMatchObject({ code: 'upstream_unavailable', upstream: { body: failure, record } });
  });

  it.each(['cut', 'end'] as const)('that stops at any byte (%s) has passed in whole records only', async (type) => {
    const { fake, provider } = await open();
    const { text: whole } = await relay(provider, stream());
    for (let afterBytes = 0; afterBytes < whole.length + 300; afterBytes += 89) {
      fake.play({ type, afterBytes });
      const { text, error } = await relay(provider, stream());
      expect(whole.startsWith(text)).toBe(true);
      expect(text === '' || text.endsWith('\n\n')).toBe(true);
      for (const record of recordsOf(text)) if (record !== '[DONE]') expect(() => JSON.parse(record)).not.toThrow();
      if (error === null) continue;
      expect(error).toMatchObject({ code: 'upstream_unavailable' });
    }
  });

  it('lets go of the connection when its reader turns away at the head', async () => {
    const { fake, provider } = await open();
    fake.play({ type: 'stall', afterBytes: 300 });
    for await (const event of provider.stream(stream(), anyContext())) if (event.type === 'relay-head') break;
    await expect.poll(() => fake.running()).toBe(0);
  });

  it('of several choices and of calls is understood as such', async () => {
    const { provider } = await open();
    const several = await relay(provider, stream(',"n":2'));
    expect(several.answer!.choices.map(({ blocks }) => textOf(blocks).slice(0, 7))).toEqual(['The sea', 'sea is ']);
    const tools =
      ',"tools":[{"type":"function","function":{"name":"f","parameters":{"required":["city"]}}}],"tool_choice":"required"';
    const called = await relay(provider, stream(tools));
    expect(toolCallsOf(called.answer!.choices[0].blocks)).toMatchObject([{ name: 'f', arguments: { city: 'Oslo' } }]);
  });

  it('of Gemini has the signatures of its calls in it, which nobody else must know', async () => {
    const { provider } = await open('gemini', 'gemini');
    const tools = ',"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"';
    const { text, answer } = await relay(provider, stream(tools));
    expect(text).toContain('"thought_signature":"signed call_0_f"');
    expect(answer!.choices[0]).toMatchObject({ reason: 'tool_calls', rawReason: 'stop' });
  });
});

describe('a relayed answer in one piece', () => {
  it('comes in the bytes of the service, and is understood', async () => {
    const { provider } = await open();
    const { head, pieces, answer } = await relay(provider, original(oddBody()));
    expect(head!.headers['content-type']).toBe('application/json');
    expect(pieces).toHaveLength(1);
    const said = JSON.parse(pieces[0]!);
    expect(said.choices[0].message.content).toBe(textOf(answer!.choices[0].blocks));
    expect(answer!.usage).toMatchObject({ outputTokens: said.usage.completion_tokens, raw: said.usage });
  });

  it('of a completion and of embeddings too', async () => {
    const { fake, provider } = await open();
    const completion = await relay(
      provider,
      original('{"model":"toy","prompt":"Once","max_tokens":2}', '/v1/completions'),
    );
    expect(JSON.parse(completion.text).choices[0].text).toBe('The sea');
    expect(completion.answer!.choices[0]).toMatchObject({ reason: 'length' });
    const body = '{"model":"toy-embed","input":"sea", "encoding_format":"float"}';
    const vectors = await relay(provider, original(body, '/v1/embeddings'));
    expect(JSON.parse(vectors.text).data[0].embedding).toEqual([3, 4, 3]);
    expect(vectors.answer!.usage).toMatchObject({ inputTokens: 3, outputTokens: 0 });
    expect(fake.requests.at(-1)!.text).toBe(body);
  });

  it('of several prompts is understood as so many answers', async () => {
    const { fake, provider } = await open();
    const choices = [0, 1, 2, 3].map((index) => ({ index, text: `t${index}`, finish_reason: 'stop' }));
    fake.play({ type: 'answer', status: 200, body: JSON.stringify({ choices }) });
    const { answer } = await relay(provider, original('{"model":"toy","prompt":["a","b"],"n":2}', '/v1/completions'));
    expect(answer!.choices.map(({ blocks }) => textOf(blocks))).toEqual(['t0', 't1', 't2', 't3']);
  });

  it('is refused before a byte of it passes where it is a failure', async () => {
    const { fake, provider } = await open();
    fake.play({ type: 'answer', status: 200, body: '{"error":{"message":"no","type":"x","code":400}}' });
    const { events, error } = await relay(provider, original(oddBody()));
    expect(events).toEqual([]);
    expect(error).toMatchObject({ code: 'upstream_refused' });
  });
});

describe('a relayed response', () => {
  const event = (value: { type: string; [key: string]: unknown }) =>
    `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 15,
  };
  const response = { id: 'resp_1', object: 'response', model: 'toy', status: 'completed', service_tier: 'default' };
  const call = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'f', arguments: '' };
  const stream =
    event({ type: 'response.created', response: { ...response, status: 'in_progress' } }) +
    event({ type: 'response.output_text.delta', output_index: 0, delta: 'Hi' }) +
    event({ type: 'response.something.new', delta: 'x' }) +
    event({ type: 'response.output_item.added', output_index: 1, item: call }) +
    event({ type: 'response.function_call_arguments.done', output_index: 1, arguments: '{"a":1}' }) +
    event({ type: 'response.completed', response: { ...response, usage } });
  const body = '{"model":"toy","input":"Hi","stream":true,"store":false}';

  it('passes with its events, and is understood as far as meters need it', async () => {
    const { fake, provider } = await open();
    fake.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body: stream });
    const { text, answer } = await relay(provider, original(body, '/v1/responses'));
    expect(fake.requests[0]).toMatchObject({ path: '/v1/responses', text: body });
    expect(text).toBe(stream);
    expect(answer).toMatchObject({
      responseId: 'resp_1',
      model: 'toy',
      usage: { inputTokens: 6, cacheReadTokens: 4, outputTokens: 5, reasoningTokens: 2, servedTier: 'default' },
    });
    expect(answer!.choices[0].reason).toBe('tool_calls');
    expect(textOf(answer!.choices[0].blocks)).toBe('Hi');
    expect(toolCallsOf(answer!.choices[0].blocks)).toMatchObject([{ id: 'call_1', name: 'f', arguments: { a: 1 } }]);
  });

  it('that is taken into the background is no end: what it comes to is not known', async () => {
    const { fake, provider } = await open();
    fake.play({ type: 'answer', status: 200, body: JSON.stringify({ ...response, status: 'queued', output: [] }) });
    const { answer } = await relay(
      provider,
      original(body.replace('"stream":true', '"background":true'), '/v1/responses'),
    );
    expect(answer!.choices[0]).toMatchObject({ reason: 'paused', rawReason: 'queued' });
    expect(answer!.usage.outputTokens).toBeNull();
  });

  it('in one piece is the same', async () => {
    const { fake, provider } = await open();
    const output = [
      { type: 'message', content: [{ type: 'output_text', text: 'Hi' }] },
      { ...call, arguments: '{"a":1}' },
    ];
    const whole = JSON.stringify({ ...response, output, usage });
    fake.play({ type: 'answer', status: 200, body: whole });
    const { text, answer } = await relay(provider, original(body, '/v1/responses'));
    expect(text).toBe(whole);
    expect(toolCallsOf(answer!.choices[0].blocks)).toMatchObject([{ id: 'call_1', arguments: { a: 1 } }]);
    expect(answer!.usage).toMatchObject({ inputTokens: 6, outputTokens: 5 });
  });

  it.each([
    [
      'response.failed',
      {
        type: 'response.failed',
        response: { ...response, status: 'failed', error: { code: 'server_error', message: 'oops' } },
      },
    ],
    ['error', { type: 'error', code: 'server_error', message: 'oops', param: null }],
  ])('fails with the words of the service where it says so (%s)', async (_type, last) => {
    const { fake, provider } = await open();
    fake.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body: event(last) });
    const { error } = await relay(provider, original(body, '/v1/responses'));
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'upstream_unavailable', message: 'cloud: oops' });
  });

  it('that ends without an end is a failure, and one that was cut by its limit says so', async () => {
    const { fake, provider } = await open();
    fake.play({
      type: 'answer',
      status: 200,
      contentType: 'text/event-stream',
      body: stream.slice(0, stream.indexOf('event: response.completed')),
    });
    expect((await relay(provider, original(body, '/v1/responses'))).error).toMatchObject({
      code: 'upstream_unavailable',
    });
    const incomplete = {
      ...response,
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      usage,
    };
    fake.play({
      type: 'answer',
      status: 200,
      contentType: 'text/event-stream',
      body: event({ type: 'response.incomplete', response: incomplete }),
    });
    const { answer } = await relay(provider, original(body, '/v1/responses'));
    expect(answer!.choices[0]).toMatchObject({ reason: 'length', rawReason: 'max_output_tokens' });
  });

  it('is not there where the service has none of the kind', async () => {
    const { provider } = await open('deepseek', 'deepseek');
    expect((await relay(provider, original(body, '/v1/responses'))).error).toMatchObject({ code: 'not_supported' });
  });
});

describe('a request of another dialect', () => {
  it('is translated, never relayed', async () => {
    const { fake, provider } = await open();
    const request = original(oddBody());
    const { onlyRelayed: _only, ...rest } = request;
    const foreign: ChatRequest = {
      ...rest,
      original: { ...request.original!, dialect: 'anthropic', path: '/v1/messages' },
    };
    const { events } = await relay(provider, foreign);
    expect(events.some(({ type }) => type.startsWith('relay'))).toBe(false);
    expect(fake.requests[0]!.body.stream).toBe(true);
    expect((await relay(provider, { ...foreign, onlyRelayed: true })).error).toMatchObject({ code: 'not_supported' });
  });
});
