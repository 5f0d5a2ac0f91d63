import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { watchUpstream } from '../../src/wire/upstream.ts';
import { collect } from '../support/collect.ts';
import { manualClock } from '../support/manual-clock.ts';

const timeouts = { firstByteMs: 5000, idleMs: 2000, totalMs: 60_000 };

function setup(changes: Partial<typeof timeouts> | { totalMs: null } = {}) {
  const clock = manualClock();
  const caller = new AbortController();
  const limits = { ...timeouts, ...changes };
  const watch = watchUpstream({ clock, timeouts: limits, signal: caller.signal, provider: 'claude' });
  return { clock, caller, watch };
}

/** A source that gives what it is handed, and never ends by itself: the worst of upstreams. */
function handedSource<Piece>() {
  const waiting: ((result: IteratorResult<Piece>) => void)[] = [];
  const source = {
    returned: 0,
    give: (value: Piece) => waiting.shift()!({ value, done: false }),
    end: () => waiting.shift()!({ value: undefined, done: true }),
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<Piece>>((resolve) => waiting.push(resolve)),
      return: () => {
        source.returned++;
        return new Promise<IteratorResult<Piece>>(() => {});
      },
    }),
  };
  return source;
}

const timedOut = (waitedFor: string, limitMs: number) =>
  expect.objectContaining({
    code: 'upstream_timeout',
    details: { provider: 'claude', waited_for: waitedFor, limit_ms: limitMs },
  });

