import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProviderConfig } from '../../../src/config/providers.ts';
import { secret } from '../../../src/config/secret.ts';
import type { ChatMessage, ChatRequest } from '../../../src/core/chat.ts';
import { textOf, toolCallsOf } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { foldEvents, heardOf, type ProviderEvent } from '../../../src/core/events.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { createAnthropicProvider } from '../../../src/providers/anthropic/anthropic.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { anthropicConfig } from '../../support/fake-anthropic/config.ts';
import {
  type FakeAnthropic,
  fakeModel,
  sseOf,
  startFakeAnthropic,
} from '../../support/fake-anthropic/fake-anthropic.ts';
import type { WireFault } from '../../support/fake-anthropic/faults.ts';
import { fakeSignature, type Json } from '../../support/fake-anthropic/rules.ts';
import { type ManualClock, manualClock } from '../../support/manual-clock.ts';
import { cloudModel } from '../../support/provider-config.ts';
import { startSecondHearth } from '../../support/second-hearth.ts';

let fake: FakeAnthropic;
let clock: ManualClock;
beforeEach(async () => {
  fake = await startFakeAnthropic();
  clock = manualClock();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await fake.close();
});

const provider = (changes: Partial<ProviderConfig> = {}) =>
  createAnthropicProvider({
    config: anthropicConfig({ baseUrl: fake.url, ...changes }),
    clock,
    log: createLogger('silent'),
  });

function chat(changes: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: fakeModel,
    input: {
      type: 'chat',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
      tools: [],
      toolChoice: { type: 'auto' },
    },
    sampling: {},
    stop: [],
    maxTokens: 12,
    ...changes,
  };
}

/** The same as it comes from a client of the API itself; `text`: its body. */
function original(
  body: Json | string,
  headers: Record<string, string> = { 'anthropic-version': '2026-10-21' },
): ChatRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return chat({
    original: { dialect: 'anthropic', path: '/v1/messages', bytes: Buffer.from(text), body: JSON.parse(text), headers },
  });
}

const plain = { model: fakeModel, max_tokens: 12, messages: [{ role: 'user', content: 'hello' }] };
const streamed = { ...plain, stream: true };

const ask = (request: ChatRequest, changes: Partial<ProviderConfig> = {}) =>
  provider(changes).stream(request, anyContext());
const bytesOf = (events: readonly ProviderEvent[]) =>
  Buffer.concat(events.flatMap((event) => (event.type === 'relay' ? [event.bytes] : []))).toString();
const heardOfAll = (events: readonly ProviderEvent[]) => events.flatMap(heardOf);
const last = () => fake.requests.at(-1)!;

