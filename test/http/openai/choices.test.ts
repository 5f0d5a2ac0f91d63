import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { promptUsage, unknownTimings } from '../../../src/core/usage.ts';
import { answerEvents, startEvent, textEvents, untilAborted } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const messages = [{ role: 'user', content: 'Hi' }];
const chat = (body: object) => harness.send('POST', '/v1/chat/completions', { messages, ...body });
const complete = (body: object) => harness.send('POST', '/v1/completions', { prompt: 'Hi', ...body });

/** Answers that say the number of their call; the first one computes the whole prompt, the others find it. */
function playNumbers(): void {
  let calls = 0;
  harness.gateway.play((): StreamEvent[] => {
    const number = calls++;
    return [
      startEvent(),
      ...textEvents([`answer ${number}`], 0),
      {
        type: 'finish',
        reason: number === 1 ? 'length' : 'stop',
        rawReason: null,
        stopSequence: null,
        usage: { ...promptUsage(5, number === 0 ? 0 : 4), outputTokens: 10 + number, reasoningTokens: 1 },
        timings: unknownTimings,
      },
    ];
  });
}

const records = (text: string) =>
  sseData(text)
    .filter((item) => item !== '[DONE]')
    .map((item) => JSON.parse(item));

describe('n answers to one request', () => {
  it('are choices in order, with the prompt counted once and the rest in sum', async () => {
    playNumbers();
    const body = (await chat({ n: 3 })).json();
    expect(body.choices.map((choice: { index: number }) => choice.index)).toEqual([0, 1, 2]);
    expect(body.choices.map((choice: { message: { content: string } }) => choice.message.content)).toEqual([
      'answer 0',
      'answer 1',
      'answer 2',
    ]);
    expect(body.choices[1].finish_reason).toBe('length');
    expect(body.usage).toEqual({
      prompt_tokens: 5,
      completion_tokens: 33,
      total_tokens: 38,
      prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 3, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    });
  });

  it('are one request of the gateway, with the seed as it was given', async () => {
    await chat({ n: 3, seed: 7 });
    const asked = harness.gateway.calls.map(({ request }) => [request.choices, request.sampling.seed]);
    // The fake counts each choice as a call; all are of one request.
    expect(asked).toEqual([
      [3, 7],
      [3, 7],
      [3, 7],
    ]);
    expect(new Set(harness.gateway.calls.map(({ request }) => request)).size).toBe(1);
  });

  it('have one id, one role and one end each in a stream, and one usage for all', async () => {
    playNumbers();
    const response = await chat({ n: 2, stream: true, stream_options: { include_usage: true } });
    const items = records(response.body);
    expect(sseData(response.body).at(-1)).toBe('[DONE]');
    expect(new Set(items.map(({ id }) => id)).size).toBe(1);
    for (const index of [0, 1]) {
      const choices = items.flatMap((item) => item.choices).filter((choice) => choice.index === index);
      expect(choices.map((choice) => [choice.delta, choice.finish_reason])).toEqual([
        [{ role: 'assistant', content: '', refusal: null }, null],
        [{ content: `answer ${index}` }, null],
        [{}, index === 1 ? 'length' : 'stop'],
      ]);
    }
    expect(items.filter(({ usage }) => usage !== null)).toHaveLength(1);
    expect(items.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 21 } });
  });

  it('come interleaved as their events do', async () => {
    const gate = Promise.withResolvers<void>();
    let calls = 0;
    harness.gateway.play(async function* () {
      const number = calls++;
      yield startEvent();
      if (number === 0) await gate.promise;
      yield* answerEvents([`answer ${number}`]).slice(1);
      gate.resolve();
    });
    const items = records((await chat({ n: 2, stream: true })).body);
    const texts = items.map((item) => item.choices[0].delta.content).filter((text) => text);
    expect(texts).toEqual(['answer 1', 'answer 0']);
  });

  it('are the same in the legacy completions, where best_of may repeat n', async () => {
    playNumbers();
    const body = (await complete({ n: 2, best_of: 2 })).json();
    expect(body.choices).toEqual([
      { index: 0, text: 'answer 0', logprobs: null, finish_reason: 'stop' },
      { index: 1, text: 'answer 1', logprobs: null, finish_reason: 'length' },
    ]);
    expect(body.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 21 });
    const items = records((await complete({ n: 2, stream: true })).body);
    expect(items.map((item) => item.choices[0].index).sort()).toEqual([0, 0, 1, 1]);
  });

  it('end as one error with its true status when one of them is refused', async () => {
    let calls = 0;
    harness.gateway.play(async function* (_request, signal) {
      if (calls++ === 1) throw new AppError('queue_full', 'Too many requests wait.', { retryAfterSeconds: 1 });
      yield await untilAborted(signal);
    });
    const response = await chat({ n: 3, stream: true });
    expect(response.statusCode).toBe(429);
    await Promise.all(harness.gateway.calls.map(({ released }) => released));
    expect(harness.gateway.calls).toHaveLength(3);
  });

  /** The second answer breaks after its first text; the others go on until they are aborted. */
  function playBreakingSecond(): void {
    let calls = 0;
    harness.gateway.play(async function* (_request, signal) {
      const number = calls++;
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      if (number === 1) throw new AppError('worker_crashed', 'The model stopped.');
      yield await untilAborted(signal);
    });
  }

  it('end as one error in a stream when one fails in the middle, and the others are aborted', async () => {
    playBreakingSecond();
    const response = await chat({ n: 2, stream: true });
    expect(response.statusCode).toBe(200);
    const items = sseData(response.body);
    expect(items.filter((item) => item.includes('"error"'))).toHaveLength(1);
    expect(JSON.parse(items.at(-1)!)).toMatchObject({ error: { code: 'worker_crashed' } });
    await Promise.all(harness.gateway.calls.map(({ released }) => released));
    expect(harness.gateway.calls).toHaveLength(2);
  });

  it('end as one error when one fails in the middle of an answer that comes whole', async () => {
    playBreakingSecond();
    const response = await chat({ n: 2 });
    expect(response.statusCode).toBe(503);
    expect(response.json().error.code).toBe('worker_crashed');
    await Promise.all(harness.gateway.calls.map(({ released }) => released));
  });

  it('are all aborted when the client leaves', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield startEvent();
      yield await untilAborted(signal);
    });
    const port = Number(new URL(await harness.http.listen()).port);
    const socket = connect(port, '127.0.0.1');
    const json = JSON.stringify({ messages, n: 3, stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
    );
    const calls = await Promise.all([0, 1, 2].map((number) => harness.gateway.call(number)));
    socket.destroy();
    await Promise.all(calls.map(({ released }) => released));
    for (const { context } of calls) expect(context.signal.reason).toMatchObject({ code: 'client_closed_request' });
  });

  it('do not end in silence when a provider breaks off', async () => {
    harness.gateway.play(() => [startEvent(), ...textEvents(['Hel'], 0)]);
    const items = sseData((await chat({ stream: true })).body);
    expect(JSON.parse(items.at(-1)!)).toMatchObject({ error: { code: 'internal_error' } });
  });
});
