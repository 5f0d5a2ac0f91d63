import { expect, it } from 'vitest';
import { createSharedTickets } from '../../src/auth/shared-tickets.ts';
import { anonymous, type Principal } from '../../src/core/call.ts';
import { createSharedTexts } from '../../src/storage/shared-texts.ts';
import { keepLimits } from '../contracts/kept-texts.contract.ts';
import { describeInDatabases } from '../support/databases.ts';
import { manualClock } from '../support/manual-clock.ts';

describeInDatabases('tickets of replicas', (openDatabase) => {
  it('are taken back by any of them, once and for a minute', async () => {
    const { open, dispose } = await openDatabase();
    const clock = manualClock();
    const replica = async (instance: string) =>
      createSharedTickets(createSharedTexts({ database: await open(), instance, limits: keepLimits }), clock);
    const [one, two] = [await replica('one'), await replica('two')];
    const holder: Principal = {
      ...anonymous,
      id: 'abc',
      name: 'kitchen',
      cacheOwner: 'abc',
      scopes: ['inference'],
      models: ['qwen'],
      budget: { daily: 12_345_678_901_234_567_890n, weekly: null, monthly: null },
      tokenEndsAt: new Date('2026-01-02T00:00:00Z'),
    };
    const { ticket } = await one.issue(holder);
    expect(await two.redeem(ticket)).toEqual(holder);
    await expect(two.redeem(ticket)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(one.redeem('tkt_unknown')).rejects.toMatchObject({ code: 'unauthorized' });
    const raced = (await one.issue(anonymous)).ticket;
    const results = await Promise.allSettled([one, two, one, two].map((replica) => replica.redeem(raced)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const late = (await one.issue(anonymous)).ticket;
    clock.advance(60_000);
    await expect(two.redeem(late)).rejects.toMatchObject({ code: 'unauthorized' });
    await dispose();
  });
});
