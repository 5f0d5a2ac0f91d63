import { describe, expect, it } from 'vitest';
import { createCourtesy } from '../../../src/engine/requests/courtesy.ts';

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('what nobody waits for', () => {
  it('has its turn at once where nobody asks, several at a time', async () => {
    const courtesy = createCourtesy();
    const turns = await Promise.all([courtesy.wait(never), courtesy.wait(never)]);
    expect(turns.map(({ signal }) => signal.aborted)).toEqual([false, false]);
  });

  it('is ended when somebody comes, and begins again when all have gone', async () => {
    const courtesy = createCourtesy();
    const first = await courtesy.wait(never);
    const [leaveOne, leaveOther] = [courtesy.enter(), courtesy.enter()];
    expect(first.signal.reason).toMatchObject({ code: 'client_closed_request' });
    let hasTurn = false;
    const second = courtesy.wait(never).then((turn) => {
      hasTurn = true;
      return turn;
    });
    leaveOne();
    leaveOne();
    await settle();
    expect(hasTurn).toBe(false);
    leaveOther();
    expect((await second).signal.aborted).toBe(false);
  });

  it('waits on where somebody comes in the moment in which its turn would begin', async () => {
    const courtesy = createCourtesy();
    const leave = courtesy.enter();
    let hasTurn = false;
    const waiting = courtesy.wait(never).then((turn) => {
      hasTurn = true;
      return turn;
    });
    await settle();
    leave();
    const leaveAgain = courtesy.enter();
    await settle();
    expect(hasTurn).toBe(false);
    leaveAgain();
    expect((await waiting).signal.aborted).toBe(false);
  });

  it('is not ended once it is over', async () => {
    const courtesy = createCourtesy();
    const turn = await courtesy.wait(never);
    turn.end();
    courtesy.enter();
    expect(turn.signal.aborted).toBe(false);
  });

  it('is given up by its own signal, while it waits and in its turn', async () => {
    const courtesy = createCourtesy();
    const gone = new AbortController();
    const turn = await courtesy.wait(gone.signal);
    const leave = courtesy.enter();
    const waiting = courtesy.wait(gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(turn.signal.aborted).toBe(true);
    leave();
    await expect(courtesy.wait(gone.signal)).rejects.toThrow('gone');
  });
});
