import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['one', 'two'] });
});
afterEach(() => harness.close());

const headers = { 'x-api-key': 'one' };
const create = async (count: number) => {
  const params = { model: 'tiny', max_tokens: 4, messages: [{ role: 'user', content: 'Hi' }] };
  const requests = Array.from({ length: count }, (_, n) => ({ custom_id: `c${n}`, params }));
  return (await harness.send('POST', '/v1/messages/batches', { requests }, headers)).json().id as string;
};
/** Once everything else has had its turn. */
const status = async (id: string) => {
  await nextTurn();
  return (await harness.send('GET', `/status/${id}`, undefined, headers)).json();
};

it('tells how far a batch is, and how long the rest will take', async () => {
  let answered = 0;
  const gate = Promise.withResolvers<void>();
  harness.gateway.play(async function* () {
    if (answered++ >= 2) await gate.promise;
    yield startEvent();
    yield* textEvents(['Hi'], 0);
    yield finishEvent(1);
  });
  const id = await create(6);
  expect(await status(id)).toEqual({
    request_id: id,
    status: 'queued',
    created_at: '2026-03-04T05:06:07.089Z',
    progress: { total: 6, done: 0, failed: 0, left_seconds: null, paused: null },
  });
  harness.jobs.start(harness.http.perform);
  while ((await status(id)).progress.done < 2);
  harness.clock.advance(1_000);
  expect(await status(id)).toMatchObject({
    status: 'running',
    progress: { total: 6, done: 2, failed: 0, left_seconds: 2 },
  });
  gate.resolve();
  while ((await status(id)).status !== 'done');
  expect(await status(id)).toMatchObject({
    completed_at: '2026-03-04T05:06:08.089Z',
    progress: { total: 6, done: 6, failed: 0, left_seconds: null },
  });
});

it('says why nothing of a batch is begun', async () => {
  const id = await create(2);
  harness.strain.current = 'ups';
  expect((await status(id)).progress.paused).toBe('ups');
  await harness.send('POST', `/status/${id}/cancel`, undefined, headers);
  expect((await status(id)).progress.paused).toBeNull();
});

it('ends a batch, for its own key alone', async () => {
  const id = await create(2);
  const other = { 'x-api-key': 'two' };
  const cancel = (by: Record<string, string>) => harness.send('POST', `/status/${id}/cancel`, undefined, by);
  expect((await harness.send('GET', `/status/${id}`, undefined, other)).statusCode).toBe(404);
  expect((await cancel(other)).statusCode).toBe(404);
  expect((await cancel(headers)).json()).toMatchObject({ status: 'failed', progress: { total: 2, done: 2 } });
});
