import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Accounts, openAccounts } from '../../src/accounting/accounts.ts';
import type { Limits } from '../../src/accounting/budgets.ts';
import type { CloudConfig } from '../../src/config/providers.ts';
import type { AdmittedAttempt, Attempt } from '../../src/core/attempt.ts';
import { anonymous, type CallContext, localRouting, noWish } from '../../src/core/call.ts';
import { AppError } from '../../src/core/errors.ts';
import { unknownUsage } from '../../src/core/usage.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { anthropicAt3, cloudOf, endWith } from '../support/accounting.ts';
import { randomFrom } from '../support/gbnf.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const noBudget = { daily: null, weekly: null, monthly: null };
const said404 = { provider: 'anthropic', dialect: 'anthropic', status: 404, headers: {}, body: null } as const;
const usd = (amount: number) => BigInt(Math.round(amount * 1e9));

let folder: string;
let clock: ManualClock;
let database: Database;
let opened: Database[];
let events: AppEvent[];
let logged: unknown[];
/** Whether others write the tables, too. */
let isShared = false;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-accounts-'));
  clock = manualClock(new Date('2026-11-29T10:00:00Z'));
  events = [];
  logged = [];
  opened = [];
  database = await openDatabase();
});
afterEach(async () => {
  for (const one of opened) await one.close();
  await rm(folder, { recursive: true, force: true });
});

async function openDatabase(): Promise<Database> {
  const one = await openSqlite(join(folder, 'hearth.sqlite'), { now: () => clock.now() });
  opened.push(one);
  return one;
}

/** What it refuses at once rejects here, too. */
type AskedAccounts = Omit<Accounts, 'admit'> & {
  admit(...asked: Parameters<Accounts['admit']>): Promise<AdmittedAttempt>;
};

async function accountsOf(
  limits: Partial<Limits> = {},
  changes: { cloud?: CloudConfig; database?: Database; instance?: string; clock?: ManualClock } = {},
): Promise<AskedAccounts> {
  const accounts = await openAccounts({
    database: changes.database ?? { ...database, isShared },
    cloud: () => changes.cloud ?? cloudOf({ providers: anthropicAt3 }),
    limitsOf: () => ({ all: noBudget, own: noBudget, ...limits }),
    clock: changes.clock ?? clock,
    log: {
      warn: (...args: unknown[]) => void logged.push(args),
      error: (...args: unknown[]) => void logged.push(args),
    } as never,
    bus: { publish: (event) => void events.push(event) },
    ...(changes.instance !== undefined && { instance: changes.instance }),
  });
  return { ...accounts, admit: async (...asked) => accounts.admit(...asked) };
}

let attempts = 0;
const attemptOf = (changes: Partial<Attempt> & { providerId?: string } = {}): Attempt => ({
  id: `att_${attempts++}`,
  provider: scriptedProvider([], { id: changes.providerId ?? 'anthropic' }),
  model: 'claude-x',
  operation: 'generate',
  estimate: { promptTokens: 100, outputTokens: 100 },
  index: 0,
  ...changes,
});
const contextOf = (id = 'anonymous'): CallContext => ({
  principal: { ...anonymous, id, name: 'kitchen' },
  routing: noWish,
  config: localRouting,
  deadlineMs: null,
  signal: new AbortController().signal,
  requestId: 'req_1',
});
const spending = async () => {
  const rows = await database.tables.selectFrom('spending').selectAll().orderBy('scope').orderBy('period').execute();
  return rows.map(({ scope, period, spent, reserved }) => ({ scope, period, spent, reserved }));
};
const rows = () => database.tables.selectFrom('ledger').selectAll().orderBy('at').orderBy('attempt_id').execute();
const reservations = () => database.tables.selectFrom('reservations').selectAll().execute();

