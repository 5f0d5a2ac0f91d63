import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/core/events.ts';
import { createTask } from '../../../src/worker/answer/task.ts';
import type { TaskDrafts } from '../../../src/worker/draft/draft.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import { llamaForm } from '../../../src/worker/families/llama.ts';
import { createStopMatcher } from '../../../src/worker/text/stop-matcher.ts';
import { createTextStream } from '../../../src/worker/text/text-stream.ts';
import { createVocabulary } from '../../../src/worker/text/vocabulary.ts';
import { type ParseOptions, parserFor } from '../../support/parse-output.ts';

const end = 3;

function jobOf(maxTokens: number | null = null) {
  const kept: number[][] = [];
  const drafts: TaskDrafts = {
    begin: (generated, grammar) => ({ source: { propose: () => [...generated] }, grammar }),
    predicted: () => null,
    keep: (generated) => void kept.push([...generated]),
  };
  const vocabulary = createVocabulary({ model: 'gpt2', tokens: ['a', 'b', 'c', '<end>'], types: [1, 1, 1, 3] });
  const task = createTask({
    id: 1,
    model: 'm',
    fingerprint: 'b1-0',
    prompt: [0, 1],
    cache: { owner: 'shared', mode: 'keep', pinTokens: 0 },
    sampling: {},
    topLogprobs: null,
    grammar: null,
    maxTokens,
    isEnd: (token) => token === end,
    text: createTextStream(vocabulary, () => ''),
    stops: createStopMatcher(['cc']),
    parser: parserFor(),
    singleCall: false,
    answerPrefix: '',
    describe: () => ({ text: '', bytes: [] }),
    nowMs: () => 0,
    drafts,
  });
  const take = (token: number) => task.accept({ token, logprob: null, top: [] });
  return { task, kept, take };
}

describe('a task', () => {
  it('lets guesses see its answer as it grows, and keeps it once it ended by itself', () => {
    const { task, kept, take } = jobOf();
    take(0);
    take(1);
    expect(task.settings.drafts?.propose(8)).toEqual([0, 1]);
    expect(kept).toEqual([]);
    expect(take(end).finished).toBe(true);
    expect(kept).toEqual([[0, 1]]);
  });

  it('keeps an answer that ended at its length or at a stop string', () => {
    const short = jobOf(2);
    short.take(0);
    short.take(1);
    expect(short.kept).toEqual([[0, 1]]);
    const stopped = jobOf();
    stopped.take(2);
    stopped.take(2);
    expect(stopped.kept).toEqual([[2, 2]]);
  });

  it('of no tokens ends with the prompt: what came of reading it is not shown and not counted', () => {
    const { task, take } = jobOf(0);
    expect(task.begin(1).map(({ type }) => type)).toEqual(['start']);
    const { events, finished } = take(0);
    expect(finished).toBe(true);
    expect(events).toEqual([
      expect.objectContaining({
        type: 'finish',
        reason: 'length',
        usage: expect.objectContaining({ inputTokens: 1, cacheReadTokens: 1, outputTokens: 0 }),
      }),
    ]);
  });

  it('keeps nothing of an answer that was cancelled', () => {
    const { task, kept, take } = jobOf();
    take(0);
    task.finish('cancelled');
    expect(kept).toEqual([]);
  });
});

const tools = [{ name: 'weather', parameters: { type: 'object' } }];
const written = (city: string) => `<tool_call>\n{"name": "weather", "arguments": {"city": "${city}"}}\n</tool_call>`;

