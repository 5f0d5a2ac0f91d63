import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../support/collect.ts';
import { postgresUrl } from '../support/postgres.ts';
import { adminKey, type Replicas, startReplicas } from '../support/replicas.ts';

const reason = postgresUrl === undefined ? ' (skipped: HEARTH_TEST_POSTGRES names no database)' : '';

/** Ends only a hung run. */
const poll = <Result>(ask: () => Promise<Result> | Result) => expect.poll(ask, { timeout: 150_000, interval: 50 });

const [total, slots] = [60, 2];
/** No answer fulfils it within its tokens, so that all take as long. */
const endless = {
  type: 'object',
  properties: { text: { type: 'string', minLength: 2_000 } },
  required: ['text'],
  additionalProperties: false,
};
const requests = (count: number): Anthropic.Messages.BatchCreateParams.Request[] =>
  Array.from({ length: count }, (_, n) => ({
    custom_id: `item-${n}`,
    params: {
      model: 'default',
      max_tokens: 150,
      messages: [{ role: 'user', content: `Note ${n}: what is Hearth?` }],
      output_config: { format: { type: 'json_schema', schema: endless } },
    },
  }));

describe.skipIf(postgresUrl === undefined)(`two servers of one database${reason}`, () => {
  let replicas: Replicas;
  beforeAll(async () => {
    replicas = await startReplicas(postgresUrl!, 2, { jobs: { max_slots: slots } });
  });
  afterAll(async () => replicas?.stop());

  const clientOf = (at: number) =>
    new Anthropic({ baseURL: replicas.servers[at]!.baseUrl, apiKey: adminKey, maxRetries: 0 });
  /** Who works on items now, and on how many. */
  const working = async (id: string) => {
    const rows = await replicas.query<{ by: string; count: string }>(
      "SELECT lease_owner AS by, count(*) AS count FROM batch_items WHERE batch_id = $1 AND state = 'running' GROUP BY 1",
      [id],
    );
    return new Map(rows.map(({ by, count }) => [by, Number(count)]));
  };
  const stored = async (id: string) => {
    const rows = await replicas.query<{ position: string; result: string; request: string }>(
      'SELECT position, result, request_id AS request FROM batch_items WHERE batch_id = $1 AND result IS NOT NULL',
      [id],
    );
    return new Map(rows.map(({ position, ...rest }) => [position, rest]));
  };

  it('share a batch, and when one is killed the other ends it: no item is computed twice but what was under way', async ({
    annotate,
  }) => {
    const { id } = await clientOf(0).messages.batches.create({ requests: requests(total) });
    // The other one looks when a batch of its own is made; else within 20 s.
    const own = await clientOf(1).messages.batches.create({ requests: requests(1) });
    await poll(async () => (await working(id)).size).toBe(2);
    await poll(async () => (await stored(id)).size).toBeGreaterThanOrEqual(total / 4);
    // Of both at once there may be a moment without; the kill is to hit something.
    await poll(async () => (await working(id)).size).toBe(2);
    const one = replicas.servers[0]!;
    one.child.kill('SIGKILL');
    expect((await one.ended).signal).toBe('SIGKILL');

    const before = await stored(id);
    expect(before.size).toBeLessThan(total);
    const dead = `${one.pid}:%`;
    // A minute of silence is what takes it for dead; it passes at once here.
    const lost = await replicas.query(
      "UPDATE batch_items SET lease_until = 0 WHERE state = 'running' AND lease_owner LIKE $1 RETURNING position",
      [dead],
    );
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThanOrEqual(slots);
    const survivor = clientOf(1);
    await poll(async () => (await survivor.messages.batches.retrieve(id)).processing_status).toBe('ended');

    const { request_counts: counts } = await survivor.messages.batches.retrieve(id);
    expect(counts).toEqual({ processing: 0, succeeded: total, errored: 0, canceled: 0, expired: 0 });
    const lines = await collect(await survivor.messages.batches.results(id));
    expect(new Set(lines.map((line) => line.custom_id)).size).toBe(total);
    expect(lines).toHaveLength(total);
    const after = await stored(id);
    for (const [position, result] of before) expect(after.get(position)).toEqual(result);

    const [tries] = await replicas.query<{ sum: string }>(
      'SELECT sum(attempts) AS sum FROM batch_items WHERE batch_id = $1',
      [id],
    );
    expect(Number(tries!.sum)).toBe(lost.length);
    // The ledger knows every answer that was computed, kept or not.
    const wasted = await replicas.query(
      'SELECT request_id FROM ledger WHERE request_id NOT IN (SELECT request_id FROM batch_items WHERE batch_id IN ($1, $2) AND request_id IS NOT NULL)',
      [id, own.id],
    );
    expect(wasted.length).toBeLessThanOrEqual(lost.length);
    const booked = await replicas.query('SELECT DISTINCT request_id FROM ledger');
    // Those that the dead one had not written yet are missing.
    expect(booked.length).toBeGreaterThan(total - before.size);
    await annotate(`${before.size} of ${total} results at the kill, ${lost.length} under way and computed again`);
  });
});
