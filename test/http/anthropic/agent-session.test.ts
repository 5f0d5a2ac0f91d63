import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../../src/core/chat.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';
import { accumulate } from './accumulate.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['local'] });
});
afterEach(() => harness.close());

/** Headers as a coding agent sends them through the SDK of its time. */
const headers = {
  authorization: 'Bearer local',
  'anthropic-version': '2023-06-01',
  'anthropic-beta':
    'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24',
  'anthropic-dangerous-direct-browser-access': 'true',
  'user-agent': 'claude-cli/2.1.328 (external, cli)',
  'x-app': 'cli',
  'x-stainless-lang': 'js',
  'x-stainless-retry-count': '0',
  'x-stainless-timeout': '600',
};
const ephemeral = { type: 'ephemeral' };
const input_schema = (properties: object, required: string[]) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const tools = [
  {
    name: 'Read',
    description: 'Reads a file.',
    input_schema: input_schema({ file_path: { type: 'string' } }, ['file_path']),
  },
  {
    name: 'Bash',
    description: 'Runs a command.',
    input_schema: input_schema({ command: { type: 'string' }, timeout: { type: 'number' } }, ['command']),
    eager_input_streaming: true,
    defer_loading: false,
  },
];

/** A turn of an agent. `hash`: what its attribution line holds this time. */
const turn = (hash: string, messages: object[]) => ({
  model: 'default',
  max_tokens: 32_000,
  stream: true,
  system: [
    {
      type: 'text',
      text: `x-anthropic-billing-header: cc_version=2.1.328.${hash.slice(0, 3)}; cc_entrypoint=cli; cch=${hash};`,
    },
    { type: 'text', text: "You are a coding agent on the user's machine.", cache_control: ephemeral },
    { type: 'text', text: 'Rules of the house.\n\nWorking folder: /work', cache_control: ephemeral },
  ],
  messages,
  tools,
  thinking: { type: 'adaptive' },
  output_config: { effort: 'high' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  metadata: { user_id: '{"device_id":"d","account_uuid":"","session_id":"s"}' },
});
const post = (body: object, path = '') => harness.send('POST', `/v1/messages${path}?beta=true`, body, headers);

const question = {
  role: 'user',
  content: [
    { type: 'text', text: '<system-reminder>\nToday is Monday.\n</system-reminder>' },
    { type: 'text', text: 'What is in a.txt?', cache_control: ephemeral },
  ],
};

describe('the session of a coding agent', () => {
  it('probes the server, lists models, counts and asks for a title', async () => {
    expect((await harness.send('HEAD', '/', undefined, headers)).statusCode).toBe(200);
    const models = await harness.send('GET', '/v1/models?limit=1000', undefined, headers);
    expect(models.json()).toMatchObject({ data: [{ type: 'model', id: 'tiny' }], has_more: false });
    const { stream: _stream, max_tokens: _maxTokens, metadata: _metadata, ...countable } = turn('aaaaa', [question]);
    expect((await post(countable, '/count_tokens')).json()).toMatchObject({ input_tokens: 5 });
    const title = await post({
      model: 'default',
      max_tokens: 512,
      temperature: 1,
      messages: [{ role: 'user', content: 'Give this conversation a title.' }],
      tools: [],
      output_config: {
        format: { type: 'json_schema', schema: { type: 'object', properties: { title: { type: 'string' } } } },
      },
    });
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
    const first = await post(turn('fa690', [question]));
    expect(first.statusCode, first.body).toBe(200);
    expect(first.headers['x-hearth-left-out']).toBe('claude-code-attribution');
    const answer = accumulate(first.body) as { content: { type: string; id?: string }[]; stop_reason: string };
    expect(answer.stop_reason).toBe('tool_use');
    expect(answer.content.map(({ type }) => type)).toEqual(['thinking', 'text', 'tool_use']);

    harness.gateway.play(() => [startEvent(), ...textEvents(['It says hello.'], 0), finishEvent(4)]);
    const result = {
      role: 'user',
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
    const second = await post(turn('0c1d2', [question, { role: 'assistant', content: answer.content }, result]));
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
