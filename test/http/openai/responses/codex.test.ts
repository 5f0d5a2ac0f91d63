import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../../src/core/events.ts';
import { answerEvents, finishEvent, startEvent, toolCallEvents } from '../../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

/** What Codex sends with every turn, beside the conversation; written by hand after its documents. */
const common = {
  model: 'tiny',
  instructions: 'You are Codex, a coding agent.',
  tools: [
    {
      type: 'function',
      name: 'exec_command',
      description: 'Runs a command.',
      strict: false,
      parameters: { type: 'object', properties: { cmd: { type: 'string' } }, required: ['cmd'] },
    },
    {
      type: 'custom',
      name: 'apply_patch',
      description: 'Edits files.',
      format: { type: 'grammar', syntax: 'lark', definition: 'start: begin_patch hunk+ end_patch' },
    },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  reasoning: { effort: 'medium', summary: 'auto' },
  store: false,
  stream: true,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: '0199a213-81c0-7800-8aa1-bbab2a035a53',
  text: { verbosity: 'low' },
  client_metadata: { 'x-codex-installation-id': '1' },
};
const text = (role: string, content: string) => ({
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text: content }],
});

async function turn(input: object[]): Promise<{ items: Record<string, unknown>[]; types: string[] }> {
  const response = await harness.send('POST', '/v1/responses', { ...common, input });
  expect(response.statusCode).toBe(200);
  const events = sseData(response.body).map((data) => JSON.parse(data));
  expect(events.at(-1).type).toBe('response.completed');
  return {
    items: events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : [])),
    types: events.map(({ type }) => type),
  };
}

const think = (words: string): StreamEvent[] => [
  { type: 'reasoning-start', blockId: 0 },
  { type: 'reasoning-delta', blockId: 0, text: words },
  { type: 'reasoning-end', blockId: 0, signature: null },
];

describe('a session of Codex', () => {
  it('looks for models, tries a WebSocket, works by stateless turns, compacts and goes on', async () => {
    const list = await harness.send('GET', '/v1/models?client_version=0.153.0');
    expect(list.json().models).toMatchObject([{ slug: 'tiny', apply_patch_tool_type: 'freeform' }]);
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    expect((await harness.send('GET', '/v1/responses', undefined, upgrade)).statusCode).toBe(426);

    const history: object[] = [
      text('developer', '<permissions instructions>Sandboxed.</permissions instructions>'),
      text('user', '<environment_context><cwd>/repo</cwd></environment_context>'),
      text('user', 'Rename a to b.'),
    ];
    harness.gateway.play(() => [
      startEvent(),
      ...think('Look first.'),
      ...toolCallEvents(1, 'call_1', 'exec_command', ['{"cmd":', '"ls"}']),
      finishEvent(5, 'tool_calls'),
    ]);
    const first = await turn(history);
    expect(first.items).toMatchObject([
      { type: 'reasoning', summary: [{ text: 'Look first.' }], encrypted_content: expect.stringMatching(/^hearth1\./) },
      { type: 'function_call', name: 'exec_command', call_id: 'call_1', arguments: '{"cmd":"ls"}' },
    ]);
    history.push(...first.items, { type: 'function_call_output', call_id: 'call_1', output: 'a.txt' });

    const patch = '*** Begin Patch\n*** Update File: a.txt\n@@\n-a\n+b\n*** End Patch\n';
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_2', 'apply_patch', [JSON.stringify({ input: patch })]),
      finishEvent(5, 'tool_calls'),
    ]);
    const second = await turn(history);
    expect(second.types).toContain('response.custom_tool_call_input.delta');
    expect(second.items).toMatchObject([{ type: 'custom_tool_call', name: 'apply_patch', input: patch }]);
    const before = harness.gateway.calls[0]!.request.input;
    const after = harness.gateway.calls[1]!.request.input;
    if (before.type !== 'chat' || after.type !== 'chat') throw new Error('both are conversations');
    // What was said stays as it was, so that what was computed of it can be used again.
    expect(after.messages.slice(0, before.messages.length)).toEqual(before.messages);
    expect(after.messages.slice(before.messages.length)).toMatchObject([
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Look first.' },
          { type: 'tool-call', id: 'call_1' },
        ],
      },
      { role: 'user', content: [{ type: 'tool-result', callId: 'call_1' }] },
    ]);
    history.push(...second.items, { type: 'custom_tool_call_output', call_id: 'call_2', output: 'Done.' });

    harness.gateway.play(() => answerEvents(['Renamed.']));
    history.push(...(await turn(history)).items);
    harness.gateway.play(() => answerEvents(['a was renamed to b.']));
    const compacted = await harness.send('POST', '/v1/responses/compact', {
      model: 'tiny',
      instructions: common.instructions,
      input: history,
    });
    expect(compacted.statusCode).toBe(200);
    harness.gateway.play(() => answerEvents(['Yes.']));
    await turn([...compacted.json().output, text('user', 'Is it done?')]);
    expect(harness.gateway.calls.at(-1)!.request.input).toMatchObject({
      messages: [
        { role: 'system' },
        { role: 'user' },
        { role: 'user' },
        { role: 'user', content: [{ text: expect.stringContaining('a was renamed to b.') }] },
        { role: 'user', content: [{ text: 'Is it done?' }] },
      ],
    });
  });
});