describe('a watched request to another server', () => {
  it('gives every piece of the answer in order, and ends with it', async () => {
    const { watch } = setup();
    async function* source() {
      yield 'a';
      yield 'b';
    }
    expect(await watch.head(Promise.resolve('head'))).toBe('head');
    expect(await collect(watch.body(source()))).toEqual(['a', 'b']);
    expect(watch.signal.aborted).toBe(false);
  });

  it('waits for the head only as long as for the first byte, and aborts the request then', async () => {
    const { clock, watch } = setup();
    const head = watch.head(new Promise(() => {}));
    clock.advance(4999);
    expect(watch.signal.aborted).toBe(false);
    clock.advance(1);
    await expect(head).rejects.toEqual(timedOut('first_byte', 5000));
    expect(watch.signal.reason).toEqual(timedOut('first_byte', 5000));
  });

  it('counts a head without a body as no answer', async () => {
    const { clock, watch } = setup();
    await watch.head(Promise.resolve());
    clock.advance(3000);
    const first = watch.body(handedSource()).next();
    clock.advance(2000);
    await expect(first).rejects.toEqual(timedOut('first_byte', 5000));
  });

  it('gives each further piece the whole idle time again', async () => {
    const { clock, watch } = setup();
    const source = handedSource<string>();
    const body = watch.body(source);
    const first = body.next();
    clock.advance(4999);
    source.give('a');
    expect(await first).toEqual({ value: 'a', done: false });
    for (const piece of ['b', 'c']) {
      const next = body.next();
      clock.advance(1999);
      source.give(piece);
      expect(await next).toEqual({ value: piece, done: false });
    }
    const stalled = body.next();
    clock.advance(2000);
    await expect(stalled).rejects.toEqual(timedOut('next_piece', 2000));
    expect(source.returned).toBe(1);
  });

  it('does not count the time that its reader takes', async () => {
    const { clock, watch } = setup();
    const source = handedSource<string>();
    const body = watch.body(source);
    const first = body.next();
    source.give('a');
    await first;
    clock.advance(30_000);
    const second = body.next();
    source.give('b');
    expect(await second).toEqual({ value: 'b', done: false });
  });

  it('bounds the whole answer where it drips on, and only where that is wanted', async () => {
    const drip = async (
      clock: ReturnType<typeof manualClock>,
      body: AsyncIterableIterator<string>,
      give: () => void,
    ) => {
      for (let piece = 0; piece < 100; piece++) {
        const next = body.next();
        clock.advance(1000);
        give();
        await next;
      }
    };
    const bounded = setup();
    const source = handedSource<string>();
    await expect(drip(bounded.clock, bounded.watch.body(source), () => source.give('a'))).rejects.toEqual(
      timedOut('whole_answer', 60_000),
    );
    const endless = setup({ totalMs: null });
    const other = handedSource<string>();
    await drip(endless.clock, endless.watch.body(other), () => other.give('a'));
  });

  it("ends with the reason of the caller's signal, before the head, between pieces, and where it was aborted before", async () => {
    const reason = new AppError('client_closed_request', 'gone');
    const early = setup();
    const head = early.watch.head(new Promise(() => {}));
    early.caller.abort(reason);
    await expect(head).rejects.toBe(reason);

    const late = setup();
    const source = handedSource<string>();
    const body = late.watch.body(source);
    const first = body.next();
    source.give('a');
    await first;
    const second = body.next();
    late.caller.abort(reason);
    await expect(second).rejects.toBe(reason);

    const clock = manualClock();
    const before = watchUpstream({ clock, timeouts, signal: AbortSignal.abort(reason), provider: 'claude' });
    await expect(before.head(Promise.resolve('head'))).rejects.toBe(reason);
    expect(before.signal.reason).toBe(reason);
  });

  it('takes whatever fails after an abort for the abort', async () => {
    const { caller, watch } = setup();
    const reason = new AppError('client_closed_request', 'gone');
    const { promise, reject } = Promise.withResolvers<never>();
    const head = watch.head(promise);
    watch.signal.addEventListener('abort', () => reject(new Error('socket hang up')));
    caller.abort(reason);
    await expect(head).rejects.toBe(reason);
  });

  it('says that the connection broke where the source fails, and passes errors of the catalogue on', async () => {
    async function* failing(error: Error) {
      yield 'a';
      throw error;
    }
    const reset = new Error('ECONNRESET');
    await expect(collect(setup().watch.body(failing(reset)))).rejects.toMatchObject({
      code: 'upstream_unavailable',
      details: { provider: 'claude' },
      cause: reset,
    });
    const known = new AppError('upstream_overloaded', 'busy');
    await expect(collect(setup().watch.body(failing(known)))).rejects.toBe(known);
    const head = setup().watch.head(Promise.reject(reset));
    await expect(head).rejects.toBe(reset);
  });

  it('ends the request and holds nothing when its reader turns away, though the source does not let go', async () => {
    const { clock, caller, watch } = setup();
    const source = handedSource<string>();
    const body = watch.body(source);
    const first = body.next();
    source.give('a');
    await first;
    await body.return!();
    expect(watch.signal.aborted).toBe(true);
    expect(source.returned).toBe(1);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
    const { reason } = watch.signal;
    clock.advance(120_000);
    expect(watch.signal.reason).toBe(reason);
  });

  it('ends whoever waits for the next piece when it is closed, though the source does not', async () => {
    const { watch } = setup();
    const waiting = watch.body(handedSource()).next();
    watch.close();
    await expect(waiting).rejects.toBe(watch.signal.reason);
  });

  it('holds nothing once it is closed without a body', () => {
    const { clock, caller, watch } = setup();
    watch.close();
    watch.close();
    const { reason } = watch.signal;
    clock.advance(120_000);
    expect(watch.signal.reason).toBe(reason);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
  });

  it('gives each piece that is pushed the whole idle time again, and none to the time before it is read', async () => {
    const { clock, watch } = setup();
    const source = handedSource<string>();
    const seen: string[] = [];
    const reading = watch.body(source).each((piece) => void seen.push(piece));
    clock.advance(4999);
    source.give('a');
    for (const piece of ['b', 'c']) {
      await new Promise(setImmediate);
      clock.advance(1999);
      source.give(piece);
    }
    await new Promise(setImmediate);
    clock.advance(2000);
    await expect(reading).rejects.toEqual(timedOut('next_piece', 2000));
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(source.returned).toBe(1);
  });

  it('gives nothing more once it is aborted to who is pushed to, and tells why', async () => {
    const { caller, watch } = setup();
    const source = handedSource<string>();
    const seen: string[] = [];
    const reading = watch.body(source).each((piece) => void seen.push(piece));
    source.give('a');
    await new Promise(setImmediate);
    const reason = new AppError('client_closed_request', 'gone');
    caller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    source.give('b');
    await new Promise(setImmediate);
    expect(seen).toEqual(['a']);
  });

  it('hands back what whoever takes the pieces throws, and ends the request', async () => {
    const { watch } = setup();
    const source = handedSource<string>();
    const thrown = new Error('full');
    const reading = watch.body(source).each(() => {
      throw thrown;
    });
    source.give('a');
    await expect(reading).rejects.toBe(thrown);
    expect(watch.signal.aborted).toBe(true);
  });
});
