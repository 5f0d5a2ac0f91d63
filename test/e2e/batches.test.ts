import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeNut } from '../support/fake-nut.ts';
import { randomFrom } from '../support/gbnf.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

/** More take as many minutes; a release is tried with a hundred. */
const kills = Number(process.env['HEARTH_TEST_JOB_KILLS'] ?? 10);
const slots = 4;

let folder: string;
let server: RunningServer | null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-batches-'));
  server = null;
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const start = async (env: Record<string, string> = {}) => {
  server = await startServer({ args: ['--data', folder], env: { HEARTH_JOBS_MAX_SLOTS: String(slots), ...env } });
  return new Anthropic({ baseURL: server.baseUrl, apiKey: 'none', maxRetries: 0 });
};
const requests = (count: number, maxTokens: number): Anthropic.Messages.BatchCreateParams.Request[] =>
  Array.from({ length: count }, (_, n) => ({
    custom_id: `item-${n}`,
    params: {
      model: 'default',
      max_tokens: maxTokens,
      system: 'You sort notes.',
      messages: [{ role: 'user', content: `Note ${n}: what is Hearth?` }],
    },
  }));
const untilEnded = async (client: Anthropic, id: string) => {
  for (;;) {
    const batch = await client.messages.batches.retrieve(id);
    if (batch.processing_status === 'ended') return batch;
    expect(batch.request_counts).toMatchObject({ succeeded: 0, errored: 0, canceled: 0, expired: 0 });
    await pause(200);
  }
};
const resultsOf = async (client: Anthropic, id: string) => {
  const lines: Anthropic.Messages.MessageBatchIndividualResponse[] = [];
  for await (const line of await client.messages.batches.results(id)) lines.push(line);
  return lines;
};

describe('the SDK of Anthropic', () => {
  it('has 200 requests answered as each would be by itself', async () => {
    const client = await start();
    const all = requests(200, 8);
    const { id } = await client.messages.batches.create({ requests: all });
    const batch = await untilEnded(client, id);
    expect(batch.request_counts).toEqual({ processing: 0, succeeded: 200, errored: 0, canceled: 0, expired: 0 });
    const lines = await resultsOf(client, id);
    expect(lines.map(({ custom_id: name }) => name).sort()).toEqual(all.map(({ custom_id: name }) => name).sort());
    const alone = await client.messages.create(all[17]!.params as Anthropic.Messages.MessageCreateParamsNonStreaming);
    const { result } = lines.find(({ custom_id: name }) => name === 'item-17')!;
    expect(result.type).toBe('succeeded');
    if (result.type !== 'succeeded') return;
    expect(Object.keys(result.message)).toEqual(Object.keys(alone));
    expect(result.message).toMatchObject({ type: 'message', role: 'assistant', model: alone.model });
    expect((await client.messages.batches.list()).data.map((one) => one.id)).toEqual([id]);
    await client.messages.batches.delete(id);
    expect((await client.messages.batches.list()).data).toEqual([]);
  });

  it('has its end told to a receiver, also where the server is killed while it tells it', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const receiver = await startWebhookReceiver((_received, before) => (before === 0 ? null : { status: 204 }));
    const env = {
      HEARTH_JOBS_WEBHOOK_HOSTS: '127.0.0.1',
      HEARTH_JOBS_WEBHOOK_SECRET: secret,
      HEARTH_JOBS_WEBHOOK_ALLOW_PRIVATE: 'on',
    };
    const client = await start(env);
    const { id } = await client.messages.batches.create(
      { requests: requests(2, 8) },
      { headers: { 'X-Webhook-URL': receiver.url } },
    );
    await receiver.until(1);
    await server!.stop('SIGKILL');
    await start(env);
    await receiver.until(2);
    const [first, second] = receiver.received.map(({ body, headers }) => ({ body, id: headers['webhook-id'] }));
    expect(second).toEqual(first);
    expect(JSON.parse(first!.body)).toMatchObject({
      id: first!.id,
      type: 'batch.completed',
      data: { id, request_counts: { total: 2, succeeded: 2 } },
    });
    await receiver.close();
  });

  it('waits for the power that a UPS tells of, and says so', async () => {
    const nut = await startFakeNut({ rack: { 'ups.status': 'OB DISCHRG' } });
    const client = await start({ HEARTH_JOBS_UPS: `127.0.0.1:${nut.port}/rack` });
    const get = async (path: string) => (await fetch(`${server!.baseUrl}${path}`)).text();
    const paused = async () => /hearth_jobs_paused\{reason="ups"\} (\d)/.exec(await get('/metrics'))![1];
    while ((await paused()) !== '1') await pause(50);
    const { id } = await client.messages.batches.create({ requests: requests(2, 4) });
    await pause(3_000);
    expect(JSON.parse(await get(`/status/${id}`))).toMatchObject({
      status: 'queued',
      progress: { done: 0, paused: 'ups' },
    });
    expect(server!.stderr()).toMatch(/"reason":"ups".*no requests of batches are begun/);
    nut.upses = { rack: { 'ups.status': 'OL CHRG' } };
    await untilEnded(client, id);
    expect(await paused()).toBe('0');
    await nut.stop();
  });

  it('cancels a batch, and reads what there is of it', async () => {
    const client = await start();
    const { id } = await client.messages.batches.create({ requests: requests(200, 64) });
    while (stored(id).size < 3) await pause(20);
    const cancelling = await client.messages.batches.cancel(id);
    expect(cancelling.cancel_initiated_at).not.toBeNull();
    const { request_counts: counts } = await untilEnded(client, id);
    expect(counts.succeeded).toBeGreaterThanOrEqual(3);
    expect(counts.succeeded + counts.canceled).toBe(200);
    expect(counts.canceled).toBeGreaterThan(0);
    const lines = await resultsOf(client, id);
    expect(lines.filter(({ result }) => result.type === 'succeeded')).toHaveLength(counts.succeeded);
    expect(lines.filter(({ result }) => result.type === 'canceled')).toHaveLength(counts.canceled);
  });

  it('has each request booked once, however often it gave way to somebody', async () => {
    const client = await start();
    const { id } = await client.messages.batches.create({ requests: requests(40, 64) });
    while (stored(id).size < 1) await pause(5);
    for (let question = 0; question < 8; question++) {
      await client.messages.create({
        model: 'default',
        max_tokens: 8,
        messages: [{ role: 'user', content: `And ${question}?` }],
      });
      await pause(50);
    }
    expect((await untilEnded(client, id)).request_counts.succeeded).toBe(40);
    const tries = () => {
      const file = new DatabaseSync(join(folder, 'hearth.sqlite'));
      try {
        return file.prepare('SELECT request_id FROM ledger').all();
      } finally {
        file.close();
      }
    };
    // It is written a moment later.
    while (tries().length < 40 + 8) await pause(20);
    expect(tries()).toHaveLength(40 + 8);
    expect(begun(id).repeated).toBe(0);
  });

  it('is told what is wrong with one of many, and none is stored', async () => {
    const client = await start();
    const bad = requests(100, 8);
    bad[63]!.params.max_tokens = -1;
    await expect(client.messages.batches.create({ requests: bad })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('Request 63 (\\"item-63\\")'),
    });
    expect((await client.messages.batches.list()).data).toEqual([]);
  });
});

