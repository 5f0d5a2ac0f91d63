import { describe, expect, it } from 'vitest';
import { createTask } from '../../../src/worker/answer/task.ts';
import type { TaskDrafts } from '../../../src/worker/draft/draft.ts';

import { createStopMatcher } from '../../../src/worker/text/stop-matcher.ts';
import { createTextStream } from '../../../src/worker/text/text-stream.ts';
import { createVocabulary } from '../../../src/worker/text/vocabulary.ts';
import { parserFor } from '../../support/parse-output.ts';

const end = 3;

function jobOf(maxTokens: number | null = null) {
  const kept: number[][] = [];
  const drafts: TaskDrafts = {
    begin: (generated, grammar) => ({ source: { propose: () => [...generated] }, grammar }),
    keep: (generated) => void kept.push([...generated]),
  };
  const vocabulary = createVocabulary({ model: 'gpt2', tokens: ['a', 'b', 'c', '<end>'], types: [1, 1, 1, 3] });
  const task = createTask({
    id: 1,
    model: 'm',
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

  it('keeps nothing of an answer that was cancelled', () => {
    const { task, kept, take } = jobOf();
    take(0);
    task.finish('cancelled');
    expect(kept).toEqual([]);
  });
});
