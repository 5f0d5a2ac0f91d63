import type { BlockEvent, StreamEvent, TokenChoice } from '../../src/core/events.ts';
import { promptUsage } from '../../src/core/usage.ts';

/** What an answer consists of beside what every answer has. */
export const answerKinds = ['text', 'reasoning', 'tool call', 'log probabilities'] as const;
export type AnswerKind = (typeof answerKinds)[number];

/** Alternatives at each place of an answer with log probabilities; OpenAI allows 20, clients ask for about five. */
const alternatives = 5;

/** Four characters each, as a token has on average in English text; a line break and quotes are escaped in JSON. */
const texts = [' the', ' one', 'ing ', ' of ', ' and', 'tion', '," s', '.\n\nA', ' übe', 'ment'];

/**
 * The events of one answer of `tokens` tokens, an event for each as a worker sends them. `reasoning`: half of them;
 * `tool call`: the arguments of one call, a JSON object with one long text.
 */
export function answerEvents(kind: AnswerKind, tokens: number): StreamEvent[] {
  const half = Math.floor(tokens / 2);
  return [
    { type: 'start', responseId: null, model: 'bench', usage: promptUsage(100, 64), warnings: [], fingerprint: 'fp_1' },
    ...(kind === 'reasoning' ? reasoning(half) : []),
    ...(kind === 'tool call' ? call(tokens) : text(kind === 'reasoning' ? tokens - half : tokens, kind)),
    {
      type: 'finish',
      reason: kind === 'tool call' ? 'tool_calls' : 'stop',
      rawReason: null,
      stopSequence: null,
      usage: { ...promptUsage(100, 64), outputTokens: tokens, reasoningTokens: kind === 'reasoning' ? half : 0 },
      timings: { queueMs: 0, prefillMs: 100, decodeMs: 1_000 },
    },
  ];
}

const textOf = (index: number) => texts[index % texts.length]!;

function text(tokens: number, kind: AnswerKind): StreamEvent[] {
  const place = { blockId: 1 };
  const deltas = Array.from({ length: tokens }, (_, index): StreamEvent[] => [
    ...(kind === 'log probabilities' ? [weighed(index)] : []),
    { ...place, type: 'text-delta', text: textOf(index) },
  ]);
  return [{ ...place, type: 'text-start' }, ...deltas.flat(), { ...place, type: 'text-end' }];
}

function weighed(index: number): StreamEvent {
  const choice = (place: number): TokenChoice => {
    const own = textOf(index + place);
    return { text: own, bytes: [...Buffer.from(own)], logprob: -0.123_456_789 - place * 1.987_654_321 };
  };
  return {
    type: 'logprobs',
    tokens: [{ ...choice(0), top: Array.from({ length: alternatives }, (_, place) => choice(place)) }],
  };
}

function reasoning(tokens: number): StreamEvent[] {
  const place = { blockId: 0 };
  const deltas = Array.from(
    { length: tokens },
    (_, index): BlockEvent => ({ ...place, type: 'reasoning-delta', text: textOf(index) }),
  );
  return [{ ...place, type: 'reasoning-start' }, ...deltas, { ...place, type: 'reasoning-end', signature: null }];
}

function call(tokens: number): StreamEvent[] {
  const place = { blockId: 1 };
  // What a model writes of a text in its arguments: the escapes are part of it.
  const escaped = (index: number) => JSON.stringify(textOf(index)).slice(1, -1);
  const parts = Array.from({ length: Math.max(0, tokens - 2) }, (_, index) => escaped(index));
  return [
    { ...place, type: 'tool-call-start', id: 'call_1', name: 'write_file' },
    ...['{"content": "', ...parts, '"}'].map(
      (argumentsText): BlockEvent => ({ ...place, type: 'tool-call-delta', argumentsText }),
    ),
    { ...place, type: 'tool-call-end' },
  ];
}
