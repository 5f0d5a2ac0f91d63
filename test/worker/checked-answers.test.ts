import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { FinishReason, StreamEvent } from '../../src/core/events.ts';
import { unknownTimings, unknownUsage } from '../../src/core/usage.ts';
import type { WorkerItem } from '../../src/ipc/protocol.ts';
import type { Finding, Task } from '../../src/worker/answer/answer.ts';
import { createCheckedAnswers } from '../../src/worker/checked-answers.ts';

const task = { id: 7 } as Task;
const start: StreamEvent = { type: 'start', model: 'm', responseId: null, usage: unknownUsage, warnings: [] };
const text = (piece: string): StreamEvent => ({ type: 'text-delta', blockId: 0, text: piece });
const callStart: StreamEvent = { type: 'tool-call-start', blockId: 1, id: 'call_1', name: 'tag' };
const finish = (outputTokens: number, reason: FinishReason = 'stop'): StreamEvent => ({
  type: 'finish',
  reason,
  rawReason: null,
  stopSequence: null,
  usage: { ...unknownUsage, outputTokens },
  timings: unknownTimings,
});

/** Answers in which the text "bad" is a fault that shows at the end, and "twice" one that shows at once. */
function harness(holds: 'all' | 'calls' = 'all') {
  const told: (string | number)[] = [];
  const loop: string[] = [];
  const finding = (repeated: number | null): Finding => ({
    violation: { keyword: 'not', path: '#', at: [] },
    repeated,
    error: new AppError('invalid_request', 'broken'),
  });
  const checkOf = () => {
    let isBad = false;
    return {
      read(event: StreamEvent): Finding | null {
        if (event.type === 'text-delta' && event.text === 'twice') return finding(2);
        if (event.type === 'text-delta' && event.text === 'bad') isBad = true;
        return event.type === 'finish' && isBad ? finding(null) : null;
      },
    };
  };
  const answers = createCheckedAnswers({
    loop: () => ({ add: ({ id }) => loop.push(`add ${id}`), cancel: (id) => loop.push(`cancel ${id}`) }),
    publish: (items: WorkerItem[]) => {
      for (const item of items) {
        if ('error' in item) told.push(`error ${item.error.message}`);
        else if (item.event.type === 'text-delta') told.push(item.event.text);
        else if (item.event.type === 'finish') told.push(item.event.usage.outputTokens ?? -1);
        else told.push(item.event.type);
      }
    },
  });
  answers.add({
    task,
    check: checkOf(),
    holds,
    again: ({ repeated }, tries) => {
      loop.push(`again ${repeated} ${tries}`);
      return { task, check: checkOf() };
    },
  });
  const send = (...events: StreamEvent[]) =>
    answers.publish(
      events.map((event) => ({ id: 7, event })),
      null,
    );
  return { answers, told, loop, send };
}

describe('checked answers', () => {
  it('are told whole once they are right', () => {
    const { told, send } = harness();
    send(start, text('a'));
    expect(told).toEqual([]);
    send(text('b'), finish(3));
    expect(told).toEqual(['start', 'a', 'b', 3]);
  });

  it('are made once more, and count what was spent', () => {
    const { told, loop, send } = harness();
    send(start, text('bad'), finish(3));
    expect(told).toEqual([]);
    expect(loop).toEqual(['add 7', 'again null 1', 'add 7']);
    send(start, text('good'), finish(4));
    expect(told).toEqual(['start', 'good', 7]);
  });

  it('are given up with the error when the second is no better', () => {
    const { told, send } = harness();
    send(start, text('bad'), finish(3));
    send(start, text('bad'), finish(3));
    expect(told).toEqual(['error broken']);
  });

  it('are stopped as soon as nothing right can come, and begun anew when that is confirmed', () => {
    const { told, loop, send } = harness();
    send(start, text('twice'));
    expect(loop).toEqual(['add 7', 'cancel 7']);
    send(text('more'));
    send(finish(5, 'cancelled'));
    expect(loop).toEqual(['add 7', 'cancel 7', 'again 2 1', 'add 7']);
    send(start, text('once'), finish(1));
    expect(told).toEqual(['start', 'once', 6]);
  });

  it('that are over when the fault shows are not cancelled: the next try has the same id', () => {
    const { loop, send } = harness();
    send(start, text('twice'), finish(5));
    expect(loop).toEqual(['add 7', 'again 2 1', 'add 7']);
  });

  it('that repeat themselves have a third try', () => {
    const { told, loop, send } = harness();
    for (let tries = 0; tries < 3; tries++) send(start, text('twice'), finish(1));
    expect(loop.filter((line) => line.startsWith('again'))).toEqual(['again 2 1', 'again 2 2']);
    expect(told).toEqual(['error broken']);
  });

  it('that a client cancels end there', () => {
    const { answers, told, loop, send } = harness();
    send(start, text('bad'));
    answers.cancel(7);
    send(finish(2, 'cancelled'));
    expect(loop).toEqual(['add 7', 'cancel 7']);
    expect(told).toEqual(['start', 'bad', 2]);
  });

  it('show the text before a call as it comes, and hold the call', () => {
    const { told, send } = harness('calls');
    send(start);
    expect(told).toEqual([]);
    send(text('Well'));
    expect(told).toEqual(['start', 'Well']);
    send(callStart);
    expect(told).toEqual(['start', 'Well']);
    send(finish(9, 'tool_calls'));
    expect(told).toEqual(['start', 'Well', 'tool-call-start', 9]);
  });

  it('cannot begin anew once something was shown', () => {
    const { told, loop, send } = harness('calls');
    send(start, text('Well'), callStart, text('bad'), finish(3));
    expect(loop).toEqual(['add 7']);
    expect(told).toEqual(['start', 'Well', 'error broken']);
  });

  it('of others pass as they are', () => {
    const { answers, told } = harness();
    answers.publish([{ id: 8, event: text('other') }], null);
    expect(told).toEqual(['other']);
  });
});
