import { describe, expect, it } from 'vitest';
import { readAnswer } from '../../../scripts/bench/answer.ts';

const records = (...values: (object | string)[]) =>
  values.map((value, index) => ({
    data: typeof value === 'string' ? value : JSON.stringify(value),
    atMs: (index + 1) * 10,
  }));

const delta = (fields: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta: fields, finish_reason: finish }],
});

describe('an OpenAI stream', () => {
  it('gives text, times of its tokens and counts; the role alone is no token', () => {
    const answer = readAnswer(
      records(
        delta({ role: 'assistant', content: '' }),
        delta({ content: 'Hel' }),
        delta({ content: 'lo' }),
        delta({}, 'stop'),
        {
          choices: [],
          usage: { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } },
        },
        '[DONE]',
      ),
    );
    expect(answer).toEqual({
      tokenTimesMs: [20, 30],
      text: 'Hello',
      promptTokens: 9,
      cachedPromptTokens: 4,
      completionTokens: 2,
      failure: null,
    });
  });

  it.each([
    ['reasoning', delta({ reasoning_content: 'hm' })],
    ['a piece of a tool call', delta({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] })],
    ['text of a completion', { choices: [{ index: 0, text: 'x', finish_reason: null }] }],
  ])('counts %s as a token', (_, value) => {
    expect(readAnswer(records(value, '[DONE]'))).toMatchObject({ tokenTimesMs: [10], failure: null });
  });

  it('leaves counts unknown that the server does not give', () => {
    expect(readAnswer(records(delta({ content: 'a' }), '[DONE]'))).toMatchObject({
      promptTokens: null,
      cachedPromptTokens: null,
      completionTokens: null,
    });
  });

  it('is complete with a finish reason where the end mark is missing', () => {
    expect(readAnswer(records(delta({ content: 'a' }, 'length'))).failure).toBeNull();
  });

  it.each([
    ['is cut', [delta({ content: 'a' }), '{"choices":[{"del'], 'the stream ended without its end mark'],
    ['holds an error', [delta({ content: 'a' }), { error: { message: 'out of memory' } }], 'out of memory'],
    ['is empty', [], 'the stream ended without its end mark'],
  ])('has failed when it %s', (_, values, failure) => {
    expect(readAnswer(records(...values)).failure).toBe(failure);
  });

  it.each([[['[]', 'null', '5', '{"choices":{}}', '{"choices":[7]}', '{"usage":[]}', '[DONE]']]])(
    'of a strange server breaks nothing: %j',
    (values) => {
      expect(readAnswer(records(...values))).toMatchObject({ tokenTimesMs: [], text: '', failure: null });
    },
  );
});
