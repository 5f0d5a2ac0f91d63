import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { chatLine } from '../../../src/http/ollama/chat/schema.ts';
import {
  answerEvents,
  finishEvent,
  modelInfo,
  startEvent,
  textEvents,
  toolCallEvents,
} from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';
import { linesOf } from './lines.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const createdAt = '2026-03-04T05:06:07.089Z';
const hi = [{ role: 'user', content: 'Hi' }];
const chat = (body: object, headers = {}) =>
  harness.send('POST', '/api/chat', { model: 'tiny:latest', messages: hi, ...body }, headers);
const lastRequest = () => harness.gateway.calls.at(-1)!.request;
const play = (...events: StreamEvent[]) => harness.gateway.play(() => [startEvent(), ...events]);
/** Counts and times of the fake's answers: the total is never less than its parts. */
const ending = (evalCount: number) => ({
  total_duration: 3_000_000,
  load_duration: 0,
  prompt_eval_count: 5,
  prompt_eval_duration: 1_000_000,
  eval_count: evalCount,
  eval_duration: 2_000_000,
});

describe('a transcript', () => {
  it('of text, in lines and whole', async () => {
    const head = { model: 'tiny:latest', created_at: createdAt };
    const streamed = await chat({});
    expect(streamed.headers['content-type']).toBe('application/x-ndjson');
    expect(linesOf(streamed.body)).toEqual([
      { ...head, message: { role: 'assistant', content: 'Hello' }, done: false },
      { ...head, message: { role: 'assistant', content: ' world' }, done: false },
      { ...head, message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', ...ending(2) },
    ]);
    const whole = await chat({ stream: false });
    expect(whole.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(whole.json()).toEqual({
      ...head,
      message: { role: 'assistant', content: 'Hello world' },
      done: true,
      done_reason: 'stop',
      ...ending(2),
    });
  });

  it('of reasoning and calls, in lines and whole', async () => {
    const events: StreamEvent[] = [
      { type: 'reasoning-start', blockId: 0 },
      { type: 'reasoning-delta', blockId: 0, text: 'A city.' },
      { type: 'reasoning-end', blockId: 0, signature: null },
      ...textEvents(['Look:'], 1),
      ...toolCallEvents(2, 'call_a', 'weather', ['{"city":', '"Oslo"}']),
      ...toolCallEvents(3, 'call_b', 'time', []),
      finishEvent(9, 'tool_calls'),
    ];
    play(...events);
    const calls = [
      { id: 'call_a', function: { index: 0, name: 'weather', arguments: { city: 'Oslo' } } },
      { id: 'call_b', function: { index: 1, name: 'time', arguments: {} } },
    ];
    const lines = linesOf<{ message: object; done: boolean }>((await chat({})).body);
    expect(lines.map(({ message }) => message)).toEqual([
      { role: 'assistant', content: '', thinking: 'A city.' },
      { role: 'assistant', content: 'Look:' },
      { role: 'assistant', content: '', tool_calls: [calls[0]] },
      { role: 'assistant', content: '', tool_calls: [calls[1]] },
      { role: 'assistant', content: '' },
    ]);
    expect(lines.at(-1)).toMatchObject({ done: true, done_reason: 'stop' });
    expect((await chat({ stream: false })).json()).toMatchObject({
      message: { role: 'assistant', content: 'Look:', thinking: 'A city.', tool_calls: calls },
      done_reason: 'stop',
    });
  });

  it('of log probabilities, each in the line of its text', async () => {
    const token = (text: string, logprob: number) => ({ text, bytes: [...Buffer.from(text)], logprob });
    play(
      { type: 'text-start', blockId: 0 },
      { type: 'logprobs', tokens: [{ ...token('H', -0.5), top: [token('H', -0.5), token('J', -1)] }] },
      { type: 'logprobs', tokens: [{ ...token('i', -0.25), top: [] }] },
      { type: 'text-delta', blockId: 0, text: 'Hi' },
      { type: 'text-end', blockId: 0 },
      finishEvent(2),
    );
    const logprobs = [
      {
        token: 'H',
        logprob: -0.5,
        bytes: [72],
        top_logprobs: [
          { token: 'H', logprob: -0.5, bytes: [72] },
          { token: 'J', logprob: -1, bytes: [74] },
        ],
      },
      { token: 'i', logprob: -0.25, bytes: [105] },
    ];
    const lines = linesOf((await chat({ logprobs: true, top_logprobs: 2 })).body);
    expect(lines.map((line) => line['logprobs'])).toEqual([logprobs, undefined]);
    expect(lastRequest().logprobs).toEqual({ top: 2 });
    expect((await chat({ logprobs: true, stream: false })).json().logprobs).toEqual(logprobs);
  });

  it.each([
    ['length', 'length'],
    ['context_full', 'length'],
    ['stop_sequence', 'stop'],
    ['tool_calls', 'stop'],
  ] as const)('ends for %s with done_reason %s', async (reason, expected) => {
    harness.gateway.play(() => answerEvents(['x'], reason));
    expect((await chat({ stream: false })).json().done_reason).toBe(expected);
  });

  it('is described by its schema', async () => {
    for (const line of linesOf((await chat({})).body)) expect(chatLine.parse(line)).toEqual(line);
  });

  it('that fails after its first line ends with one line that says so', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0).slice(0, 2);
      throw new AppError('worker_crashed', 'The model has ended.');
    });
    const response = await chat({});
    expect(response.statusCode).toBe(200);
    const lines = linesOf(response.body);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toEqual({ error: 'The model has ended.' });
  });

  it.each([
    ['queue_full', 503],
    ['insufficient_memory', 500],
    ['context_length_exceeded', 400],
    ['model_not_found', 404],
  ] as const)('that fails before its first line with %s has the status %d', async (code, status) => {
    harness.gateway.play(() => {
      throw new AppError(code, 'No.', { fix: 'Try less.' });
    });
    const response = await chat({ truncate: false });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({
      error: code === 'model_not_found' ? 'model not found: No. Try less.' : 'No. Try less.',
    });
  });
});

