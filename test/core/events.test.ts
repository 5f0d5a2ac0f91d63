import { describe, expect, it } from 'vitest';
import { foldEvents, type StreamEvent } from '../../src/core/events.ts';
import { totalTokens, unknownTimings, unknownUsage } from '../../src/core/usage.ts';

async function* stream(...events: StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events;
}

const finish: StreamEvent = {
  type: 'finish',
  reason: 'tool_calls',
  stopSequence: null,
  usage: { promptTokens: 4, completionTokens: 3, cachedPromptTokens: 2, reasoningTokens: 1 },
  timings: { queueMs: 1, prefillMs: 2, decodeMs: 3 },
};

describe('folding a stream into an answer', () => {
  it('joins text, reasoning and tool calls, and keeps usage and timings', async () => {
    const answer = await foldEvents(
      stream(
        { type: 'progress', stage: 'loading' },
        { type: 'start', model: 'm', promptTokens: 4, cachedPromptTokens: 2 },
        { type: 'reasoning-start', blockId: 0 },
        { type: 'reasoning-delta', blockId: 0, text: 'h' },
        { type: 'reasoning-delta', blockId: 0, text: 'm' },
        { type: 'reasoning-end', blockId: 0 },
        { type: 'text-start', blockId: 1 },
        { type: 'text-delta', blockId: 1, text: 'Hi' },
        { type: 'text-end', blockId: 1 },
        { type: 'tool-call-start', blockId: 2, id: 'call_1', name: 'f' },
        { type: 'tool-call-delta', blockId: 2, argumentsText: '{"a":' },
        { type: 'tool-call-delta', blockId: 2, argumentsText: '1}' },
        { type: 'tool-call-end', blockId: 2 },
        { type: 'tool-call-start', blockId: 3, id: 'call_2', name: 'g' },
        { type: 'tool-call-end', blockId: 3 },
        finish,
      ),
    );
    expect(answer).toMatchObject({
      model: 'm',
      text: 'Hi',
      reasoning: 'hm',
      toolCalls: [
        { id: 'call_1', name: 'f', arguments: { a: 1 } },
        { id: 'call_2', name: 'g', arguments: {} },
      ],
      toolCallArguments: ['{"a":1}', ''],
      reason: 'tool_calls',
      usage: { promptTokens: 4, completionTokens: 3 },
      timings: { queueMs: 1, prefillMs: 2, decodeMs: 3 },
    });
  });

  it('keeps the text of arguments that are no JSON object', async () => {
    const answer = await foldEvents(
      stream(
        { type: 'tool-call-start', blockId: 0, id: 'call_1', name: 'f' },
        { type: 'tool-call-delta', blockId: 0, argumentsText: '[1]' },
        { type: 'tool-call-end', blockId: 0 },
        finish,
      ),
    );
    expect(answer.toolCalls[0]?.arguments).toEqual({});
    expect(answer.toolCallArguments).toEqual(['[1]']);
  });

  it('throws when the stream ends without a finish, however much text came', async () => {
    await expect(foldEvents(stream({ type: 'text-delta', blockId: 0, text: 'half' }))).rejects.toThrow(
      /without a finish/,
    );
  });

  it('knows a total only when both parts are known', () => {
    expect(totalTokens({ ...unknownUsage, promptTokens: 3, completionTokens: 4 })).toBe(7);
    expect(totalTokens({ ...unknownUsage, promptTokens: 3 })).toBeNull();
    expect(unknownTimings.queueMs).toBeNull();
  });
});
