import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createThreadPool } from '../../../src/worker/batch/thread-pool.ts';
import { settle } from '../../support/fake-worker.ts';

describe('the threads of a pool', () => {
  /** A gate whose threads the test lets go. */
  function setup(size: number) {
    const parked: ((again: boolean) => void)[] = [];
    const released: number[] = [];
    const pool = createThreadPool({
      size,
      park: () => new Promise((resolve) => parked.push(resolve)),
      release: (threads) => void released.push(threads),
    });
    const letGo = (count: number, again = true) => {
      for (const resolve of parked.splice(0, count)) resolve(again);
    };
    return { pool, parked, released, letGo };
  }

  it('are parked until as many work as are wanted, at least one', async () => {
    const { pool, parked, released } = setup(4);
    await pool.use(3);
    expect(parked).toHaveLength(1);
    await pool.use(0);
    expect(parked).toHaveLength(3);
    expect(released).toEqual([]);
    void pool.use(9);
    await settle();
    expect(released).toEqual([3]);
  });

  it('go on when more are wanted, and that is waited for', async () => {
    const { pool, released, letGo } = setup(4);
    await pool.use(1);
    const order: string[] = [];
    void pool.use(3).then(() => order.push('three'));
    await settle();
    expect([released, order]).toEqual([[2], []]);
    letGo(1);
    await settle();
    expect(order).toEqual([]);
    letGo(1);
    await settle();
    expect(order).toEqual(['three']);
  });

  it('keep the order of calls where one works, and let no other one in between', async () => {
    const { pool, released, letGo } = setup(2);
    expect(pool.inOrder(async () => 'out of order')).toBeNull();
    void pool.use(1);
    // What is asked for last comes last; until it is settled who works, nothing counts on that.
    expect(pool.inOrder(async () => 'too early')).toBeNull();
    await settle();
    const { promise, resolve } = Promise.withResolvers<string>();
    const ordered = pool.inOrder(() => promise);
    void pool.use(2);
    await settle();
    expect(released).toEqual([]);
    expect(pool.inOrder(async () => 'amid a change')).toBeNull();
    resolve('in order');
    expect(await ordered).toBe('in order');
    await settle();
    expect(released).toEqual([1]);
    letGo(1);
    await settle();
    expect(pool.inOrder(async () => 'two work')).toBeNull();
    expect(await setup(1).pool.inOrder(async () => 'one at all')).toBe('one at all');
  });

  it('all work where none can be kept from it, so that nothing comes in order', async () => {
    const pool = createThreadPool({ size: 2, park: null, release: () => {} });
    await pool.use(1);
    expect(pool.inOrder(async () => 'of whatever order')).toBeNull();
    expect(await pool.within(1, async () => 'of both')).toBe('of both');
  });

  it('may lose the order of calls when a server that ends lets them go, and say so', async () => {
    const { pool, letGo } = setup(2);
    await pool.use(1);
    const { promise, resolve } = Promise.withResolvers<string>();
    const ordered = pool.inOrder(() => promise);
    letGo(1, false);
    await settle();
    resolve('of whatever order');
    expect(await ordered).toBeNull();
    expect(pool.inOrder(async () => 'too late')).toBeNull();
    const failing = setup(1).pool.inOrder(async () => {
      throw new Error('the call failed');
    });
    await expect(failing).rejects.toThrow('the call failed');
  });

  it('are as before after some work with another number, however it ends', async () => {
    const { pool, parked, released, letGo } = setup(2);
    await pool.use(1);
    const work = pool.within(2, async () => {
      throw new Error('the step failed');
    });
    await settle();
    expect(released).toEqual([1]);
    letGo(1);
    await expect(work).rejects.toThrow('the step failed');
    expect(parked).toHaveLength(1);
    expect(await pool.within(1, async () => 'no change')).toBe('no change');
    expect([parked.length, released]).toEqual([1, [1]]);
  });

  it('all work once nobody could let them go any more', async () => {
    const { pool, parked, released, letGo } = setup(4);
    await pool.use(2);
    letGo(2, false);
    await settle();
    await pool.use(1);
    await pool.use(4);
    expect([parked, released]).toEqual([[], []]);
  });
});

describe('a process with parked threads', () => {
  let child: ChildProcess | null = null;
  afterEach(() => child?.kill('SIGKILL'));

  /** Four threads, of which `working` work; another pipe, whose read keeps one of them. */
  const start = (working: number) => {
    const script = fileURLToPath(new URL('../../support/pool-child.ts', import.meta.url));
    child = fork(script, [String(working)], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '4' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe', 'pipe'],
    });
    const messages: unknown[] = [];
    const received = (wanted: string) =>
      new Promise<void>((resolve) => {
        const look = () => messages.includes(wanted) && resolve();
        child!.on('message', look);
        look();
      });
    child.on('message', (message: string | { type: 'release'; threads: number }) => {
      if (typeof message === 'string') messages.push(message);
      else gate().write(Buffer.alloc(message.threads));
    });
    const gate = () => child!.stdio[4] as Writable;
    // The types end at the fifth.
    const block = () => (child!.stdio as unknown[])[5] as Writable;
    return { messages, received, gate, block, send: (message: string) => child!.send(message) };
  };

  it('does one thing at a time when one works, and others meanwhile when more do', async () => {
    const one = start(1);
    await one.received('begun');
    one.block().write('x');
    await one.received('looked');
    expect(one.messages).toEqual(['begun', 'unblocked', 'looked']);
    child!.kill('SIGKILL');
    const two = start(2);
    await two.received('looked');
    two.block().write('x');
    await two.received('unblocked');
    expect(two.messages).toEqual(['begun', 'looked', 'unblocked']);
  });

  it('has more of them work when it is told to', async () => {
    const { messages, received, block, send } = start(1);
    await received('begun');
    send('use 2');
    await received('looked');
    block().write('x');
    await received('unblocked');
    expect(messages).toEqual(['begun', 'looked', 'unblocked']);
  });

  it.each(['exit', 'throw', 'gate'])('ends all the same: %s', async (how) => {
    const { received, gate, block, send } = start(1);
    await received('begun');
    block().write('x');
    await received('looked');
    const ended = once(child!, 'exit');
    if (how === 'gate') {
      gate().destroy();
      block().destroy();
      child!.disconnect();
    } else send(how);
    expect((await ended)[0]).toBe(how === 'throw' ? 1 : 0);
  });
});
