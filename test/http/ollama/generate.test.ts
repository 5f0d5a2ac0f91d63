import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { generateLine } from '../../../src/http/ollama/generate/schema.ts';
import { finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';
import { linesOf } from './lines.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
  harness.gateway.play(({ returnsTokens }) => [
    startEvent(),
    ...textEvents(['Hello', ' world'], 0),
    { ...finishEvent(2), ...(returnsTokens && { tokens: [1, 2, 3] }) } as ReturnType<typeof finishEvent>,
  ]);
});
afterEach(() => harness.close());

const createdAt = '2026-03-04T05:06:07.089Z';
const head = { model: 'tiny', created_at: createdAt };
const ending = {
  done: true,
  done_reason: 'stop',
  total_duration: 3_000_000,
  load_duration: 0,
  prompt_eval_count: 5,
  prompt_eval_duration: 1_000_000,
  eval_count: 2,
  eval_duration: 2_000_000,
  context: [1, 2, 3],
};
const seedKeys = {
  cost: 0,
  request_id: 'req_1',
  output: 'Hello world',
  usage: { input_tokens: 5, output_tokens: 2 },
};
const id = { 'x-request-id': 'req_1' };
const ask = (url: string, body: object, headers = {}) =>
  harness.send('POST', url, { model: 'tiny', prompt: 'Hi', ...body }, { ...id, ...headers });

describe('POST /ollama/api/generate', () => {
  it('streams by default, in lines of its own keys only', async () => {
    const lines = linesOf((await ask('/ollama/api/generate', {})).body);
    expect(lines).toEqual([
      { ...head, response: 'Hello', done: false },
      { ...head, response: ' world', done: false },
      { ...head, response: '', ...ending },
    ]);
    for (const line of lines) expect(generateLine.parse(line)).toEqual(line);
  });

  it('answers whole when it is told to', async () => {
    const answer = (await ask('/ollama/api/generate', { stream: false })).json();
    expect(answer).toEqual({ ...head, response: 'Hello world', ...ending });
  });

  it('does not know the fields of the first specification', async () => {
    const response = await ask('/ollama/api/generate', { max_tokens: 5, temperature: 1 });
    expect(response.headers['x-hearth-ignored']).toBe('max_tokens, temperature');
    expect(harness.gateway.calls[0]!.request).not.toHaveProperty('maxTokens');
  });
});

describe('POST /api/generate', () => {
  it('answers whole by default, in both shapes', async () => {
    const answer = (await ask('/api/generate', {})).json();
    expect(answer).toEqual({ ...head, response: 'Hello world', ...ending, ...seedKeys });
    expect(generateLine.parse(answer)).toEqual(answer);
  });

  it('streams lines to clients of Ollama that ask for it', async () => {
    const response = await ask('/api/generate', { stream: true });
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    expect(linesOf(response.body).at(-1)).toEqual({
      ...head,
      response: '',
      ...ending,
      request_id: 'req_1',
      usage: seedKeys.usage,
      cost: 0,
    });
  });

  it.each([
    ['a field of the first specification', { max_tokens: 9 }, {}],
    ['another', { metadata: { team: 'a' } }, {}],
    ['an Accept header', {}, { accept: 'text/event-stream' }],
  ])('streams events to clients with %s', async (_title, body, headers) => {
    const response = await ask('/api/generate', { stream: true, ...body }, headers);
    expect(response.headers['content-type']).toBe('text/event-stream');
    const items = sseData(response.body).map((item) => JSON.parse(item));
    expect(items.map(({ response: text }) => text)).toEqual(['Hello', ' world', '']);
    expect(items.at(-1)).toMatchObject({ done: true, request_id: 'req_1', usage: seedKeys.usage });
  });

  it("has the first specification's defaults where one of its fields is sent", async () => {
    await ask('/api/generate', { max_tokens: 100 });
    expect(harness.gateway.calls[0]!.request).toMatchObject({ maxTokens: 100, sampling: { temperature: 0 } });
    await ask('/api/generate', { temperature: 0.5 });
    expect(harness.gateway.calls[1]!.request).toMatchObject({ maxTokens: 800, sampling: { temperature: 0.5 } });
    await ask('/api/generate', {});
    expect(harness.gateway.calls[2]!.request.sampling).toEqual({});
  });

  it('ends a failed stream of events with its error', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0).slice(0, 2);
      throw new AppError('worker_crashed', 'The model has ended.');
    });
    const response = await ask('/api/generate', { stream: true, max_tokens: 5 });
    expect(
      sseData(response.body)
        .map((item) => JSON.parse(item))
        .at(-1),
    ).toEqual({ error: 'The model has ended.' });
  });

  it('takes a prompt as it stands with raw', async () => {
    await ask('/api/generate', { raw: true, prompt: '<|im_start|>x' });
    expect(harness.gateway.calls[0]!.request.input).toEqual({ type: 'text', prompt: '<|im_start|>x' });
  });

  it('loads and unloads a model without a prompt', async () => {
    expect((await ask('/api/generate', { prompt: '' })).json()).toEqual({
      ...head,
      response: '',
      done: true,
      done_reason: 'load',
    });
    const unloaded = await harness.send('POST', '/api/generate', { model: 'tiny', keep_alive: 0 });
    expect(unloaded.json()).toMatchObject({ done_reason: 'unload' });
    expect(harness.engine.models[0]!.loaded).toBeNull();
  });
});

describe('POST /api/embed', () => {
  it('answers with vectors, counts and times', async () => {
    const answer = (await harness.send('POST', '/api/embed', { model: 'tiny:latest', input: ['a', 'bc'] })).json();
    expect(answer).toEqual({
      model: 'tiny:latest',
      embeddings: [[Math.cos(1), Math.sin(1)].map(Math.fround), [Math.cos(2), Math.sin(2)].map(Math.fround)],
      total_duration: 0,
      load_duration: 0,
      prompt_eval_count: 3,
    });
  });

  it('loads the model where there is nothing to embed', async () => {
    const answer = (await harness.send('POST', '/api/embed', { model: 'tiny', input: [] })).json();
    expect(answer).toMatchObject({ model: 'tiny', embeddings: [] });
    expect(harness.engine.loads).toHaveLength(1);
  });

  it('names the input that is at fault', async () => {
    harness.gateway.playWhole({
      embed: () => {
        throw new AppError('context_length_exceeded', 'Too long.', { field: 'inputs.1' });
      },
    });
    const response = await harness.send('POST', '/api/embed', { model: 'tiny', input: ['a', 'b'] });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({ error: '"input.1": Too long.' });
  });
});

describe('POST /api/embeddings', () => {
  it('answers with the vector of one text', async () => {
    const answer = (await harness.send('POST', '/api/embeddings', { model: 'tiny', prompt: 'abc' })).json();
    expect(answer).toEqual({ embedding: [Math.cos(3), Math.sin(3)].map(Math.fround) });
  });

  it('answers with none where there is no text', async () => {
    const answer = (await harness.send('POST', '/api/embeddings', { model: 'tiny', prompt: '' })).json();
    expect(answer).toEqual({ embedding: [] });
  });
});
