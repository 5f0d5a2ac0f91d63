import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError, type ErrorCode, errorCatalogue } from '../../src/core/errors.ts';
import type { ItemAnswer, ItemCall, NewItem } from '../../src/jobs/batch.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import type { Database } from '../../src/storage/storage.ts';
import { collect } from '../support/collect.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { testBus } from '../support/test-bus.ts';
import { answered, databases, item, scope, type TestTables, wish } from './support.ts';

/** Answers items when a test says so. */
function createFakePerform() {
  const open: { call: ItemCall; end(answer: ItemAnswer): void; fail(error: unknown): void }[] = [];
  let seen = 0;
  let onCall: (() => void) | null = null;
  const perform = (call: ItemCall, signal: AbortSignal) =>
    new Promise<ItemAnswer>((end, fail) => {
      signal.addEventListener('abort', () => fail(signal.reason));
      open.push({ call, end, fail });
      seen++;
      onCall?.();
    });
  return {
    perform,
    calls: () => seen,
    saying: (say: string) => open.find(({ call }) => (JSON.parse(call.body) as { say: string }).say === say)!,
    said: () => open.map(({ call }) => (JSON.parse(call.body) as { say: string }).say),
    next() {
      const first = open.shift();
      if (first === undefined) throw new Error('nothing is asked');
      return first;
    },
    /** Resolves when so many were asked in all. */
    async until(count: number) {
      while (seen < count) {
        await new Promise<void>((resolve) => {
          onCall = resolve;
        });
      }
    },
  };
}

const failure = (code: ErrorCode, retryAfterSeconds: number | null = null): ItemAnswer => {
  const { status, retryable } = errorCatalogue[code];
  return answered(`{"error":"${code}"}`, { status, failure: { code, retryable, retryAfterSeconds } });
};

