import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchLine, BatchLineResult } from '../../src/core/batch-line.ts';
import { AppError } from '../../src/core/errors.ts';
import type { BatchProgress, ProviderBatches, SentBatch } from '../../src/core/provider-batch.ts';
import type { BatchDoor } from '../../src/gateway/gateway.ts';
import type { ItemAnswer, ItemCall, NewItem } from '../../src/jobs/batch.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import type { Database } from '../../src/storage/storage.ts';
import { collect } from '../support/collect.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { testBus } from '../support/test-bus.ts';
import { answered, databases, item, scope, type TestTables, wish } from './support.ts';

interface ServiceBatch {
  id: string;
  name: string;
  lines: readonly BatchLine[];
  isCancelled: boolean;
  /** Null: it runs. */
  results: BatchLineResult[] | null;
  progress: BatchProgress;
}

const never = new Promise<never>(() => {});
const running: BatchProgress = { state: 'running', reason: null, mayComeAgain: false };
const over: BatchProgress = { ...running, state: 'ended' };

/** A provider's batches without a wire. */
function createService() {
  const batches: ServiceBatch[] = [];
  const forgotten: string[] = [];
  /** What its process dies of, or hears, at the next submit: before it has come, or after. */
  let fault: { at: 'before' | 'after'; with: Promise<never> | AppError } | null = null;
  let find: ((name: string) => SentBatch | null) | null = null;
  const found = (id: string) => {
    const batch = batches.find((one) => one.id === id);
    if (batch === undefined) throw new AppError('not_found', 'No such batch.');
    return batch;
  };
  const struck = async (at: 'before' | 'after') => {
    if (fault?.at !== at) return;
    const { with: what } = fault;
    fault = null;
    if (what instanceof AppError) throw what;
    await what;
  };
  const answerOf = ({ customId, request }: BatchLine): BatchLineResult => ({
    customId,
    type: 'answered',
    answer: { status: 200, headers: {}, body: `answer to ${request.body}` },
  });
  const port: ProviderBatches = {
    limits: { requests: 1_000, bytes: 1_000_000 },
    word: () => {
      throw new Error('the route does it');
    },
    read: () => {
      throw new Error('the route does it');
    },
    async submit({ name, lines }) {
      await struck('before');
      const id = `up_${batches.length}`;
      batches.push({ id, name, lines, isCancelled: false, results: null, progress: running });
      await struck('after');
      return id;
    },
    async find({ name, others }) {
      if (find) {
        const other = find(name);
        if (other !== null && !others.has(other.id)) return other;
      }
      const batch = batches.find((one) => one.name === name);
      return batch ? { id: batch.id, isCertain: true } : null;
    },
    progress: async (id) => found(id).progress,
    async *results(id) {
      yield* found(id).results ?? [];
    },
    async cancel(id) {
      found(id).isCancelled = true;
    },
    async forget(id) {
      forgotten.push(id);
    },
  };
  return {
    port,
    batches,
    forgotten,
    fail: (at: 'before' | 'after', how: Promise<never> | AppError) => {
      fault = { at, with: how };
    },
    finds: (how: (name: string) => SentBatch | null) => {
      find = how;
    },
    /** Those that run end, each line as `choose` has it; left out: it is answered. */
    end(choose: (line: BatchLine, index: number) => BatchLineResult | null = answerOf) {
      for (const batch of batches.filter(({ progress }) => progress.state === 'running')) {
        batch.results = batch.lines.flatMap((line, index) => choose(line, index) ?? []).reverse();
        batch.progress = over;
      }
    },
    answerOf,
  };
}

