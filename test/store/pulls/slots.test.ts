import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../src/store/pulls/slots.ts';
import { never } from '../../support/test-store.ts';

describe('places for pulls', () => {
  it('are given in the order in which they were asked for, and never to more than there are', async () => {
    const slots = createSlots(1);
    const order: string[] = [];
    const giveBack = await slots.take(never);
    const waiting = ['second', 'third'].map(async (name) => {
      const done = await slots.take(never);
      order.push(name);
      return done;
    });
    expect(order).toEqual([]);
    giveBack();
    const giveBackSecond = await waiting[0]!;
    expect(order).toEqual(['second']);
    giveBackSecond();
    (await waiting[1]!)();
    expect(order).toEqual(['second', 'third']);
    await slots.take(never);
  });

  it('go to the next one when who waited has gone', async () => {
    const slots = createSlots(1);
    const giveBack = await slots.take(never);
    const gone = new AbortController();
    const first = slots.take(gone.signal);
    const second = slots.take(never);
    gone.abort(new Error('cancelled'));
    await expect(first).rejects.toThrow('cancelled');
    giveBack();
    expect(await second).toBeTypeOf('function');
  });

  it('are not taken by who has gone before', async () => {
    const slots = createSlots(1);
    await expect(slots.take(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(await slots.take(never)).toBeTypeOf('function');
  });
});
