import { describe, expect, it } from 'vitest';
import type { Flow } from '../../src/core/flow.ts';
import { type AnswerReading, answerEvents, type Heard } from '../../src/wire/answer-events.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A body that is fed by hand, and what becomes of its answer. */
function openAnswer(reading: Partial<AnswerReading<string>> = {}) {
  const done: string[] = [];
  const waiting: ((result: IteratorResult<Uint8Array>) => void)[] = [];
  const coming: IteratorResult<Uint8Array>[] = [];
  const come = (result: IteratorResult<Uint8Array>) => {
    const reader = waiting.shift();
    if (reader) reader(result);
    else coming.push(result);
  };
  const answer = {
    reading: {
      push: (bytes: Uint8Array): Heard<string> => ({ events: Buffer.from(bytes).toString().split('') }),
      end: (): Heard<string> => ({ events: ['end'] }),
      ...reading,
    },
    body: {
      next: () =>
        new Promise<IteratorResult<Uint8Array>>((resolve) => {
          const result = coming.shift();
          if (result) resolve(result);
          else waiting.push(resolve);
        }),
    },
    release: () => void done.push('release'),
    close: () => void done.push('close'),
  };
  return {
    answer,
    done,
    comes: (text: string) => come({ done: false, value: Buffer.from(text) }),
    ends: () => come({ done: true, value: undefined }),
  };
}

const live = () => new AbortController().signal;

async function all(events: AsyncIterable<string>): Promise<string[]> {
  const heard: string[] = [];
  for await (const event of events) heard.push(event);
  return heard;
}

async function pushed(events: Flow<string>): Promise<string[]> {
  const heard: string[] = [];
  await events.each((event) => void heard.push(event));
  return heard;
}

describe('the events of an answer', () => {
  it('are those of its beginning, of each piece and of its end, and it is asked for by the first reader', async () => {
    const { answer, comes, ends, done } = openAnswer({ first: ['head'] });
    let opened = 0;
    const events = answerEvents({ signal: live(), clock: manualClock() }, async () => {
      opened++;
      return answer;
    });
    expect(opened).toBe(0);
    comes('ab');
    comes('c');
    ends();
    ends();
    expect(await all(events)).toEqual(['head', 'a', 'b', 'c', 'end']);
    expect(opened).toBe(1);
    await new Promise(setImmediate);
    expect(done).toContain('close');
  });

  it('come before a failure that comes behind them', async () => {
    const { answer, comes, done } = openAnswer({ push: () => ({ events: ['a'], failure: new Error('broken') }) });
    const events = answerEvents({ signal: live(), clock: manualClock() }, async () => answer);
    comes('x');
    expect(await events.next()).toEqual({ done: false, value: 'a' });
    await expect(events.next()).rejects.toThrow('broken');
    expect(done).toEqual(['close']);
    expect((await events.next()).done).toBe(true);
  });

  it('end with an abort, also between two of one piece', async () => {
    const { answer, comes, done } = openAnswer();
    const caller = new AbortController();
    const events = answerEvents({ signal: caller.signal, clock: manualClock() }, async () => answer);
    comes('ab');
    await events.next();
    caller.abort(new Error('gone'));
    await expect(events.next()).rejects.toThrow('gone');
    expect(done).toEqual(['close']);
  });

  it('let the rest of a whole answer come, so that its connection can be used again, but not for long', async () => {
    const clock = manualClock();
    for (const comesInTime of [true, false]) {
      const { answer, comes, ends, done } = openAnswer({ push: () => ({ events: ['a'], isWhole: true }) });
      const events = answerEvents({ signal: live(), clock }, async () => answer);
      comes('x');
      expect(await all(events)).toEqual(['a']);
      expect(done).toEqual(['release']);
      if (comesInTime) ends();
      else await clock.advance(250);
      await new Promise(setImmediate);
      expect(done).toContain('close');
    }
  });

  it('close what was opened for a reader that has gone meanwhile', async () => {
    const { answer, done } = openAnswer();
    const opening = Promise.withResolvers<typeof answer>();
    const events = answerEvents({ signal: live(), clock: manualClock() }, () => opening.promise);
    const first = events.next();
    await events.return!();
    opening.resolve(answer);
    expect((await first).done).toBe(true);
    expect(done).toEqual(['close']);
  });

  it('are pushed to whoever wants that, the first of them or what is left', async () => {
    for (const isFirstPulled of [false, true]) {
      const { answer, comes, ends, done } = openAnswer({ first: ['head'] });
      const events = answerEvents({ signal: live(), clock: manualClock() }, async () => answer);
      comes('ab');
      comes('c');
      ends();
      if (isFirstPulled) await events.next();
      expect(await pushed(events)).toEqual(['head', 'a', 'b', 'c', 'end'].slice(isFirstPulled ? 1 : 0));
      await new Promise(setImmediate);
      expect(done).toContain('close');
      expect((await events.next()).done).toBe(true);
    }
  });

  it('that are pushed come before their failure, and end with an abort between two of one piece', async () => {
    const broken = openAnswer({ push: () => ({ events: ['a'], failure: new Error('broken') }) });
    const caller = new AbortController();
    const heard: string[] = [];
    broken.comes('x');
    const first = answerEvents({ signal: live(), clock: manualClock() }, async () => broken.answer);
    await expect(first.each((event) => void heard.push(event))).rejects.toThrow('broken');
    expect(heard).toEqual(['a']);
    expect(broken.done).toEqual(['close']);

    const given = openAnswer();
    given.comes('ab');
    const second = answerEvents({ signal: caller.signal, clock: manualClock() }, async () => given.answer);
    const reading = second.each(() => caller.abort(new Error('gone')));
    await expect(reading).rejects.toThrow('gone');
    expect(given.done).toEqual(['close']);
  });

  it('that are pushed are over with the answer, whose connection may still end', async () => {
    const { answer, comes, ends, done } = openAnswer({ push: () => ({ events: ['a'], isWhole: true }) });
    const events = answerEvents({ signal: live(), clock: manualClock() }, async () => answer);
    comes('x');
    expect(await pushed(events)).toEqual(['a']);
    expect(done).toEqual(['release']);
    comes('more');
    ends();
    await new Promise(setImmediate);
    expect(done).toContain('close');
  });
});
