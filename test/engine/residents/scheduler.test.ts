import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { createScheduler } from '../../../src/engine/residents/scheduler.ts';
import { settle } from '../../support/fake-worker.ts';
import { manualClock } from '../../support/manual-clock.ts';

function setup(slots = 1, maxQueue = 2) {
  const clock = manualClock();
  const scheduler = createScheduler({ slots, maxQueue, clock, onChange: () => {} });
  const never = new AbortController().signal;
  return { clock, scheduler, never };
}

describe('the queue in front of the slots', () => {
  it('serves in the order of arrival and tells how long each waited', async () => {
    const { clock, scheduler, never } = setup();
    const first = await scheduler.acquire(never);
    const order: string[] = [];
    const waits: number[] = [];
    const later = ['b', 'c'].map(async (name) => {
      const ticket = await scheduler.acquire(never);
      order.push(name);
      waits.push(ticket.waitedMs);
      ticket.release();
    });
    clock.advance(250);
    expect(first.waitedMs).toBe(0);
    first.release();
    await Promise.all(later);
    expect(order).toEqual(['b', 'c']);
    expect(waits).toEqual([250, 250]);
    expect(scheduler.busySlots).toBe(0);
  });

  it('tells everyone who waits their place, and how long it will be as soon as that can be known', async () => {
    const { clock, scheduler, never } = setup(1, 5);
    const first = await scheduler.acquire(never);
    const told: Record<string, [number, number | null][]> = { b: [], c: [], d: [] };
    const ask = (name: string, signal = never) =>
      scheduler.acquire(signal, (place, estimateMs) => told[name]!.push([place, estimateMs]));
    const gone = new AbortController();
    const b = ask('b');
    const c = ask('c', gone.signal).catch(() => null);
    const d = ask('d');
    clock.advance(200);
    first.release();
    const second = await b;
    gone.abort(new AppError('client_closed_request', 'gone'));
    await c;
    clock.advance(400);
    second.release();
    (await d).release();
    // Told anew whenever somebody comes, goes or gets a slot; a slot was held for 200 ms, then for 400.
    expect(told['b']).toEqual([
      [1, null],
      [1, null],
      [1, null],
    ]);
    expect(told['c']).toEqual([
      [2, null],
      [2, null],
      [1, 200],
    ]);
    expect(told['d']).toEqual([
      [3, null],
      [2, 400],
      [1, 200],
    ]);
  });

  it('refuses at once when too many wait, with a time to retry', async () => {
    const { scheduler, never } = setup(1, 1);
    await scheduler.acquire(never);
    const waiting = scheduler.acquire(never);
    await expect(scheduler.acquire(never)).rejects.toMatchObject({
      code: 'queue_full',
      status: 429,
      retryAfterSeconds: 5,
    });
    scheduler.retire(new AppError('shutting_down', 'end'));
    await expect(waiting).rejects.toMatchObject({ code: 'shutting_down' });
  });

  it('gives the place of a client that went away to the next one', async () => {
    const { scheduler, never } = setup(1, 5);
    const first = await scheduler.acquire(never);
    const gone = new AbortController();
    const second = scheduler.acquire(gone.signal);
    const third = scheduler.acquire(never);
    expect(scheduler.queueDepth).toBe(2);
    gone.abort(new AppError('client_closed_request', 'gone'));
    await expect(second).rejects.toMatchObject({ code: 'client_closed_request' });
    expect(scheduler.queueDepth).toBe(1);
    first.release();
    (await third).release();
    expect(scheduler.busySlots).toBe(0);
  });

  it('counts a ticket once however often it is released', async () => {
    const { scheduler, never } = setup(2);
    const [a, b] = [await scheduler.acquire(never), await scheduler.acquire(never)];
    a.release();
    a.release();
    expect(scheduler.busySlots).toBe(1);
    b.release();
    expect(scheduler.busySlots).toBe(0);
  });

  it('keeps used slots until they are released after it was retired', async () => {
    const { scheduler, never } = setup();
    const ticket = await scheduler.acquire(never);
    const waiting = scheduler.acquire(never);
    scheduler.retire(new AppError('worker_crashed', 'gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'worker_crashed' });
    await expect(scheduler.acquire(never)).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(scheduler.busySlots).toBe(1);
    ticket.release();
    await settle();
    expect(scheduler.busySlots).toBe(0);
  });

  it('refuses with the time that the queue takes, as slots were held lately', async () => {
    const { clock, scheduler, never } = setup(2, 2);
    const first = await scheduler.acquire(never);
    clock.advance(20_000);
    first.release();
    for (let number = 0; number < 2; number++) await scheduler.acquire(never);
    const waiting = [scheduler.acquire(never), scheduler.acquire(never)];
    // Two wait for two slots that are held for 20 s each: the third would have one after 30 s.
    await expect(scheduler.acquire(never)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 30 });
    scheduler.retire(new AppError('shutting_down', 'end'));
    await Promise.allSettled(waiting);
  });
});

describe('a queue of several owners', () => {
  const orderOf = async (asks: readonly string[], maxQueue = 16) => {
    const { scheduler, never } = setup(1, maxQueue);
    const first = await scheduler.acquire(never, () => {}, 'a');
    const order: string[] = [];
    const places: Record<string, number> = {};
    const served = asks.map(async (name) => {
      const onPlace = (place: number) => {
        places[name] = place;
      };
      const ticket = await scheduler.acquire(never, onPlace, name[0]!);
      order.push(name);
      ticket.release();
    });
    const told = { ...places };
    first.release();
    const outcomes = await Promise.allSettled(served);
    return { order, places: told, refused: asks.filter((_name, index) => outcomes[index]!.status === 'rejected') };
  };

  it('serves them in turn, each in the order of its requests', async () => {
    const { order, places } = await orderOf(['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']);
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
    expect(places).toEqual({ a1: 1, b1: 2, c1: 3, a2: 4, b2: 5, a3: 6, a4: 7 });
  });

  it('gives nobody credit for the time in which it did not ask', async () => {
    const { scheduler, never } = setup(1, 16);
    const order: string[] = [];
    const ask = async (name: string) => {
      const ticket = await scheduler.acquire(never, () => {}, name[0]!);
      order.push(name);
      return ticket;
    };
    let held = await ask('a0');
    for (let number = 1; number <= 5; number++) {
      const next = ask(`a${number}`);
      held.release();
      held = await next;
    }
    const late = [ask('b1'), ask('b2'), ask('b3'), ask('a6')];
    held.release();
    for (const one of late) void one.then((ticket) => ticket.release());
    await Promise.all(late);
    expect(order.slice(6)).toEqual(['b1', 'a6', 'b2', 'b3']);
  });

  it('makes room for who has least in a full queue, at the cost of who has most', async () => {
    const { order, refused } = await orderOf(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'], 4);
    expect(refused).toEqual(['a3', 'a4', 'b2']);
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2']);
  });

  it('refuses who has as much in it as the others', async () => {
    const { refused } = await orderOf(['a1', 'a2', 'b1', 'b2', 'b3', 'a3'], 4);
    expect(refused).toEqual(['b3', 'a3']);
  });
});
