import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import { createCourtesy } from '../../../src/engine/requests/courtesy.ts';
import { createTurns } from '../../../src/engine/requests/turns.ts';
import { collect } from '../../support/collect.ts';

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));
const text = (of: string): StreamEvent => ({ type: 'text-delta', blockId: 0, text: of });
const loading: StreamEvent = { type: 'progress', stage: 'loading' };

/** Work that goes on when a test says so, and ends when its turn does. */
function setup() {
  const courtesy = createCourtesy();
  const tries: { signal: AbortSignal; end(value: string): void }[] = [];
  const work = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      tries.push({ signal, end: resolve });
    });
  async function* told(signal: AbortSignal): AsyncGenerator<StreamEvent> {
    yield loading;
    yield text('begun');
    yield text(await work(signal));
  }
  return { courtesy, turns: createTurns(courtesy), tries, work, told };
}

describe('what nobody waits for', () => {
  const patient = { isBackground: true, signal: never };

  it('begins anew, in its next turn, where it gave way, and is told once', async () => {
    const { courtesy, turns, tries, told } = setup();
    const events = collect(turns.stream(patient, told));
    await settle();
    const leave = courtesy.enter();
    await settle();
    expect(tries).toHaveLength(1);
    leave();
    await settle();
    tries[1]!.end('whole');
    expect(await events).toEqual([loading, loading, text('begun'), text('whole')]);
  });

  it('does so too where it comes whole', async () => {
    const { courtesy, turns, tries, work } = setup();
    const answer = turns.once(patient, work);
    await settle();
    courtesy.enter()();
    await settle();
    tries[1]!.end('whole');
    expect(await answer).toBe('whole');
  });

  it('fails where it failed by itself, and stands in nobody’s way then', async () => {
    const { courtesy, turns } = setup();
    const fail = () => Promise.reject(new AppError('worker_crashed', 'gone'));
    await expect(turns.once(patient, fail)).rejects.toMatchObject({ code: 'worker_crashed' });
    async function* failing(): AsyncGenerator<StreamEvent> {
      yield loading;
      await fail();
    }
    await expect(collect(turns.stream(patient, failing))).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(() => courtesy.enter()).not.toThrow();
  });

  it('is given up by whoever asked for it', async () => {
    const { turns, tries, work, told } = setup();
    const gone = new AbortController();
    const asked = { isBackground: true, signal: gone.signal };
    const ends = [collect(turns.stream(asked, told)), turns.once(asked, work)];
    const failed = Promise.all(ends.map((end) => expect(end).rejects.toMatchObject({ code: 'shutting_down' })));
    await settle();
    gone.abort(new AppError('shutting_down', 'The server stops.'));
    await failed;
    expect(tries).toHaveLength(2);
  });
});

describe('what somebody waits for', () => {
  it('is told as it comes, and others wait until it has ended or is let go', async () => {
    const { courtesy, turns, told } = setup();
    const reading = turns.stream({ isBackground: false, signal: never }, told)[Symbol.asyncIterator]();
    expect((await reading.next()).value).toEqual(loading);
    expect((await reading.next()).value).toEqual(text('begun'));
    let hasTurn = false;
    const turn = courtesy.wait(never).then(() => {
      hasTurn = true;
    });
    await settle();
    expect(hasTurn).toBe(false);
    await reading.return?.();
    await turn;
  });
});