describe('a request that passes as it came', () => {
  it('arrives byte for byte, and its answer comes back byte for byte, beside what is understood of it', async () => {
    const text = `{ "stream":true, "max_tokens": 12,\n "model":"${fakeModel}", "messages":[{"role":"user","content":"hello"}] }`;
    const events = await collect(ask(original(text)));
    expect(last().text).toBe(text);
    expect(events[0]).toMatchObject({ type: 'relay-head', status: 200 });
    const translated = await collect(ask(chat()));
    const strip = (all: readonly ProviderEvent[]) => heardOfAll(all).filter(({ type }) => type === 'text-delta').length;
    expect(strip(events)).toBe(strip(translated));
    expect(bytesOf(events)).toMatch(
      /^event: message_start\n[\s\S]*event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/,
    );
    const firstText = events.findIndex((event) => heardOf(event).some(({ type }) => type === 'text-delta'));
    const firstBytes = events.findIndex(
      (event) => event.type === 'relay' && Buffer.from(event.bytes).includes('text_delta'),
    );
    expect(firstBytes).toBeLessThanOrEqual(firstText);
  });

  it('has headers of the API both ways, and no credentials of anybody else', async () => {
    const headers = {
      'anthropic-version': '2023-06-01',
      'anthropic-user-profile-id': 'p',
      'x-other': 'x',
      'user-agent': 'me',
    };
    const [head] = await collect(ask(original(streamed, headers)));
    expect(last().headers).toMatchObject({
      'anthropic-version': '2023-06-01',
      'anthropic-user-profile-id': 'p',
      authorization: 'Bearer sk-ant-fake',
    });
    expect(last().headers['x-other']).toBeUndefined();
    if (head?.type !== 'relay-head') throw new Error('a head');
    expect(head.headers).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'request-id': 'req_011CfakeFakeFake',
      'anthropic-organization-id': 'org-fake',
      'anthropic-ratelimit-requests-remaining': '49',
    });
  });

  it('changes in its model alone where that has another name upstream', async () => {
    const text = `{"model":"mine","max_tokens":12,"messages":[{"role":"user","content":"n: 12345678901234567890"}],"stream":true}`;
    const models = [cloudModel(fakeModel, { aliases: ['mine'] })];
    await collect(ask({ ...original(text), model: 'mine' }, { models }));
    expect(last().text).toBe(text.replace('"mine"', `"${fakeModel}"`));
  });

  it('comes back whole where it is asked for whole', async () => {
    const events = await collect(ask(original(plain)));
    expect(events.map(({ type }) => type).slice(0, 2)).toEqual(['relay-head', 'relay']);
    const message = JSON.parse(bytesOf(events));
    expect(message).toMatchObject({ type: 'message', stop_reason: 'max_tokens' });
    const answer = await foldEvents(replay(events));
    expect(textOf(answer.choices[0].blocks)).toBe(message.content[0].text);
    expect(answer.usage.outputTokens).toBe(12);
  });

  it('is asked for as a stream and joined where a whole answer would be very long', async () => {
    const events = await collect(ask(original({ ...plain, max_tokens: 60_000 })));
    expect(last().body['stream']).toBe(true);
    const [head] = events;
    expect(head).toMatchObject({ headers: { 'content-type': 'application/json' } });
    const message = JSON.parse(bytesOf(events));
    const direct = await fetch(`${fake.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': fake.key, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ ...plain, max_tokens: 60_000 }),
    });
    expect(message).toEqual(await direct.json());
    expect((await foldEvents(replay(events))).usage.outputTokens).toBe(message.usage.output_tokens);
  });

  it.each([1, 7, 1000])('is relayed in whole records, also when it comes in pieces of %d bytes', async (bytes) => {
    const expected = bytesOf(await collect(ask(original(streamed))));
    fake.faults.push({ type: 'split', bytes });
    const events = await collect(ask(original(streamed)));
    expect(bytesOf(events)).toBe(expected);
    for (const event of events) {
      if (event.type === 'relay') expect(Buffer.from(event.bytes).toString()).toMatch(/\n\n$/);
    }
  });

  it('asks for all betas that anybody wants, each once, and for none of another login', async () => {
    const headers = {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-1m-2025-08-07, oauth-2025-04-20,,interleaved-thinking-2025-05-14',
    };
    const config = {
      headers: { 'anthropic-beta': secret('interleaved-thinking-2025-05-14,mine-1'), 'x-tenant': secret('t') },
    };
    await collect(ask(original(streamed, headers), config));
    expect(last().headers['anthropic-beta']).toBe('interleaved-thinking-2025-05-14,mine-1,context-1m-2025-08-07');
    expect(last().headers['x-tenant']).toBe('t');
    await collect(ask(chat()));
    expect(last().headers['anthropic-beta']).toBeUndefined();
  });

  it('leaves out the thoughts that no one can prove: cut ones, and those of this machine', async () => {
    const thought = { type: 'thinking', thinking: 'hm', signature: fakeSignature('a', 'hm') };
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: [{ ...thought, signature: '' }] },
      { role: 'user', content: 'b' },
      {
        role: 'assistant',
        content: [{ ...thought, signature: 'hearth-thinking-1.x' }, thought, { type: 'text', text: 'c' }],
      },
      { role: 'user', content: 'd' },
    ];
    await collect(ask(original({ ...streamed, messages })));
    expect(last().body['messages']).toEqual([
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b' },
      { role: 'assistant', content: [thought, { type: 'text', text: 'c' }] },
      { role: 'user', content: 'd' },
    ]);
    expect(fake.requests).toHaveLength(1);
  });

  it('has the refusal of the API where its last turn cannot be gone on from', async () => {
    const messages = [...plain.messages, { role: 'assistant', content: [{ type: 'text', text: 'I' }] }];
    const request = original({ ...streamed, model: 'claude-opus-5-5', messages });
    await expect(collect(ask({ ...request, model: 'claude-opus-5-5' }))).rejects.toMatchObject({
      code: 'upstream_refused',
      upstream: {
        status: 400,
        body: { error: { message: expect.stringContaining('does not support assistant message prefill') } },
      },
    });
  });

  it('that nobody has understood can pass, and in other words only be refused', async () => {
    const unknown = original({ ...streamed, container: 'c' });
    expect(bytesOf(await collect(ask({ ...unknown, onlyRelayed: true })))).toContain('message_stop');
    const foreign = { ...unknown.original!, dialect: 'openai' as const };
    await expect(collect(ask({ ...unknown, original: foreign, onlyRelayed: true }))).rejects.toMatchObject({
      code: 'not_supported',
    });
  });
});

async function* replay(events: readonly ProviderEvent[]) {
  yield* events;
}

describe('a translated request', () => {
  it('is sent in the body of the API, asks for a stream, and says what was left out', async () => {
    const answer = await foldEvents(ask(chat({ sampling: { temperature: 0, seed: 1 } })));
    expect(last()).toMatchObject({ path: '/v1/messages', headers: { 'anthropic-version': '2023-06-01' } });
    expect(last().body).toMatchObject({ model: fakeModel, stream: true, temperature: 0 });
    expect(answer.warnings.map(({ field }) => field)).toEqual(['sampling.seed']);
    expect(answer).toMatchObject({ model: fakeModel, responseId: 'msg_01Fake' });
  });

  it('has the names of tools back that the API could not take', async () => {
    const tools = [{ name: 'mcp.weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
    const input = { ...chat().input, tools, toolChoice: { type: 'required' } } as ChatRequest['input'];
    const { choices } = await foldEvents(ask(chat({ input })));
    expect(toolCallsOf(choices[0].blocks)).toMatchObject([{ name: 'mcp.weather', arguments: { city: 'Oslo' } }]);
  });

  it('goes on with its own thoughts in the next turn', async () => {
    const first = await foldEvents(ask(chat({ reasoning: { mode: 'on' }, maxTokens: 2_000 })), 'claude');
    const blocks = first.choices[0].blocks;
    expect(blocks[0]).toMatchObject({ type: 'reasoning', signature: expect.stringMatching(/^sig-a-/) });
    const messages: ChatMessage[] = [
      { role: 'user', content: [{ type: 'text', text: 'hello' }] },
      { role: 'assistant', content: blocks },
      { role: 'user', content: [{ type: 'text', text: 'and now?' }] },
    ];
    const input = { ...chat().input, messages } as ChatRequest['input'];
    await foldEvents(ask(chat({ input, reasoning: { mode: 'on' }, maxTokens: 2_000 })));
    expect(fake.requests).toHaveLength(2);
    expect(JSON.stringify(last().body)).toContain('"signature":"sig-a-');
  });

  it('of no tokens only fills the cache, and is asked for whole', async () => {
    const answer = await foldEvents(ask(chat({ maxTokens: 0, promptCache: 'pin' })));
    expect(last().body).toMatchObject({ max_tokens: 0, cache_control: { type: 'ephemeral' } });
    expect(last().body['stream']).toBeUndefined();
    expect(answer.choices[0]).toMatchObject({ blocks: [], reason: 'length' });
  });

  it('is understood where a gateway answers whole although a stream was asked for', async () => {
    const expected = await foldEvents(ask(chat()));
    const response = await fetch(`${fake.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': fake.key, 'anthropic-version': '2026-10-21' },
      body: JSON.stringify({ ...last().body, stream: false }),
    });
    fake.faults.push({ type: 'answer', status: 200, body: await response.json() });
    expect((await foldEvents(ask(chat()))).choices).toEqual(expected.choices);
  });
});

