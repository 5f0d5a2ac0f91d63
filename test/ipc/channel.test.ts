import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { createChannel } from '../../src/ipc/channel.ts';
import { anyRequest, fakeWorker, settle } from '../support/fake-worker.ts';

function setup() {
  const worker = fakeWorker({ obeysCancel: false });
  const reports: number[] = [];
  const channel = createChannel({ port: worker, onStep: (report) => reports.push(report.sequences) });
  const counts = { tokens: 0, settled: 0 };
  const hooks = { onToken: () => void counts.tokens++, onSettled: () => void counts.settled++ };
  return { worker, channel, reports, counts, hooks };
}

const text = (value: string): StreamEvent => ({ type: 'text-delta', blockId: 0, text: value });

describe('the channel to a worker', () => {
  it('gives each request its own events, in order, however they are mixed', async () => {
    const { worker, channel, hooks, reports, counts } = setup();
    const never = new AbortController().signal;
    const a = channel.generate(anyRequest, never, hooks);
    const b = channel.generate(anyRequest, never, hooks);
    const firstA = a.next();
    const firstB = b.next();
    await settle();
    const [idA, idB] = worker.running.map((running) => running.id) as [number, number];
    worker.emit({
      type: 'step',
      items: [
        { id: idB, event: text('b1') },
        { id: idA, event: text('a1') },
        { id: idB, event: text('b2') },
      ],
      report: {
        sequences: 2,
        promptTokens: 0,
        decoded: [idA, idB],
        prefixes: [],
        drafts: { proposed: 0, accepted: 0 },
        milliseconds: 0,
        endedMs: 7,
      },
    });
    expect((await firstA).value).toEqual(text('a1'));
    expect((await firstB).value).toEqual(text('b1'));
    expect((await b.next()).value).toEqual(text('b2'));
    expect(reports).toEqual([2]);
    expect(counts.tokens).toBe(2);
  });

  it('takes several steps of one message one after the other', async () => {
    const { worker, channel, hooks, reports, counts } = setup();
    const answer = channel.generate(anyRequest, new AbortController().signal, hooks);
    const first = answer.next();
    await settle();
    const { id } = worker.running[0]!;
    const step = (sequences: number, value: string) => ({
      items: [{ id, event: text(value) }],
      report: {
        sequences,
        promptTokens: 0,
        decoded: [id],
        prefixes: [],
        drafts: { proposed: 0, accepted: 0 },
        milliseconds: 2,
        endedMs: 2,
      },
    });
    worker.emit({ type: 'steps', steps: [step(1, 'a'), step(2, 'b'), step(3, 'c')] });
    expect((await first).value).toEqual(text('a'));
    expect((await answer.next()).value).toEqual(text('b'));
    expect((await answer.next()).value).toEqual(text('c'));
    expect(reports).toEqual([1, 2, 3]);
    expect(counts.tokens).toBe(3);
  });

  it('ends with the worker’s finish, and settles exactly once', async () => {
    const { worker, channel, hooks, counts } = setup();
    const events: StreamEvent[] = [];
    const done = (async () => {
      for await (const event of channel.generate(anyRequest, new AbortController().signal, hooks)) events.push(event);
    })();
    await settle();
    worker.answer(worker.running[0]!.id, 'hi');
    await done;
    expect(events.map((event) => event.type)).toEqual(['start', 'text-start', 'text-delta', 'text-end', 'finish']);
    expect(counts.settled).toBe(1);
    expect(worker.received.some((message) => message.type === 'cancel')).toBe(false);
  });

  it('throws the worker’s error with its code and numbers', async () => {
    const { worker, channel, hooks, counts } = setup();
    const next = channel.generate(anyRequest, new AbortController().signal, hooks).next();
    await settle();
    const error = new AppError('context_length_exceeded', 'too long', { details: { prompt_tokens: 9 } });
    worker.step({ id: worker.running[0]!.id, error: error.toWire() });
    await expect(next).rejects.toMatchObject({ code: 'context_length_exceeded', details: { prompt_tokens: 9 } });
    expect(counts.settled).toBe(1);
  });

  it('cancels in the worker when aborted while it waits, and settles only when the worker confirms', async () => {
    const { worker, channel, hooks, counts } = setup();
    const abort = new AbortController();
    const next = channel.generate(anyRequest, abort.signal, hooks).next();
    await settle();
    const { id } = worker.running[0]!;
    abort.abort(new AppError('client_closed_request', 'gone'));
    await expect(next).rejects.toMatchObject({ code: 'client_closed_request' });
    expect(worker.received.at(-1)).toEqual({ type: 'cancel', id });
    expect(counts.settled).toBe(0);
    worker.step({ id, error: new AppError('internal_error', 'late').toWire() });
    expect(counts.settled).toBe(1);
  });

  it('cancels in the worker when the reader returns early', async () => {
    const { worker, channel, hooks } = setup();
    for await (const event of (() => {
      const events = channel.generate(anyRequest, new AbortController().signal, hooks);
      void settle().then(() => worker.step({ id: worker.running[0]!.id, event: text('x') }));
      return events;
    })()) {
      expect(event).toEqual(text('x'));
      break;
    }
    expect(worker.received.at(-1)?.type).toBe('cancel');
  });

  it('fails everyone who waits when it closes, and everyone who comes later', async () => {
    const { channel, hooks, counts } = setup();
    const waiting = [1, 2, 3].map(() => channel.generate(anyRequest, new AbortController().signal, hooks).next());
    await settle();
    channel.close(new AppError('worker_crashed', 'dead'));
    channel.close(new AppError('internal_error', 'twice'));
    for (const next of waiting) await expect(next).rejects.toMatchObject({ code: 'worker_crashed' });
    await expect(channel.generate(anyRequest, new AbortController().signal, hooks).next()).rejects.toMatchObject({
      code: 'worker_crashed',
    });
    expect(counts.settled).toBe(4);
  });

  it('hands out what had arrived before the close', async () => {
    const { worker, channel, hooks } = setup();
    const events = channel.generate(anyRequest, new AbortController().signal, hooks);
    const first = events.next();
    await settle();
    const { id } = worker.running[0]!;
    worker.step({ id, event: text('a') }, { id, event: text('b') });
    channel.close(new AppError('worker_crashed', 'dead'));
    expect((await first).value).toEqual(text('a'));
    expect((await events.next()).value).toEqual(text('b'));
    await expect(events.next()).rejects.toMatchObject({ code: 'worker_crashed' });
  });
});
