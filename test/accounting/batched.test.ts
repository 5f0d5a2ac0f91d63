import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Accounts, openAccounts } from '../../src/accounting/accounts.ts';
import type { Attempt } from '../../src/core/attempt.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { anthropicAt3, cloudOf, endWith } from '../support/accounting.ts';
import { anyContext } from '../support/calls.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { testBus } from '../support/test-bus.ts';

let folder: string;
let clock: ManualClock;
let opened: Database[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-batched-'));
  clock = manualClock(new Date('2026-11-29T23:59:00Z'));
  opened = [];
});
afterEach(async () => {
  for (const one of opened) await one.close();
  await rm(folder, { recursive: true, force: true });
});

/** The books of one process. */
async function open(): Promise<{ accounts: Accounts; tables: Database['tables'] }> {
  const database = await openSqlite(join(folder, 'hearth.sqlite'), { now: () => clock.now() });
  opened.push(database);
  const none = { daily: null, weekly: null, monthly: null };
  const accounts = await openAccounts({
    database,
    cloud: () => cloudOf({ providers: anthropicAt3 }),
    limitsOf: () => ({ all: { ...none, daily: 1_000_000_000n }, own: none }),
    clock,
    log: { warn() {}, error() {} },
    bus: testBus().bus,
  });
  return { accounts, tables: database.tables };
}

const attempt = (id = 'pb_1-0'): Attempt => ({
  id,
  provider: scriptedProvider([], { id: 'anthropic' }),
  model: 'claude-x',
  operation: 'generate',
  estimate: { promptTokens: 1_000, outputTokens: 1_000 },
  index: 0,
  isBatched: true,
});
/** What batches are billed for: half of a list price of 3 and 15 USD. */
const answered = endWith({ usage: { ...promptUsage(1_000, 0), outputTokens: 100, servedTier: 'batch' } });
const cost = 1_000n * 1_500n + 100n * 7_500n;
const spent = async (tables: Database['tables']) =>
  (await tables.selectFrom('spending').selectAll().where('scope', '=', '').where('period', '=', 'day').execute()).map(
    ({ starts_at, spent, reserved }) => [new Date(Number(starts_at)).toISOString().slice(0, 10), spent, reserved],
  );

describe('a try that goes in a batch', () => {
  it('holds half of what it might cost by itself, also after the end of its process', async () => {
    const { accounts, tables } = await open();
    const { mostNanoUsd } = await accounts.admit(attempt(), anyContext());
    // The dearest prompt is one that is kept for an hour: twice the input.
    expect(mostNanoUsd).toBe(((1_000n * 6_000n + 1_000n * 15_000n) * 11n) / 20n);
    const other = await open();
    clock.advance(120_000);
    expect(await tables.selectFrom('reservations').select(['instance', 'amount']).execute()).toEqual([
      { instance: 'batches', amount: mostNanoUsd },
    ]);
    await other.accounts.close();
  });

  it('is booked by another process, at half the price and on the day when it was held; once', async () => {
    const first = await open();
    await first.accounts.admit(attempt(), anyContext());
    await first.accounts.close();
    clock.advance(3_600_000);
    const { accounts, tables } = await open();
    for (const _ of ['read', 'read again']) {
      const resumed = await accounts.resume(attempt(), anyContext());
      await resumed.ended(answered);
      await accounts.flush();
      expect(resumed.cost?.()).toBe(cost);
    }
    expect(await spent(tables)).toEqual([['2026-11-29', cost, 0n]]);
    const rows = await tables.selectFrom('ledger').selectAll().execute();
    expect(rows).toMatchObject([
      { attempt_id: 'pb_1-0', served_tier: 'batch', cost, left_house: 1n, outcome: 'answered' },
    ]);
    expect(await tables.selectFrom('reservations').selectAll().execute()).toEqual([]);
  });

  it('stays held where the reading of its answer is given up', async () => {
    const { accounts, tables } = await open();
    await accounts.admit(attempt(), anyContext());
    const resumed = await accounts.resume(attempt(), anyContext());
    await resumed.ended(endWith({ outcome: 'cancelled' }));
    await accounts.flush();
    expect(await tables.selectFrom('reservations').selectAll().execute()).toHaveLength(1);
    expect(await tables.selectFrom('ledger').selectAll().execute()).toEqual([]);
  });

  it('gives back all that it holds: without a row where it was not sent, with one that costs nothing where it was', async () => {
    const { accounts, tables } = await open();
    await accounts.admit(attempt('pb_1-0'), anyContext());
    await accounts.admit(attempt('pb_1-1'), anyContext());
    await accounts.giveBack(['pb_1-0', 'pb_1-7'], 'not-sent');
    await accounts.giveBack(['pb_1-1'], 'unanswered');
    await accounts.giveBack(['pb_1-1'], 'unanswered');
    expect(await spent(tables)).toEqual([['2026-11-29', 0n, 0n]]);
    expect(await tables.selectFrom('ledger').selectAll().execute()).toMatchObject([
      { attempt_id: 'pb_1-1', outcome: 'cancelled', cost: 0n, left_house: 1n, is_estimated: 0n },
    ]);
  });
});