describe.each(databases)('the runner over %s', (_name, openTables) => {
  let tables: TestTables;
  let database: Database;
  let clock: ManualClock;
  let all: Jobs[];
  let maxSlots: number;
  beforeEach(async () => {
    tables = await openTables();
    database = await tables.open();
    clock = manualClock();
    all = [];
    maxSlots = 2;
  });
  afterEach(async () => {
    for (const jobs of all) await jobs.stop();
    await tables.dispose();
  });

  const log = { warn() {}, error() {}, debug() {} };
  const open = (of: Database = database, instance = 'one') => {
    const settings = () => ({ maxSlots, hours: null, modelsPerWindow: null, keepMs: 86_400_000 });
    const jobs = createJobs({ database: of, settings, clock, log, bus: testBus().bus, instance });
    all.push(jobs);
    return jobs;
  };
  const create = async (jobs: Jobs, items: readonly NewItem[]) => (await jobs.create(wish(items))).batch.id;
  const ended = async (jobs: Jobs, id: string) => {
    for (;;) {
      const batch = (await jobs.find(id, scope))!;
      if (batch.state === 'ended') return batch;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const settled = async (jobs: Jobs, wanted: { pending: number; running: number; here: number }) => {
    for (;;) {
      const state = await jobs.state();
      if (JSON.stringify(state) === JSON.stringify(wanted)) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  it('answers each item, as many at a time as it has slots', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a'), item('b'), item('c')]);
    await fake.until(2);
    expect(await jobs.state()).toEqual({ pending: 1, running: 2, here: 2 });
    const { call, end } = fake.next();
    expect(call).toEqual({
      requestId: expect.stringMatching(/^req_[0-9a-f]{24}$/),
      principal: wish([]).owner,
      path: '/v1/messages',
      headers: {},
      body: '{"say":"a"}',
    });
    end(answered('{"n":1}'));
    await fake.until(3);
    fake.next().end(answered('{"n":2}'));
    fake.next().end(answered('{"n":3}', { status: 404 }));
    expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 2, errored: 1 });
    const results = (await collect(jobs.results(id))).flat();
    expect(results.map(({ answer }) => answer?.body)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
  });

  it('goes on with what an earlier process left', async () => {
    const first = open();
    const early = createFakePerform();
    first.start(early.perform);
    const id = await create(first, [item('a'), item('b'), item('c')]);
    await early.until(2);
    early.saying('b').end(answered('kept'));
    await early.until(3);
    await first.stop();
    expect(await first.state()).toEqual({ pending: 2, running: 0, here: 0 });
    const late = createFakePerform();
    const second = open(await tables.open(), 'two');
    second.start(late.perform);
    await late.until(2);
    expect(late.said()).toEqual(['a', 'c']);
    late.next().end(answered('anew'));
    late.next().end(answered('anew'));
    await ended(second, id);
    const results = (await collect(second.results(id))).flat();
    expect(results.map(({ answer }) => answer?.body)).toEqual(['anew', 'kept', 'anew']);
  });

  it('asks again, after a while, what failed in a way that may pass; four times in all', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    for (let attempt = 1; attempt < 4; attempt++) {
      await fake.until(attempt);
      fake.next().end(failure('worker_crashed'));
      await settled(jobs, { pending: 1, running: 0, here: 0 });
      clock.advance(2_000 * 2 ** attempt);
    }
    await fake.until(4);
    fake.next().end(failure('worker_crashed'));
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 1 });
    expect((await collect(jobs.results(id))).flat()[0]!.answer).toMatchObject({
      status: 503,
      body: '{"error":"worker_crashed"}',
    });
  });

  it.each<ErrorCode>(['queue_full', 'rate_limited', 'memory_pressure'])(
    'asks again as often as it takes what failed with %s, not before it is told to',
    async (code) => {
      const fake = createFakePerform();
      const jobs = open();
      jobs.start(fake.perform);
      const id = await create(jobs, [item('a')]);
      for (let attempt = 1; attempt <= 6; attempt++) {
        await fake.until(attempt);
        fake.next().end(failure(code, 30));
        await settled(jobs, { pending: 1, running: 0, here: 0 });
        clock.advance(29_000);
        expect(fake.calls()).toBe(attempt);
        clock.advance(3_000);
      }
      await fake.until(7);
      fake.next().end(answered('at last'));
      expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 1 });
    },
  );

  it('waits for room in a budget that requests hold which run', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    for (let attempt = 1; attempt <= 6; attempt++) {
      await fake.until(attempt);
      fake.next().end(failure('budget_exceeded', 1));
      await settled(jobs, { pending: 1, running: 0, here: 0 });
      clock.advance(3_000);
    }
    await fake.until(7);
    fake.next().end(answered('at last'));
    expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 1 });
  });

  it('is refused for good by a budget that is spent', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    await fake.until(1);
    fake.next().end(failure('budget_exceeded'));
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 1 });
  });

  it('begins nothing of a model that is not to be had, and goes on with others', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    await create(
      jobs,
      [...'abcd'].map((name) => item(name)),
    );
    await create(jobs, [item('x', { model: 'large' })]);
    await fake.until(2);
    fake.next().end(failure('model_busy', 30));
    fake.next().end(failure('model_busy', 30));
    await fake.until(3);
    expect(fake.said()).toEqual(['x']);
    fake.next().end(answered('done'));
    await settled(jobs, { pending: 4, running: 0, here: 0 });
    clock.advance(29_000);
    expect(fake.calls()).toBe(3);
    clock.advance(3_000);
    await fake.until(5);
  });

  it('begins nothing of a key that has asked as often as it may, and goes on with the items of others', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const mine = await create(
      jobs,
      [...'abcd'].map((name) => item(name)),
    );
    await fake.until(2);
    const bob = { ...wish([]).owner, id: 'bob' };
    const { batch: theirs } = await jobs.create(wish([item('x'), item('y'), item('z')], { owner: bob }));
    fake.next().end(failure('rate_limited', 30));
    fake.next().end(failure('rate_limited', 30));
    for (const [number, name] of [...'xyz'].entries()) {
      await fake.until(number + 3);
      expect(fake.said()[0]).toBe(name);
      fake.next().end(answered('done'));
    }
    await settled(jobs, { pending: 4, running: 0, here: 0 });
    expect(await jobs.find(theirs.id, { owner: 'bob' })).toMatchObject({ state: 'ended', counts: { succeeded: 3 } });
    clock.advance(29_000);
    expect(fake.calls()).toBe(5);
    clock.advance(3_000);
    await fake.until(7);
    expect((await jobs.find(mine, scope))!.counts.processing).toBe(4);
  });

  it('asks again at once for what gave way to somebody, however often', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    for (let attempt = 1; attempt <= 6; attempt++) {
      await fake.until(attempt);
      fake.next().end(failure('client_closed_request'));
    }
    await fake.until(7);
    fake.next().end(answered('at last'));
    expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 1 });
  });

  it('does not ask again what the item itself is at fault for', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    await fake.until(1);
    fake.next().end(failure('context_length_exceeded'));
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 1 });
  });

  it('begins another model when nothing of the one before runs', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    await create(jobs, [item('a'), item('b', { model: 'large' }), item('c'), item('d', { model: 'large' })]);
    await fake.until(2);
    expect(fake.said()).toEqual(['a', 'c']);
    fake.next().end(answered('x'));
    await settled(jobs, { pending: 2, running: 1, here: 1 });
    fake.next().end(answered('x'));
    await fake.until(4);
    expect(fake.said()).toEqual(['b', 'd']);
  });

  it('begins nothing while it has no slots', async () => {
    maxSlots = 0;
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    await create(jobs, [item('a')]);
    clock.advance(10_000);
    await settled(jobs, { pending: 1, running: 0, here: 0 });
    maxSlots = 1;
    clock.advance(10_000);
    await fake.until(1);
  });

  it('stores a result when the database takes it again', async () => {
    let isBroken = false;
    const flaky: Database = {
      ...database,
      transaction: (run, options) =>
        isBroken ? Promise.reject(new Error('disk full')) : database.transaction(run, options),
    };
    const fake = createFakePerform();
    const jobs = open(flaky);
    jobs.start(fake.perform);
    const id = await create(jobs, [item('a')]);
    await fake.until(1);
    isBroken = true;
    fake.next().end(answered('kept'));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5_000);
    await new Promise((resolve) => setImmediate(resolve));
    isBroken = false;
    clock.advance(5_000);
    await ended(jobs, id);
    expect(fake.calls()).toBe(1);
    expect((await collect(jobs.results(id))).flat()[0]!.answer!.body).toBe('kept');
  });

  it('shares a batch with another process, and goes on without it', async () => {
    const [mine, theirs] = [createFakePerform(), createFakePerform()];
    const [one, two] = [open(), open(await tables.open(), 'two')];
    one.start(mine.perform);
    two.start(theirs.perform);
    const items = Array.from({ length: 20 }, (_, n) => item(`i${n}`));
    const id = await create(one, items);
    // Nobody told the other one.
    clock.advance(30_000);
    await Promise.all([mine.until(2), theirs.until(2)]);
    const said = [...mine.said(), ...theirs.said()];
    expect(new Set(said).size).toBe(4);
    await two.stop();
    for (let left = 20; left > 0; left--) {
      await mine.until(21 - left);
      mine.next().end(answered('mine'));
    }
    expect((await ended(one, id)).counts).toMatchObject({ total: 20, succeeded: 20 });
  });

  it('asks again where the route gave no answer at all', async () => {
    const fake = createFakePerform();
    const jobs = open();
    jobs.start(fake.perform);
    await create(jobs, [item('a')]);
    await fake.until(1);
    fake.next().fail(new AppError('internal_error', 'No.'));
    await settled(jobs, { pending: 1, running: 0, here: 0 });
    clock.advance(10_000);
    await fake.until(2);
  });
});
