import { describe, expect, it } from 'vitest';
import type { FromWorker } from '../../../src/engine/ipc/protocol.ts';
import { createOutbox } from '../../../src/engine/worker/outbox.ts';

const pong = (sequence: number): FromWorker => ({ type: 'pong', sequence });

describe('messages that wait for the next step', () => {
  it('go out later, in order, and are not sent twice by a flush', () => {
    const sent: FromWorker[] = [];
    const due: (() => void)[] = [];
    const outbox = createOutbox(
      (message) => sent.push(message),
      (run) => due.push(run),
    );
    outbox.post(pong(1));
    outbox.post(pong(2));
    expect(sent).toEqual([]);
    expect(due).toHaveLength(1);
    outbox.flush();
    expect(sent).toEqual([pong(1), pong(2)]);
    due.shift()!();
    expect(sent).toHaveLength(2);
    outbox.post(pong(3));
    due.shift()!();
    expect(sent).toEqual([pong(1), pong(2), pong(3)]);
  });

  it('go out after what the library dispatches in the next turn', async () => {
    const order: string[] = [];
    const outbox = createOutbox(() => order.push('sent'));
    outbox.post(pong(1));
    // As the step loop does: the batch is queued a few microtasks after the message was posted.
    await Promise.resolve();
    setImmediate(() => order.push('dispatched'));
    while (order.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['dispatched', 'sent']);
  });
});
