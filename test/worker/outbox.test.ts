import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { promptUsage } from '../../src/core/usage.ts';
import type { FromWorker, WorkerStep } from '../../src/ipc/protocol.ts';
import { createOutbox } from '../../src/worker/outbox.ts';

const delta = (text: string): StreamEvent => ({ type: 'text-delta', blockId: 0, text });

/** A step of so many milliseconds that brought these events of request 1. */
function step(milliseconds: number, ...events: StreamEvent[]): WorkerStep {
  return {
    items: events.map((event) => ({ id: 1, event })),
    report: {
      sequences: 1,
      decoded: [1],
      promptTokens: 0,
      prefixes: [],
      drafts: { proposed: 0, accepted: 0 },
      milliseconds,
      endedMs: 0,
    },
  };
}

/** As it is told when its pieces went on behind those of an earlier step. */
const without = (one: WorkerStep): WorkerStep => ({ ...one, items: [] });

function setup() {
  const sent: FromWorker[] = [];
  const due: (() => void)[] = [];
  const timers: { atMs: number; run: () => void }[] = [];
  let nowMs = 0;
  const outbox = createOutbox((message) => sent.push(message), {
    later: (run) => due.push(run),
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
    nowMs: () => nowMs,
  });
  return {
    outbox,
    sent,
    due,
    timers,
    dispatched() {
      for (const run of due.splice(0)) run();
    },
    advance(byMs: number) {
      nowMs += byMs;
      for (const timer of [...timers]) if (timer.atMs <= nowMs) timer.run();
    },
  };
}

describe('what a step brought', () => {
  it('is told once the next step is on its way, in order, and not twice when all is flushed', () => {
    const { outbox, sent, due, dispatched } = setup();
    const [first, second] = [step(60, delta('a')), step(60, delta('b'))];
    outbox.post(first);
    outbox.post(second);
    expect(sent).toEqual([]);
    expect(due).toHaveLength(1);
    outbox.flush();
    expect(sent).toEqual([{ type: 'steps', steps: [step(60, delta('ab')), without(second)] }]);
    dispatched();
    expect(sent).toHaveLength(1);
    outbox.post(first);
    dispatched();
    expect(sent.slice(1)).toEqual([{ type: 'step', ...first }]);
  });

  it('goes out after what the library dispatches in the next turn', async () => {
    const order: string[] = [];
    const outbox = createOutbox(() => order.push('sent'));
    outbox.post(step(60, delta('a')));
    // As the step loop does: the batch is queued a few microtasks after the step was posted.
    await Promise.resolve();
    setImmediate(() => order.push('dispatched'));
    while (order.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['dispatched', 'sent']);
  });

  it('goes at once when it is a beginning or an end, with what waits, and nothing is told twice', () => {
    const { outbox, sent, dispatched, timers } = setup();
    const start: StreamEvent = { type: 'start', responseId: null, model: 'm', usage: promptUsage(1, 0), warnings: [] };
    const [began, slow, fast, ended] = [step(5, start, delta('a')), step(60, delta('b')), step(5, delta('c')), step(5)];
    ended!.items.push({ id: 1, error: new AppError('internal_error', 'broken').toWire() });
    outbox.post(began!);
    expect(sent).toEqual([{ type: 'step', ...began }]);
    outbox.post(slow!);
    outbox.post(fast!);
    expect(sent).toHaveLength(1);
    outbox.post(ended!);
    expect(sent.slice(1)).toEqual([{ type: 'steps', steps: [step(60, delta('bc')), without(fast!), ended] }]);
    dispatched();
    expect(sent).toHaveLength(2);
    expect(timers).toEqual([]);
  });

  it('waits for others where steps are fast, and no longer than 40 ms', () => {
    const { outbox, sent, dispatched, advance } = setup();
    const steps = Array.from({ length: 8 }, (_, index) => step(12, delta(`${index}`)));
    for (const own of steps) {
      outbox.post(own);
      dispatched();
      advance(12);
    }
    // The fourth is posted 36 ms after the first: a fifth would be too late for it.
    expect(sent).toEqual([
      { type: 'steps', steps: [step(12, delta('0123')), ...steps.slice(1, 4).map(without)] },
      { type: 'steps', steps: [step(12, delta('4567')), ...steps.slice(5, 8).map(without)] },
    ]);
  });

  it('does not wait for a step that takes longer than expected', () => {
    const { outbox, sent, advance, timers } = setup();
    const fast = step(2, delta('a'));
    outbox.post(fast);
    advance(39);
    expect(sent).toEqual([]);
    advance(1);
    expect(sent).toEqual([{ type: 'step', ...fast }]);
    expect(timers).toEqual([]);
  });

  it('does not wait where one step takes longer than 40 ms', () => {
    const { outbox, sent, dispatched, timers } = setup();
    outbox.post(step(41, delta('a')));
    dispatched();
    expect(sent).toHaveLength(1);
    expect(timers).toEqual([]);
  });

  it.each<[string, WorkerStep]>([
    ['a beginning', step(2, { type: 'text-start', blockId: 0 }, delta('a'))],
    [
      'the start of an answer',
      step(2, { type: 'start', responseId: null, model: 'm', usage: promptUsage(1, 0), warnings: [] }),
    ],
    ['the end of a block', step(2, { type: 'text-end', blockId: 0 })],
    ['a failure', { ...step(2), items: [{ id: 2, error: new AppError('internal_error', 'failed').toWire() }] }],
    ['what is no step', { items: [], report: null }],
  ])('never waits when it is %s, and takes what waits along', (_, urgent) => {
    const { outbox, sent, dispatched, timers } = setup();
    const held = step(2, delta('a'));
    outbox.post(held);
    dispatched();
    expect(sent).toEqual([]);
    outbox.post(urgent);
    dispatched();
    expect(sent).toEqual([{ type: 'steps', steps: [held, urgent] }]);
    expect(timers).toEqual([]);
  });

  it('joins pieces of one text, and of nothing that stands apart', () => {
    const { outbox, sent } = setup();
    const reasoning: StreamEvent = { type: 'reasoning-delta', blockId: 0, text: 'r' };
    const logprobs: StreamEvent = { type: 'logprobs', tokens: [] };
    const other = { id: 2, event: delta('z') };
    const [first, second] = [step(2, reasoning, reasoning, delta('a')), step(2, delta('b'), logprobs, delta('c'))];
    first!.items.push(other);
    second!.items.push(other, { id: 2, event: { ...delta('y'), blockId: 1 } as StreamEvent });
    const before = structuredClone([first, second]);
    outbox.post(first!);
    outbox.post(second!);
    outbox.flush();
    const [message] = sent;
    const items = message?.type === 'steps' ? message.steps.map((one) => one.items) : [];
    expect(items).toEqual([
      [
        { id: 1, event: { ...reasoning, text: 'rr' } },
        { id: 1, event: delta('ab') },
        { id: 2, event: delta('zz') },
      ],
      [
        { id: 1, event: logprobs },
        { id: 1, event: delta('c') },
        { id: 2, event: { ...delta('y'), blockId: 1 } },
      ],
    ]);
    // What was handed in is not touched.
    expect([first, second]).toEqual(before);
  });
});
