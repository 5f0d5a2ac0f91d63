import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finishEvent, startEvent, toolCallEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const functions = [{ name: 'weather', description: 'Of a city', parameters: { type: 'object' } }];
const chat = (body: object) =>
  harness.send('POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], ...body });
const lastInput = () => harness.gateway.calls.at(-1)!.request.input;

describe("functions, OpenAI's older form of tools", () => {
  it.each([
    [undefined, { type: 'auto' }],
    ['auto', { type: 'auto' }],
    ['none', { type: 'none' }],
    [{ name: 'weather' }, { type: 'tool', name: 'weather' }],
  ])('with function_call %j are tools of which one is called', async (function_call, toolChoice) => {
    expect((await chat({ functions, function_call })).statusCode).toBe(200);
    expect(lastInput()).toMatchObject({ tools: functions, toolChoice, parallelToolCalls: false });
  });

  it('are answered in the same form, whole and streamed', async () => {
    harness.gateway.play(() => [
      startEvent(),
      ...toolCallEvents(0, 'call_a', 'weather', ['{"city":', '"Oslo"}']),
      finishEvent(9, 'tool_calls'),
    ]);
    const [choice] = (await chat({ functions })).json().choices;
    expect(choice).toMatchObject({ finish_reason: 'function_call' });
    expect(choice.message).toEqual({
      role: 'assistant',
      content: null,
      annotations: [],
      refusal: null,
      function_call: { name: 'weather', arguments: '{"city":"Oslo"}' },
    });
    const deltas = sseData((await chat({ functions, stream: true })).body)
      .slice(1, -1)
      .map((item) => JSON.parse(item).choices[0]);
    expect(deltas.map(({ delta }) => delta)).toEqual([
      { function_call: { name: 'weather', arguments: '' } },
      { function_call: { arguments: '{"city":' } },
      { function_call: { arguments: '"Oslo"}' } },
      {},
    ]);
    expect(deltas.at(-1).finish_reason).toBe('function_call');
  });

  it.each<[object, string]>([
    [{ functions, tools: [{ type: 'function', function: functions[0] }] }, 'functions'],
    [{ function_call: { name: 'weather' } }, 'function_call'],
    [{ functions, function_call: { name: 'time' } }, 'function_call'],
    [{ functions: [...functions, ...functions] }, 'functions.1.name'],
    [{ functions: [{ name: 'f', parameters: { type: 'string' } }] }, 'functions.0.parameters'],
  ])('are refused by name: %j', async (fields, param) => {
    const response = await chat(fields);
    expect([response.statusCode, response.json().error.param]).toEqual([400, param]);
  });
});

describe('continue_final_message', () => {
  const begun = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'GGUF is' },
  ];

  it('says that the answer goes on in the last message', async () => {
    const fields = { messages: begun, continue_final_message: true, add_generation_prompt: false };
    expect((await chat(fields)).statusCode).toBe(200);
    expect(lastInput()).toMatchObject({ continuesLast: true });
    await chat({ messages: begun });
    expect(lastInput()).not.toHaveProperty('continuesLast');
  });

  it.each<[object, string]>([
    [{ continue_final_message: true }, 'continue_final_message'],
    [{ messages: begun, add_generation_prompt: false }, 'add_generation_prompt'],
  ])('is refused where nothing can be gone on with: %j', async (fields, param) => {
    const response = await chat(fields);
    expect([response.statusCode, response.json().error.param]).toEqual([400, param]);
  });
});
