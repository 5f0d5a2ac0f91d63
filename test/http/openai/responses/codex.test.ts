import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../../src/core/events.ts';
import { codexHeaders, codexPreamble, codexTurn, codexMessage as text } from '../../../support/agent-sessions/codex.ts';
import { answerEvents, finishEvent, startEvent, toolCallEvents } from '../../../support/fake-engine.ts';
import { createHarness, type Harness } from '../../harness.ts';
import { accumulateResponse } from './accumulate.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

async function turn(input: object[]): Promise<{ items: Record<string, unknown>[]; body: string }> {
  const { statusCode, body } = await harness.send('POST', '/v1/responses', codexTurn('tiny', input), codexHeaders);
  expect(statusCode, body).toBe(200);
  const { status, output } = accumulateResponse(body);
  expect(status).toBe('completed');
  return { items: output, body };
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

    const history: object[] = [...codexPreamble, text('user', 'Rename a to b.')];
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
    expect(second.body).toContain('response.custom_tool_call_input.delta');
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
      instructions: codexTurn('tiny', []).instructions,
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

  it('has tools in namespaces, which come back under the names that it gave them', async () => {
    const close = { type: 'function', name: 'close_agent', parameters: { type: 'object', properties: {} } };
    const note = { type: 'custom', name: 'note' };
    const agents = { type: 'namespace', name: 'agents', description: 'Agents below.', tools: [close, note] };
    const ask = (input: object[]) =>
      harness.send('POST', '/v1/responses', { model: 'tiny', input, tools: [close, agents] });
    const history: object[] = [text('user', 'Close them.')];
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_1', 'agents__close_agent', ['{}']),
      ...toolCallEvents(1, 'call_2', 'agents__note', ['{"input":"done"}']),
      finishEvent(5, 'tool_calls'),
    ]);
    const { output } = (await ask(history)).json();
    expect(output).toMatchObject([
      { type: 'function_call', name: 'close_agent', namespace: 'agents', call_id: 'call_1' },
      { type: 'custom_tool_call', name: 'note', namespace: 'agents', input: 'done' },
    ]);
    const [first] = harness.gateway.calls;
    expect(first!.request.input).toMatchObject({
      tools: [
        { name: 'close_agent' },
        { name: 'agents__close_agent', description: 'Agents below.' },
        { name: 'agents__note' },
      ],
    });

    harness.gateway.play(() => answerEvents(['Closed.']));
    const result = { type: 'function_call_output', call_id: 'call_1', output: 'ok' };
    const noted = { type: 'custom_tool_call_output', call_id: 'call_2', output: 'ok' };
    expect((await ask([...history, ...output, result, noted])).statusCode).toBe(200);
    const { input } = harness.gateway.calls.at(-1)!.request;
    expect(JSON.stringify(input)).toContain('"name":"agents__close_agent"');
  });

  it('is told which tool of a namespace is at fault', async () => {
    const tools = [{ type: 'namespace', name: 'a', tools: [{ type: 'function', name: 'no space' }] }];
    const answer = await harness.send('POST', '/v1/responses', { model: 'tiny', input: 'Hi', tools });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.param).toBe('tools.0.tools.0.name');
  });
});