describe('a try at a provider', () => {
  it('waits for the disk with its row where it may cost money or leaves the house, and not where it stays here', async () => {
    const settled: boolean[] = [];
    const watched: Database = {
      ...database,
      transaction: (run, options = {}) => {
        settled.push(options.durable ?? true);
        return database.transaction(run, options);
      },
    };
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: watched });
    for (const providerId of ['local', 'anthropic']) {
      const admitted = await accounts.admit(attemptOf({ providerId }), contextOf());
      settled.length = 0;
      await admitted.ended(endWith());
      await accounts.flush();
      expect([providerId, settled]).toEqual([providerId, [providerId !== 'local']]);
    }
    expect(await rows()).toHaveLength(2);
    await accounts.close();
  });

  it('reserves the most that it may cost, and is settled by what it did cost', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const attempt = attemptOf({ estimate: { promptTokens: 1_000, outputTokens: 1_000 } });
    const admitted = await accounts.admit(attempt, contextOf('key-1'));
    // All of the prompt might be written for an hour, in one region.
    const most = usd((0.006 + 0.015) * 1.1);
    const each = (spent: bigint, reserved: bigint) =>
      ['', 'key-1'].flatMap((scope) => ['day', 'month', 'week'].map((period) => ({ scope, period, spent, reserved })));
    await accounts.flush();
    expect(await spending()).toEqual(each(0n, most));
    expect(await reservations()).toMatchObject([{ attempt_id: attempt.id, principal: 'key-1', amount: most }]);
    await admitted.ended(endWith({ usage: { ...unknownUsage, inputTokens: 900, outputTokens: 40 } }));
    expect(admitted.cost!()).toBe(usd(0.0033));
    await accounts.flush();
    expect(await spending()).toEqual(each(usd(0.0033), 0n));
    expect(await reservations()).toEqual([]);
    expect(events).toEqual([
      { type: 'attempt-settled', provider: 'anthropic', model: 'claude-x', costNanoUsd: usd(0.0033) },
    ]);
    await accounts.close();
  });

  it('has a row with everything that is known of it', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const admitted = await accounts.admit(attemptOf({ id: 'att_x', index: 2 }), contextOf('key-1'));
    const usage = {
      ...unknownUsage,
      inputTokens: 1,
      cacheReadTokens: 2,
      cacheWrite5mTokens: 3,
      cacheWrite1hTokens: 4,
      outputTokens: 5,
      reasoningTokens: 1,
      servedTier: 'standard',
      servedPlace: 'us',
    };
    await admitted.ended(endWith({ usage, latencyMs: 1_234.4, firstContentMs: 99.6, answeredModel: 'claude-x-1' }));
    await accounts.flush();
    expect(await rows()).toEqual([
      {
        attempt_id: 'att_x',
        request_id: 'req_1',
        at: BigInt(Date.parse('2026-11-29T10:00:00Z')),
        principal: 'key-1',
        provider: 'anthropic',
        model: 'claude-x',
        answered_model: 'claude-x-1',
        operation: 'generate',
        attempt_index: 2n,
        input_tokens: 1n,
        cache_read_tokens: 2n,
        cache_write_5m_tokens: 3n,
        cache_write_1h_tokens: 4n,
        output_tokens: 5n,
        reasoning_tokens: 1n,
        latency_ms: 1_234n,
        first_content_ms: 100n,
        served_tier: 'standard',
        served_place: 'us',
        is_estimated: 0n,
        left_house: 1n,
        outcome: 'answered',
        error_code: null,
        // (1 x 3 + 2 x 0.3 + 3 x 3.75 + 4 x 6 + 5 x 15) x 1.1, for a million.
        cost: 125_235n,
        key_name: 'kitchen',
      },
    ]);
    await accounts.close();
  });

  it('of this machine has a row that costs nothing, and needs no budget', async () => {
    const accounts = await accountsOf();
    const admitted = await accounts.admit(attemptOf({ providerId: 'local', model: 'default' }), contextOf());
    expect(await reservations()).toEqual([]);
    await admitted.ended(
      endWith({ answeredModel: 'tiny', usage: { ...unknownUsage, inputTokens: 7, outputTokens: 3 } }),
    );
    await accounts.flush();
    expect(await rows()).toMatchObject([
      { provider: 'local', model: 'tiny', left_house: 0n, cost: 0n, input_tokens: 7n, output_tokens: 3n },
    ]);
    expect(await spending()).toEqual([]);
    await accounts.close();
  });

  it.each<[string, AppError, bigint]>([
    ['what the service cannot take was found here', new AppError('not_supported', 'No images.'), 0n],
    ['it has no such model by the configuration', new AppError('model_not_found', 'No such model.'), 0n],
    ['the service refused it', new AppError('upstream_refused', 'Refused.'), 1n],
    ['the service said that the model is missing', new AppError('model_not_found', 'Gone.', { upstream: said404 }), 1n],
    [
      'the service could not do it, as its answer told',
      new AppError('not_supported', 'No counts.', { cause: new AppError('upstream_refused', 'Not found.') }),
      1n,
    ],
    ['nobody knows how far it came', new AppError('internal_error', 'Oops.'), 1n],
  ])('that failed left the house unless it was never sent: %s', async (_title, error, left) => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const admitted = await accounts.admit(attemptOf(), contextOf());
    await admitted.ended(endWith({ outcome: 'failed', error }));
    await accounts.flush();
    expect(await rows()).toMatchObject([{ outcome: 'failed', error_code: error.code, left_house: left }]);
    await accounts.close();
  });

  it('that was not made leaves no row and nothing reserved', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const admitted = await accounts.admit(attemptOf(), contextOf());
    await admitted.ended(endWith({ outcome: 'not-asked' }));
    await accounts.flush();
    expect(await rows()).toEqual([]);
    expect(await reservations()).toEqual([]);
    expect((await spending()).every(({ spent, reserved }) => spent === 0n && reserved === 0n)).toBe(true);
    await accounts.close();
  });

  it.each<[string, Parameters<typeof endWith>[0], { cost: bigint; is_estimated: bigint; outcome: string }]>([
    [
      'cut before anything came: the prompt, as far as it can be guessed',
      { outcome: 'cancelled', firstContentMs: null, answeredModel: null },
      { cost: 300_000n, is_estimated: 1n, outcome: 'cancelled' },
    ],
    [
      'cut after its head: the prompt, exactly',
      { outcome: 'cancelled', firstContentMs: null, usage: { ...unknownUsage, inputTokens: 90, outputTokens: 1 } },
      { cost: 285_000n, is_estimated: 1n, outcome: 'cancelled' },
    ],
    [
      'cut in the middle of its text or its call: the prompt and what was seen',
      { outcome: 'cancelled', seenOutputTokens: 20, usage: { ...unknownUsage, inputTokens: 90, outputTokens: 1 } },
      { cost: 570_000n, is_estimated: 1n, outcome: 'cancelled' },
    ],
    [
      'that came to its end: what it says at its end',
      { seenOutputTokens: 25, usage: { ...unknownUsage, inputTokens: 90, outputTokens: 20 } },
      { cost: 570_000n, is_estimated: 0n, outcome: 'answered' },
    ],
    [
      'that came to its end and says nothing of what it took: a guess',
      { seenOutputTokens: 20 },
      { cost: 600_000n, is_estimated: 1n, outcome: 'answered' },
    ],
    [
      'that failed, before or after its content: nothing',
      { outcome: 'failed', error: new AppError('upstream_unavailable', 'no'), seenOutputTokens: 20 },
      { cost: 0n, is_estimated: 0n, outcome: 'failed' },
    ],
  ])('is billed when it is one %s', async (_, end, expected) => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const admitted = await accounts.admit(attemptOf(), contextOf());
    await admitted.ended(endWith(end));
    await accounts.flush();
    expect(await rows()).toMatchObject([expected]);
    // What costs nothing and was over before it was written leaves the budgets as they were.
    const rowsOfBudgets = expected.cost === 0n ? 0 : 6;
    expect(await spending()).toEqual(
      Array.from({ length: rowsOfBudgets }, () => expect.objectContaining({ spent: expected.cost, reserved: 0n })),
    );
    await accounts.close();
  });

  it('is billed for its reasoning at the price of that, where it is cut off before anybody has counted it', async () => {
    const pricing = { input_per_million: 3, output_per_million: 15, reasoning_per_million: 35 };
    const cloud = cloudOf({ providers: { anthropic: { api_key: 'x', models: [{ id: 'claude-x', pricing }] } } });
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { cloud });
    const admitted = await accounts.admit(attemptOf(), contextOf());
    const usage = { ...unknownUsage, inputTokens: 100, outputTokens: 1 };
    await admitted.ended(endWith({ outcome: 'cancelled', usage, seenOutputTokens: 20, seenReasoningTokens: 12 }));
    await accounts.flush();
    // 100 x 3 + 8 x 15 + 12 x 35, in thousands.
    expect(await rows()).toMatchObject([{ cost: 840_000n, reasoning_tokens: 12n, is_estimated: 1n }]);
    await accounts.close();
  });

  it('is settled with others in one write, a moment after its end', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    let writes = 0;
    const counted = await accountsOf(
      { all: { ...noBudget, daily: usd(1) } },
      {
        database: {
          ...database,
          transaction: (run, options) => {
            if (options?.durable !== false) writes++;
            return database.transaction(run, options);
          },
        },
      },
    );
    const admitted = await Promise.all(Array.from({ length: 20 }, () => counted.admit(attemptOf(), contextOf())));
    await Promise.all(admitted.map((one) => one.ended(endWith())));
    expect(writes).toBe(0);
    clock.advance(25);
    await counted.flush();
    expect(writes).toBe(1);
    expect(await rows()).toHaveLength(20);
    await counted.close();
    await accounts.close();
  });

  it('waits a little longer for others where the last write was just now', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const end = async () => (await accounts.admit(attemptOf(), contextOf())).ended(endWith());
    const rowsAfter = async (ms: number) => {
      clock.advance(ms);
      // Behind whatever has begun by then.
      await database.transaction(async () => {});
      await database.transaction(async () => {});
      return (await rows()).length;
    };
    await end();
    expect([await rowsAfter(24), await rowsAfter(1)]).toEqual([0, 1]);
    await end();
    expect([await rowsAfter(99), await rowsAfter(1)]).toEqual([1, 2]);
    clock.advance(1_000);
    await end();
    expect([await rowsAfter(24), await rowsAfter(1)]).toEqual([2, 3]);
    await accounts.close();
  });
});

