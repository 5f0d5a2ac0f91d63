import { describe, expect, it } from 'vitest';
import { heardOf } from '../../../src/core/events.ts';
import { readingOf } from '../../../src/providers/openai-compatible/answer.ts';
import { createCompletionReader } from '../../../src/providers/openai-compatible/from-wire.ts';
import { services } from '../../../src/providers/openai-compatible/presets.ts';
import type { AnswerReader, ReaderDeps } from '../../../src/providers/openai-compatible/reader.ts';
import { createCallSignatures } from '../../../src/providers/openai-compatible/signatures.ts';

const chunk = (choices: object[], more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
const said = (content: string | null, more: object = {}, index = 0) =>
  chunk([{ index, delta: { content, ...more }, finish_reason: null }]);
const call = { tool_calls: [{ index: 0, id: 'call_1', function: { name: 'f', arguments: '{}' } }] };
const stop = (index = 0) => chunk([{ index, delta: {}, finish_reason: 'stop' }]);
const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };

const deps = (choices: number): ReaderDeps => ({
  provider: 'p',
  isConfigured: true,
  row: services.openai,
  model: 'm',
  choices,
  warnings: [],
  signatures: createCallSignatures(),
});

/** All that a stream says, and what of it passes; `isWhole`: each record is read whole. */
function readAll(records: readonly string[], choices: number, { isWhole }: { isWhole: boolean }) {
  const { read, end, ...more } = createCompletionReader(deps(choices));
  const reader: AnswerReader = isWhole ? { read, end } : { read, end, ...more };
  const passing = { isRelayed: true, passed: (record: Uint8Array) => record };
  const head = { status: 200, headers: { 'content-type': 'text/event-stream' } };
  const reading = readingOf(head, reader, passing, deps(choices));
  const pieces = records.map((record) => reading.push(Buffer.from(record)));
  return pieces.map(({ events, failure, isWhole: isOver }) => ({
    heard: events.flatMap(heardOf),
    bytes: events.flatMap((event) => (event.type === 'relay' ? [Buffer.from(event.bytes).toString()] : [])),
    failure: failure === undefined ? null : String(failure),
    isOver,
  }));
}

describe('chunks that differ in their text alone', () => {
  it.each([
    ['text', 1, [said('', { role: 'assistant' }), said('a'), said(' b'), said('"c"\n'), said(''), said('ä'), stop()]],
    ['text around a call', 1, [said('a'), said('b'), said(null, call), said('c'), said('d'), stop()]],
    ['text around thoughts', 1, [said('a'), said('', { reasoning: 'x' }), said('b'), said('c'), stop()]],
    ['several choices', 2, [said('a'), said('b'), said('c', {}, 1), said('d', {}, 1), said('e'), stop(), stop(1)]],
    ['choices that nobody asked for', 1, [said('a'), said('b', {}, 1), said('c', {}, 1), said('d'), stop()]],
    ['refusals', 1, [said('a', { refusal: null }), said('b', { refusal: null }), said('', { refusal: 'no' }), stop()]],
    [
      'log probabilities',
      1,
      [
        ...['a', 'b'].map((token) =>
          chunk([{ index: 0, delta: { content: token }, logprobs: { content: [{ token, logprob: -1 }] } }]),
        ),
        stop(),
      ],
    ],
    ['usage in each', 1, [said('a'), chunk([{ index: 0, delta: { content: 'b' } }], { usage }), said('c'), stop()]],
    [
      'an end with each',
      1,
      ['a', 'b', 'c'].map((content) => chunk([{ index: 0, delta: { content }, finish_reason: 'stop' }])),
    ],
    ['comments between', 1, [said('a'), ': ping\n\n', said('b'), stop()]],
    ['a failure', 1, [said('a'), said('b'), 'data: {"error":{"message":"no"}}\n\n']],
    ['what is broken', 1, [said('a'), said('b'), said('c').replace('"c"', '"c'), said('d')]],
  ])('are heard as if each was read whole: %s', (_title, choices, records) => {
    const all = [...records, chunk([], { usage }), 'data: [DONE]\n\n'];
    expect(readAll(all, choices, { isWhole: false })).toEqual(readAll(all, choices, { isWhole: true }));
  });
});