describe('a conversation over several providers', () => {
  it('brings each its own thoughts and nobody those of another', async () => {
    const other = await startFakeAnthropic({ account: 'b' });
    const first = provider();
    const second = provider({ id: 'other', baseUrl: other.url });
    const messages: ChatMessage[] = [];
    const say = async (to: typeof first, text: string) => {
      messages.push({ role: 'user', content: [{ type: 'text', text }] });
      const input = { ...chat().input, messages } as ChatRequest['input'];
      const request = chat({ input, reasoning: { mode: 'on' }, maxTokens: 2_000 });
      const { choices } = await foldEvents(to.stream(request, anyContext()), to.id);
      messages.push({ role: 'assistant', content: choices[0].blocks });
    };
    for (const to of [first, second, first, second]) await say(to, 'and?');
    const signatures = ({ requests }: FakeAnthropic) => requests.map(({ text }) => text.match(/sig-./g) ?? []);
    // One request each: nothing was refused, nothing had to be sent again.
    expect(signatures(fake)).toEqual([[], ['sig-a']]);
    expect(signatures(other)).toEqual([[], ['sig-b']]);
    await other.close();
  });
});

describe('a refusal of earlier thoughts', () => {
  const wordings = [
    'messages.1.content.0: Invalid `signature` in `thinking` block',
    'messages.1.content.0.thinking.signature: Field required',
    '`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified',
    'Invalid signature',
  ];
  const foreign = { type: 'thinking', thinking: 'hm', signature: 'sig-of-another' };
  const turns = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: [foreign, { type: 'redacted_thinking', data: 'x' }, { type: 'text', text: 'b' }] },
    { role: 'user', content: 'c' },
  ];
  const refusal = (message: string): WireFault => ({
    type: 'answer',
    status: 400,
    body: { type: 'error', error: { type: 'invalid_request_error', message } },
  });

  it('is mended once by leaving all of them out: a signature of another account', async () => {
    const events = await collect(ask(original({ ...streamed, messages: turns })));
    expect(bytesOf(events)).toContain('message_stop');
    expect(fake.requests).toHaveLength(2);
    expect(last().body['messages'][1].content).toEqual([{ type: 'text', text: 'b' }]);
    expect(last().body).toMatchObject({ stream: true, max_tokens: 12 });
  });

  it.each(wordings)('is asked again once, however it is worded, and never twice: %s', async (message) => {
    fake.faults.push(refusal(message), refusal(message));
    await expect(collect(ask(original({ ...streamed, messages: turns })))).rejects.toMatchObject({
      code: 'upstream_refused',
    });
    expect(fake.requests).toHaveLength(2);
  });

  it('is not asked again where there is no thought to leave out, nor for anything else', async () => {
    fake.faults.push(refusal('Invalid signature'));
    await expect(collect(ask(original(streamed)))).rejects.toMatchObject({ code: 'upstream_refused' });
    fake.faults.push(refusal('max_tokens: too many'));
    await expect(collect(ask(original({ ...streamed, messages: turns })))).rejects.toMatchObject({
      code: 'upstream_refused',
    });
    expect(fake.requests).toHaveLength(2);
  });

  it('for a turn that lacks one is mended by not thinking at all', async () => {
    const input: ChatRequest['input'] = {
      type: 'chat',
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'a' }] },
        { role: 'assistant', content: [{ type: 'tool-call', id: 'c', name: 't', arguments: {} }] },
        { role: 'user', content: [{ type: 'tool-result', callId: 'c', isError: false, content: [] }] },
      ],
      tools: [{ name: 't' }],
      toolChoice: { type: 'auto' },
    };
    const answer = await foldEvents(ask(chat({ input, reasoning: { mode: 'on' }, maxTokens: 3_000 })));
    expect(answer.choices[0].blocks).not.toEqual([]);
    expect(fake.requests.map(({ body }) => body['thinking']?.type)).toEqual(['enabled', undefined]);
  });
});

