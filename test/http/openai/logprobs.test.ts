import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamEvent, TokenLogprob } from '../../../src/core/events.ts';
import { createCompletionLogprobs } from '../../../src/http/openai/objects/logprobs.ts';
import { finishEvent, startEvent } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const chat = (body: object) =>
  harness.send('POST', '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], ...body });
const complete = (body: object) => harness.send('POST', '/v1/completions', { prompt: 'Hi', ...body });
const choicesOf = (text: string) =>
  sseData(text)
    .filter((item) => item !== '[DONE]')
    .map((item) => JSON.parse(item).choices[0]);

const encoder = new TextEncoder();

function choice(text: string, logprob: number, bytes: readonly number[] = [...encoder.encode(text)]) {
  return { text, bytes: [...bytes], logprob };
}

function token(text: string, logprob: number, bytes?: readonly number[]): TokenLogprob {
  return { ...choice(text, logprob, bytes), top: [choice(text, logprob, bytes), choice('no', -3)] };
}

/** Two tokens whose text comes at once, one with its own text, and an end that writes nothing. */
const events: StreamEvent[] = [
  startEvent(),
  { type: 'text-start', blockId: 0 },
  { type: 'logprobs', tokens: [token('He', -0.1)] },
  { type: 'logprobs', tokens: [token('llo', -0.2)] },
  { type: 'text-delta', blockId: 0, text: 'Hello' },
  { type: 'logprobs', tokens: [token(' you', -0.3)] },
  { type: 'text-delta', blockId: 0, text: ' you' },
  { type: 'logprobs', tokens: [token('END', Number.NEGATIVE_INFINITY)] },
  { type: 'text-end', blockId: 0 },
  finishEvent(4),
];

const shown = (text: string, logprob: number) => ({ token: text, logprob, bytes: [...encoder.encode(text)] });
const entry = (text: string, logprob: number) => ({
  ...shown(text, logprob),
  top_logprobs: [shown(text, logprob), shown('no', -3)],
});

describe('log probabilities of chat', () => {
  beforeEach(() => harness.gateway.play(() => events));

  it('are asked of the provider with the number of alternatives, none when left out', async () => {
    await chat({ logprobs: true, top_logprobs: 20 });
    await chat({ logprobs: true });
    await chat({ logprobs: false, top_logprobs: 0 });
    expect(harness.gateway.calls.map(({ request }) => request.logprobs)).toEqual([{ top: 20 }, { top: 0 }, undefined]);
  });

  it('stand beside the message, with a number for what has no probability at all', async () => {
    const [answer] = (await chat({ logprobs: true, top_logprobs: 2 })).json().choices;
    expect(answer.logprobs).toStrictEqual({
      content: [entry('He', -0.1), entry('llo', -0.2), entry(' you', -0.3), entry('END', -9999)],
      refusal: null,
    });
  });

  it('are an empty list for an answer without tokens, and null when nobody asked', async () => {
    harness.gateway.play(() => [startEvent(), finishEvent(0)]);
    expect((await chat({ logprobs: true })).json().choices[0].logprobs).toEqual({ content: [], refusal: null });
    expect((await chat({})).json().choices[0].logprobs).toBeNull();
  });

  it('come with the text of their tokens in a stream, and the rest before the end', async () => {
    const choices = choicesOf((await chat({ logprobs: true, top_logprobs: 2, stream: true })).body);
    expect(choices.map(({ delta, logprobs }) => [delta, logprobs?.content ?? null])).toStrictEqual([
      [{ role: 'assistant', content: '', refusal: null }, null],
      [{ content: 'Hello' }, [entry('He', -0.1), entry('llo', -0.2)]],
      [{ content: ' you' }, [entry(' you', -0.3)]],
      [{ content: '' }, [entry('END', -9999)]],
      [{}, null],
    ]);
  });
});

describe('log probabilities of the legacy completions', () => {
  const old = {
    tokens: ['He', 'llo', ' you', 'END'],
    token_logprobs: [-0.1, -0.2, -0.3, -9999],
    top_logprobs: [
      { He: -0.1, no: -3 },
      { llo: -0.2, no: -3 },
      { ' you': -0.3, no: -3 },
      { END: -9999, no: -3 },
    ],
    text_offset: [0, 2, 5, 9],
  };

  beforeEach(() => harness.gateway.play(() => events));

  it('have their old form', async () => {
    expect((await complete({ logprobs: 2 })).json().choices[0].logprobs).toStrictEqual(old);
    expect(harness.gateway.calls[0]!.request.logprobs).toEqual({ top: 2 });
  });

  it('are asked for by 0 too, which is not the same as leaving them out', async () => {
    expect((await complete({ logprobs: 0 })).json().choices[0].logprobs).not.toBeNull();
    expect((await complete({})).json().choices[0].logprobs).toBeNull();
    expect(harness.gateway.calls.map(({ request }) => request.logprobs)).toEqual([{ top: 0 }, undefined]);
  });

  it('count their offsets on through a stream', async () => {
    const items = choicesOf((await complete({ logprobs: 2, stream: true })).body);
    expect(items.map(({ text, logprobs }) => [text, logprobs?.text_offset ?? null])).toEqual([
      ['Hello', [0, 2]],
      [' you', [5]],
      ['', [9]],
      ['', null],
    ]);
  });

  it('write a part of a character by its bytes, and count characters where they are whole', () => {
    const [first, second, third, fourth] = encoder.encode('🙂');
    const logprobs = createCompletionLogprobs()([
      token('\uFFFD', -1, [first!, second!]),
      token('\uFFFD', -1, [third!, fourth!]),
      token('x', -1),
    ]);
    expect(logprobs.tokens).toEqual(['bytes:\\xf0\\x9f', 'bytes:\\x99\\x82', 'x']);
    expect(logprobs.text_offset).toEqual([0, 0, 1]);
  });

  it('hold the token itself among the likeliest, and the likelier of two of one text', () => {
    const top = [choice('a', -1), choice('a', -2)];
    const logprobs = createCompletionLogprobs()([{ ...choice('b', -5), top }]);
    expect(logprobs.top_logprobs).toEqual([{ a: -1, b: -5 }]);
  });
});