describe.each([
  ['of this process alone', false],
  ['that others spend from, too', true],
])('a budget %s', (_, others) => {
  beforeEach(() => {
    isShared = others;
  });
  afterEach(() => {
    isShared = false;
  });
  const cheap = { estimate: { promptTokens: 0, outputTokens: 100 } };
  /** Of one try. */
  const most = usd(0.00165);

  it.each<[string, Partial<Limits>, string]>([
    ['for a day', { all: { ...noBudget, daily: most * 2n } }, 'daily'],
    ['for a week', { all: { ...noBudget, weekly: most * 2n } }, 'weekly'],
    ['for a month', { all: { ...noBudget, monthly: most * 2n } }, 'monthly'],
    ['of a key', { own: { ...noBudget, daily: most * 2n } }, 'daily'],
  ])('%s lets through what fits beside what runs, and refuses the rest with 402', async (_, limits, period) => {
    const accounts = await accountsOf(limits);
    const first = await accounts.admit(attemptOf(cheap), contextOf());
    await accounts.admit(attemptOf(cheap), contextOf());
    const refused = accounts.admit(attemptOf(cheap), contextOf());
    await expect(refused).rejects.toMatchObject({
      code: 'budget_exceeded',
      status: 402,
      details: { reason: 'budget', period, limit_usd: '0.003300', spent_usd: '0.000000', reserved_usd: '0.003300' },
      retryAfterSeconds: 1,
    });
    // What would not fit by itself will not fit later either.
    const dear = attemptOf({ estimate: { promptTokens: 0, outputTokens: 201 } });
    await expect(accounts.admit(dear, contextOf())).rejects.toMatchObject({
      code: 'budget_exceeded',
      retryAfterSeconds: null,
    });
    // Given back as soon as the first has failed.
    await first.ended(endWith({ outcome: 'failed' }));
    await accounts.flush();
    await accounts.admit(attemptOf(cheap), contextOf());
    await accounts.close();
  });

  it('of one key does not bind another, and that of all binds both', async () => {
    const accounts = await accountsOf({ own: { ...noBudget, daily: most }, all: { ...noBudget, daily: most * 2n } });
    await accounts.admit(attemptOf(cheap), contextOf('a'));
    await expect(accounts.admit(attemptOf(cheap), contextOf('a'))).rejects.toMatchObject({ details: { scope: 'key' } });
    await accounts.admit(attemptOf(cheap), contextOf('b'));
    await expect(accounts.admit(attemptOf(cheap), contextOf('c'))).rejects.toMatchObject({ details: { scope: 'all' } });
    await accounts.close();
  });

  it('is there again when its period is over', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: most } });
    const { ended } = await accounts.admit(attemptOf(cheap), contextOf());
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 0, outputTokens: 100 } }));
    await accounts.flush();
    await expect(accounts.admit(attemptOf(cheap), contextOf())).rejects.toMatchObject({
      details: { resets_at: '2026-11-30T00:00:00.000Z' },
    });
    clock.advance(14 * 3_600_000);
    await accounts.admit(attemptOf(cheap), contextOf());
    await accounts.close();
  });

  it('books a try that runs over midnight where it was reserved', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: most } });
    const { ended } = await accounts.admit(attemptOf(cheap), contextOf());
    clock.advance(20 * 3_600_000);
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 0, outputTokens: 100 } }));
    await accounts.flush();
    const days = await database.tables.selectFrom('spending').selectAll().where('period', '=', 'day').execute();
    expect(days).toMatchObject([
      { starts_at: BigInt(Date.parse('2026-11-29')), spent: usd(0.0015), reserved: 0n },
      { starts_at: BigInt(Date.parse('2026-11-29')), spent: usd(0.0015), reserved: 0n },
    ]);
    await accounts.close();
  });

  it('that nobody set is none: what costs money is refused, what is free is not', async () => {
    const cloud = cloudOf({
      providers: {
        ...anthropicAt3,
        vllm: { base_url: 'http://10.0.0.2/v1', models: [{ id: 'own' }] },
        custom: {
          base_url: 'http://10.0.0.3/v1',
          models: [{ id: 'zero', pricing: { input_per_1k: 0, output_per_1k: 0 } }],
        },
      },
    });
    const accounts = await accountsOf({}, { cloud });
    await expect(accounts.admit(attemptOf(), contextOf())).rejects.toMatchObject({
      code: 'budget_exceeded',
      details: { reason: 'no_budget' },
    });
    await accounts.admit(attemptOf({ providerId: 'vllm', model: 'own' }), contextOf());
    await accounts.admit(attemptOf({ providerId: 'custom', model: 'zero' }), contextOf());
    // Counting costs nothing.
    await accounts.admit(attemptOf({ operation: 'count' }), contextOf());
    await accounts.close();
  });

  it('cannot be kept for a model whose price nobody knows: it is refused, unless that is allowed', async () => {
    const providers = { openai: { api_key: 'x', models: [{ id: 'new' }] } };
    const strict = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { cloud: cloudOf({ providers }) });
    const attempt = { providerId: 'openai', model: 'new' };
    await expect(strict.admit(attemptOf(attempt), contextOf())).rejects.toMatchObject({
      code: 'budget_exceeded',
      details: { reason: 'unknown_price' },
    });
    const provider = scriptedProvider([], { id: 'openai', nameOf: () => null });
    await expect(strict.admit(attemptOf({ ...attempt, provider }), contextOf())).rejects.toMatchObject({
      code: 'model_not_found',
      field: 'model',
    });
    const cloud = cloudOf({ providers, budgets: { unknown_prices: 'allow' } });
    const open = await accountsOf({}, { cloud });
    const { ended, cost } = await open.admit(attemptOf(attempt), contextOf());
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 5, outputTokens: 5 } }));
    await open.flush();
    expect(cost!()).toBeNull();
    expect(await rows()).toMatchObject([{ cost: null, input_tokens: 5n }]);
    await strict.close();
    await open.close();
  });

  it('is charged what was reserved where what was served has no price', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    const { ended } = await accounts.admit(attemptOf(cheap), contextOf());
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 1, outputTokens: 1, servedTier: 'fast' } }));
    await accounts.flush();
    expect(await rows()).toMatchObject([{ cost: null }]);
    expect((await spending())[0]).toMatchObject({ spent: most, reserved: 0n });
    await accounts.close();
  });

  it('for 100 is not overspent by 1,000 requests at once, and nothing stays reserved', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: most * 100n } });
    const running: (() => void | Promise<void>)[] = [];
    const results = await Promise.allSettled(
      Array.from({ length: 1_000 }, async (_, index) => {
        const admitted = await accounts.admit(attemptOf(cheap), contextOf(`key-${index % 7}`));
        running.push(() =>
          admitted.ended(
            endWith({
              outcome: index % 5 === 0 ? 'cancelled' : 'answered',
              seenOutputTokens: 100,
              usage: { ...unknownUsage, inputTokens: 0, outputTokens: 100, servedPlace: 'us' },
            }),
          ),
        );
      }),
    );
    const passed = results.filter(({ status }) => status === 'fulfilled').length;
    expect(passed).toBe(100);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'budget_exceeded' });
    }
    await Promise.all(running.map((end) => end()));
    await accounts.flush();
    const all = (await spending()).find(({ scope, period }) => scope === '' && period === 'day')!;
    expect(all).toMatchObject({ spent: most * 100n, reserved: 0n });
    expect((await spending()).every(({ reserved }) => reserved === 0n)).toBe(true);
    expect(await reservations()).toEqual([]);
    expect(await rows()).toHaveLength(100);
    await accounts.close();
  });

  it('is taken from by many at once in one write, and each is let through or refused for itself', async () => {
    let transactions = 0;
    const counted: Database = {
      ...database,
      isShared,
      transaction: (run, options) => {
        transactions++;
        return database.transaction(run, options);
      },
    };
    const accounts = await accountsOf({ all: { ...noBudget, daily: most * 3n } }, { database: counted });
    // Each key's budgets are read once.
    for (const index of [0, 1, 2, 3, 4]) {
      await (await accounts.admit(attemptOf(cheap), contextOf(`key-${index}`))).ended(endWith({ outcome: 'failed' }));
      await accounts.flush();
    }
    transactions = 0;
    // The second and the fourth would go beyond it; those behind them have room.
    const amounts = [2, 2, 1, 1, 0];
    const results = await Promise.allSettled(
      amounts.map((times, index) =>
        accounts.admit(
          attemptOf({ estimate: { promptTokens: 0, outputTokens: cheap.estimate.outputTokens * times } }),
          contextOf(`key-${index}`),
        ),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(results[3]).toMatchObject({ reason: { code: 'budget_exceeded' } });
    await accounts.flush();
    expect(transactions).toBe(1);
    expect((await spending()).filter(({ period, reserved }) => period === 'day' && reserved > 0n)).toEqual([
      { scope: '', period: 'day', spent: 0n, reserved: most * 3n },
      { scope: 'key-0', period: 'day', spent: 0n, reserved: most * 2n },
      { scope: 'key-2', period: 'day', spent: 0n, reserved: most },
    ]);
    await accounts.close();
  });

  it('that refuses all leaves no trace of them', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: 1n } });
    const results = await Promise.allSettled([1, 2].map(() => accounts.admit(attemptOf(cheap), contextOf())));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await spending()).toEqual([]);
    await accounts.close();
  });

  it('says once when it is nearly spent, and once when it is', async () => {
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(0.015) } });
    const spend = async (outputTokens: number) => {
      const { ended } = await accounts.admit(
        attemptOf({ estimate: { promptTokens: 0, outputTokens: 1 } }),
        contextOf(),
      );
      await ended(endWith({ usage: { ...unknownUsage, inputTokens: 0, outputTokens } }));
      await accounts.flush();
    };
    await spend(800);
    expect(logged).toEqual([]);
    await spend(50);
    expect(logged).toMatchObject([
      [{ scope: '', period: 'day', level: 'warning', spent: usd(0.01275) }, expect.any(String)],
    ]);
    await spend(50);
    expect(logged).toHaveLength(1);
    await spend(200);
    expect(logged).toHaveLength(2);
    expect(logged[1]).toMatchObject([{ level: 'exceeded' }, expect.any(String)]);
    await accounts.close();
  });
});