describe('a failure', () => {
  const failing = (fault: WireFault, request = original(streamed)) => {
    fake.faults.push(fault);
    return collect(ask(request)).then(
      () => {
        throw new Error('it has not failed');
      },
      (error: AppError) => error,
    );
  };
  const apiError = (status: number, type: string, message = 'words', details?: object): WireFault => ({
    type: 'answer',
    status,
    headers: { 'retry-after': '7', 'request-id': 'req_1', 'set-cookie': 'a=b' },
    body: { type: 'error', error: { type, message, ...(details && { details }) }, request_id: 'req_1' },
  });

  it.each([
    [400, 'invalid_request_error', 'upstream_refused'],
    [404, 'not_found_error', 'upstream_access_denied'],
    [413, 'request_too_large', 'upstream_refused'],
    [429, 'rate_limit_error', 'upstream_rate_limited'],
    [500, 'api_error', 'upstream_unavailable'],
    [503, 'api_error', 'upstream_overloaded'],
    [504, 'timeout_error', 'upstream_timeout'],
    [529, 'overloaded_error', 'upstream_overloaded'],
  ])('of status %d (%s) is %s, and keeps its own words for clients of the API', async (status, type, code) => {
    const error = await failing(apiError(status, type));
    expect(error).toMatchObject({ code, retryAfterSeconds: 7, message: 'claude: words' });
    expect(error.upstream).toEqual({
      provider: 'claude',
      dialect: 'anthropic',
      status,
      headers: { 'retry-after': '7', 'request-id': 'req_1' },
      body: { type: 'error', error: { type, message: 'words' }, request_id: 'req_1' },
    });
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    [400, 'prompt is too long: 200001 tokens > 200000 maximum', undefined, 'context_length_exceeded'],
    [400, 'input length and `max_tokens` exceed context limit: 1 + 2 > 2', undefined, 'context_length_exceeded'],
    [400, 'You have reached your specified API usage limits.', undefined, 'upstream_quota_exceeded'],
    [429, 'no more', { error_code: 'enforced_spend_limit_reached' }, 'upstream_quota_exceeded'],
    [429, 'slower', { error_code: 'ramp_limit_exceeded' }, 'upstream_rate_limited'],
  ])('of status %d that says %s (%j) is %s', async (status, message, details, code) => {
    expect(await failing(apiError(status, 'invalid_request_error', message, details))).toMatchObject({ code });
  });

  it.each([
    [401, 'authentication_error', 'upstream_access_denied'],
    [402, 'billing_error', 'upstream_quota_exceeded'],
    [403, 'permission_error', 'upstream_access_denied'],
  ])(
    'of status %d (%s), of the account of this server, is %s and told to nobody in the words of the API',
    async (status, type, code) => {
      const error = await failing(apiError(status, type, 'the key of somebody'));
      expect(error).toMatchObject({ code, mayFailOver: true, upstream: { status, body: null } });
      expect(JSON.stringify([error.message, error.upstream])).not.toContain('somebody');
    },
  );

  it.each([
    ['retry-after-ms', '1500', 1.5],
    ['retry-after', 'Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['retry-after', 'soon', null],
  ])('that asks to wait by %s: %s waits %s seconds', async (name, value, seconds) => {
    const fault: WireFault = {
      type: 'answer',
      status: 429,
      headers: { [name]: value },
      body: { error: { type: 'rate_limit_error', message: 'm' } },
    };
    expect((await failing(fault)).retryAfterSeconds).toBe(seconds);
  });

  it.each([
    [502, '<html>\n  <h1>Bad   gateway</h1></html>', 'upstream_unavailable', '"<html> <h1>Bad gateway</h1></html>"'],
    [403, '<html>no</html>', 'upstream_unavailable', '"<html>no</html>"'],
    [500, '', 'upstream_unavailable', 'an empty body'],
    [500, '{"type":"error","err', 'upstream_unavailable', '"{"type":"error","err"'],
    [413, '<html>too large</html>', 'upstream_refused', '"<html>too large</html>"'],
    [429, 'x'.repeat(500), 'upstream_rate_limited', `"${'x'.repeat(200)}"`],
    [307, 'moved', 'upstream_unavailable', 'leads elsewhere (status 307); base_url must be'],
  ])(
    'of something before the API (status %d, %j) is %s, with its first 200 characters',
    async (status, body, code, shown) => {
      const error = await failing({ type: 'answer', status, body });
      expect(error).toMatchObject({ code, upstream: null });
      expect(error.message).toContain(shown);
      expect(error.message.length).toBeLessThan(300);
    },
  );

  it.each([
    ['HTML', '<html>hello</html>'],
    ['an error', { type: 'error', error: { type: 'overloaded_error', message: 'busy' } }],
    ['nothing', ''],
    ['broken JSON', '{"type":"message"'],
    ['another object', { object: 'chat.completion' }],
  ])('that calls itself a success (%s) is one, whole or in words', async (_what, body) => {
    for (const request of [original(plain), original(streamed), chat()]) {
      expect(await failing({ type: 'answer', status: 200, body }, request)).toMatchObject({
        code: expect.stringMatching(/^upstream_(unavailable|overloaded)$/),
      });
    }
  });

  it('that is compressed is read', async () => {
    const fault = (body: string): WireFault => ({
      type: 'answer',
      status: 502,
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(body),
    });
    expect((await failing(fault('<html>no</html>'))).message).toContain('"<html>no</html>"');
    const known = await failing(fault('{"type":"error","error":{"type":"api_error","message":"m"}}'));
    expect(known.upstream).toMatchObject({ status: 502, body: { error: { type: 'api_error' } }, headers: {} });
  });

  it('of the connection is one, whatever it is', async () => {
    expect(await failing({ type: 'reset' })).toMatchObject({ code: 'upstream_unavailable', mayFailOver: true });
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const error = await collect(ask(chat(), { baseUrl: `http://127.0.0.1:${port}` })).catch(
      (thrown: AppError) => thrown,
    );
    expect(error).toMatchObject({ code: 'upstream_unavailable', message: 'claude cannot be reached (ECONNREFUSED).' });
  });

  const errorEvent = (type: string) =>
    sseOf([{ type: 'error', error: { type, message: 'busy' }, request_id: 'req_2' }]);

  it.each([
    ['overloaded_error', 'upstream_overloaded', 529],
    ['rate_limit_error', 'upstream_rate_limited', 429],
    ['api_error', 'upstream_unavailable', 500],
    ['a_new_error', 'upstream_unavailable', 500],
    ['invalid_request_error', 'upstream_refused', 400],
  ])('within a stream, %s, is %s, wherever it comes, and its record is not relayed', async (type, code, status) => {
    for (const afterRecords of [0, 1, 2, 5]) {
      for (const request of [original(streamed), chat()]) {
        fake.faults.push({ type: 'record', afterRecords, text: errorEvent(type) });
        const seen: ProviderEvent[] = [];
        const reading = (async () => {
          for await (const event of ask(request)) seen.push(event);
        })();
        await expect(reading).rejects.toMatchObject({
          code,
          upstream: { status, body: { error: { type }, request_id: 'req_2' } },
        });
        expect(bytesOf(seen)).not.toContain('event: error');
        expect(seen.some(({ type: kind }) => kind === 'finish')).toBe(false);
      }
    }
  });

  it('by an end too soon is one: cut at every byte, an answer is whole or an error, never silence', async () => {
    const whole = bytesOf(await collect(ask(original({ ...streamed, max_tokens: 2 }))));
    const endOfAnswer = whole.lastIndexOf('"message_stop"');
    const all = provider();
    // Each fifth byte, and what the last record lacks of its blank line.
    const cuts = Array.from({ length: Math.ceil(whole.length / 5) }, (_, index) => index * 5);
    for (const afterBytes of [...cuts, whole.length - 2, whole.length - 1]) {
      for (const request of [original({ ...streamed, max_tokens: 2 }), chat({ maxTokens: 2 })]) {
        fake.faults.push({ type: 'cut', afterBytes, how: afterBytes % 2 === 0 ? 'end' : 'reset' });
        const seen: ProviderEvent[] = [];
        const reading = (async () => {
          for await (const event of all.stream(request, anyContext())) seen.push(event);
        })();
        const failure = await reading.then(
          () => null,
          (error: AppError) => error.code,
        );
        if (failure === null) expect(seen.flatMap(heardOf).at(-1)?.type).toBe('finish');
        else expect(failure).toBe('upstream_unavailable');
        if (!request.original) continue;
        // Whoever speaks to the client can go on behind the last whole record.
        expect(whole.startsWith(bytesOf(seen))).toBe(true);
        if (failure === null) expect(bytesOf(seen)).toBe(whole);
        if (afterBytes >= endOfAnswer) continue;
        expect(failure, `${afterBytes}`).not.toBeNull();
        expect(bytesOf(seen)).toMatch(/^$|\n\n$/);
      }
    }
  });

  it('of time is told by what was waited for', async () => {
    const timeouts = { firstByteMs: 5_000, idleMs: 2_000, totalMs: null };
    const waiting = async (fault: WireFault, advance: number) => {
      fake.faults.push(fault);
      const before = fake.requests.length;
      const events = collect(ask(original(streamed), { timeouts })).catch((error: AppError) => error);
      await vi.waitFor(() => expect(fake.requests.length).toBeGreaterThan(before));
      const settled = await Promise.race([events, tick(clock, advance)]);
      return settled ?? events;
    };
    expect(await waiting({ type: 'stall' }, 5_000)).toMatchObject({
      code: 'upstream_timeout',
      details: { waited_for: 'first_byte', limit_ms: 5_000 },
    });
    expect(await waiting({ type: 'stall', afterBytes: 700 }, 2_000)).toMatchObject({
      code: 'upstream_timeout',
      details: { waited_for: 'next_piece', limit_ms: 2_000 },
    });
    await expect.poll(() => fake.running()).toBe(0);
  });

  it('is none where the answer is whole and its connection stays open', async () => {
    fake.faults.push({ type: 'linger' });
    const events: ProviderEvent[] = [];
    for await (const event of ask(original(streamed))) {
      events.push(event);
      // What is waited for behind the end is bounded by the clock.
      if (heardOf(event).some(({ type }) => type === 'finish')) queueMicrotask(() => void tick(clock, 1_000));
    }
    expect(heardOf(events.at(-1)!).at(-1)?.type).toBe('finish');
    await expect.poll(() => fake.running()).toBe(0);
  });

  /** Advances by little steps, so that timers that begin in between run out too. */
  async function tick(of: ManualClock, milliseconds: number): Promise<null> {
    for (let step = 0; step < 40; step++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      of.advance(milliseconds / 20);
    }
    return null;
  }
});

describe('connections', () => {
  it('are used again, and closed by an abort at any time', async () => {
    const all = provider();
    for (let round = 0; round < 20; round++) await collect(all.stream(chat(), anyContext()));
    expect(fake.accepted()).toBeLessThan(4);
    for (let index = 0; index < 60; index++) {
      const controller = new AbortController();
      const reason = new AppError('client_closed_request', 'gone');
      const request = index % 2 === 0 ? chat({ maxTokens: 400 }) : original({ ...streamed, max_tokens: 400 });
      let seen = 0;
      const reading = (async () => {
        for await (const _event of all.stream(request, anyContext({ signal: controller.signal }))) {
          if (++seen === index % 9) controller.abort(reason);
        }
      })();
      if (index % 9 === 0) setImmediate(() => controller.abort(reason));
      await reading.catch((error: unknown) => expect(error).toBe(reason));
    }
    await expect.poll(() => fake.running()).toBe(0);
  });
});

describe('credentials', () => {
  it('are those of the configuration: the environment and files of the SDK add nothing', async () => {
    vi.stubEnv('ANTHROPIC_API_KEY', 'sk-env');
    vi.stubEnv('ANTHROPIC_AUTH_TOKEN', 'token-env');
    vi.stubEnv('ANTHROPIC_BASE_URL', 'http://127.0.0.1:1');
    vi.stubEnv('ANTHROPIC_CUSTOM_HEADERS', 'x-custom: leaked\nauthorization: Bearer leaked');
    await collect(ask(chat()));
    expect(last().headers.authorization).toBe('Bearer sk-ant-fake');
    expect(JSON.stringify(last().headers)).not.toMatch(/leaked|env/);
    const refused = collect(ask(chat(), { apiKey: null }));
    await expect(refused).rejects.toMatchObject({ code: 'upstream_access_denied' });
    expect(last().headers.authorization).toBeUndefined();
    expect(last().headers['x-api-key']).toBeUndefined();
    await collect(ask(chat(), { apiKey: null, headers: { 'X-Api-Key': secret('sk-ant-fake') } }));
    expect(last().headers['x-api-key']).toBe('sk-ant-fake');
  });

  it('are in no error', async () => {
    const error = (await collect(ask(chat(), { apiKey: secret('sk-wrong') })).catch(
      (thrown: unknown) => thrown,
    )) as AppError;
    expect(error).toMatchObject({ code: 'upstream_access_denied' });
    expect(JSON.stringify([error, error.message, error.upstream, error.details])).not.toContain('sk-wrong');
  });
});

describe('a count of tokens', () => {
  it('is what an answer counts as its prompt, and generates nothing', async () => {
    const request = chat({ sampling: { temperature: 0 }, stop: ['x'] });
    const counted = await provider().count(request, anyContext());
    expect(last().path).toBe('/v1/messages/count_tokens');
    const { usage } = await foldEvents(ask(request));
    expect(counted).toEqual({ model: fakeModel, promptTokens: usage.inputTokens });
  });

  it('passes as it came too', async () => {
    const text = `{"model":"${fakeModel}", "messages":[{"role":"user","content":"hello"}]}`;
    const request = original(text);
    const counting = { ...request, original: { ...request.original!, path: '/v1/messages/count_tokens' } };
    await provider().count(counting, anyContext());
    expect(last().text).toBe(text);
  });

  it('is not there where a gateway has no such path', async () => {
    fake.faults.push({ type: 'answer', status: 404, body: { detail: 'Not Found' } });
    await expect(provider().count(chat(), anyContext())).rejects.toMatchObject({ code: 'not_supported' });
  });
});

describe('the models', () => {
  const signal = new AbortController().signal;

  it('are those that the API lists, page by page, where the file names none', async () => {
    const all = provider();
    expect(all.nameOf('claude-next-1')).toBeNull();
    const models = await all.models(signal);
    expect(models.map(({ id }) => id)).toEqual([fakeModel, 'claude-opus-5-5', 'claude-next-1']);
    expect(models[0]).toMatchObject({
      displayName: `The model ${fakeModel}`,
      provider: 'claude',
      contextTokens: 200_000,
      maxOutputTokens: 64_000,
      createdAt: new Date('2025-09-29T00:00:00Z'),
    });
    expect(all.nameOf('claude-next-1')).toBe('claude-next-1');
    expect(all.nameOf('claude-opus-5')).toBe('claude-opus-5');
    expect(all.nameOf('qwen-7b')).toBeNull();
  });

  it('are those of the file and no others, without asking anybody', async () => {
    const models = [
      cloudModel(fakeModel, { aliases: ['mine'], displayName: 'Mine', maxOutputTokens: 99, contextTokens: 100 }),
    ];
    const all = provider({ models });
    expect(await all.models(signal)).toMatchObject([
      { id: fakeModel, aliases: ['mine'], displayName: 'Mine', contextTokens: 100, maxOutputTokens: 99 },
    ]);
    expect(fake.requests).toEqual([]);
    expect(all.nameOf('mine')).toBe(fakeModel);
    expect(all.nameOf('claude-opus-5-5')).toBeNull();
    await collect(all.stream(chat({ model: 'mine', maxTokens: 500 }), anyContext()));
    expect(last().body).toMatchObject({ model: fakeModel, max_tokens: 99 });
  });

  it('read pictures and call tools as the file says', async () => {
    const all = provider({ models: [cloudModel(fakeModel, { supportsVision: false, supportsTools: false })] });
    expect(all.capabilities(fakeModel)).toMatchObject({ tools: false, maxOutputTokens: 64_000 });
    expect(all.capabilities(fakeModel)!.reads).not.toContain('image');
    const input = { ...chat().input, tools: [{ name: 't' }] } as ChatRequest['input'];
    await expect(collect(all.stream(chat({ input }), anyContext()))).rejects.toMatchObject({ field: 'input.tools' });
  });

  it('pass requests on as they came in the words of the API alone', () => {
    const relays = provider().relays!;
    expect(relays({ dialect: 'anthropic', path: '/v1/messages' }, fakeModel)).toBe(true);
    expect(relays({ dialect: 'anthropic', path: '/v1/messages/count_tokens' }, fakeModel)).toBe(true);
    expect(relays({ dialect: 'anthropic', path: '/v1/messages/batches' }, fakeModel)).toBe(false);
    expect(relays({ dialect: 'openai', path: '/v1/messages' }, fakeModel)).toBe(false);
    expect(relays({ dialect: 'anthropic', path: '/v1/messages' }, 'qwen')).toBe(false);
  });

  it('are asked under the version of the file where the client names none', async () => {
    await collect(ask(chat({ sampling: { temperature: 0 } }), { apiVersion: '2026-10-21' }));
    expect(last().headers['anthropic-version']).toBe('2026-10-21');
    expect(last().body['temperature']).toBeUndefined();
    await collect(ask(original(streamed, {}), { apiVersion: '2026-10-21' }));
    expect(last().headers['anthropic-version']).toBe('2026-10-21');
    await collect(ask(original(streamed, {})));
    expect(last().headers['anthropic-version']).toBe('2023-06-01');
    await collect(ask(original(streamed, { 'anthropic-version': '2023-06-01' }), { apiVersion: '2026-10-21' }));
    expect(last().headers['anthropic-version']).toBe('2023-06-01');
  });

  it('are taken for what the API says of them', async () => {
    const supported = (is: boolean) => ({ supported: is });
    const listed = {
      id: 'claude-next-1',
      max_tokens: 10_000,
      capabilities: {
        thinking: { types: { adaptive: supported(false), enabled: supported(true), disabled: supported(true) } },
        effort: { low: supported(true), medium: supported(false) },
        structured_outputs: supported(false),
        image_input: supported(false),
      },
    };
    fake.faults.push({ type: 'answer', status: 200, body: { data: [listed], has_more: false } });
    const all = provider();
    await all.models(signal);
    expect(all.capabilities('claude-next-1')).toMatchObject({ formats: ['text'] });
    expect(all.capabilities('claude-next-1')!.reads).not.toContain('image');
    fake.faults.push({ type: 'answer', status: 200, body: { data: [listed], has_more: false } });
    const told = provider({ capabilities: { vision: true } });
    await told.models(signal);
    expect(told.capabilities('claude-next-1')!.reads).toContain('image');
    const request = chat({ model: 'claude-next-1', reasoning: { mode: 'on', budgetTokens: 2_000 }, maxTokens: 50_000 });
    await collect(all.stream(request, anyContext()));
    expect(last().body).toMatchObject({ max_tokens: 10_000, thinking: { type: 'enabled', budget_tokens: 2_000 } });
  });
});

describe('another Hearth', () => {
  it('passes a request on as it came, and its failures in its own words', async () => {
    const hearth = await startSecondHearth();
    const changes = { id: 'cellar', baseUrl: hearth.url, apiKey: null, models: [cloudModel('tiny')] };
    const asked = original({ ...streamed, model: 'tiny', temperature: 0 }, { 'anthropic-version': '2023-06-01' });
    const events = await collect(ask({ ...asked, model: 'tiny' }, changes));
    expect(bytesOf(events)).toMatch(/^event: message_start\n[\s\S]*event: message_stop\n/);
    expect((await foldEvents(replay(events))).usage.outputTokens).toBe(12);
    const wrong = original({ ...streamed, model: 'tiny', temperature: 0 });
    await expect(collect(ask({ ...wrong, model: 'tiny' }, changes))).rejects.toMatchObject({
      code: 'upstream_refused',
      upstream: { status: 400, body: { type: 'error', error: { type: 'invalid_request_error' } } },
    });
    await hearth.close();
  });
});

describe('whether it is there', () => {
  const signal = new AbortController().signal;

  it('is asked for by the cheapest of requests', async () => {
    await provider().probe!(signal);
    expect(last()).toMatchObject({ method: 'GET', path: '/v1/models?limit=1' });
    fake.faults.push({ type: 'answer', status: 529, body: { error: { type: 'overloaded_error', message: 'm' } } });
    await expect(provider().probe!(signal)).rejects.toMatchObject({ code: 'upstream_overloaded' });
    const gone = new AppError('shutting_down', 'gone');
    await expect(provider().probe!(AbortSignal.abort(gone))).rejects.toBe(gone);
  });

  it('is known to be impossible without a key, or where it is switched off', () => {
    expect(provider({ baseUrl: null, apiKey: null }).status()).toMatchObject({ state: 'unavailable' });
    expect(provider({ enabled: false }).status()).toMatchObject({ state: 'unavailable' });
    expect(provider({ baseUrl: null }).status()).toEqual({ state: 'ready', reason: null });
    expect(provider({ apiKey: null }).status()).toEqual({ state: 'ready', reason: null });
  });
});
