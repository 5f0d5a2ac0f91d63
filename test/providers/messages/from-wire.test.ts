import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BlockEvent, foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { promptTokensOf } from '../../../src/core/usage.ts';
import { createEventReader, type ReadRecord } from '../../../src/providers/anthropic/event-reader.ts';
import { createEventMapper, eventsOfMessage } from '../../../src/providers/messages/from-wire.ts';
import { createMessageJoiner } from '../../../src/providers/messages/join.ts';
import type { JsonObject } from '../../../src/providers/messages/json.ts';
import { toUsage } from '../../../src/providers/messages/usage.ts';

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/anthropic/${name}`, import.meta.url), 'utf8');
const recording = fixture('stream.sse');
const message = JSON.parse(fixture('message.json')) as JsonObject;

function readAll(text: string, pieceBytes = text.length): JsonObject[] {
  const reader = createEventReader('claude');
  const bytes = Buffer.from(text);
  const records: ReadRecord[] = [];
  for (let from = 0; from < bytes.length; from += pieceBytes)
    records.push(...reader.push(bytes.subarray(from, from + pieceBytes)));
  return [...records, ...reader.end()].flatMap(({ event }) => (event === null ? [] : [event]));
}

const mapper = () => createEventMapper({ provider: 'claude', warnings: [], toolName: (name) => name });

function map(events: readonly JsonObject[]): StreamEvent[] {
  const reading = mapper();
  return [...events.flatMap((event) => reading.push(event)), ...reading.end()];
}

async function fold(events: readonly StreamEvent[]) {
  async function* all() {
    yield* events;
  }
  return foldEvents(all(), 'claude');
}

const start = {
  type: 'message_start',
  message: { id: 'msg', model: 'claude-x', usage: { input_tokens: 3, output_tokens: 1 } },
};
const begin = (index: number, content_block: JsonObject) => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, piece: JsonObject) => ({ type: 'content_block_delta', index, delta: piece });
const stop = (index: number) => ({ type: 'content_block_stop', index });
const text = (index: number, piece: string) => delta(index, { type: 'text_delta', text: piece });
const end = (changes: JsonObject = {}, usage: JsonObject = { output_tokens: 5 }) => [
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null, ...changes }, usage },
  { type: 'message_stop' },
];
const broken = expect.objectContaining({ code: 'upstream_unavailable' });

describe('a recorded answer', () => {
  it.each([1, 3, 64, 100_000])('is the same in pieces of %d bytes', (size) => {
    expect(map(readAll(recording, size))).toEqual(map(readAll(recording)));
  });

  it('becomes blocks of every kind, with citations, signatures and what only the API knows', async () => {
    const { choices, model, responseId, extra } = await fold(map(readAll(recording)));
    const origin = { provider: 'claude', model };
    expect([model, responseId]).toEqual([message['model'], message['id']]);
    expect(choices[0]).toMatchObject({ reason: 'tool_calls', rawReason: 'tool_use', stopSequence: null });
    expect(choices[0].blocks).toEqual([
      {
        type: 'reasoning',
        text: expect.stringContaining('two calls.'),
        signature: 'EqQBCkgIARABGAIiQL8x',
        redactedData: null,
        origin,
      },
      { type: 'reasoning', text: '', signature: null, redactedData: 'EmwKAhgBEgyjbW9ja2Vk', origin },
      {
        type: 'text',
        text: 'According to your notes it is often wet; I will look — für beide Städte 🌦.',
        citations: [
          {
            citedText: 'It rains in Bergen.',
            title: 'Notes',
            url: null,
            dialect: 'anthropic',
            raw: expect.objectContaining({ type: 'char_location' }),
          },
        ],
      },
      {
        type: 'tool-call',
        id: 'toolu_01A',
        name: 'get_weather',
        arguments: { city: 'Bergen', days: 2 },
        argumentsText: '{"city": "Bergen", "days": 2}',
      },
      {
        type: 'tool-call',
        id: 'toolu_01B',
        name: 'get_weather',
        arguments: { city: 'Oslo' },
        argumentsText: '{"city": "Oslo"}',
      },
      {
        type: 'opaque',
        dialect: 'anthropic',
        block: { type: 'server_tool_use', id: 'srvtoolu_01C', name: 'web_search', input: { query: 'rain Bergen' } },
      },
    ]);
    expect(extra).toEqual({ anthropic: { stop_details: null, container: { id: 'container_01' }, diagnostics: null } });
  });

  it('joined is the message that the API sends whole, and a whole message tells what its stream tells', async () => {
    const joiner = createMessageJoiner();
    for (const event of readAll(recording)) joiner.push(event);
    expect(joiner.message()).toEqual(message);
    const [streamed, whole] = [await fold(map(readAll(recording))), await fold(map(eventsOfMessage(message)))];
    // The text of arguments is the API's own in a stream, and ours where there was none.
    const blocks = streamed.choices[0].blocks.map((block) =>
      block.type === 'tool-call' ? { ...block, argumentsText: JSON.stringify(block.arguments) } : block,
    );
    expect(whole).toEqual({ ...streamed, choices: [{ ...streamed.choices[0], blocks }] });
  });

  it('is counted once: later counts replace earlier ones, each by itself', () => {
    const [first, ...others] = map(readAll(recording));
    const last = others.at(-1);
    if (first?.type !== 'start' || last?.type !== 'finish') throw new Error('a start and a finish');
    expect(first.usage).toMatchObject({ inputTokens: 21, outputTokens: 3 });
    expect(last.usage).toMatchObject({
      inputTokens: 21,
      cacheReadTokens: 2048,
      cacheWrite5mTokens: 148,
      cacheWrite1hTokens: 40,
      outputTokens: 161,
      reasoningTokens: 34,
      serverTools: { web_search_requests: 1 },
      servedTier: 'standard',
      servedPlace: 'eu',
    });
    expect(promptTokensOf(last.usage)).toBe(21 + 2048 + 148 + 40);
  });
});

describe('usage', () => {
  it('that starts as zeros is unknown until it is exact at the end, and nulls say nothing', () => {
    const zeros = {
      type: 'message_start',
      message: { model: 'm', usage: { input_tokens: 0, output_tokens: 0, service_tier: 'priority' } },
    };
    const events = map([
      zeros,
      ...end({}, { input_tokens: 40, cache_read_input_tokens: null, output_tokens: 7, service_tier: null }),
    ]);
    expect(events[0]).toMatchObject({ type: 'start', usage: { inputTokens: null } });
    expect(events.at(-1)).toMatchObject({
      usage: { inputTokens: 40, cacheReadTokens: null, outputTokens: 7, servedTier: 'priority' },
    });
  });

  it('tells writes of an hour from those of five minutes, also where only their sum grows', () => {
    const parts = { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 30 };
    expect(toUsage({ cache_creation_input_tokens: 55, cache_creation: parts })).toMatchObject({
      cacheWrite5mTokens: 25,
      cacheWrite1hTokens: 30,
    });
    expect(toUsage({ cache_creation_input_tokens: 55 })).toMatchObject({
      cacheWrite5mTokens: 55,
      cacheWrite1hTokens: 0,
    });
    expect(toUsage({ input_tokens: 1 })).toMatchObject({ cacheWrite5mTokens: null, cacheWrite1hTokens: null });
  });

  it('has the tier and speed that were served', () => {
    expect(toUsage({ service_tier: 'standard', speed: 'fast', inference_geo: 'us' })).toMatchObject({
      servedTier: 'fast',
      servedPlace: 'us',
      raw: { speed: 'fast' },
    });
    expect(toUsage({ service_tier: 'batch', speed: 'standard' })).toMatchObject({ servedTier: 'batch' });
  });
});

describe('an answer with the unexpected', () => {
  it('has events and pieces of kinds that nobody knows yet, which are passed over', () => {
    const events = map([
      start,
      { type: 'ping' },
      { type: 'a_new_event', index: 9 },
      begin(0, { type: 'text', text: '' }),
      delta(0, { type: 'a_new_delta', x: 1 }),
      text(0, 'a'),
      stop(0),
      ...end({ a_new_field: 1 }),
    ]);
    expect(events.map(({ type }) => type)).toEqual(['start', 'text-start', 'text-delta', 'text-end', 'finish']);
    expect(events.at(-1)).toMatchObject({ extra: { anthropic: { a_new_field: 1 } } });
  });

  it('keeps blocks of the service whole, with inputs and texts that came in pieces', () => {
    const events = map([
      start,
      begin(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
      delta(0, { type: 'input_json_delta', partial_json: '{"q":' }),
      delta(0, { type: 'input_json_delta', partial_json: '"x"}' }),
      stop(0),
      begin(1, { type: 'compaction', content: '' }),
      delta(1, { type: 'compaction_delta', content: 'short' }),
      delta(1, { type: 'compaction_delta', content: 'er' }),
      stop(1),
      begin(2, { type: 'web_search_tool_result', tool_use_id: 's', content: [{ encrypted_content: 'e' }] }),
      stop(2),
      ...end({ stop_reason: 'pause_turn' }),
    ]);
    expect(events.filter(({ type }) => type === 'opaque')).toMatchObject([
      { block: { type: 'server_tool_use', id: 's', name: 'web_search', input: { q: 'x' } } },
      { block: { type: 'compaction', content: 'shorter' } },
      { block: { type: 'web_search_tool_result', tool_use_id: 's', content: [{ encrypted_content: 'e' }] } },
    ]);
    expect(events.at(-1)).toMatchObject({ reason: 'paused', rawReason: 'pause_turn' });
  });

  it('that opens a block before the last one has ended is told block by block, and loses nothing', async () => {
    const events = map([
      start,
      begin(0, { type: 'text', text: 'a' }),
      begin(1, { type: 'tool_use', id: 'c', name: 't', input: {} }),
      delta(1, { type: 'input_json_delta', partial_json: '{"x"' }),
      text(0, 'b'),
      delta(1, { type: 'input_json_delta', partial_json: ':1}' }),
      stop(1),
      text(0, 'c'),
      stop(0),
      ...end(),
    ]);
    const ids = events.filter((event): event is BlockEvent => 'blockId' in event).map(({ blockId }) => blockId);
    expect(ids).toEqual([...ids].sort());
    const { choices } = await fold(events);
    expect(choices[0].blocks).toMatchObject([{ text: 'abc' }, { arguments: { x: 1 } }]);
  });

  it('that never closes its blocks is closed at its end', async () => {
    const { choices } = await fold(map([start, begin(0, { type: 'text', text: '' }), text(0, 'a'), ...end()]));
    expect(choices[0].blocks).toEqual([{ type: 'text', text: 'a' }]);
  });

  it('that calls without arguments calls with an empty object', () => {
    const events = map([start, begin(0, { type: 'tool_use', id: 'c', name: 't', input: {} }), stop(0), ...end()]);
    expect(events).toContainEqual({ type: 'tool-call-delta', blockId: 0, argumentsText: '{}' });
  });

  it.each([
    ['end_turn', 'stop'],
    ['max_tokens', 'length'],
    ['stop_sequence', 'stop_sequence'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'refusal'],
    ['pause_turn', 'paused'],
    ['model_context_window_exceeded', 'context_full'],
    ['a_new_reason', 'stop'],
  ])('ends for %s as %s, and keeps the word', (rawReason, reason) => {
    const [finish] = map([start, ...end({ stop_reason: rawReason, stop_sequence: 'END' })]).slice(-1);
    expect(finish).toMatchObject({ reason, rawReason, stopSequence: 'END' });
  });

  it('counts as ended once its reason is known, and as cut off before', () => {
    const [reasonKnown] = end();
    expect(map([start, reasonKnown!]).at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
    expect(() => map([start, begin(0, { type: 'text', text: '' }), text(0, 'a')])).toThrowError(broken);
    expect(() => map([])).toThrowError(broken);
  });

  it.each([
    ['a piece without its block', [start, text(0, 'a')]],
    ['a block before the answer', [begin(0, { type: 'text', text: '' })]],
    ['two beginnings', [start, start]],
    ['a block that is begun twice', [start, begin(0, { type: 'text' }), begin(0, { type: 'text' })]],
    ['an end before the answer', [{ type: 'message_stop' }]],
  ])('is broken where it has %s', (_what, events) => {
    expect(() => map(events)).toThrowError(broken);
  });
});

describe('the bytes of an answer', () => {
  it('may hold comments, other spellings of records and a mark that is not of this protocol', () => {
    const events = readAll(
      `: hello\r\n\r\ndata: ${JSON.stringify(start)}\r\n\r\nevent: x\ndata: {"type":"ping"}\n\ndata: [DONE]\n\n`,
    );
    expect(events.map(({ type }) => type)).toEqual(['message_start', 'ping']);
  });

  it('may lack the last blank line', () => {
    expect(readAll('data: {"type":"message_stop"}')).toEqual([{ type: 'message_stop' }]);
  });

  it('are broken where a record is no JSON, with its beginning in the message', () => {
    expect(() => readAll('data: {"type":"mess\n\n')).toThrowError(/no JSON: "\{"type":"mess"/);
    expect(() => readAll('data: 5\n\n')).toThrowError(broken);
  });
});
