import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../../src/core/chat.ts';
import {
  claudeCount,
  claudeQuestion,
  claudeTitle,
  claudeTurn,
  ephemeral,
  claudeHeaders as headers,
} from '../../support/agent-sessions/claude-code.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';
import { accumulate } from './accumulate.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['local'] });
});
afterEach(() => harness.close());

const post = (body: object, path = '') => harness.send('POST', `/v1/messages${path}?beta=true`, body, headers);

const question = claudeQuestion('What is in a.txt?', 'Monday');

describe('the session of a coding agent', () => {
  it('probes the server, lists models, counts and asks for a title', async () => {
    expect((await harness.send('HEAD', '/', undefined, headers)).statusCode).toBe(200);
    const models = await harness.send('GET', '/v1/models?limit=1000', undefined, headers);
    expect(models.json()).toMatchObject({ data: [{ type: 'model', id: 'tiny' }], has_more: false });
    const counted = await post(claudeCount('aaaaa', [question]), '/count_tokens');
    expect(counted.json()).toMatchObject({ input_tokens: 5 });
    const title = await post(claudeTitle('bbbbb', 'What is in a.txt?'));
    expect(title.statusCode, title.body).toBe(200);
    expect(harness.gateway.calls.at(-1)!.request.format).toMatchObject({ type: 'json-schema' });
  });

  it('calls a tool, sends its result with all that was answered, and begins its prompt as before', async () => {
    harness.gateway.play(() => [
      startEvent(),
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'I read it.' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      ...textEvents(['Let me look.'], 1),
      ...toolCallEvents(2, 'call_1', 'Read', ['{"file_path":', '"notes/a.txt"}']),
      finishEvent(9, 'tool_calls'),
    ]);
    const first = await post(claudeTurn('fa690', [question]));
    expect(first.statusCode, first.body).toBe(200);
    expect(first.headers['x-hearth-left-out']).toBe('claude-code-attribution');
    const answer = accumulate(first.body) as { content: { type: string; id?: string }[]; stop_reason: string };
    expect(answer.stop_reason).toBe('tool_use');
    expect(answer.content.map(({ type }) => type)).toEqual(['thinking', 'text', 'tool_use']);

    harness.gateway.play(() => [startEvent(), ...textEvents(['It says hello.'], 0), finishEvent(4)]);
    const result = {
      role: 'user' as const,
      content: [
        {
          type: 'tool_result',
          tool_use_id: answer.content[2]!.id,
          content: [{ type: 'text', text: 'hello' }],
          is_error: false,
        },
        {
          type: 'text',
          text: '<system-reminder>\nYou have 1000 tokens left.\n</system-reminder>',
          cache_control: ephemeral,
        },
      ],
    };
    const second = await post(claudeTurn('0c1d2', [question, { role: 'assistant', content: answer.content }, result]));
    expect(second.statusCode, second.body).toBe(200);
    expect(accumulate(second.body)).toMatchObject({
      stop_reason: 'end_turn',
      context_management: { applied_edits: [] },
    });

    const [before, after] = harness.gateway.calls.map(({ request }) => request.input);
    if (before?.type !== 'chat' || after?.type !== 'chat') throw new Error('conversations');
    expect(after.messages.slice(0, before.messages.length)).toEqual(before.messages);
    expect(after.tools).toEqual(before.tools);
    expect(after.messages.slice(before.messages.length)).toEqual<ChatMessage[]>([
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'I read it.', signature: null, redactedData: null, origin: null },
          { type: 'text', text: 'Let me look.' },
          { type: 'tool-call', id: 'toolu_1', name: 'Read', arguments: { file_path: 'notes/a.txt' } },
        ],
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool-result',
            callId: 'toolu_1',
            name: 'Read',
            isError: false,
            content: [{ type: 'text', text: 'hello' }],
          },
          {
            type: 'text',
            text: '<system-reminder>\nYou have 1000 tokens left.\n</system-reminder>',
            cacheMark: { ttlSeconds: 300 },
          },
        ],
      },
    ]);
  });
});
