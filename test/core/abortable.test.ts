import { describe, expect, it } from 'vitest';
import { abortable, endedWith } from '../../src/core/abortable.ts';
import { delay } from '../../src/core/clock.ts';
import { manualClock } from '../support/manual-clock.ts';

describe('a wait that a signal can end', () => {
  it('gives what it waited for, and what comes later changes nothing', async () => {
    const { signal, ...cancel } = withController();
    let withdrawn = 0;
    const answer = await abortable<string>(signal, (resolve) => {
      resolve('here');
      return () => void withdrawn++;
    });
    cancel.abort('late');
    expect(answer).toBe('here');
    expect(withdrawn).toBe(0);
  });

  it('ends with the reason of the signal, and is withdrawn once', async () => {
    const { signal, abort } = withController();
    let withdrawn = 0;
    const waiting = abortable(signal, () => () => void withdrawn++);
    abort('enough');
    await expect(waiting).rejects.toThrow('enough');
    expect(withdrawn).toBe(1);
  });

  it('does not begin when the signal has come before', async () => {
    const { signal, abort } = withController();
    abort('before');
    let began = false;
    await expect(
      abortable(signal, () => {
        began = true;
        return () => {};
      }),
    ).rejects.toThrow('before');
    expect(began).toBe(false);
  });

  it('may be one for the clock', async () => {
    const clock = manualClock();
    const { signal, abort } = withController();
    const first = delay(clock, 100, new AbortController().signal);
    const second = delay(clock, 200, signal);
    clock.advance(100);
    await first;
    abort('cancelled');
    await expect(second).rejects.toThrow('cancelled');
  });
});

function withController() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: string) => controller.abort(new Error(reason)) };
}

describe('a signal that ends with others', () => {
  it('aborts with the first of them, for its reason, or where it is told to', () => {
    const [one, other] = [withController(), withController()];
    const { signal } = endedWith([one.signal, other.signal]);
    expect(signal.aborted).toBe(false);
    other.abort('of the other');
    one.abort('later');
    expect(signal.reason).toEqual(other.signal.reason);
    const { signal: third, end } = endedWith([withController().signal]);
    end('of its own');
    expect(third.reason).toBe('of its own');
  });

  it('has aborted where one of them had, and hears nothing after its release', () => {
    const one = withController();
    const { signal, release } = endedWith([one.signal]);
    release();
    one.abort('late');
    expect(signal.aborted).toBe(false);
    expect(endedWith([withController().signal, one.signal]).signal.reason).toEqual(one.signal.reason);
  });
});
