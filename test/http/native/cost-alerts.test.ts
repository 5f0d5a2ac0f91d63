import { afterEach, describe, expect, it } from 'vitest';
import type { CloudConfig } from '../../../src/config/providers.ts';
import { addRows } from '../../support/accounting.ts';
import { cloudOf, createHarness, type Harness } from '../harness.ts';

const usd = (amount: number) => BigInt(Math.round(amount * 1e9));
const admin = { 'x-api-key': 'secret-admin' };
const budgets = { daily: 100, per_key: { daily: 10 } };
const keys = [
  { name: 'admin', key: 'secret-admin', scopes: ['admin', 'inference'] },
  { name: 'kitchen', key: 'secret-kitchen', budget: { daily: 2 } },
  { name: 'attic', key: 'secret-attic' },
];

let harness: Harness;
afterEach(() => harness.close());

async function setup(sections: Record<string, unknown> = { keys, budgets }): Promise<CloudConfig> {
  const cloud = cloudOf(sections);
  harness = await createHarness({}, {}, [], cloud);
  harness.cloudConfig.current = cloud;
  return cloud;
}
const idOf = async (key: string) => (await harness.keyring.principalOf({ authorization: [], apiKey: [key] })).id;
const spend = async (scope: string, amount: number) =>
  harness.database.transaction(async (tables) => {
    const row = { scope, period: 'day', starts_at: BigInt(Date.parse('2026-03-04')), spent: usd(amount), reserved: 0n };
    await tables.insertInto('spending').values(row).execute();
  });
const alerts = async () => {
  const { alerts: all } = (await harness.send('GET', '/api/v1/costs/alerts', undefined, admin)).json();
  return all.map(({ type, key_name, threshold, message }: Record<string, unknown>) => ({
    ...{ type, key_name, threshold, message },
  }));
};

describe('the alert of a budget', () => {
  it('counts what a key has spent against its own budget, and else against that of all keys', async () => {
    await setup();
    const { key } = (await harness.send('POST', '/api/v1/keys', { name: 'made', budget: { daily: 4 } }, admin)).json();
    await spend(await idOf('secret-kitchen'), 1.8);
    await spend(await idOf('secret-attic'), 8);
    await spend(await idOf(key), 4);
    expect(await alerts()).toEqual([
      {
        ...{ type: 'daily_budget_warning', key_name: 'kitchen', threshold: 2 },
        message: 'Daily cost $1.80 of the key kitchen has reached 90% of budget $2.00',
      },
      {
        ...{ type: 'daily_budget_exceeded', key_name: 'made', threshold: 4 },
        message: 'Daily cost $4.00 of the key made has reached 100% of budget $4.00',
      },
    ]);
  });

  it('names amounts of less than a cent as they are', async () => {
    await setup({
      keys: [{ name: 'admin', key: 'secret-admin', scopes: ['admin'], budget: { daily: 0.004 } }],
      budgets,
    });
    await spend(await idOf('secret-admin'), 0.0036);
    expect((await alerts()).map(({ message }: { message: string }) => message)).toEqual([
      'Daily cost $0.003600 of the key admin has reached 90% of budget $0.004000',
    ]);
  });

  it('of a revoked key stands until its period is over, by its name', async () => {
    await setup();
    const { key } = (await harness.send('POST', '/api/v1/keys', { name: 'made', budget: { daily: 4 } }, admin)).json();
    await spend(await idOf(key), 4);
    await harness.send('DELETE', '/api/v1/keys/made', undefined, admin);
    expect(await alerts()).toMatchObject([{ key_name: 'made', threshold: 4 }]);
    harness.clock.advance(24 * 3_600_000);
    expect(await alerts()).toEqual([]);
  });

  it('is none of a key that the configuration has no more', async () => {
    await setup();
    await spend('0123456789abcdef', 50);
    expect(await alerts()).toEqual([]);
  });

  it('of the holder of a token has the name that the ledger has', async () => {
    const jwt = { issuer: 'https://login.example.com', audience: 'hearth', jwks_url: 'https://login.example.com/jwks' };
    await setup({ keys, budgets, jwt });
    await spend('0123456789abcdef', 9);
    await addRows(harness.database, [
      { at: '2026-03-04T01:00:00Z', principal: '0123456789abcdef', key_name: 'ada@example.com' },
    ]);
    expect(await alerts()).toMatchObject([{ key_name: 'ada@example.com', threshold: 10 }]);
  });

  it('of those who need no key is by the budget of all keys', async () => {
    await setup({ budgets });
    await spend('anonymous', 9);
    expect(await alerts()).toMatchObject([{ threshold: 10 }]);
  });
});
