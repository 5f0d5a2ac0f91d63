import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import { textOf } from '../../../src/core/content.ts';
import { foldEvents, isRelay, type ProviderEvent } from '../../../src/core/events.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { type FakeBedrock, startFakeBedrock } from '../../support/fake-bedrock/fake-bedrock.ts';
import { bedrockOver, claude, type LoggedLine, nova } from '../../support/fake-bedrock/provider.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies of the wire, read by hand
type Wire = any;

const bodyOf = (changes: object = {}) => ({
  model: 'claude-sonnet-4.5',
  max_tokens: 50,
  messages: [{ role: 'user', content: 'hi' }],
  ...changes,
});

/** A request of an Anthropic client; `text`: its body as it came. */
function requestOf(
  text: string,
  headers: Record<string, string> = {},
  changes: Partial<ChatRequest> = {},
): ChatRequest {
  return {
    model: claude,
    input: { type: 'chat', messages: [], tools: [], toolChoice: { type: 'auto' } },
    sampling: {},
    stop: [],
    original: { dialect: 'anthropic', path: '/v1/messages', bytes: Buffer.from(text), body: JSON.parse(text), headers },
    onlyRelayed: true,
    ...changes,
  };
}

const bytesOf = (events: readonly ProviderEvent[]) =>
  Buffer.concat(events.flatMap((event) => (event.type === 'relay' ? [event.bytes] : []))).toString('utf8');