describe('what a process left behind', () => {
  it.each([
    ['only noted', false],
    ['written', true],
  ])('is released when the next one opens the books, and told as lost, where it was %s', async (_, isWritten) => {
    const first = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { instance: 'dead' });
    await first.admit(attemptOf({ id: 'att_lost' }), contextOf('key-1'));
    if (isWritten) await first.flush();
    expect(await reservations()).toHaveLength(isWritten ? 1 : 0);
    // It ends without another word; the next one has its number, as in a container.
    const second = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: await openDatabase() });
    expect(await reservations()).toEqual([]);
    expect((await spending()).every(({ reserved, spent }) => reserved === 0n && spent === 0n)).toBe(true);
    expect(await rows()).toMatchObject([
      {
        attempt_id: 'att_lost',
        outcome: 'lost',
        cost: null,
        is_estimated: 1n,
        left_house: 1n,
        principal: 'key-1',
        key_name: 'kitchen',
      },
    ]);
    expect(logged).toHaveLength(1);
    await second.close();
    await first.close();
  });

  it('is not released twice where it lived after all, and its row is put right', async () => {
    const first = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { instance: 'slow' });
    const { ended } = await first.admit(attemptOf(), contextOf());
    const second = await accountsOf({ all: { ...noBudget, daily: usd(1) } });
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 0, outputTokens: 100 } }));
    await first.flush();
    expect((await spending())[0]).toMatchObject({ spent: usd(0.0015), reserved: 0n });
    expect(await rows()).toMatchObject([{ outcome: 'answered', cost: usd(0.0015) }]);
    await second.close();
    await first.close();
  });

  it('is not told as lost where its note was cut, where it has ended, or where nothing was asked', async () => {
    const notes = join(folder, 'hearth.sqlite-notes');
    const first = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { instance: 'dead' });
    const end = async (id: string, outcome: 'answered' | 'not-asked') => {
      await (await first.admit(attemptOf({ id }), contextOf())).ended(endWith({ outcome }));
    };
    await end('att_ended', 'answered');
    await end('att_refused', 'not-asked');
    const noted = await readFile(notes, 'utf8');
    expect(noted.split('\n')).toHaveLength(3);
    await first.flush();
    expect(await readFile(notes, 'utf8')).toBe('');
    // As if it had ended before it could forget them, and in the middle of another.
    await writeFile(notes, noted.replace('att_refused', 'att_other') + noted.slice(0, 20));
    const second = await accountsOf({}, { database: await openDatabase() });
    expect((await rows()).map(({ attempt_id, outcome }) => [attempt_id, outcome])).toEqual([
      ['att_ended', 'answered'],
      ['att_other', 'lost'],
    ]);
    expect(await readFile(notes, 'utf8')).toBe('');
    for (const one of [second, first]) await one.close();
  });

  it('of a replica is released when its lease has run out, and not before', async () => {
    const shared = { ...database, isShared: true, notes: null };
    const dead = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: shared, instance: 'dead' });
    await dead.admit(attemptOf(), contextOf());
    const other = { ...(await openDatabase()), isShared: true, notes: null };
    const alive = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: other, instance: 'alive' });
    expect(await reservations()).toHaveLength(1);
    // The dead one has beaten no more since; here both are in one process, so its row is made old.
    await database.transaction(async (tables) => {
      const seen = BigInt(clock.now().getTime() - 61_000);
      await tables.updateTable('instances').set({ seen_at: seen }).where('id', '=', 'dead').execute();
    });
    await alive.flush();
    const third = await accountsOf({}, { database: other, instance: 'third' });
    expect(await reservations()).toEqual([]);
    for (const one of [third, alive, dead]) await one.close();
  });
});