/** Results by place, as the file has them, whoever else has it open. */
function stored(id: string): Map<bigint, string> {
  const file = new DatabaseSync(join(folder, 'hearth.sqlite'), { readBigInts: true });
  try {
    const rows = file
      .prepare('SELECT position, result FROM batch_items WHERE batch_id = ? AND result IS NOT NULL')
      .all(id);
    return new Map(rows.map(({ position, result }) => [position as bigint, String(result)]));
  } finally {
    file.close();
  }
}

/** How many items were under way when nobody has the file open any more, and how often items were begun and lost so far. */
function begun(id: string): { running: number; repeated: number } {
  const file = new DatabaseSync(join(folder, 'hearth.sqlite'));
  try {
    const row = file
      .prepare(
        `SELECT sum(state = 'running') AS running, sum(attempts) AS repeated FROM batch_items WHERE batch_id = ?`,
      )
      .get(id)!;
    return { running: Number(row['running']), repeated: Number(row['repeated']) };
  } finally {
    file.close();
  }
}

describe('a server that is killed in a batch of 500', () => {
  it(`${kills} times loses nothing, changes no result, and repeats no more than it has slots`, {
    timeout: 3_600_000,
  }, async ({ annotate }) => {
    const random = randomFrom(20_260);
    let client = await start();
    const { id } = await client.messages.batches.create({ requests: requests(500, 8) });
    let before = new Map<bigint, string>();
    /** Items that were under way, for each kill. */
    const lost: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      // Some before the model is loaded, most amid the work: after so many results more that some are left for the last kill.
      if (random(5) === 0) await pause(random(500));
      else {
        const goal = before.size + random(Math.ceil(800 / kills));
        while (stored(id).size < goal) await pause(5);
        await pause(random(50));
      }
      await server!.stop('SIGKILL');
      const after = stored(id);
      for (const [position, result] of before) expect(after.get(position)).toBe(result);
      before = after;
      lost.push(begun(id).running);
      expect(lost.at(-1)).toBeLessThanOrEqual(slots);
      client = await start();
    }
    expect(before.size).toBeLessThan(500);
    const { request_counts: counts } = await untilEnded(client, id);
    expect(counts).toEqual({ processing: 0, succeeded: 500, errored: 0, canceled: 0, expired: 0 });
    const lines = await resultsOf(client, id);
    expect(new Set(lines.map(({ custom_id: name }) => name)).size).toBe(500);
    const after = stored(id);
    for (const [position, result] of before) expect(after.get(position)).toBe(result);
    // Nothing was begun twice but what was under way at a kill.
    const { repeated } = begun(id);
    expect(repeated).toBe(lost.reduce((sum, count) => sum + count, 0));
    await annotate(`${kills} kills, ${before.size} results before the last; under way at a kill: ${lost.join(' ')}`);
  });

  it('at its creation has all of it or nothing', { timeout: 3_600_000 }, async () => {
    const random = randomFrom(4);
    for (let kill = 0; kill < Math.min(kills, 5); kill++) {
      const client = await start();
      const creating = client.messages.batches.create({ requests: requests(2_000, 8) }).then(
        ({ id }) => id,
        () => null,
      );
      await pause(random(300));
      await server!.stop('SIGKILL');
      const id = await creating;
      const again = await start();
      const { data } = await again.messages.batches.list();
      for (const one of data) {
        expect(one.request_counts.processing).toBe(2_000);
        await again.messages.batches.cancel(one.id);
      }
      if (id !== null) expect(data.map((one) => one.id)).toContain(id);
      for (const one of data) {
        await untilEnded(again, one.id);
        await again.messages.batches.delete(one.id);
      }
      await server!.stop('SIGKILL');
    }
  });
});