describe('a conversation', () => {
  it('keeps its turns, with results that answer open calls although they have no ids', async () => {
    const call = (name: string, city: string) => ({ function: { name, arguments: { city } } });
    await chat({
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'Where is it warm?' },
        { role: 'assistant', content: '', thinking: 'Look.', tool_calls: [call('a', 'Oslo'), call('b', 'Rome')] },
        { role: 'tool', tool_name: 'b', content: '30' },
        { role: 'tool', content: '3' },
      ],
    });
    const { input } = lastRequest();
    expect(input).toMatchObject({
      type: 'chat',
      toolChoice: { type: 'auto' },
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be short.' }] },
        { role: 'user', content: [{ type: 'text', text: 'Where is it warm?' }] },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'Look.' },
            { type: 'tool-call', id: 'call_2_0', name: 'a', arguments: { city: 'Oslo' } },
            { type: 'tool-call', id: 'call_2_1', name: 'b', arguments: { city: 'Rome' } },
          ],
        },
        { role: 'user', content: [{ type: 'tool-result', callId: 'call_2_1', name: 'b' }] },
        { role: 'user', content: [{ type: 'tool-result', callId: 'call_2_0', name: 'a' }] },
      ],
    });
    expect(input).not.toHaveProperty('continuesLast');
  });

  it('that ends with words of the assistant goes on there', async () => {
    await chat({ messages: [...hi, { role: 'assistant', content: 'Well' }] });
    expect(lastRequest().input).toMatchObject({ continuesLast: true });
  });

  it('loses its oldest turns where it is too long, never system texts or the last turn', async () => {
    const turns = Array.from({ length: 6 }, (_, turn) => [
      { role: 'user', content: `question ${turn} ${'x'.repeat(100)}` },
      { role: 'assistant', content: `answer ${turn}` },
    ]).flat();
    const messages = [{ role: 'system', content: 'Be short.' }, ...turns, { role: 'user', content: 'And now?' }];
    harness.gateway.play(({ input }) => {
      const count = input.type === 'chat' ? input.messages.length : 0;
      if (count > 6) {
        const details = { prompt_tokens: count * 10, context_tokens: 60 };
        throw new AppError('context_length_exceeded', 'Too long.', { details });
      }
      return answerEvents(['ok']);
    });
    const response = await chat({ messages });
    expect(response.statusCode).toBe(200);
    const { input } = lastRequest();
    const left = input.type === 'chat' ? input.messages : [];
    expect(left[0]!.role).toBe('system');
    expect(left.at(-1)).toEqual({ role: 'user', content: [{ type: 'text', text: 'And now?' }] });
    expect(left.length).toBeGreaterThan(2);
    expect(response.headers['x-hearth-truncated']).toBe(String(messages.length - left.length));
    const refused = await chat({ messages, truncate: false });
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toEqual({ error: 'Too long.' });
  });

  it('that cannot be shortened is refused', async () => {
    harness.gateway.play(() => {
      throw new AppError('context_length_exceeded', 'Too long.', { details: { prompt_tokens: 9, context_tokens: 5 } });
    });
    expect((await chat({})).statusCode).toBe(400);
    expect(harness.gateway.calls).toHaveLength(1);
  });
});