describe('a disk that takes nothing', () => {
  it('keeps requests that cost money away, and what has ended is written when it does', async () => {
    let isFull = false;
    const full: Database = {
      ...database,
      transaction: (run, options) =>
        isFull ? Promise.reject(new Error('database or disk is full')) : database.transaction(run, options),
    };
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: full });
    const { ended } = await accounts.admit(attemptOf(), contextOf());
    isFull = true;
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 1, outputTokens: 1 } }));
    await accounts.flush();
    await expect(accounts.admit(attemptOf(), contextOf())).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(await rows()).toEqual([]);
    isFull = false;
    clock.advance(1_000);
    await accounts.flush();
    expect(await rows()).toMatchObject([{ cost: 18_000n }]);
    await accounts.close();
  });

  it('is told once, and that it is over', async () => {
    let isFull = false;
    const full: Database = {
      ...database,
      transaction: (run, options) =>
        isFull ? Promise.reject(new Error('database or disk is full')) : database.transaction(run, options),
    };
    const accounts = await accountsOf({}, { database: full });
    const { ended } = await accounts.admit(attemptOf({ providerId: 'local' }), contextOf());
    isFull = true;
    await ended(endWith());
    for (let time = 0; time < 3; time++) {
      clock.advance(1_000);
      await accounts.flush();
    }
    isFull = false;
    await accounts.flush();
    expect(logged.map((line) => (line as unknown[])[1])).toEqual([
      'the ledger cannot be written; its rows wait',
      'the ledger is written again',
    ]);
    await accounts.close();
  });

  it('but says so only after it has committed is not booked twice', async () => {
    let breaks = false;
    const breaking: Database = {
      ...database,
      async transaction(run, options) {
        const result = await database.transaction(run, options);
        if (breaks) throw new Error('the connection broke at the commit');
        return result;
      },
    };
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: breaking });
    const { ended } = await accounts.admit(attemptOf(), contextOf());
    await ended(endWith({ usage: { ...unknownUsage, inputTokens: 1, outputTokens: 1 } }));
    breaks = true;
    await accounts.flush();
    breaks = false;
    clock.advance(1_000);
    await accounts.flush();
    expect(await rows()).toMatchObject([{ cost: 18_000n }]);
    expect((await spending())[0]).toMatchObject({ spent: 18_000n, reserved: 0n });
    await accounts.close();
  });

  it.each([7, 20, 33])('now and then, before or after it has committed, leaves the books right (%d)', async (seed) => {
    const below = randomFrom(seed);
    const random = () => below(1_000) / 1_000;
    let breaks = true;
    const breaking: Database = {
      ...database,
      async transaction(run, options) {
        if (breaks && random() < 0.3) throw new Error('database or disk is full');
        const result = await database.transaction(run, options);
        if (breaks && random() < 0.3) throw new Error('the connection broke at the commit');
        return result;
      },
    };
    breaks = false;
    const accounts = await accountsOf({ all: { ...noBudget, daily: usd(1) } }, { database: breaking });
    breaks = true;
    const running: Awaited<ReturnType<typeof accounts.admit>>[] = [];
    let cost = 0n;
    let ended = 0;
    for (let step = 0; step < 400; step++) {
      const chance = random();
      if (chance < 0.4) {
        const admitted = await accounts.admit(attemptOf(), contextOf(`key-${step % 3}`)).catch(() => null);
        if (admitted !== null) running.push(admitted);
      } else if (chance < 0.8) {
        const [one] = running.splice(Math.floor(random() * running.length), 1);
        const outcome = random() < 0.2 ? 'not-asked' : 'answered';
        await one?.ended(endWith({ outcome, usage: { ...unknownUsage, inputTokens: 10, outputTokens: step } }));
        if (one && outcome === 'answered') ended++;
        cost += one?.cost?.() ?? 0n;
      } else await (random() < 0.5 ? accounts.flush() : clock.advance(1_000));
    }
    breaks = false;
    await accounts.flush();
    expect(await reservations()).toHaveLength(running.length);
    for (const one of running) await one.ended(endWith({ outcome: 'failed' }));
    await accounts.flush();
    expect(ended).toBeGreaterThan(20);
    expect(await reservations()).toEqual([]);
    expect((await spending()).find(({ scope, period }) => scope === '' && period === 'day')).toMatchObject({
      spent: cost,
      reserved: 0n,
    });
    expect((await rows()).filter(({ outcome }) => outcome === 'answered')).toHaveLength(ended);
    // And so does the process: all that is left may be spent, and no more.
    const left = usd(1) - cost;
    const asked = attemptOf({ estimate: { promptTokens: 0, outputTokens: Math.floor(Number(left) / 16_500) } });
    await accounts.admit(asked, contextOf());
    await expect(accounts.admit(attemptOf(), contextOf())).rejects.toMatchObject({ code: 'budget_exceeded' });
    await accounts.close();
  });

  it('and a ledger that is gone with the process let nothing be spent', async () => {
    const accounts = await accountsOf(
      { all: { ...noBudget, daily: usd(1) } },
      { database: { ...database, isKept: false } },
    );
    await expect(accounts.admit(attemptOf(), contextOf())).rejects.toMatchObject({ code: 'storage_unavailable' });
    await accounts.admit(attemptOf({ providerId: 'local' }), contextOf());
    await accounts.close();
  });
});

