import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['one', 'two'] });
});
afterEach(() => harness.close());

const as = (key: string) => ({ 'x-api-key': key });
async function createBatch(key: string, count: number): Promise<string> {
  const params = { model: 'tiny', max_tokens: 4, messages: [{ role: 'user', content: 'Hi' }] };
  const requests = Array.from({ length: count }, (_, n) => ({ custom_id: `c${n}`, params }));
  return (await harness.send('POST', '/v1/messages/batches', { requests }, as(key))).json().id as string;
}
const jobs = async (query = '') => (await harness.send('GET', `/api/v1/jobs${query}`, undefined, as('one'))).json();

describe('/api/v1/jobs', () => {
  it('has the batches of every key, the newest first, without what is asked in them', async () => {
    const first = await createBatch('one', 2);
    harness.clock.advance(1_000);
    const second = await createBatch('two', 3);
    const { jobs: listed, has_more, paused } = await jobs();
    expect(listed.map(({ id }: { id: string }) => id)).toEqual([second, first]);
    expect([has_more, paused]).toEqual([false, null]);
    expect(listed[0]).toEqual({
      id: second,
      api: 'anthropic',
      state: 'in_progress',
      models: ['tiny'],
      counts: { total: 3, processing: 3, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
      created_at: '2026-03-04T05:06:08.089Z',
      started_at: null,
      ended_at: null,
      expires_at: '2026-03-05T05:06:08.089Z',
      left_seconds: null,
    });
    expect(await jobs('?limit=1')).toMatchObject({ jobs: [{ id: second }], has_more: true });
  });

  it('says why nothing is begun', async () => {
    await createBatch('one', 1);
    harness.strain.current = 'ups';
    expect((await jobs()).paused).toBe('ups');
  });

  it('has what of a batch is at providers, and the most that it may cost', async () => {
    await createBatch('one', 2);
    harness.jobs.shareOf = async () => ({ items: 2, mostNanoUsd: 1_500_000_000n });
    expect((await jobs()).jobs[0].cloud).toEqual({ requests: 2, most_usd: 1.5 });
  });

  it('cancels a batch of another key', async () => {
    const id = await createBatch('two', 2);
    const cancelled = await harness.send('POST', `/api/v1/jobs/${id}/cancel`, undefined, as('one'));
    expect(cancelled.json()).toMatchObject({ id, state: 'ended', counts: { canceled: 2, processing: 0 } });
    const seen = await harness.send('GET', `/v1/messages/batches/${id}`, undefined, as('two'));
    expect(seen.json().processing_status).toBe('ended');
  });

  it('knows no batch that is not there', async () => {
    const answer = await harness.send('POST', '/api/v1/jobs/msgbatch_none/cancel', undefined, as('one'));
    expect([answer.statusCode, answer.json().detail]).toEqual([404, 'There is no batch of this id.']);
  });
});