describe('a request of Anthropic’s dialect for a Claude', () => {
  let fake: FakeBedrock;
  let provider: ReturnType<typeof bedrockOver>;
  const lines: LoggedLine[] = [];
  beforeAll(async () => {
    fake = await startFakeBedrock();
    provider = bedrockOver(fake.baseUrl, {}, { lines });
  });
  beforeEach(() => {
    fake.script = [];
    fake.arrived = [];
    lines.length = 0;
  });
  afterAll(async () => {
    provider.close();
    await fake.close();
  });
  const ask = (request: ChatRequest) => collect(provider.stream(request, anyContext()));

  it('passes every byte on but the model and the stream, which are in the path', async () => {
    const text = `{ "stream":true,"max_tokens": 50, "model" : "claude-sonnet-4.5",
      "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],
      "new_field": {"n": 12345678901234567890, "x": 1.0} }`;
    await ask(requestOf(text));
    const { body, modelId, operation, headers } = fake.arrived[0]!;
    expect(body.toString('utf8')).toBe(`{ "max_tokens": 50,
      "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],
      "new_field": {"n": 12345678901234567890, "x": 1.0} ,"anthropic_version":"bedrock-2023-05-31"}`);
    expect({ modelId, operation }).toEqual({ modelId: `eu.${claude}`, operation: 'invoke-with-response-stream' });
    expect(headers['content-type']).toBe('application/json');
  });

  it.each([
    [{}, 'bedrock-2023-05-31'],
    [{ 'anthropic-version': '2023-06-01' }, 'bedrock-2023-05-31'],
    [{ 'anthropic-version': '2026-10-21' }, '2026-10-21'],
  ])('has the version of %j in its body: %s', async (headers, version) => {
    await ask(requestOf(JSON.stringify(bodyOf()), headers));
    expect(fake.arrived[0]!.json.anthropic_version).toBe(version);
  });

  it('has the user’s profile in its body', async () => {
    await ask(requestOf(JSON.stringify(bodyOf()), { 'anthropic-user-profile-id': 'up_1' }));
    expect(fake.arrived[0]!.json.user_profile_id).toBe('up_1');
  });

  it('has a guardrail of its headers', async () => {
    const headers = { 'x-amzn-bedrock-guardrailidentifier': 'gr-1', 'x-amzn-bedrock-guardrailversion': 'DRAFT' };
    await ask(requestOf(JSON.stringify(bodyOf()), headers));
    expect(fake.arrived[0]!.headers).toMatchObject(headers);
  });

  it.each([
    ['one header', { 'anthropic-beta': 'context-1m-2025-08-07' }, undefined, ['context-1m-2025-08-07'], null],
    [
      'headers that were joined, and the body’s own',
      { 'anthropic-beta': 'context-1m-2025-08-07,  effort-2025-11-24 , context-1m-2025-08-07' },
      ['tool-search-tool-2025-10-19', 'effort-2025-11-24'],
      ['context-1m-2025-08-07', 'effort-2025-11-24', 'tool-search-tool-2025-10-19'],
      null,
    ],
    [
      'flags that Bedrock refuses',
      { 'anthropic-beta': 'claude-code-20250219,context-1m-2025-08-07,files-api-2025-04-14' },
      undefined,
      ['context-1m-2025-08-07'],
      'claude-code-20250219, files-api-2025-04-14',
    ],
    ['nothing but such flags', {}, ['fast-mode-2026-02-01'], undefined, 'fast-mode-2026-02-01'],
  ])('has the betas of %s', async (_name, headers, inBody, expected, logged) => {
    const body = bodyOf(inBody ? { anthropic_beta: inBody } : {});
    await ask(requestOf(JSON.stringify(body), headers as Record<string, string>));
    expect(fake.arrived[0]!.json.anthropic_beta).toEqual(expected);
    if (logged === null) expect(lines).toEqual([]);
    else expect(lines[0]!.message).toContain(logged);
  });

  it('is answered by events as Anthropic sends them, each before what is understood of it', async () => {
    const events = await ask(requestOf(JSON.stringify(bodyOf({ stream: true }))));
    expect(events[0]).toEqual({
      type: 'relay-head',
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'aws-request-1' },
    });
    const records: { event: string | undefined; data: Wire }[] = [];
    const parser = createParser({ onEvent: ({ event, data }) => records.push({ event, data: JSON.parse(data) }) });
    parser.feed(bytesOf(events));
    expect(records.map(({ event }) => event)).toEqual(records.map(({ data }) => data.type));
    expect(records[0]!.event).toBe('message_start');
    // Nothing of it is lost, Bedrock's own numbers among them.
    expect(records.at(-1)!.data).toMatchObject({ type: 'message_stop', 'amazon-bedrock-invocationMetrics': {} });
    const firstRelay = events.findIndex(({ type }) => type === 'relay');
    expect(events[firstRelay + 1]!.type).toBe('start');
    expect(events.at(-1)!.type).toBe('finish');
    const whole = records.map(({ data }) => data.delta?.text ?? '').join('');
    const answer = await foldEvents(replay(events), 'aws');
    expect(textOf(answer.choices[0].blocks)).toBe(whole);
    expect(answer).toMatchObject({ model: claude, responseId: 'msg_bdrk_1' });
  });

  it('is counted once: later numbers replace earlier ones, and null keeps them', async () => {
    const usage = {
      input_tokens: 21,
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 2048,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      output_tokens: 1,
    };
    fake.script.push({
      type: 'events',
      events: [
        { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [], usage } },
        {
          type: 'message_delta',
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: { input_tokens: null, output_tokens: 40 },
        },
        { type: 'message_stop' },
      ],
    });
    const answer = await foldEvents(provider.stream(requestOf(JSON.stringify(bodyOf({ stream: true }))), anyContext()));
    expect(answer.usage).toMatchObject({
      inputTokens: 21,
      cacheReadTokens: 2048,
      cacheWrite5mTokens: 100,
      cacheWrite1hTokens: 200,
      outputTokens: 40,
      servedPlace: 'eu',
    });
  });

  it('is booked where and how it was served, if the answer tells', async () => {
    const usage = { input_tokens: 1, output_tokens: 1, service_tier: 'priority', speed: 'fast', inference_geo: 'us' };
    fake.script.push({ type: 'body', body: { id: 'm', type: 'message', content: [], stop_reason: 'end_turn', usage } });
    const answer = await foldEvents(provider.stream(requestOf(JSON.stringify(bodyOf())), anyContext()));
    expect(answer.usage).toMatchObject({ servedTier: 'fast', servedPlace: 'us' });
  });

  const blocks = [
    { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
    { type: 'redacted_thinking', data: 'opaque' },
    { type: 'text', text: 'I look.', citations: [{ type: 'char_location', cited_text: 'x', document_title: 'T' }] },
    { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'sea', n: 3 } },
    { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: {} },
  ];
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content: blocks,
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 9 },
  };
  const expected = [
    { type: 'reasoning', text: 'Hm.', signature: 'sig' },
    { type: 'reasoning', redactedData: 'opaque' },
    { type: 'text', text: 'I look.' },
    { type: 'tool-call', id: 'toolu_1', name: 'look', arguments: { at: 'sea', n: 3 } },
    { type: 'opaque', dialect: 'anthropic' },
  ];

  it('that is answered whole gets the very bytes, and all blocks are understood', async () => {
    fake.script.push({ type: 'body', body: message });
    const events = await ask(requestOf(JSON.stringify(bodyOf())));
    expect(fake.arrived[0]!.operation).toBe('invoke');
    expect(bytesOf(events)).toBe(JSON.stringify(message));
    expect(events.slice(0, 2).every(isRelay)).toBe(true);
    expect((await foldEvents(replay(events))).choices[0]).toMatchObject({ blocks: expected, reason: 'tool_calls' });
  });

  it('that may get a long answer whole is streamed upstream, and joined', async () => {
    fake.script.push({ type: 'events', events: eventsOf(message) });
    const events = await ask(requestOf(JSON.stringify(bodyOf({ max_tokens: 1025 }))));
    expect(fake.arrived[0]!.operation).toBe('invoke-with-response-stream');
    expect(events[0]).toMatchObject({ type: 'relay-head', headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(bytesOf(events))).toEqual(message);
    expect((await foldEvents(replay(events))).choices[0].blocks).toMatchObject(expected);
  });

  it('leaves out chunks without a type, and nothing else that it does not know', async () => {
    const [start, ...rest] = eventsOf(message);
    fake.script.push({ type: 'events', events: [start, { keep: 'alive' }, { type: 'something_new', x: 1 }, ...rest] });
    const bytes = bytesOf(await ask(requestOf(JSON.stringify(bodyOf({ stream: true })))));
    expect(bytes).toContain('event: something_new\ndata: {"type":"something_new","x":1}\n\n');
    expect(bytes).not.toContain('keep');
  });

  it('is refused where only another way than the one that the model has would do', async () => {
    const request = requestOf(JSON.stringify(bodyOf()), {}, { model: nova });
    await expect(ask(request)).rejects.toMatchObject({ code: 'not_supported', field: 'original' });
    const elsewhere = requestOf(JSON.stringify(bodyOf()));
    elsewhere.original = { ...elsewhere.original!, path: '/v1/messages/batches' };
    await expect(ask(elsewhere)).rejects.toMatchObject({ code: 'not_supported' });
    expect(fake.arrived).toEqual([]);
  });
});