describe.skipIf(postgresUrl === undefined)('a budget of three replicas', () => {
  it('is not overspent by 1,000 requests at once, and what one of them left behind returns', async () => {
    const schema = await openTestSchema(postgresUrl!);
    const cheap = { estimate: { promptTokens: 0, outputTokens: 100 } };
    const limits = { all: { ...noBudget, daily: usd(0.165) } };
    // The clock of the one that will be dead stands still.
    const still = manualClock(clock.now());
    const replicas = await Promise.all(
      ['a', 'b', 'dead'].map(async (instance) =>
        accountsOf(limits, { database: await schema.open(), instance, ...(instance === 'dead' && { clock: still }) }),
      ),
    );
    const admit = (index: number) => replicas[index % 3]!.admit(attemptOf(cheap), contextOf(`k${index % 5}`));
    // One at each before the others: a single burst of one of them may take all that there is.
    const first = await Promise.allSettled([0, 1, 2].map(admit));
    const others = await Promise.allSettled(Array.from({ length: 997 }, (_, index) => admit(index + 3)));
    const admitted = [...first, ...others];
    const passed = admitted.flatMap((result, index) =>
      result.status === 'fulfilled' ? [{ ...result.value, isDead: index % 3 === 2 }] : [],
    );
    expect(passed).toHaveLength(100);
    const lostOnes = passed.filter(({ isDead }) => isDead).length;
    expect(lostOnes).toBeGreaterThan(0);
    for (const { ended, isDead } of passed) {
      if (!isDead) await ended(endWith({ usage: { ...unknownUsage, inputTokens: 0, outputTokens: 100 } }));
    }
    await Promise.all(replicas.map((replica) => replica.flush()));
    const tables = (await schema.open()).tables;
    const all = () =>
      tables.selectFrom('spending').selectAll().where('scope', '=', '').where('period', '=', 'day').executeTakeFirst();
    expect(await all()).toMatchObject({ reserved: usd(0.00165) * BigInt(lostOnes) });
    clock.advance(61_000);
    const fourth = await accountsOf(limits, { database: await schema.open(), instance: 'd' });
    expect(await all()).toMatchObject({ reserved: 0n });
    const lost = await tables.selectFrom('ledger').select('outcome').where('outcome', '=', 'lost').execute();
    expect(lost).toHaveLength(lostOnes);
    for (const one of [...replicas, fourth]) await one.close();
    await schema.dispose();
  });
});
