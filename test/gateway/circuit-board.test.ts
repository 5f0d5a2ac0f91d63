import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/core/attempt.ts';
import { AppError } from '../../src/core/errors.ts';
import { unknownUsage } from '../../src/core/usage.ts';
import { type BreakerLimits, createBreakers } from '../../src/gateway/breaker.ts';
import { createCircuitBoard } from '../../src/gateway/circuit-board.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { anyContext } from '../support/calls.ts';
import { describeInDatabases, type TestDatabase } from '../support/databases.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const limits: BreakerLimits = { windowMs: 60_000, minCalls: 4, threshold: 0.5, openMs: 30_000, slowMs: 10_000 };
const good: AttemptEnd = {
  outcome: 'answered',
  error: null,
  usage: unknownUsage,
  seenOutputTokens: 0,
  seenReasoningTokens: 0,
  latencyMs: 5,
  firstContentMs: 5,
  answeredModel: null,
};
const bad: AttemptEnd = { ...good, outcome: 'failed', error: new AppError('upstream_unavailable', 'reset') };
const gone: AttemptEnd = { ...good, outcome: 'cancelled' };

describeInDatabases('circuits of replicas', (openDatabase) => {
  let test: TestDatabase;
  let replicas: Awaited<ReturnType<typeof replica>>[];
  const replica = async (instance: string) => {
    const clock = manualClock();
    const database = await test.open();
    const board = createCircuitBoard({ database, instance, clock, log: { warn: () => {} } });
    const events: AppEvent[] = [];
    const bus = { publish: (event: AppEvent) => void events.push(event) };
    const breakers = createBreakers({ clock, bus, limits, board });
    await breakers.listen?.();
    const admit = async () =>
      breakers.admit(
        {
          id: 'a',
          provider: scriptedProvider([], { id: 'cloud' }),
          model: 'm',
          operation: 'generate',
          estimate: { promptTokens: 1, outputTokens: 1 },
          index: 0,
        },
        anyContext(),
      );
    const state = () => breakers.status()[0]?.state ?? 'closed';
    /** Looks at the board until it has seen this. */
    const sees = (wanted: string) =>
      expect
        .poll(() => {
          clock.advance(1_000);
          return state();
        })
        .toBe(wanted);
    const openIt = async () => {
      for (let number = 0; number < limits.minCalls; number++) await (await admit()).ended(bad);
    };
    return { clock, database, breakers, board, admit, state, sees, openIt, events };
  };
  beforeEach(async () => {
    test = await openDatabase();
    replicas = [await replica('one'), await replica('two'), await replica('three')];
  });
  afterEach(async () => {
    for (const { board } of replicas) await board.close();
    await test.dispose();
  });
  /** Lets time pass for the database, whose clock is its own, and for all replicas. */
  const pass = async (ms: number) => {
    await replicas[0]!.database.transaction(async (tables) => {
      await tables
        .updateTable('circuits')
        .set(({ eb }) => ({
          tries_at: eb('tries_at', '-', BigInt(ms)),
          probe_until: eb('probe_until', '-', BigInt(ms)),
        }))
        .execute();
    });
    for (const { clock } of replicas) clock.advance(ms);
  };

  it('open for all where one has opened its own, and tell until when', async () => {
    const [one, two, three] = replicas;
    await one!.openIt();
    for (const other of [two!, three!]) {
      await other.sees('open');
      await expect(other.admit()).rejects.toMatchObject({ code: 'circuit_open' });
      const { triesAt } = other.breakers.status()[0]!;
      const leftMs = triesAt!.getTime() - other.clock.now().getTime();
      expect(leftMs).toBeGreaterThan(20_000);
      expect(leftMs).toBeLessThanOrEqual(30_000);
      expect(other.events).toEqual([{ type: 'circuit-changed', provider: 'cloud', model: 'm', state: 'open' }]);
    }
    // A replica that comes later knows it from its start.
    const late = await replica('four');
    expect(late.state()).toBe('open');
    await late.board.close();
  });

  it('let one of all replicas try, and close for all when that went well', async () => {
    const [one, two, three] = replicas;
    await one!.openIt();
    await two!.sees('open');
    await three!.sees('open');
    await pass(30_000);
    const tries = await Promise.allSettled(replicas.map(({ admit }) => admit()));
    const admitted = tries.filter((result) => result.status === 'fulfilled');
    expect(admitted).toHaveLength(1);
    await admitted[0]!.value.ended(good);
    for (const each of replicas) await each.sees('closed');
    await Promise.all(replicas.map(({ admit }) => admit()));
  });

  it('stay open for all when the one that tried has failed', async () => {
    const [one, two] = replicas;
    await one!.openIt();
    await two!.sees('open');
    await pass(30_000);
    await (await two!.admit()).ended(bad);
    await one!.board.close();
    await two!.board.close();
    // The first one has not heard of it yet, and asks before it tries.
    await expect(one!.admit()).rejects.toMatchObject({ code: 'circuit_open' });
  });

  it('let the next one try where the one that tried said nothing, or is no more', async () => {
    const [one, two, three] = replicas;
    await one!.openIt();
    await two!.sees('open');
    await three!.sees('open');
    await pass(30_000);
    const first = await one!.admit();
    await expect(two!.admit()).rejects.toMatchObject({ code: 'circuit_open' });
    await first.ended(gone);
    await one!.board.close();
    // This one never comes to its end, and its replica says no more that it is there.
    await two!.admit();
    await two!.board.close();
    await expect(three!.admit()).rejects.toMatchObject({ code: 'circuit_open' });
    await pass(11_000);
    await (await three!.admit()).ended(good);
    expect(three!.state()).toBe('closed');
  });

  it('close for all where one was told to forget', async () => {
    const [one, two] = replicas;
    await one!.openIt();
    await two!.sees('open');
    two!.breakers.reset('cloud');
    await one!.sees('closed');
    await one!.admit();
  });

  it('are those of each alone while the database is away', async () => {
    const [one] = replicas;
    await one!.database.close();
    await one!.openIt();
    await expect(one!.admit()).rejects.toMatchObject({ code: 'circuit_open' });
    one!.clock.advance(30_000);
    await (await one!.admit()).ended(good);
    expect(one!.state()).toBe('closed');
    replicas.shift();
  });
});