/** A message as its events, in pieces. */
function eventsOf({ content, stop_reason, stop_sequence, usage, ...head }: Wire): Wire[] {
  const halves = (text: string) => [text.slice(0, 2), text.slice(2)];
  const deltas = (block: Wire): Wire[] => {
    if (block.type === 'thinking') {
      return [
        ...halves(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature: block.signature },
      ];
    }
    if (block.type === 'text') {
      return [
        ...halves(block.text).map((text) => ({ type: 'text_delta', text })),
        ...block.citations.map((citation: Wire) => ({ type: 'citations_delta', citation })),
      ];
    }
    return block.type === 'tool_use'
      ? ['', ...halves(JSON.stringify(block.input))].map((partial_json) => ({ type: 'input_json_delta', partial_json }))
      : [];
  };
  const empty: Wire = {
    thinking: { type: 'thinking', thinking: '', signature: '' },
    text: { type: 'text', text: '', citations: [] },
  };
  return [
    {
      type: 'message_start',
      message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } },
    },
    ...content.flatMap((block: Wire, index: number) => [
      {
        type: 'content_block_start',
        index,
        content_block: empty[block.type] ?? (block.type === 'tool_use' ? { ...block, input: {} } : block),
      },
      ...deltas(block).map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason, stop_sequence }, usage: { output_tokens: usage.output_tokens } },
    { type: 'message_stop' },
  ];
}

async function* replay(events: readonly ProviderEvent[]): AsyncGenerator<ProviderEvent> {
  yield* events;
}
