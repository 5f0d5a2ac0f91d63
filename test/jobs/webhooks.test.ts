import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBatches } from '../../src/jobs/batches.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import type { WebhookSettings } from '../../src/jobs/open-webhooks.ts';
import { createWebhookPost } from '../../src/jobs/webhook-post.ts';
import { createWebhooks } from '../../src/jobs/webhooks.ts';
import type { Database } from '../../src/storage/storage.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { testBus } from '../support/test-bus.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { databases, item, scope, type TestTables, wish } from './support.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe.each(databases)('webhooks of batches in %s', (_name, openTables) => {
  let tables: TestTables;
  let database: Database;
  let clock: ManualClock;
  let receiver: WebhookReceiver;
  let statuses: number[];
  let bus: ReturnType<typeof testBus>;
  let logged: object[];
  let open: Jobs[];
  beforeEach(async () => {
    tables = await openTables();
    database = await tables.open();
    // Receivers refuse what was signed long ago.
    clock = manualClock(new Date());
    statuses = [];
    receiver = await startWebhookReceiver((_received, before) => ({ status: statuses[before] ?? 200 }));
    bus = testBus();
    logged = [];
    open = [];
  });
  afterEach(async () => {
    for (const jobs of open) await jobs.stop();
    await receiver.close();
    await tables.dispose();
  });

  const createServer = (settings: Partial<WebhookSettings> = {}, of: Database = database, instance = 'one') => {
    const all = { hosts: ['127.0.0.1'], allowPrivate: true, secret, url: null, ...settings };
    const note = (facts: object) => void logged.push(facts);
    const jobs = createJobs({
      database: of,
      settings: () => ({ maxSlots: 0, hours: null, modelsPerWindow: null, keepMs: 86_400_000 }),
      clock,
      log: { warn: note, error: note, debug() {} },
      bus: bus.bus,
      instance,
      webhooks: {
        settings: () => all,
        post: createWebhookPost({ rules: () => all, clock, userAgent: 'hearth/test' }),
      },
    });
    open.push(jobs);
    return jobs;
  };
  const never = () => new Promise<never>(() => {});
  const told = () => ({ url: receiver.url, field: 'X-Webhook-URL' });
  /** One that has ended. */
  const ended = async (jobs: Jobs, more: Parameters<typeof wish>[1] = { webhook: told() }) => {
    const { batch } = await jobs.create(wish([item('a'), item('b')], more));
    return (await jobs.cancel(batch.id, scope))!;
  };
  const outcomes = () => bus.events.flatMap((event) => (event.type === 'webhook-sent' ? [event.outcome] : []));
  const left = () => database.tables.selectFrom('webhooks').selectAll().execute();
  /** A timer may be set only after the time has come: it goes on, by so little that nothing under way times out. */
  const reached = (count: number) =>
    expect
      .poll(() => {
        if (receiver.received.length < count) clock.advance(500);
        return receiver.received.length;
      })
      .toBe(count);

  it('say by OpenAI’s words that one has ended, signed so that its SDK believes it', async () => {
    const jobs = createServer();
    jobs.start(never);
    const batch = await ended(jobs);
    await receiver.until(1);
    const { body, headers } = receiver.received[0]!;
    const client = new OpenAI({ apiKey: 'none', webhookSecret: secret });
    const event = await client.webhooks.unwrap(body, headers as Record<string, string>);
    expect(event).toEqual({
      id: headers['webhook-id'],
      object: 'event',
      type: 'batch.cancelled',
      created_at: Math.floor(batch.endedAt!.getTime() / 1_000),
      data: { id: batch.id, request_counts: { total: 2, succeeded: 0, errored: 0, canceled: 2, expired: 0 } },
    });
    const other = new OpenAI({ apiKey: 'none', webhookSecret: `whsec_${Buffer.alloc(32, 8).toString('base64')}` });
    await expect(other.webhooks.unwrap(body, headers as Record<string, string>)).rejects.toThrow(/signature/);
    await expect.poll(outcomes).toEqual(['delivered']);
    expect(await left()).toEqual([]);
  });

  it('say of one of which nothing was asked that it failed, and of one beyond its time that it expired', async () => {
    const jobs = createServer();
    jobs.start(never);
    await jobs.create(wish([], { webhook: told() }));
    await receiver.until(1);
    await jobs.create(wish([item('a')], { webhook: told(), expiresInMs: 1_000 }));
    clock.advance(60_000);
    await reached(2);
    expect(receiver.received.map(({ body }) => JSON.parse(body).type)).toEqual(['batch.failed', 'batch.expired']);
  });

  it('go to whoever is always told, where a batch names nobody', async () => {
    const jobs = createServer({ url: receiver.url });
    jobs.start(never);
    const { id } = await ended(jobs, {});
    await receiver.until(1);
    expect(JSON.parse(receiver.received[0]!.body).data.id).toBe(id);
  });

  it('are sent again, each time later, with the same id, until they are taken', async () => {
    statuses = [500, 302];
    const jobs = createServer();
    jobs.start(never);
    await ended(jobs);
    await receiver.until(1);
    await expect.poll(outcomes).toEqual(['failed']);
    clock.advance(4_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(receiver.received).toHaveLength(1);
    clock.advance(1);
    await receiver.until(2);
    await expect.poll(outcomes).toEqual(['failed', 'failed']);
    await expect.poll(async () => (await left())[0]?.not_before).toBe(BigInt(clock.now().getTime() + 300_000));
    clock.advance(300_000);
    await reached(3);
    const [first, ...others] = receiver.received;
    for (const { headers, body } of others) {
      expect([headers['webhook-id'], body]).toEqual([first!.headers['webhook-id'], first!.body]);
      expect(headers['webhook-signature']).not.toBe(first!.headers['webhook-signature']);
    }
    await expect.poll(outcomes).toEqual(['failed', 'failed', 'delivered']);
    expect(logged).toEqual([
      expect.objectContaining({ reason: 'it answered with status 500', tries: 1, againInMs: 5_000 }),
      expect.objectContaining({ reason: 'it answered with status 302', tries: 2, againInMs: 300_000 }),
    ]);
  });

  it('are given up after three days, and at once where nobody wants them any more', async () => {
    const batches = createBatches({ database, owner: '1:one', clock });
    const sentAt: number[] = [];
    let status = 503;
    const webhooks = createWebhooks({
      database,
      owner: '1:one',
      secret: () => secret,
      busyApis: () => [],
      post: async () => {
        sentAt.push(clock.now().getTime());
        return status;
      },
      clock,
      log: { warn() {}, error() {} },
      bus: bus.bus,
    });
    const cancelled = async () => {
      const { batch } = await batches.create(wish([item('a')], { webhook: told() }));
      await batches.cancel(batch.id, scope);
      webhooks.wake();
      await webhooks.idle();
    };
    await cancelled();
    const begunAt = clock.now().getTime();
    while ((await left()).length > 0) {
      clock.advance(5_000);
      await webhooks.idle();
    }
    const hours = sentAt.map((at) => Math.round((at - begunAt) / 36_000) / 100);
    expect(hours).toEqual([0, 0, 0.08, 0.58, 2.58, 7.58, 17.58, 31.58, 51.58, 75.58]);
    expect(outcomes()).toEqual([...Array(9).fill('failed'), 'given-up']);
    status = 410;
    await cancelled();
    expect(outcomes().at(-1)).toBe('given-up');
    expect([sentAt.length, await left()]).toEqual([11, []]);
    await webhooks.stop();
  });

  it('that a process was about to send are sent by the next one', async () => {
    const first = createServer();
    const { id } = await ended(first);
    // It was never started, so it does nothing at the end: as one that is killed right after it.
    const second = createServer({}, await tables.open(), 'two');
    second.start(never);
    await receiver.until(1);
    expect(JSON.parse(receiver.received[0]!.body).data.id).toBe(id);
  });

  it('wait for what the API of a batch does at its end', async () => {
    const jobs = createServer();
    let finish = () => {};
    let isBegun = false;
    jobs.onEnded('test', () => {
      isBegun = true;
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    jobs.start(never);
    await ended(jobs);
    await expect.poll(() => isBegun).toBe(true);
    clock.advance(60_000);
    expect(receiver.received).toEqual([]);
    finish();
    await receiver.until(1);
  });

  it('of a batch that its owner has deleted are not sent', async () => {
    statuses = [500];
    const jobs = createServer();
    jobs.start(never);
    const { id } = await ended(jobs);
    await expect.poll(outcomes).toEqual(['failed']);
    await jobs.remove(id, scope);
    expect(await left()).toEqual([]);
  });

  it('to where they may not go are refused before anything is stored', async () => {
    const jobs = createServer();
    const create = (url: string) => jobs.create(wish([item('a')], { webhook: { url, field: 'webhook_url' } }));
    await expect(create('https://evil.example/')).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'webhook_url',
      message: '"webhook_url" leads to evil.example, which webhooks may not go to here.',
    });
    const off = createServer({ secret: null });
    await expect(off.create(wish([item('a')], { webhook: told() }))).rejects.toMatchObject({
      message: '"X-Webhook-URL" is not possible here: webhooks are off.',
    });
    expect((await jobs.list(scope, { limit: 9 }))!.batches).toEqual([]);
  });
});
