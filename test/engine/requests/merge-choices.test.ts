import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { promptUsage } from '../../../src/core/usage.ts';
import { mergeChoices } from '../../../src/engine/requests/merge-choices.ts';
import { collect } from '../../support/collect.ts';
import { answerEvents } from '../../support/fake-engine.ts';

async function* stream(events: readonly (StreamEvent | Error)[]): AsyncGenerator<StreamEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

const never = () => {};

describe('choices that are made side by side', () => {
  it('become one answer with one start and one finish', async () => {
    const choices = [answerEvents(['a', 'b'], 'length'), answerEvents(['c'], 'stop'), answerEvents([], 'stop')];
    const events = await collect(mergeChoices(choices.map(stream), never));
    expect(events.filter(({ type }) => type === 'start')).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'choice-end')).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({
      type: 'finish',
      reason: 'length',
      usage: { ...promptUsage(5, 2), outputTokens: 3, reasoningTokens: 0 },
      timings: { queueMs: 0, prefillMs: 1, decodeMs: 2 },
    });
    const answer = await foldEvents(stream(events));
    expect(answer.choices).toMatchObject([
      { blocks: [{ text: 'ab' }], reason: 'length' },
      { blocks: [{ text: 'c' }], reason: 'stop' },
      { blocks: [{ text: '' }], reason: 'stop' },
    ]);
  });

  it('end together when one fails, and the others are let go', async () => {
    const aborted: AppError[] = [];
    let returned = false;
    const endless: AsyncIterable<StreamEvent> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        async return() {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const failing = stream([answerEvents([])[0]!, new AppError('worker_crashed', 'gone')]);
    const merged = collect(mergeChoices([endless, failing], (reason) => aborted.push(reason)));
    await expect(merged).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(aborted).toMatchObject([{ code: 'client_closed_request' }]);
    expect(returned).toBe(true);
  });

  it('are let go when their reader turns away, those that have said nothing yet too', async () => {
    const signal = new AbortController();
    const silent = Promise.withResolvers<void>();
    async function* untilAborted(): AsyncGenerator<StreamEvent> {
      await new Promise((resolve) => signal.signal.addEventListener('abort', resolve));
      silent.resolve();
    }
    const merged = mergeChoices([untilAborted(), stream(answerEvents(['a']))], (reason) => signal.abort(reason));
    for await (const _event of merged) break;
    await silent.promise;
    expect(signal.signal.reason).toMatchObject({ code: 'client_closed_request' });
  });

  it('are not ended when all of them have ended by themselves', async () => {
    const aborted: AppError[] = [];
    await collect(mergeChoices([stream(answerEvents(['a']))], (reason) => aborted.push(reason)));
    expect(aborted).toEqual([]);
  });

  it('are never taken for whole when one of them has no end', async () => {
    const merged = mergeChoices([stream(answerEvents(['a'])), stream(answerEvents(['b']).slice(0, -1))], never);
    await expect(collect(merged)).rejects.toMatchObject({ code: 'internal_error' });
  });
});
