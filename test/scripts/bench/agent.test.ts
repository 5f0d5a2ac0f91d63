import { describe, expect, it } from 'vitest';
import { readMessage, readResponse } from '../../../scripts/bench/agent-answer.ts';
import { agentSetting, anthropicAgent, responsesAgent } from '../../../scripts/bench/agent-dialects.ts';

const records = (...events: object[]) =>
  events.map((event, index) => ({ data: JSON.stringify(event), atMs: 10 * index }));

const message = records(
  { type: 'message_start', message: { usage: { input_tokens: 0 } } },
  { type: 'ping' },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Now ' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'this.' } },
  { type: 'content_block_stop', index: 0 },
  {
    type: 'content_block_start',
    index: 1,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
  },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"place":' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '"house"}' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'message_delta', usage: { input_tokens: 30, cache_read_input_tokens: 70, output_tokens: 9 } },
  { type: 'message_stop' },
);

const call = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'look', arguments: '{"place":"house"}' };
const response = records(
  { type: 'response.created', response: {} },
  { type: 'response.output_item.added', item: call },
  {
    type: 'response.completed',
    response: {
      output: [call],
      usage: { input_tokens: 100, input_tokens_details: { cached_tokens: 70 }, output_tokens: 9 },
    },
  },
);

const counts = { promptTokens: 100, cachedTokens: 70, outputTokens: 9, failure: null };

describe('an answer of an agent session', () => {
  it('is read out of the stream of messages, its blocks as they go back', () => {
    expect(readMessage(message)).toEqual({
      ...counts,
      firstRecordMs: 0,
      firstContentMs: 20,
      content: [
        { type: 'text', text: 'Now this.' },
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { place: 'house' } },
      ],
      callIds: ['toolu_1'],
    });
  });

  it('is read out of the stream of a response, its items as they go back', () => {
    expect(readResponse(response)).toEqual({
      ...counts,
      firstRecordMs: 0,
      firstContentMs: 10,
      content: [call],
      callIds: ['call_1'],
    });
  });

  it.each([
    ['messages', readMessage, message.slice(0, -1)],
    ['a response', readResponse, response.slice(0, -1)],
  ])('of %s that has no end is a failure', (_name, read, cut) => {
    expect(read(cut).failure).toContain('without its last event');
  });

  it('says why it failed', () => {
    expect(readMessage(records({ type: 'error', error: { message: 'full' } })).failure).toBe('full');
    const failed = { type: 'response.failed', response: { error: { message: 'full' } } };
    expect(readResponse(records(failed)).failure).toBe('full');
  });
});

describe('a conversation of an agent', () => {
  it.each([
    [anthropicAgent, message],
    [responsesAgent, response],
  ])('goes on with the answer and the results of its calls: $name', (dialect, stream) => {
    const answer = dialect.read(stream);
    const added = dialect.after(answer, (id) => `result of ${id}`);
    const text = JSON.stringify(added);
    expect(text).toContain(`result of ${answer.callIds[0]}`);
    expect(added.slice(0, -1)).toEqual(
      dialect === anthropicAgent ? [{ role: 'assistant', content: answer.content }] : answer.content,
    );
  });

  it('begins with a line that differs each time, and with a setting that only another seed changes', () => {
    const ask = (number: number, seed: number) =>
      anthropicAgent.body({ model: 'm', setting: agentSetting(100, seed), conversation: [], maxTokens: 8, number });
    const [one, two, other] = [ask(1, 7), ask(2, 7), ask(1, 8)] as { system: { text: string }[]; tools: object[] }[];
    expect(one!.system[0]).not.toEqual(two!.system[0]);
    expect(one!.system[1]).toEqual(two!.system[1]);
    expect(one!.tools).toEqual(two!.tools);
    expect(one!.tools).not.toEqual(other!.tools);
  });
});