/** An answer of these tokens. Ends by itself unless it is told to end otherwise. */
function answer(
  pieces: readonly string[],
  options: { stop?: string[]; single?: boolean; maxTokens?: number; parse?: ParseOptions } = {},
) {
  const texts = [...pieces, '<end>'];
  const task = createTask({
    id: 1,
    model: 'm',
    fingerprint: 'b1-0',
    prompt: [0],
    cache: { owner: 'shared', mode: 'keep', pinTokens: 0 },
    sampling: {},
    topLogprobs: null,
    grammar: null,
    maxTokens: options.maxTokens ?? null,
    isEnd: (token) => token === pieces.length,
    text: { push: (token) => texts[token]!, end: () => '' },
    stops: createStopMatcher(options.stop ?? []),
    parser: parserFor({ form: hermesForm, tools, ...options.parse }),
    singleCall: options.single ?? false,
    answerPrefix: '',
    describe: () => ({ text: '', bytes: [] }),
    nowMs: () => 0,
  });
  const events: StreamEvent[] = [];
  for (let token = 0; token < texts.length; token++) {
    const taken = task.accept({ token, logprob: null, top: [] });
    events.push(...taken.events);
    if (taken.finished) break;
  }
  const last = events.at(-1)!;
  if (last.type !== 'finish') throw new Error('the answer did not end');
  const ofType = <Type extends StreamEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<StreamEvent, { type: Type }> => event.type === type);
  return {
    reason: last.reason,
    stopped: last.stopSequence,
    text: ofType('text-delta')
      .map(({ text }) => text)
      .join(''),
    calls: ofType('tool-call-start').length,
    ended: ofType('tool-call-end').length,
    given: ofType('tool-call-delta')
      .map(({ argumentsText }) => argumentsText)
      .join(''),
  };
}

const inPieces = (text: string, length: number) => text.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? [];

describe.each([1, 2, 3, 7, 1000])('a stop string, in tokens of %d characters,', (length) => {
  it.each(['Par', '"', '{', 'is"}}', '\n</tool_call>', 'weather", "arg'])('does not cut a call: %j', (stop) => {
    expect(answer(inPieces(written('Paris'), length), { stop: [stop] })).toMatchObject({
      reason: 'tool_calls',
      given: '{"city": "Paris"}',
      stopped: null,
    });
  });

  it('still ends the text before a call and after it', () => {
    const before = answer(inPieces(`Well END ${written('Paris')}`, length), { stop: ['END'] });
    expect(before).toMatchObject({ reason: 'stop_sequence', text: 'Well ', calls: 0 });
    if (length === 1000) return;
    const after = answer(inPieces(`${written('Paris')} so END now`, length), { stop: ['END'] });
    expect(after).toMatchObject({ reason: 'tool_calls', stopped: 'END', ended: 1 });
  });

  it('does not cut a call without a marker', () => {
    const bare = '{"name": "weather", "parameters": {"city": "Paris"}}';
    const parse = { form: llamaForm };
    expect(answer(inPieces(bare, length), { stop: ['"', 'Par'], parse })).toMatchObject({
      reason: 'tool_calls',
      given: '{"city": "Paris"}',
    });
  });
});

describe('one call only', () => {
  it.each([1, 5, 1000])('ends the answer with the first, in tokens of %d characters', (length) => {
    const pieces = inPieces(`${written('Paris')}\n${written('Rome')}`, length);
    expect(answer(pieces)).toMatchObject({ calls: 2, reason: 'tool_calls' });
    expect(answer(pieces, { single: true })).toMatchObject({
      calls: 1,
      ended: 1,
      given: '{"city": "Paris"}',
      reason: 'tool_calls',
    });
  });

  it('leaves an answer without calls alone', () => {
    expect(answer(['Hello', ' there'], { single: true })).toMatchObject({ text: 'Hello there', reason: 'stop' });
  });
});

describe('a call that is cut off', () => {
  const [marker = '', ...rest] = written('Paris').split(/(?<=^<tool_call>)/);
  const pieces = [marker, ...inPieces(rest.join(''), 4)];

  it('is none of an answer that says that it called something', () => {
    const parse = { bound: true, begun: false };
    expect(answer(pieces, { maxTokens: 12, parse })).toMatchObject({ calls: 1, reason: 'length' });
    expect(answer(pieces.slice(0, 12), { parse })).toMatchObject({ calls: 1, reason: 'stop' });
  });

  it('is text where nothing of it was sent yet', () => {
    const { reason, calls, text } = answer(pieces, { maxTokens: 10 });
    expect([reason, calls]).toEqual(['length', 0]);
    expect(text).toContain('"name": "weather"');
  });
});
