import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Batches, createBatches } from '../../src/jobs/batches.ts';
import { createEndings, type Endings } from '../../src/jobs/ended.ts';
import { leaseOwner } from '../../src/jobs/items.ts';
import type { Batch } from '../../src/jobs/jobs.ts';
import type { Database } from '../../src/storage/storage.ts';
import { collect } from '../support/collect.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { databases, item, scope, type TestTables, wish } from './support.ts';

describe.each(databases)('the end of batches in %s', (_name, openTables) => {
  let tables: TestTables;
  let database: Database;
  let clock: ManualClock;
  let batches: Batches;
  let failures: unknown[];
  beforeEach(async () => {
    tables = await openTables();
    database = await tables.open();
    clock = manualClock();
    batches = createBatches({ database, owner: '1:one', clock });
    failures = [];
  });
  afterEach(() => tables.dispose());

  const endings = (owner: string): Endings =>
    createEndings({ database, owner, clock, log: { error: (facts: unknown) => void failures.push(facts) } });
  const mine = leaseOwner('mine');
  /** One that has ended. */
  const ended = async () => {
    const { batch } = await batches.create(wish([item('a')]));
    return (await batches.cancel(batch.id, scope))!;
  };
  const find = async (id: string) => (await batches.find(id, scope))!;
  const wakeAndWait = async (of: Endings) => {
    of.wake();
    await of.idle();
  };

  it('is told once, with its owner, and then the batch is finished', async () => {
    const { id } = await ended();
    const told: [string, string][] = [];
    for (let times = 0; times < 2; times++) {
      const one = endings(mine);
      one.add('test', async (batch, owner) => void told.push([batch.id, owner]));
      await wakeAndWait(one);
    }
    expect(told).toEqual([[id, 'alice']]);
    expect((await find(id)).finishedAt).toEqual(clock.now());
  });

  it('is not told of those that go on, nor of those of an API that does nothing at the end', async () => {
    const { batch } = await batches.create(wish([item('a')]));
    await batches.create(wish([], { api: 'other' }));
    const told: string[] = [];
    const one = endings(mine);
    one.add('test', async ({ id }) => void told.push(id));
    await wakeAndWait(one);
    expect(told).toEqual([]);
    expect((await find(batch.id)).finishedAt).toBeNull();
  });

  it('is told again after a failure, a while later', async () => {
    const { id } = await ended();
    let tries = 0;
    const attempt = async () => {
      const one = endings(mine);
      one.add('test', async () => {
        tries++;
        if (tries === 1) throw new Error('the disk is full');
      });
      await wakeAndWait(one);
    };
    await attempt();
    expect([tries, failures]).toEqual([1, [{ err: expect.any(Error), batch: id }]]);
    expect((await find(id)).finishedAt).toBeNull();
    await attempt();
    expect(tries).toBe(1);
    clock.advance(30_000);
    await attempt();
    expect([tries, (await find(id)).finishedAt]).toEqual([2, clock.now()]);
  });

  it('is one process’s at a time, and goes to another when that one is no more', async () => {
    const { id } = await ended();
    const second = createBatches({ database, owner: '2:two', clock });
    const told: string[] = [];
    let release = () => {};
    const first = endings(`${process.ppid}:other`);
    first.add('test', async () => {
      told.push('first');
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    first.wake();
    await expect.poll(() => told).toEqual(['first']);
    const takeOver = async () => {
      const one = endings(mine);
      one.add('test', async () => void told.push('second'));
      await wakeAndWait(one);
    };
    await takeOver();
    expect(told).toEqual(['first']);
    clock.advance(300_000);
    await takeOver();
    expect(told).toEqual(['first', 'second']);
    expect((await second.find(id, scope))!.finishedAt).toEqual(clock.now());
    release();
    await first.idle();
    expect((await find(id)).finishedAt).toEqual(clock.now());
  });

  it('lets go of what items hold at once', async () => {
    const { id } = await ended();
    const one = endings(mine);
    one.add('test', async (batch: Batch) => expect(await collect(batches.results(batch.id))).toHaveLength(1));
    await wakeAndWait(one);
    expect(failures).toEqual([]);
    while (await batches.tidy(1e9));
    expect(await collect(batches.results(id))).toEqual([]);
    expect((await find(id)).archivedAt).not.toBeNull();
  });
});

describe('where the database is this machine’s alone', () => {
  it('what a killed process was at is another’s at once', async () => {
    const tables = await databases[0]![1]();
    const database = await tables.open();
    const clock = manualClock();
    const batches = createBatches({ database, owner: '1:one', clock });
    const { batch } = await batches.create(wish([]));
    const nobody = 2 ** 30;
    await database.transaction((queries) =>
      queries
        .updateTable('batches')
        .set({ lease_owner: `${nobody}:gone`, lease_until: BigInt(clock.now().getTime() + 300_000) })
        .execute(),
    );
    const told: string[] = [];
    const one = createEndings({ database, owner: leaseOwner('mine'), clock, log: { error: () => {} } });
    one.add('test', async ({ id }) => void told.push(id));
    one.wake();
    await one.idle();
    expect(told).toEqual([batch.id]);
    await tables.dispose();
  });
});
