import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ItemResult } from '../../src/jobs/batch.ts';
import { type Batches, createBatches } from '../../src/jobs/batches.ts';
import { createItems, type Items, type LeasedItem } from '../../src/jobs/items.ts';
import type { Database } from '../../src/storage/storage.ts';
import { collect } from '../support/collect.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { alice, answered, databases, item, scope, type TestTables, wish } from './support.ts';

const any = { stayAt: null, models: null, except: { models: [], owners: [] } };
const dayMs = 24 * 3_600_000;

describe.each(databases)('batches in %s', (_name, openTables) => {
  let tables: TestTables;
  let database: Database;
  let clock: ManualClock;
  let batches: Batches;
  let items: Items;
  beforeEach(async () => {
    tables = await openTables();
    database = await tables.open();
    clock = manualClock();
    batches = createBatches({ database, owner: '1:one', clock });
    items = createItems({ database, owner: '1:one', clock });
  });
  afterEach(() => tables.dispose());

  const create = async (...args: Parameters<typeof wish>) => (await batches.create(wish(...args))).batch;
  const take = async (of: Items = items, which: Parameters<Items['take']>[0] = any): Promise<LeasedItem> => {
    const taken = await of.take(which);
    if (taken === null) throw new Error('no item is to be had');
    return taken;
  };
  const bodiesTaken = async (of: Items = items) => {
    const bodies: string[] = [];
    for (let taken = await of.take(any); taken !== null; taken = await of.take(any)) bodies.push(taken.body);
    return bodies;
  };
  const resultsOf = async (id: string): Promise<ItemResult[]> => (await collect(batches.results(id))).flat();
  const find = async (id: string) => (await batches.find(id, scope))!;

  it('are there as they were asked for', async () => {
    const batch = await create([item('a'), item('b', { model: 'large' })], { notes: { file: 'file_1' } });
    expect(await batches.find(batch.id, scope)).toEqual(batch);
    expect(batch).toMatchObject({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      state: 'in_progress',
      counts: { total: 2, processing: 2, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
      models: ['small', 'large'],
      notes: { file: 'file_1' },
      startedAt: null,
      endedAt: null,
    });
    expect(batch.expiresAt.getTime() - batch.createdAt.getTime()).toBe(dayMs);
  });

  it('are shown to nobody but who made them, by the API that made them', async () => {
    const { id } = await create([item('a')]);
    for (const other of [
      { owner: 'bob', api: 'test' },
      { owner: 'alice', api: 'other' },
    ]) {
      expect(await batches.find(id, other)).toBeNull();
      expect(await batches.cancel(id, other)).toBeNull();
      expect(await batches.remove(id, other)).toBeNull();
      expect(await batches.list(other, { limit: 10 })).toEqual({ batches: [], hasMore: false });
      expect(await batches.list(other, { limit: 10, after: id })).toBeNull();
    }
  });

  it('are listed from the newest on, in pages both ways', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.unshift((await create([item('a')])).id);
      clock.advance(10);
    }
    const page = async (limit: number, edge: { after?: string; before?: string } = {}) => {
      const found = (await batches.list(scope, { limit, ...edge }))!;
      return [found.batches.map(({ id }) => ids.indexOf(id)), found.hasMore];
    };
    expect(await page(2)).toEqual([[0, 1], true]);
    expect(await page(2, { after: ids[1]! })).toEqual([[2, 3], true]);
    expect(await page(2, { after: ids[3]! })).toEqual([[4], false]);
    expect(await page(2, { before: ids[4]! })).toEqual([[2, 3], true]);
    expect(await page(9, { before: ids[2]! })).toEqual([[0, 1], false]);
  });

  it('have their items answered by model, then by what they begin with', async () => {
    await create([
      item('a', { prefix: 'x' }),
      item('b', { model: 'large' }),
      item('c', { prefix: 'y' }),
      item('d', { prefix: 'x' }),
    ]);
    const order: string[] = [];
    for (let last: LeasedItem | null = null; ; ) {
      const stayAt = last && { model: last.model, sinceMs: clock.now().getTime(), isBound: false };
      last = await items.take({ ...any, stayAt });
      if (last === null) break;
      order.push((JSON.parse(last.body) as { say: string }).say);
    }
    expect(order).toEqual(['a', 'd', 'c', 'b']);
  });

  it('give a turn to a model that waits when those are through that were there before', async () => {
    await create([item('a')]);
    clock.advance(1_000);
    await create([item('b', { model: 'large' })]);
    const sinceMs = clock.now().getTime();
    clock.advance(1_000);
    await create([item('c')]);
    const stay = { model: 'small', sinceMs, isBound: false };
    expect((await take(items, { ...any, stayAt: stay })).model).toBe('small');
    expect(await items.take({ ...any, stayAt: { ...stay, isBound: true } })).toBeNull();
    expect((await take(items, { ...any, stayAt: stay })).model).toBe('large');
  });

  it('take items of no other models than those that are named', async () => {
    await create([item('a', { model: 'large' }), item('b')]);
    expect((await take(items, { ...any, models: ['small'] })).body).toBe('{"say":"b"}');
    expect(await items.take({ ...any, models: [] })).toBeNull();
    expect(await items.take({ ...any, except: { models: ['large'], owners: [] } })).toBeNull();
    expect((await take(items, { ...any, except: { models: ['small'], owners: [] } })).model).toBe('large');
  });

  it('give an item to one process alone', async () => {
    await create(Array.from({ length: 40 }, (_, n) => item(`i${n}`)));
    const other = createItems({ database: await tables.open(), owner: '2:two', clock });
    const [mine, theirs] = await Promise.all([bodiesTaken(), bodiesTaken(other)]);
    expect(new Set([...mine, ...theirs]).size).toBe(40);
    expect(mine.length + theirs.length).toBe(40);
  });

  it('end with their last item, and count what came of them', async () => {
    const { id } = await create([item('a'), item('b')]);
    const first = await take();
    expect(await items.finish(first, 'req_1', answered('{"ok":1}'))).toBe(true);
    expect(await find(id)).toMatchObject({ state: 'in_progress', counts: { processing: 1, succeeded: 1 } });
    clock.advance(5_000);
    await items.finish(await take(), 'req_2', answered('{"error":1}', { status: 400 }));
    expect(await find(id)).toMatchObject({
      state: 'ended',
      endedAt: clock.now(),
      counts: { total: 2, processing: 0, succeeded: 1, errored: 1 },
      usage: { inputTokens: 20, outputTokens: 4 },
    });
    expect(await resultsOf(id)).toEqual([
      {
        position: 0,
        customId: 'a',
        state: 'succeeded',
        answer: { status: 200, body: '{"ok":1}', requestId: 'req_1' },
      },
      {
        position: 1,
        customId: 'b',
        state: 'errored',
        answer: { status: 400, body: '{"error":1}', requestId: 'req_2' },
      },
    ]);
  });

  it('keep the first result of an item', async () => {
    const { id } = await create([item('a')]);
    const taken = await take();
    await items.finish(taken, 'req_1', answered('first'));
    expect(await items.finish(taken, 'req_2', answered('second'))).toBe(false);
    await items.putBack(taken, { afterMs: 0, failed: true });
    expect((await find(id)).counts).toMatchObject({ succeeded: 1, processing: 0 });
    expect((await resultsOf(id))[0]!.answer!.body).toBe('first');
  });

  it('hand an item on whose process is no more, and take nothing from that one', async () => {
    const { id } = await create([item('a')]);
    // A process that can be asked for by its number and is there: this one's parent.
    const gone = createItems({ database: await tables.open(), owner: `${process.ppid}:gone`, clock });
    const lost = await take(gone);
    expect(await items.recover()).toBe(0);
    clock.advance(59_000);
    await gone.renew();
    clock.advance(59_000);
    expect(await items.recover()).toBe(0);
    clock.advance(1_000);
    expect(await items.recover()).toBe(1);
    expect(await gone.finish(lost, 'req_1', answered('late'))).toBe(false);
    const again = await take();
    expect(again).toMatchObject({ body: lost.body, attempts: 1 });
    await items.finish(again, 'req_2', answered('in time'));
    expect((await resultsOf(id))[0]!.answer!.body).toBe('in time');
  });

  it('make an item wait that was put back', async () => {
    await create([item('a')]);
    await items.putBack(await take(), { afterMs: 5_000, failed: true });
    expect(await items.take(any)).toBeNull();
    expect(await items.open()).toEqual({ pending: 1, running: 0 });
    clock.advance(5_000);
    expect((await take()).attempts).toBe(1);
    expect(await items.open()).toEqual({ pending: 0, running: 1 });
  });

  it('finish what runs when they are cancelled, and begin nothing more', async () => {
    const { id } = await create([item('a'), item('b'), item('c'), item('d')]);
    const [first, second] = [await take(), await take()];
    expect(await batches.cancel(id, scope)).toMatchObject({
      state: 'canceling',
      cancelledAt: clock.now(),
      counts: { processing: 2, canceled: 2 },
    });
    expect(await items.take(any)).toBeNull();
    await items.finish(first, 'req_1', answered('kept'));
    // Put back, it would begin anew.
    await items.putBack(second, { afterMs: 0, failed: false });
    expect(await find(id)).toMatchObject({
      state: 'ended',
      counts: { processing: 0, succeeded: 1, canceled: 3 },
    });
    expect((await resultsOf(id)).map(({ state }) => state)).toEqual(['succeeded', 'canceled', 'canceled', 'canceled']);
    expect(await batches.cancel(id, scope)).toEqual(await find(id));
  });

  it('expire when their time is over', async () => {
    const { id } = await create([item('a'), item('b')]);
    const running = await take();
    clock.advance(dayMs);
    await batches.tidy(dayMs);
    expect(await find(id)).toMatchObject({ state: 'in_progress', counts: { processing: 1, expired: 1 } });
    await items.finish(running, 'req_1', answered('kept'));
    expect(await find(id)).toMatchObject({ state: 'ended', closing: 'expired', counts: { succeeded: 1, expired: 1 } });
  });

  it('are removed by their owner once they have ended', async () => {
    const { id } = await create([item('a')]);
    expect(await batches.remove(id, scope)).toBe(false);
    await items.finish(await take(), 'req_1', answered('x'));
    expect(await batches.remove(id, scope)).toBe(true);
    expect(await batches.find(id, scope)).toBeNull();
    while (await batches.tidy(dayMs));
    expect(await database.tables.selectFrom('batch_items').selectAll().execute()).toEqual([]);
    expect(await database.tables.selectFrom('batches').selectAll().execute()).toEqual([]);
  });

  it('lose their results for their age, and are forgotten as long after', async () => {
    const { id } = await create(Array.from({ length: 30 }, (_, n) => item(`i${n}`)));
    await batches.cancel(id, scope);
    clock.advance(dayMs);
    while (await batches.tidy(dayMs));
    expect(await find(id)).toMatchObject({ archivedAt: clock.now(), counts: { canceled: 30 } });
    expect(await resultsOf(id)).toEqual([]);
    clock.advance(dayMs);
    while (await batches.tidy(dayMs));
    expect(await batches.find(id, scope)).toBeNull();
  });

  it('are made once for each key', async () => {
    const idempotency = { key: 'k1', fingerprint: 'f1' };
    const first = await batches.create(wish([item('a')], { idempotency }));
    const again = await batches.create(wish([item('a')], { idempotency }));
    expect(first.isNew).toBe(true);
    expect(again).toEqual({ batch: first.batch, isNew: false });
    await expect(
      batches.create(wish([item('b')], { idempotency: { key: 'k1', fingerprint: 'f2' } })),
    ).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    const bob = { ...alice, id: 'bob' };
    expect((await batches.create(wish([item('a')], { idempotency, owner: bob }))).isNew).toBe(true);
    expect((await batches.list(scope, { limit: 10 }))!.batches).toHaveLength(1);
  });

  it('that a process stored when it ended are not there, and what they held goes', async () => {
    const idempotency = { key: 'k1', fingerprint: 'f1' };
    let left = 2;
    const failing: Database = {
      ...database,
      transaction: (run, options) =>
        left-- > 0 ? database.transaction(run, options) : Promise.reject(new Error('killed')),
    };
    const many = Array.from({ length: 200 }, (_, n) => item(`i${n}`));
    const dying = createBatches({ database: failing, owner: '1:dying', clock });
    await expect(dying.create(wish(many, { idempotency }))).rejects.toThrow('killed');
    expect(await database.tables.selectFrom('batch_items').select('position').execute()).not.toEqual([]);
    expect(await batches.list(scope, { limit: 10 })).toEqual({ batches: [], hasMore: false });
    expect(await items.take(any)).toBeNull();
    await expect(batches.create(wish(many, { idempotency }))).rejects.toMatchObject({ code: 'idempotency_key_in_use' });
    clock.advance(120_000);
    while (await batches.tidy(dayMs));
    expect(await database.tables.selectFrom('batch_items').selectAll().execute()).toEqual([]);
    expect((await batches.create(wish(many, { idempotency }))).isNew).toBe(true);
  });

  it('read many results a portion at a time', async () => {
    const { id } = await create(Array.from({ length: 130 }, (_, n) => item(`i${n}`)));
    await batches.cancel(id, scope);
    const portions = await collect(batches.results(id));
    expect(portions.map(({ length }) => length)).toEqual([50, 50, 30]);
    expect(portions.flat().map(({ customId }) => customId)).toEqual(Array.from({ length: 130 }, (_, n) => `i${n}`));
  });

  it('remember what their owner may do', async () => {
    const budget = { daily: 9_007_199_254_740_993n, weekly: null, monthly: 5n };
    const tokenEndsAt = new Date('2026-01-02T00:00:00Z');
    const owner = { ...alice, budget, models: ['small'], address: '10.0.0.1', tokenEndsAt };
    await create([item('a')], { owner, headers: { 'anthropic-version': '2023-06-01' } });
    expect(await take()).toMatchObject({
      principal: { ...owner, address: null },
      path: '/v1/messages',
      headers: { 'anthropic-version': '2023-06-01' },
    });
  });

  it('that are empty have ended', async () => {
    expect(await create([])).toMatchObject({ state: 'ended', counts: { total: 0, processing: 0 } });
  });
});
