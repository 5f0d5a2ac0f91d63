import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { createSharedLimits } from '../../src/gateway/shared-limits.ts';
import { createSlidingLimits, type Limited, type SlidingLimits } from '../../src/gateway/sliding-limits.ts';
import type { Database } from '../../src/storage/storage.ts';
import { type LimitsUnderTest, runLimitsContract } from '../contracts/limits.contract.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

runLimitsContract('this process', async (): Promise<LimitsUnderTest> => {
  const clock = manualClock();
  const nothing = async () => {};
  return {
    limits: createSlidingLimits(clock),
    clock,
    sliceMs: { minute: 0, day: 0 },
    settled: nothing,
    dispose: nothing,
  };
});

const log = { warn: () => {} };
const shared = (database: Database, clock: ManualClock) =>
  createSharedLimits({ database, name: 'test', clock, log, givenNowMs: () => clock.now().getTime() });

if (postgresUrl === undefined) {
  describe('limits of replicas', () => {
    it.skip('are asked where HEARTH_TEST_POSTGRES names a database by its URL', () => {});
  });
} else {
  runLimitsContract('PostgreSQL', async (): Promise<LimitsUnderTest> => {
    const { open, dispose } = await openTestSchema(postgresUrl!);
    const clock = manualClock();
    const limits = shared(await open(), clock);
    return {
      limits,
      clock,
      sliceMs: { minute: 1_000, day: 300_000 },
      settled: limits.close,
      async dispose() {
        await limits.close();
        await dispose();
      },
    };
  });

  describe('limits of three replicas', () => {
    const a: Limited = { id: 'a', limits: { requestsPerMinute: 100, tokensPerMinute: 5_000, requestsPerDay: null } };
    const b: Limited = { id: 'b', limits: { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: 60 } };

    it('let through together what one would, all of it or none, in whatever order they are asked', async () => {
      const { open, dispose } = await openTestSchema(postgresUrl!);
      const replicas = await Promise.all([1, 2, 3].map(async () => shared(await open(), manualClock())));
      const asked = Array.from({ length: 300 }, (_, index) =>
        replicas[index % 3]!.take(index % 2 === 0 ? [a, b] : [b, a], 10),
      );
      const results = await Promise.all(asked);
      expect(results.filter((result) => 'taken' in result)).toHaveLength(60);
      const ofA = Array.from({ length: 60 }, (_, index) => replicas[index % 3]!.take([a], 10));
      expect((await Promise.all(ofA)).filter((result) => 'taken' in result)).toHaveLength(40);
      // What one gives back is there for the others.
      const last = results.find((result) => 'taken' in result)!;
      const giver = replicas[results.indexOf(last) % 3]!;
      if ('taken' in last) last.taken.settle({ requests: 0, tokens: 0 });
      await giver.close();
      const more = await Promise.all(replicas.map((replica) => replica.take([a], 0)));
      expect(more.filter((result) => 'taken' in result)).toHaveLength(1);
      for (const replica of replicas) await replica.close();
      await dispose();
    });
  });
}

describe('limits of a replica whose database is away', () => {
  const a: Limited = { id: 'a', limits: { requestsPerMinute: 2, tokensPerMinute: null, requestsPerDay: null } };
  const databaseThat = (executeQuery: () => Promise<never>) => {
    const executor = { transformQuery: (node: unknown) => node, compileQuery: () => ({}), executeQuery };
    return { tables: { getExecutor: () => executor } } as unknown as Database;
  };

  it('are counted by itself until it is back', async () => {
    const away = databaseThat(() => Promise.reject(new AppError('storage_unavailable', 'away')));
    const limits: SlidingLimits = shared(away, manualClock());
    const results = [await limits.take([a], 0), await limits.take([a], 0), await limits.take([a], 0)];
    expect(results.map((result) => 'taken' in result)).toEqual([true, true, false]);
    expect(limits.status(a).requestsPerMinute).toMatchObject({ limit: 2, remaining: 0 });
  });

  it('are waited for no longer than two seconds, and not by everyone', async () => {
    let asked = 0;
    const silent = databaseThat(() => {
      asked++;
      return new Promise(() => {});
    });
    const clock = manualClock();
    const limits: SlidingLimits = shared(silent, clock);
    const first = limits.take([a], 0);
    clock.advance(2_000);
    expect('taken' in (await first)).toBe(true);
    expect('taken' in (await limits.take([a], 0))).toBe(true);
    expect(asked).toBe(1);
    clock.advance(1_000);
    const later = limits.take([a], 0);
    expect(asked).toBe(2);
    clock.advance(2_000);
    expect('shortage' in (await later)).toBe(true);
  });
});
