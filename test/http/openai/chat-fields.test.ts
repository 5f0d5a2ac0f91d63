import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/core/events.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const chat = (body: object) =>
  harness.send('POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], ...body });
const lastInput = () => harness.gateway.calls.at(-1)!.request.input;
const look = { type: 'function', function: { name: 'look' } };
const write = { type: 'custom', custom: { name: 'write' } };

describe('calls of custom tools', () => {
  beforeEach(() => {
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'c1', 'write', ['{"input":"a\\', 'n\\"b', '\\""}']),
      ...toolCallEvents(1, 'c2', 'look', ['{"input":1}']),
      finishEvent(4, 'tool_calls'),
    ]);
  });

  it('hold the text itself', async () => {
    const { message, finish_reason } = (await chat({ tools: [look, write] })).json().choices[0];
    expect(finish_reason).toBe('tool_calls');
    expect(message.tool_calls).toEqual([
      { id: 'c1', type: 'custom', custom: { name: 'write', input: 'a\n"b"' } },
      { id: 'c2', type: 'function', function: { name: 'look', arguments: '{"input":1}' } },
    ]);
  });

  it('stream it piece by piece', async () => {
    const response = await chat({ tools: [look, write], stream: true });
    const calls = sseData(response.body)
      .slice(0, -1)
      .flatMap((item) => JSON.parse(item).choices[0].delta.tool_calls ?? []);
    expect(calls).toEqual([
      { index: 0, id: 'c1', type: 'custom', custom: { name: 'write', input: '' } },
      { index: 0, custom: { input: 'a' } },
      { index: 0, custom: { input: '\n"b' } },
      { index: 0, custom: { input: '"' } },
      { index: 1, id: 'c2', type: 'function', function: { name: 'look', arguments: '' } },
      { index: 1, function: { arguments: '{"input":1}' } },
    ]);
  });
});

describe('wishes for calls', () => {
  it.each([
    [
      { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [look] } },
      { type: 'allowed', names: ['look'] },
    ],
    [
      { type: 'custom', custom: { name: 'write' } },
      { type: 'tool', name: 'write' },
    ],
  ])('%j reaches the core', async (tool_choice, toolChoice) => {
    expect((await chat({ tools: [look, write], tool_choice })).statusCode).toBe(200);
    expect(lastInput()).toMatchObject({ toolChoice });
  });

  it.each([
    { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'x' } }] } },
    { type: 'custom', custom: { name: 'x' } },
  ])('%j is refused where no tool is called so', async (tool_choice) => {
    const response = await chat({ tools: [look, write], tool_choice });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ param: 'tool_choice', message: expect.stringContaining('"x"') });
  });

  it.each([
    { type: 'allowed_tools', allowed_tools: { mode: 'none', tools: [look] } },
    { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } },
    { type: 'allowed_tools' },
  ])('%j is no wish', async (tool_choice) => {
    const response = await chat({ tools: [look], tool_choice });
    expect(response.statusCode).toBe(400);
    expect(response.json().error.param).toMatch(/^tool_choice/);
  });
});

describe('reasoning_effort', () => {
  it('none switches thinking off, all else asks for it', async () => {
    await chat({ reasoning_effort: 'none' });
    expect(harness.gateway.calls[0]!.request.reasoning).toEqual({ mode: 'off' });
    await chat({ reasoning_effort: 'xhigh' });
    expect(harness.gateway.calls[1]!.request.reasoning).toEqual({ mode: 'on', effort: 'xhigh' });
    await chat({ reasoning_effort: null });
    expect(harness.gateway.calls[2]!.request).not.toHaveProperty('reasoning');
    expect((await chat({ reasoning_effort: 'huge' })).json().error.param).toBe('reasoning_effort');
  });

  it('is named as ignored where the provider says that it makes no difference', async () => {
    harness.gateway.play((): StreamEvent[] => [
      {
        ...(startEvent() as StreamEvent & { type: 'start' }),
        warnings: [{ field: 'reasoning.effort', message: 'no' }],
      },
      ...textEvents(['a'], 0),
      finishEvent(1),
    ]);
    for (const stream of [false, true]) {
      const { headers } = await chat({ reasoning_effort: 'low', store: true, stream });
      expect(headers['x-hearth-ignored']).toBe('store, reasoning_effort');
    }
  });
});

describe('verbosity', () => {
  const system = { role: 'system', content: 'Be kind.' };
  const texts = () => {
    const input = lastInput();
    if (input.type !== 'chat') throw new Error('no chat');
    return input.messages.map(({ role, content }) => [
      role,
      content.map((part) => (part.type === 'text' ? part.text : part)),
    ]);
  };

  it('stands behind the instructions, and medium changes nothing', async () => {
    await chat({ messages: [system, { role: 'user', content: 'Hi' }], verbosity: 'low' });
    expect(texts()).toEqual([
      ['system', ['Be kind.', expect.stringContaining('short')]],
      ['user', ['Hi']],
    ]);
    await chat({ verbosity: 'high' });
    expect(texts()).toEqual([
      ['system', [expect.stringContaining('detail')]],
      ['user', ['Hi']],
    ]);
    await chat({ verbosity: 'medium' });
    expect(texts()).toEqual([['user', ['Hi']]]);
  });
});

describe('the answer', () => {
  it('names the tier only where one was asked for', async () => {
    expect((await chat({})).json()).not.toHaveProperty('service_tier');
    expect((await chat({ service_tier: 'auto' })).json().service_tier).toBe('default');
    harness.gateway.play(() => [startEvent(), ...textEvents(['a'], 0), served('priority')]);
    expect((await chat({ service_tier: 'auto' })).json().service_tier).toBe('priority');
  });

  const served = (servedTier: string): StreamEvent => {
    const finish = finishEvent(1) as StreamEvent & { type: 'finish' };
    return { ...finish, usage: { ...finish.usage, servedTier } };
  };

  it('counts what came true of the prediction', async () => {
    const finish = finishEvent(1) as StreamEvent & { type: 'finish' };
    const usage = { ...finish.usage, prediction: { acceptedTokens: 7, rejectedTokens: 2 } };
    harness.gateway.play(() => [startEvent(), ...textEvents(['a'], 0), { ...finish, usage }]);
    const body = (await chat({ prediction: { type: 'content', content: 'x' }, n: 2 })).json();
    expect(body.usage.completion_tokens_details).toMatchObject({
      accepted_prediction_tokens: 14,
      rejected_prediction_tokens: 4,
    });
  });

  it('says where its texts come from', async () => {
    const citation = { citedText: null, title: 'T', url: 'https://a.example', dialect: 'openai' as const, raw: null };
    harness.gateway.play((): StreamEvent[] => [
      startEvent(),
      ...textEvents(['Two'], 0),
      { type: 'text-start', blockId: 1 },
      { type: 'text-delta', blockId: 1, text: ' words' },
      { type: 'citation', blockId: 1, citation },
      { type: 'text-end', blockId: 1 },
      finishEvent(2),
    ]);
    expect((await chat({})).json().choices[0].message.annotations).toEqual([
      { type: 'url_citation', url_citation: { start_index: 3, end_index: 9, title: 'T', url: 'https://a.example' } },
    ]);
  });
});