describe('a chat without messages', () => {
  it('loads the model, with its keep-alive, and unloads it with a keep-alive of 0', async () => {
    const loaded = await chat({ messages: [], keep_alive: '10m', model: 'tiny' });
    expect(loaded.json()).toEqual({
      model: 'tiny',
      created_at: createdAt,
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: 'load',
    });
    expect(harness.engine.loads).toEqual([{ name: 'tiny', wish: { keepAliveMs: 600_000 } }]);
    const unloaded = await chat({ messages: [], keep_alive: 0, model: 'tiny' });
    expect(unloaded.json()).toMatchObject({ done: true, done_reason: 'unload' });
    expect(harness.engine.models[0]!.loaded).toBeNull();
    expect(harness.gateway.calls).toHaveLength(0);
  });

  it('leaves the context of a loaded model as it is', async () => {
    await harness.engine.load('tiny', { contextTokens: 1_024 });
    await chat({ messages: [], model: 'tiny' });
    expect(harness.engine.loads.at(-1)).toEqual({ name: 'tiny', wish: { contextTokens: 1_024 } });
  });
});

describe('num_ctx', () => {
  const ask = (num_ctx: number) => chat({ model: 'tiny', options: { num_ctx }, stream: false });

  beforeEach(() => {
    harness.engine.models = [modelInfo({ trainedContextTokens: 1_000_000 })];
  });

  it('loads a model again that has less, and never one that has more', async () => {
    await harness.engine.load('tiny', { contextTokens: 4_096 });
    harness.engine.loads.length = 0;
    expect((await ask(2_048)).statusCode).toBe(200);
    expect((await ask(4_096)).statusCode).toBe(200);
    expect(harness.engine.loads).toEqual([]);
    expect((await ask(5_000)).statusCode).toBe(200);
    expect(harness.engine.loads).toEqual([{ name: 'tiny', wish: { contextTokens: 5_120 } }]);
    await ask(5_000);
    expect(harness.engine.loads).toHaveLength(1);
  });

  it('leaves a model to its own load where that gives enough', async () => {
    await ask(1_024);
    expect(harness.engine.loads).toEqual([]);
  });

  it('is no more than the model was trained with', async () => {
    harness.engine.models = [modelInfo({ trainedContextTokens: 2_048 })];
    expect((await ask(200_000)).statusCode).toBe(200);
    expect(harness.engine.loads).toEqual([]);
  });

  it('that does not fit is refused with the numbers, and nothing is loaded', async () => {
    const response = await ask(200_000);
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toContain('A context of 200192 tokens does not fit: tiny needs more');
    expect(harness.engine.loads).toEqual([]);
    expect(harness.gateway.calls).toHaveLength(0);
  });
});

describe('think', () => {
  it.each([
    [true, { mode: 'on' }],
    [false, { mode: 'off' }],
    ['low', { mode: 'on', effort: 'low' }],
    ['max', { mode: 'on', effort: 'max' }],
  ])('%j of a model that can is %j', async (think, reasoning) => {
    harness.engine.models = [modelInfo({ thinks: true })];
    expect((await chat({ model: 'tiny', think })).statusCode).toBe(200);
    expect(lastRequest().reasoning).toEqual(reasoning);
  });

  it('is refused for a model that cannot, unless it is false', async () => {
    const refused = await chat({ model: 'tiny', think: true });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().error).toContain('"tiny" does not support thinking');
    expect((await chat({ model: 'tiny', think: 'high' })).statusCode).toBe(400);
    expect((await chat({ model: 'tiny', think: false })).statusCode).toBe(200);
    expect((await chat({ model: 'tiny', think: 'much' })).statusCode).toBe(400);
  });
});
