import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { finishEvent, startEvent, textEvents, untilAborted } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const complete = (body: object) => harness.send('POST', '/v1/completions', { prompt: 'Hi', ...body });
const inputs = () =>
  harness.gateway.calls.map(({ request: { input } }) => (input.type === 'text' ? input.prompt : 'a chat'));

/** Answers that repeat their prompt. */
function playEcho(): void {
  harness.gateway.play(({ input }): StreamEvent[] => [
    startEvent(),
    ...textEvents([`<${input.type === 'text' ? input.prompt : ''}>`], 0),
    finishEvent(2),
  ]);
}

interface Choice {
  index: number;
  text: string;
  finish_reason: string | null;
}
const choicesOf = (text: string): Choice[] =>
  sseData(text)
    .filter((item) => item !== '[DONE]')
    .flatMap((item) => JSON.parse(item).choices);

describe('several prompts', () => {
  it('are answered in their order, with the usage of all', async () => {
    playEcho();
    const prompt = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const body = (await complete({ prompt })).json();
    expect(body.choices.map(({ text }: Choice) => text)).toEqual(prompt.map((text) => `<${text}>`));
    expect(body.choices.map(({ index }: Choice) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(body.usage).toMatchObject({ prompt_tokens: 35, completion_tokens: 14, total_tokens: 49 });
    expect(inputs().sort()).toEqual(prompt);
  });

  it('have n choices each, those of the first prompt first', async () => {
    playEcho();
    const body = (await complete({ prompt: ['a', 'b'], n: 2 })).json();
    expect(body.choices.map(({ text }: Choice) => text)).toEqual(['<a>', '<a>', '<b>', '<b>']);
  });

  it('come in one stream, each with its own index and end', async () => {
    playEcho();
    const { body } = await complete({ prompt: ['a', 'b'], stream: true, stream_options: { include_usage: true } });
    const choices = choicesOf(body);
    for (const [index, text] of ['<a>', '<b>'].entries()) {
      const own = choices.filter((choice) => choice.index === index);
      expect(own.map((choice) => choice.text).join('')).toBe(text);
      expect(own.filter((choice) => choice.finish_reason !== null)).toHaveLength(1);
    }
    expect(JSON.parse(sseData(body).at(-2)!)).toMatchObject({ choices: [], usage: { prompt_tokens: 10 } });
  });

  it('may be token numbers, one prompt or several', async () => {
    expect((await complete({ prompt: [1, 2, 3] })).statusCode).toBe(200);
    expect((await complete({ prompt: [[1, 2], [3]] })).json().choices).toHaveLength(2);
    expect(inputs()).toEqual([[1, 2, 3], [1, 2], [3]]);
  });

  it('are all ended by the failure of one', async () => {
    const aborted: boolean[] = [];
    harness.gateway.play(async function* ({ input }, signal) {
      if (input.type === 'text' && input.prompt === 'bad') throw new AppError('invalid_request', 'Too long.');
      yield startEvent();
      signal.addEventListener('abort', () => aborted.push(true));
      await untilAborted(signal);
    });
    const response = await complete({ prompt: ['a', 'bad'] });
    expect(response.statusCode).toBe(400);
    expect(aborted).toEqual([true]);
  });
});

describe('echo', () => {
  it('repeats each prompt before its answer', async () => {
    playEcho();
    const whole = (await complete({ prompt: ['a', 'b'], n: 2, echo: true })).json();
    expect(whole.choices.map(({ text }: Choice) => text)).toEqual(['a<a>', 'a<a>', 'b<b>', 'b<b>']);
    const streamed = choicesOf((await complete({ prompt: 'a', echo: true, stream: true })).body);
    expect(streamed.map(({ text }) => text).join('')).toBe('a<a>');
  });
});

describe('best_of', () => {
  it('gives the likeliest of several, and counts them all', async () => {
    let calls = 0;
    harness.gateway.play((): StreamEvent[] => {
      const number = calls++;
      const token = { text: 'x', bytes: [120], logprob: [-2, -0.5, -1][number]!, top: [] };
      return [
        startEvent(),
        { type: 'logprobs', tokens: [token] },
        ...textEvents([`answer ${number}`], 0),
        finishEvent(10),
      ];
    });
    const body = (await complete({ n: 2, best_of: 3 })).json();
    expect(body.choices).toMatchObject([
      { index: 0, text: 'answer 1', logprobs: null },
      { index: 1, text: 'answer 2', logprobs: null },
    ]);
    expect(body.usage.completion_tokens).toBe(30);
  });
});

describe('how many tokens', () => {
  it.each([
    [{}, 16],
    [{ max_tokens: 5 }, 5],
    [{ n_predict: 7 }, 7],
    [{ max_tokens: -1 }, undefined],
    [{ n_predict: -1 }, undefined],
  ])('%j', async (fields, expected) => {
    expect((await complete(fields)).statusCode).toBe(200);
    expect(harness.gateway.calls.at(-1)!.request.maxTokens).toBe(expected);
  });
});
