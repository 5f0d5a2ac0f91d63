import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { promptUsage } from '../../../src/core/usage.ts';
import { sseFraming } from '../../../src/http/answer/framing.ts';
import { toMessage } from '../../../src/http/anthropic/messages/from-core.ts';
import { pingRecord, startRecord, toMessageRecords } from '../../../src/http/anthropic/messages/records.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { accumulate } from './accumulate.ts';

const wish = { omitsThinking: false, appliedEdits: () => null };
const { frame } = sseFraming(pingRecord);

async function* streamOf(events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events;
}

async function transcript(events: readonly StreamEvent[], how: Partial<Parameters<typeof toMessageRecords>[2]> = {}) {
  const texts: string[] = [];
  for await (const record of toMessageRecords('msg_1', streamOf(events), { ...wish, hasBegun: false, ...how })) {
    texts.push(frame(record));
  }
  return texts.join('');
}

const reasoningEvents = (pieces: string[], blockId: number): StreamEvent[] => [
  { type: 'reasoning-start', blockId },
  ...pieces.map((text): StreamEvent => ({ type: 'reasoning-delta', blockId, text })),
  { type: 'reasoning-end', blockId, signature: null },
];
const ended = (changes: Partial<Extract<StreamEvent, { type: 'finish' }>>): StreamEvent => ({
  ...(finishEvent(3) as Extract<StreamEvent, { type: 'finish' }>),
  ...changes,
});

/** Every event of the stream at least once, and every kind of block. */
const stories: Record<string, StreamEvent[]> = {
  text: [startEvent(), ...textEvents(['Hel', 'lo'], 0), finishEvent(2)],
  'thinking-text-and-calls': [
    startEvent(),
    ...reasoningEvents(['I should ', 'look.'], 0),
    ...textEvents(['Let me look.'], 1),
    ...toolCallEvents(2, 'call_1', 'read', ['{"path": ', '"/tmp/a"', '}']),
    ...toolCallEvents(3, 'call_2', 'stop', ['']),
    ended({
      reason: 'tool_calls',
      usage: { ...promptUsage(5, 2), outputTokens: 9, reasoningTokens: 4 },
    }),
  ],
  'stop-sequence': [startEvent(), ...textEvents(['One'], 0), ended({ reason: 'stop_sequence', stopSequence: 'END' })],
  'cut-call': [
    startEvent(),
    ...toolCallEvents(0, 'call_1', 'write', ['{"path":"/tmp/a","te', 'xt":"half a li']),
    ended({ reason: 'length' }),
  ],
  empty: [
    startEvent(),
    ended({ reason: 'length', usage: { ...promptUsage(5, 2), outputTokens: 0, reasoningTokens: 0 } }),
  ],
  'foreign-blocks': [
    startEvent(),
    { type: 'redacted-reasoning', blockId: 0, data: 'c2VjcmV0' },
    {
      type: 'opaque',
      blockId: 1,
      dialect: 'anthropic',
      block: { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
    },
    { type: 'opaque', blockId: 2, dialect: 'openai', block: { type: 'anything' } },
    { type: 'text-start', blockId: 3 },
    { type: 'text-delta', blockId: 3, text: 'Found.' },
    {
      type: 'citation',
      blockId: 3,
      citation: {
        citedText: 'x',
        title: null,
        url: null,
        dialect: 'anthropic',
        raw: { type: 'char_location', cited_text: 'x', document_index: 0 },
      },
    },
    { type: 'text-end', blockId: 3 },
    ended({ reason: 'refusal' }),
  ],
};

describe('the stream of a message', () => {
  it.each(Object.keys(stories))('is as recorded: %s', async (name) => {
    const golden = await readFile(new URL(`../../fixtures/anthropic-stream/${name}.sse`, import.meta.url), 'utf8');
    expect(await transcript(stories[name]!)).toBe(golden);
  });

  it.each(Object.keys(stories))('adds up to the message that comes whole: %s', async (name) => {
    const message = accumulate(await transcript(stories[name]!));
    expect(message).toEqual(
      JSON.parse(JSON.stringify(toMessage('msg_1', await foldEvents(streamOf(stories[name]!)), wish))),
    );
  });

  it('ends each call with valid JSON and each block before the next, wherever the answer was cut', async () => {
    const whole = stories['thinking-text-and-calls']!;
    for (let length = 1; length < whole.length; length++) {
      const events = [...whole.slice(0, length), ended({ reason: 'length' })];
      const message = accumulate(await transcript(events)) as { stop_reason: string };
      expect(message.stop_reason).toBe('max_tokens');
    }
  });

  it('does not begin twice', async () => {
    const text = frame(startRecord('msg_1', 'tiny', null)) + (await transcript(stories['text']!, { hasBegun: true }));
    expect(text.match(/event: message_start/g)).toHaveLength(1);
    expect(accumulate(text)).toMatchObject({ model: 'tiny', content: [{ text: 'Hello' }], stop_reason: 'end_turn' });
  });

  it('shows no thoughts to those who do not want them, and lets the signature carry them', async () => {
    const text = await transcript(stories['thinking-text-and-calls']!, { omitsThinking: true });
    expect(text).not.toContain('thinking_delta');
    expect(text).toContain(`hearth-thinking-text-1.${Buffer.from('I should look.').toString('base64url')}`);
  });

  it('tells which edits were applied', async () => {
    const edit = { type: 'clear_thinking_20251015' as const, cleared_thinking_turns: 2, cleared_input_tokens: 40 };
    const text = await transcript(stories['text']!, { appliedEdits: () => [edit] });
    expect(text).toContain(`"context_management":{"applied_edits":[${JSON.stringify(edit)}]}`);
  });

  it.each([
    ['stop', 'end_turn'],
    ['stop_sequence', 'stop_sequence'],
    ['length', 'max_tokens'],
    ['context_full', 'model_context_window_exceeded'],
    ['tool_calls', 'tool_use'],
    ['refusal', 'refusal'],
    ['content_filter', 'refusal'],
    ['paused', 'pause_turn'],
  ] as const)('says %s as %s', async (reason, told) => {
    const text = await transcript([startEvent(), ended({ reason, stopSequence: 'x' })]);
    const message = accumulate(text) as { stop_sequence: string | null };
    expect(message).toMatchObject({ stop_reason: told, stop_details: told === 'refusal' ? { type: 'refusal' } : null });
    expect(message.stop_sequence).toBe(told === 'stop_sequence' ? 'x' : null);
  });

  it('throws what its events throw, and for a stream without an end', async () => {
    await expect(transcript([startEvent(), ...textEvents(['a'], 0)])).rejects.toThrow('without a finish');
  });
});
