import { describe, expect, it } from 'vitest';
import {
  type BlockEvent,
  coarseReason,
  createChoiceTagger,
  foldEvents,
  isContent,
  type StreamEvent,
} from '../../src/core/events.ts';
import { promptUsage, unknownTimings } from '../../src/core/usage.ts';

async function* stream(...events: StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events;
}

const usage = { ...promptUsage(4, 2), outputTokens: 3, reasoningTokens: 1 };
const timings = { queueMs: 1, prefillMs: 2, decodeMs: 3 };
const start: StreamEvent = { type: 'start', responseId: 'r_1', model: 'm', usage: promptUsage(4, 2), warnings: [] };
const finish: StreamEvent = {
  type: 'finish',
  reason: 'tool_calls',
  rawReason: 'tool_use',
  stopSequence: null,
  usage,
  timings,
};

describe('folding a stream into an answer', () => {
  it('keeps the blocks in their order, each with all that came with it', async () => {
    const citation = { citedText: 'so it is', title: 'Book', url: null, dialect: 'anthropic' as const, raw: { at: 1 } };
    const answer = await foldEvents(
      stream(
        { type: 'progress', stage: 'loading' },
        start,
        { type: 'reasoning-start', blockId: 0 },
        { type: 'reasoning-delta', blockId: 0, text: 'h' },
        { type: 'reasoning-delta', blockId: 0, text: 'm' },
        { type: 'reasoning-end', blockId: 0, signature: 'sig' },
        { type: 'redacted-reasoning', blockId: 1, data: 'xyz' },
        { type: 'text-start', blockId: 2 },
        { type: 'text-delta', blockId: 2, text: 'Hi' },
        { type: 'citation', blockId: 2, citation },
        { type: 'text-end', blockId: 2 },
        { type: 'tool-call-start', blockId: 3, id: 'call_1', name: 'f' },
        { type: 'tool-call-delta', blockId: 3, argumentsText: '{"a":' },
        { type: 'tool-call-delta', blockId: 3, argumentsText: '1}' },
        { type: 'tool-call-end', blockId: 3 },
        { type: 'opaque', blockId: 4, dialect: 'anthropic', block: { type: 'server_tool_use' } },
        { type: 'text-start', blockId: 5 },
        { type: 'text-delta', blockId: 5, text: 'Bye' },
        { type: 'text-end', blockId: 5 },
        finish,
      ),
      'anthropic',
    );
    const origin = { provider: 'anthropic', model: 'm' };
    expect(answer).toEqual({
      responseId: 'r_1',
      model: 'm',
      warnings: [],
      choices: [
        {
          blocks: [
            { type: 'reasoning', text: 'hm', signature: 'sig', redactedData: null, origin },
            { type: 'reasoning', text: '', signature: null, redactedData: 'xyz', origin },
            { type: 'text', text: 'Hi', citations: [citation] },
            { type: 'tool-call', id: 'call_1', name: 'f', arguments: { a: 1 }, argumentsText: '{"a":1}' },
            { type: 'opaque', dialect: 'anthropic', block: { type: 'server_tool_use' } },
            { type: 'text', text: 'Bye' },
          ],
          logprobs: [],
          reason: 'tool_calls',
          rawReason: 'tool_use',
          stopSequence: null,
        },
      ],
      usage,
      timings,
    });
  });

  it('keeps the text of arguments that are no JSON object', async () => {
    const answer = await foldEvents(
      stream(
        start,
        { type: 'tool-call-start', blockId: 0, id: 'call_1', name: 'f' },
        { type: 'tool-call-delta', blockId: 0, argumentsText: '[1]' },
        { type: 'tool-call-end', blockId: 0 },
        { type: 'tool-call-start', blockId: 1, id: 'call_2', name: 'g' },
        { type: 'tool-call-end', blockId: 1 },
        finish,
      ),
    );
    expect(answer.choices[0].blocks).toEqual([
      { type: 'tool-call', id: 'call_1', name: 'f', arguments: {}, argumentsText: '[1]' },
      { type: 'tool-call', id: 'call_2', name: 'g', arguments: {}, argumentsText: '' },
    ]);
  });

  it('tells choices apart, however their blocks come in turn, and how each ended', async () => {
    const answer = await foldEvents(
      stream(
        start,
        { type: 'text-start', blockId: 0 },
        { type: 'text-start', blockId: 1, choice: 1 },
        { type: 'text-delta', blockId: 1, choice: 1, text: 'second' },
        { type: 'text-delta', blockId: 0, text: 'first' },
        { type: 'text-end', blockId: 1, choice: 1 },
        { type: 'choice-end', choice: 1, reason: 'length', rawReason: null, stopSequence: null },
        { type: 'text-end', blockId: 0 },
        { type: 'choice-end', choice: 0, reason: 'stop_sequence', rawReason: null, stopSequence: '.' },
        { ...finish, reason: 'stop' },
      ),
    );
    expect(answer.choices).toMatchObject([
      { blocks: [{ type: 'text', text: 'first' }], reason: 'stop_sequence', stopSequence: '.' },
      { blocks: [{ type: 'text', text: 'second' }], reason: 'length', stopSequence: null },
    ]);
  });

  it('throws when the stream ends without a finish, however much text came', async () => {
    const half: StreamEvent[] = [
      { type: 'text-start', blockId: 0 },
      { type: 'text-delta', blockId: 0, text: 'half' },
    ];
    await expect(foldEvents(stream(start, ...half))).rejects.toThrow(/without a finish/);
  });

  it('throws for a piece whose block was never begun, or is of another kind', async () => {
    await expect(foldEvents(stream(start, { type: 'text-delta', blockId: 0, text: 'a' }, finish))).rejects.toThrow(
      '"text-delta"',
    );
    const wrong: StreamEvent[] = [
      { type: 'reasoning-start', blockId: 0 },
      { type: 'text-delta', blockId: 0, text: 'a' },
    ];
    await expect(foldEvents(stream(start, ...wrong, finish))).rejects.toThrow('"text-delta"');
  });
});

describe('events', () => {
  it('are content but for progress and the start', () => {
    expect([{ type: 'progress', stage: 'loading' } as const, start, finish].map(isContent)).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('of several choices get block ids of one counter', () => {
    const tag = createChoiceTagger();
    const begin = (blockId: number): BlockEvent => ({ type: 'text-start', blockId });
    expect([tag(0, begin(0)), tag(1, begin(0)), tag(0, begin(1)), tag(1, begin(0))]).toEqual([
      { type: 'text-start', blockId: 0, choice: 0 },
      { type: 'text-start', blockId: 1, choice: 1 },
      { type: 'text-start', blockId: 2, choice: 0 },
      { type: 'text-start', blockId: 1, choice: 1 },
    ]);
  });

  it.each([
    ['stop', 'stop'],
    ['stop_sequence', 'stop'],
    ['length', 'length'],
    ['context_full', 'length'],
    ['tool_calls', 'tool_calls'],
    ['refusal', 'content_filter'],
    ['content_filter', 'content_filter'],
    ['paused', 'stop'],
    ['cancelled', 'cancelled'],
  ] as const)('end with "%s" as "%s" where only coarse words are known', (reason, expected) => {
    expect(coarseReason(reason)).toBe(expected);
  });

  it('know no times of what did not happen', () => {
    expect(Object.values(unknownTimings)).toEqual([null, null, null]);
  });
});