describe.each(databases)('items that go with others, over %s', (name, openTables) => {
  let tables: TestTables;
  let database: Database;
  let clock: ManualClock;
  let service: ReturnType<typeof createService>;
  let all: Jobs[];
  let given: { ids: readonly string[]; how: string }[];
  let calls: ItemCall[];
  /** What the route does with an item before it is worded; null: it words it. */
  let refuse: (call: ItemCall) => Promise<ItemAnswer | 'alone' | null>;
  /** How long an item takes that is asked for by itself. */
  let here: (call: ItemCall) => Promise<unknown>;
  /** How long the books take. */
  let book: () => Promise<void>;
  beforeEach(async () => {
    tables = await openTables();
    database = await tables.open();
    clock = manualClock();
    here = async () => {};
    service = createService();
    [all, given, calls] = [[], [], []];
    refuse = async () => null;
    book = async () => {};
  });
  afterEach(async () => {
    for (const jobs of all) await jobs.stop();
    await tables.dispose();
  });

  const perform = async (call: ItemCall, signal: AbortSignal): Promise<ItemAnswer> => {
    signal.throwIfAborted();
    calls.push(call);
    const { batched, body } = call;
    if (batched === undefined) {
      const gone = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      await Promise.race([here(call), gone]);
      return answered(`alone ${body}`);
    }
    if (batched.step === 'read') {
      const { answer } = batched;
      if (!(answer instanceof AppError)) return answered(`read ${answer.body}`, { status: answer.status });
      const { code, status, retryable, retryAfterSeconds } = answer;
      return answered(`{"error":"${code}"}`, { status, failure: { code, retryable, retryAfterSeconds } });
    }
    const refused = await refuse(call);
    if (refused !== null && refused !== 'alone') return refused;
    if (refused === 'alone') batched.decided({ type: 'alone' });
    else {
      const request = { group: 'g', path: '/v1/messages', headers: {}, hops: [], body };
      batched.decided({ type: 'worded', provider: 'cloud', model: 'large', request, mostNanoUsd: 1_000n });
    }
    return answered('', { status: 499 });
  };
  const log = { warn() {}, error() {}, debug() {} };
  const open = (of: Database = database, instance = 'one') => {
    const settings = () => ({ maxSlots: 2, hours: null, modelsPerWindow: null, keepMs: 86_400_000 });
    const door: BatchDoor = {
      laneOf: (model) => (model === 'small' ? 'here' : model === 'both' ? 'either' : 'away'),
      hasAny: () => true,
      batchesOf: (provider) => (provider === 'cloud' ? service.port : null),
      giveBack: async (ids, how) => void given.push({ ids, how }),
      booked: () => book(),
    };
    const jobs = createJobs({ database: of, settings, clock, log, bus: testBus().bus, instance, door });
    all.push(jobs);
    return jobs;
  };
  const start = (jobs: Jobs) => {
    jobs.start(perform);
    return jobs;
  };
  const large = (customId: string, more: Partial<NewItem> = {}) => item(customId, { model: 'large', ...more });
  const create = async (jobs: Jobs, items: readonly NewItem[]) => (await jobs.create(wish(items))).batch.id;
  /** Nothing of these goes on: what they wait for never comes. */
  const kill = () => void all.splice(0);
  /** Turns of the process in which no time passes, enough for whatever is under way. */
  const rest = async () => {
    for (let turn = 0; turn < 60; turn++) await nextTurn();
  };
  const until = async (holds: () => boolean | Promise<boolean>, stepMs = 1_000) => {
    for (let turn = 0; !(await holds()); turn++) {
      // No faster than the database answers: hours would pass while it writes.
      await database.tables.selectFrom('batches').select('id').limit(1).execute();
      await nextTurn();
      if (turn % 10 === 9) clock.advance(stepMs);
    }
  };
  const ended = async (jobs: Jobs, id: string) => {
    await until(async () => (await jobs.find(id, scope))!.state === 'ended');
    return (await jobs.find(id, scope))!;
  };
  const bodiesOf = async (jobs: Jobs, id: string) =>
    (await collect(jobs.results(id))).flat().map(({ state, answer }) => answer?.body ?? state);
  const sent = (count: number) => until(() => service.batches.length >= count);
  const reads = () => calls.filter(({ batched }) => batched?.step === 'read');
  const heldOf = (how: string) => given.filter((one) => one.how === how).flatMap(({ ids }) => ids);

  it('are sent once, as one batch, and each gets what its route makes of its answer', async () => {
    const jobs = start(open());
    const id = await create(jobs, [large('a'), item('b'), large('c')]);
    await sent(1);
    const [batch] = service.batches;
    expect(batch!.lines.map(({ customId, request }) => [customId, request.body])).toEqual([
      [`${batch!.name}-0`, '{"say":"a"}'],
      [`${batch!.name}-2`, '{"say":"c"}'],
    ]);
    expect(await jobs.shareOf(id)).toEqual({ items: 2, mostNanoUsd: 2_000n });
    clock.advance(600_000);
    await rest();
    expect(service.batches).toHaveLength(1);
    service.end();
    expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 3 });
    expect(await bodiesOf(jobs, id)).toEqual([
      'read answer to {"say":"a"}',
      'alone {"say":"b"}',
      'read answer to {"say":"c"}',
    ]);
    await until(() => service.forgotten.length === 1);
    await until(async () => (await jobs.shareOf(id)) === null);
    expect(given.flatMap(({ ids }) => ids)).toEqual([]);
  });

  it('are found at their provider by who comes after a process that was killed once they had come there', async () => {
    service.fail('after', never);
    const id = await create(start(open()), [large('a'), large('b')]);
    await sent(1);
    kill();
    const second = start(open(await tables.open(), 'two'));
    service.end();
    await ended(second, id);
    expect(service.batches).toHaveLength(1);
    expect(await bodiesOf(second, id)).toEqual(['read answer to {"say":"a"}', 'read answer to {"say":"b"}']);
  });

  it('are not stored before they are in the books, so that who comes after one that was killed reads and books them', async () => {
    book = () => never;
    const first = start(open());
    const id = await create(first, [large('a'), large('b')]);
    await sent(1);
    service.end();
    await until(() => reads().length === 2);
    await rest();
    expect((await first.find(id, scope))!.counts).toMatchObject({ succeeded: 0 });
    kill();
    book = async () => {};
    const second = start(open(await tables.open(), 'two'));
    expect((await ended(second, id)).counts).toMatchObject({ succeeded: 2 });
    expect(reads()).toHaveLength(4);
  });

  it('are sent anew, under another name, by who comes after one that was killed before they had come there', async () => {
    service.fail('before', never);
    const first = start(open());
    const id = await create(first, [large('a')]);
    await until(async () => (await first.shareOf(id)) !== null);
    kill();
    const second = start(open(await tables.open(), 'two'));
    await sent(1);
    expect(heldOf('not-sent')).toHaveLength(1);
    expect(heldOf('not-sent')[0]).not.toBe(service.batches[0]!.lines[0]!.customId);
    service.end();
    await ended(second, id);
    expect(service.batches).toHaveLength(1);
  });

  it('wait again, and hold nothing, where their process is killed while it words them', async () => {
    refuse = () => never;
    const id = await create(start(open()), [large('a'), large('b')]);
    await until(() => calls.length === 2);
    refuse = async () => null;
    kill();
    const second = start(open(await tables.open(), 'two'));
    await sent(1);
    expect(heldOf('not-sent')).toHaveLength(2);
    service.end();
    expect((await ended(second, id)).counts.succeeded).toBe(2);
  });

  it('keep the results that were stored where their process is killed while it reads them', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `item-${index}`);
    const first = start(open());
    const id = await create(
      first,
      names.map((name) => large(name)),
    );
    await sent(1);
    let reads = 0;
    const { results } = service.port;
    service.port.results = async function* (...asked) {
      for await (const result of results(...asked)) {
        if (reads++ === 25) await never;
        yield result;
      }
    };
    service.end();
    await until(() => reads === 26);
    await rest();
    kill();
    const before = (await first.find(id, scope))!.counts.succeeded;
    expect(before).toBeLessThan(30);
    const read = calls.filter(({ batched }) => batched?.step === 'read').length;
    service.port.results = results;
    const second = start(open(await tables.open(), 'two'));
    expect((await ended(second, id)).counts.succeeded).toBe(30);
    expect(calls.filter(({ batched }) => batched?.step === 'read').length - read).toBe(30 - before);
    expect(service.batches).toHaveLength(1);
  });

  it('leave their provider where their batch is cancelled; what it had answered stays', async () => {
    const jobs = start(open());
    const id = await create(jobs, [large('a'), large('b')]);
    await sent(1);
    await jobs.cancel(id, scope);
    await until(() => service.batches[0]!.isCancelled);
    service.end((line, index) =>
      index === 0 ? service.answerOf(line) : { customId: line.customId, type: 'canceled' },
    );
    expect((await ended(jobs, id)).counts).toMatchObject({ succeeded: 1, canceled: 1 });
    expect(heldOf('unanswered')).toEqual([service.batches[0]!.lines[1]!.customId]);
    expect(service.batches).toHaveLength(1);
  });

  it('are not sent where their batch is cancelled while they are worded', async () => {
    const gate = Promise.withResolvers<null>();
    refuse = () => gate.promise;
    const jobs = start(open());
    const id = await create(jobs, [large('a')]);
    await until(() => calls.length === 1);
    await jobs.cancel(id, scope);
    gate.resolve(null);
    expect((await ended(jobs, id)).counts).toMatchObject({ canceled: 1 });
    expect(service.batches).toEqual([]);
    expect(heldOf('not-sent')).toHaveLength(1);
  });

  it('are asked for again where their provider did not come to them, and fail at the fourth time', async () => {
    const jobs = start(open());
    const id = await create(jobs, [large('a')]);
    for (let time = 1; time <= 4; time++) {
      await sent(time);
      service.end(({ customId }) => (time % 2 === 0 ? null : { customId, type: 'expired' }));
      await until(() => service.forgotten.length === time);
    }
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 1 });
    expect(await bodiesOf(jobs, id)).toEqual(['{"error":"upstream_timeout"}']);
    expect(heldOf('unanswered')).toHaveLength(3);
  });

  it('expire with their batch', async () => {
    const jobs = start(open());
    const { batch } = await jobs.create(wish([large('a')], { expiresInMs: 3_600_000 }));
    await sent(1);
    clock.advance(3_700_000);
    await until(() => service.batches[0]!.isCancelled, 30_000);
    service.end(({ customId }) => ({ customId, type: 'canceled' }));
    expect((await ended(jobs, batch.id)).counts).toMatchObject({ expired: 1 });
  });

  it('go one by one where the service has no batches after all, and where their route says so', async () => {
    service.fail('before', new AppError('not_supported', 'No batches.', { details: { upstream_status: 404 } }));
    const jobs = start(open());
    const id = await create(jobs, [large('a')]);
    await ended(jobs, id);
    expect(await bodiesOf(jobs, id)).toEqual(['alone {"say":"a"}']);
    expect(heldOf('not-sent')).toHaveLength(1);
    refuse = async () => 'alone';
    const other = await create(jobs, [large('b')]);
    await ended(jobs, other);
    expect(await bodiesOf(jobs, other)).toEqual(['alone {"say":"b"}']);
    expect(service.batches).toEqual([]);
  });

  it('fail as their route words it where their provider refuses all of them, or some are over the budget', async () => {
    const failure = { code: 'budget_exceeded', retryable: false, retryAfterSeconds: null } as const;
    refuse = async ({ body }) => (body.includes('dear') ? answered('too dear', { status: 402, failure }) : null);
    service.fail('before', new AppError('upstream_access_denied', 'No.', { details: { upstream_status: 401 } }));
    const jobs = start(open());
    const id = await create(jobs, [large('a'), large('dear')]);
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 2 });
    expect(await bodiesOf(jobs, id)).toEqual(['{"error":"upstream_access_denied"}', 'too dear']);
  });

  it('wait where their provider has no room, and are sent then', async () => {
    service.fail('before', new AppError('upstream_rate_limited', 'Later.', { details: { upstream_status: 429 } }));
    const jobs = start(open());
    const id = await create(jobs, [large('a')]);
    await until(() => heldOf('not-sent').length === 1, 0);
    await rest();
    expect(service.batches).toEqual([]);
    await sent(1);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(300_000);
    service.batches[0]!.progress = { state: 'failed', reason: 'Too many tokens are enqueued.', mayComeAgain: true };
    await sent(2);
    service.batches[1]!.progress = { state: 'failed', reason: 'Line 1 is wrong.', mayComeAgain: false };
    expect((await ended(jobs, id)).counts).toMatchObject({ errored: 1 });
    expect(await bodiesOf(jobs, id)).toEqual(['{"error":"upstream_refused"}']);
  });

  it("are not taken for another's, which a provider without names has of the same size", async () => {
    service.fail('after', never);
    const id = await create(start(open()), [large('a')]);
    await sent(1);
    const ours = service.batches[0]!;
    const lines = [{ ...ours.lines[0]!, customId: 'somebody-0' }];
    service.batches.push({ id: 'up_other', name: '?', lines, isCancelled: false, results: null, progress: running });
    service.finds(() => ({ id: 'up_other', isCertain: false }));
    kill();
    const second = start(open(await tables.open(), 'two'));
    service.end();
    await ended(second, id);
    expect(await bodiesOf(second, id)).toEqual(['read answer to {"say":"a"}']);
    await until(() => service.forgotten.length === 1);
    expect(service.forgotten).toEqual([ours.id]);
    expect(service.batches).toHaveLength(2);
  });

  // Processes with one file have numbers of their own, by which each sees that the other runs; here both have the same.
  it.skipIf(name === 'SQLite')('are sent by one of two processes that share a database', async () => {
    const [first, second] = [start(open()), start(open(await tables.open(), 'two'))];
    const ids = [];
    for (let batch = 0; batch < 6; batch++) {
      ids.push(await create(batch % 2 === 0 ? first : second, [large(`a${batch}`), large(`b${batch}`)]));
    }
    await sent(6);
    service.end();
    for (const id of ids) expect((await ended(first, id)).counts.succeeded).toBe(2);
    const asked = service.batches.flatMap(({ lines }) => lines.map(({ request }) => request.body));
    expect(new Set(asked).size).toBe(12);
    expect(asked).toHaveLength(12);
  });

  describe('where they may go to the cloud and would be late here', () => {
    const some = (count: number, model = 'both') =>
      Array.from({ length: count }, (_, index) => item(`item-${index}`, { model }));
    const makeOf = async (jobs: Jobs, items: readonly NewItem[], hours: number) =>
      (await jobs.create(wish(items, { expiresInMs: hours * 3_600_000 }))).batch.id;
    /** Minutes pass, with all that is done in them. */
    const pass = async (jobs: Jobs, minutes: number) => {
      for (let minute = 0; minute < minutes; minute++) {
        clock.advance(60_000);
        await nextTurn();
        // Those that have ended make room for others, as long as there are any; the database answers in turn.
        while (under < 2 && (await jobs.state()).pending > 0) await nextTurn();
        for (let turn = 0; turn < 30; turn++) await jobs.state();
      }
    };
    let under = 0;
    /** This machine answers one item in so many minutes with each slot. */
    const slow = (minutes: number) => {
      under = 0;
      here = async () => {
        under++;
        await new Promise<void>((resolve) => clock.after(minutes * 60_000, resolve));
        under--;
      };
    };

    it('the last of them go there with others, priced, as many as are too many', async () => {
      slow(4);
      const jobs = start(open());
      const id = await makeOf(jobs, some(200), 3);
      await pass(jobs, 12);
      await sent(1);
      const { lines } = service.batches[0]!;
      // Two slots do one item in two minutes: some 80 in nine tenths of the time that is left.
      expect(lines.length).toBeGreaterThan(100);
      expect(lines.length).toBeLessThan(140);
      expect(lines.at(-1)!.customId).toBe(`${service.batches[0]!.name}-199`);
      // A few more may be on their way by now.
      const { items, mostNanoUsd } = (await jobs.shareOf(id))!;
      expect(items).toBeGreaterThanOrEqual(lines.length);
      expect(mostNanoUsd).toBe(BigInt(items) * 1_000n);
      const worded = calls.filter(({ batched }) => batched?.step === 'word');
      expect(new Set(worded.map(({ headers }) => headers['x-cloud']))).toEqual(new Set(['require']));
      const alone = calls.filter(({ batched }) => batched === undefined);
      expect(alone.every(({ headers }) => !('x-cloud' in headers))).toBe(true);
      here = async () => {};
      // A few more may follow, as time goes on.
      await until(async () => {
        service.end();
        return (await jobs.find(id, scope))!.state === 'ended';
      });
      expect((await jobs.find(id, scope))!.counts.succeeded).toBe(200);
    });

    it('none goes that is in time, that is not marked, or of which nothing is known yet', async () => {
      slow(1);
      const jobs = start(open());
      const ids = [await makeOf(jobs, some(60), 3), await makeOf(jobs, some(60, 'small'), 1)];
      await pass(jobs, 25);
      expect(service.batches).toEqual([]);
      expect(calls.every(({ batched }) => batched === undefined)).toBe(true);
      here = async () => {};
      for (const id of ids) await ended(jobs, id);
    });

    it('they stay here where the budget does not allow it, and are not tried there again', async () => {
      slow(30);
      const failure = { code: 'budget_exceeded', retryable: false, retryAfterSeconds: null } as const;
      refuse = async () => answered('too dear', { status: 402, failure });
      const jobs = start(open());
      const id = await makeOf(jobs, some(20), 3);
      await pass(jobs, 12);
      await until(() => calls.some(({ batched }) => batched?.step === 'word'));
      await pass(jobs, 8);
      expect(service.batches).toEqual([]);
      here = async () => {};
      expect((await ended(jobs, id)).counts.succeeded).toBe(20);
      const tried = calls.filter(({ batched }) => batched?.step === 'word').map(({ body }) => body);
      expect(new Set(tried).size).toBe(tried.length);
      expect(await bodiesOf(jobs, id)).not.toContain('too dear');
    });

    it('those that a provider has no batches for, and those with little time, go there by themselves', async () => {
      slow(30);
      refuse = async () => 'alone';
      const jobs = start(open());
      const [long, short] = [await makeOf(jobs, some(20), 3), await makeOf(jobs, some(4), 0.9)];
      await pass(jobs, 12);
      here = async () => {};
      for (const id of [long, short]) await ended(jobs, id);
      const require = calls.filter(({ batched, headers }) => batched === undefined && headers['x-cloud'] === 'require');
      expect(require.length).toBeGreaterThan(10);
      expect(service.batches).toEqual([]);
    });
  });
});
