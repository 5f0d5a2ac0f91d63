import { createParser } from 'eventsource-parser';
import { afterEach, describe, expect, it } from 'vitest';
import type { LiveState } from '../../../../src/http/native/events/schema.ts';
import { cloudOf, createHarness, type Harness } from '../../harness.ts';

const keys = [{ name: 'admin', key: 'secret-admin', scopes: ['admin', 'inference'] }];
const admin = { 'x-api-key': 'secret-admin' };
let harness: Harness;
const watchers: AbortController[] = [];
afterEach(async () => {
  for (const watcher of watchers.splice(0)) watcher.abort();
  const closed = harness.close();
  harness.clock.advance(5_000);
  await closed;
});

interface Watched {
  /** The next record, as it comes. */
  next(): Promise<{ event: string; data: Partial<LiveState> & { reason?: string } }>;
  /** Resolves at the end of the stream. */
  ended: Promise<void>;
  leave(): void;
}

async function serve(): Promise<string> {
  harness = await createHarness({}, {}, [], cloudOf({ keys }));
  return harness.http.listen();
}

async function watch(base: string, key = 'secret-admin'): Promise<Watched> {
  const leaving = new AbortController();
  watchers.push(leaving);
  const response = await fetch(`${base}/api/v1/events`, { headers: { 'x-api-key': key }, signal: leaving.signal });
  expect(response.status).toBe(200);
  const records: Awaited<ReturnType<Watched['next']>>[] = [];
  let arrived = Promise.withResolvers<void>();
  const parser = createParser({
    onEvent({ event = 'message', data }) {
      records.push({ event, data: JSON.parse(data) });
      arrived.resolve();
    },
  });
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body!) parser.feed(decoder.decode(bytes, { stream: true }));
  };
  const ended = read();
  ended.catch(() => {});
  return {
    async next() {
      while (records.length === 0) {
        arrived = Promise.withResolvers<void>();
        await arrived.promise;
      }
      return records.shift()!;
    },
    ended,
    leave: () => leaving.abort(),
  };
}

/** Lets the database answer and the sockets speak, then moves the clock by a tick. */
async function tick(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  harness.clock.advance(1_000);
}

describe('GET /api/v1/events', () => {
  it('begins with everything, in the numbers that the other routes give', async () => {
    const watched = await watch(await serve());
    const { event, data } = await watched.next();
    expect(event).toBe('snapshot');
    const health = (await harness.send('GET', '/api/v1/health', undefined, admin)).json();
    expect(data.memory!.total_bytes).toBe(health.memory.budget_bytes + health.memory.reserve_bytes);
    expect(data.memory!.free_bytes).toBe(health.memory.available_bytes);
    expect(data).toMatchObject({
      server: { version: '1.2.3', state: 'ready', reason: null },
      models: [],
      requests: [],
      providers: [{ id: 'local', status: 'healthy', enabled: true, open_circuits: [] }],
      today: { date: '2026-03-04', cost_usd: 0, here: 0, left: 0, budgets: [] },
      jobs: { pending: 0, running: 0 },
    });
  });

  it('then tells what has changed, and only that', async () => {
    const watched = await watch(await serve());
    await watched.next();
    await harness.engine.load('tiny', {});
    await tick();
    const { event, data } = await watched.next();
    expect(event).toBe('change');
    expect(Object.keys(data).sort()).toEqual(['memory', 'models']);
    expect(data.models).toMatchObject([{ name: 'tiny', state: 'loaded', ends_next: true, tokens_per_second: 0 }]);
    expect(data.memory!.models).toMatchObject([{ model: 'tiny', total_bytes: 64 * 1024 ** 2 }]);
  });

  it('tells all who watch from one clockwork, and computes nothing once nobody does', async () => {
    const base = await serve();
    const residents = harness.engine.residents;
    let readings = 0;
    harness.engine.residents = () => {
      readings++;
      return residents();
    };
    const [first, second] = [await watch(base), await watch(base)];
    await Promise.all([first.next(), second.next()]);
    const before = readings;
    await harness.engine.load('tiny', {});
    await tick();
    await Promise.all([first.next(), second.next()]);
    expect(readings).toBe(before + 1);
    first.leave();
    second.leave();
    while (harness.http.activeConnections() > 0) await new Promise((resolve) => setImmediate(resolve));
    const left = readings;
    for (let count = 0; count < 5; count++) await tick();
    expect(readings).toBe(left);
  });

  it('ends soon after its key was revoked, and says so', async () => {
    const base = await serve();
    const wish = { name: 'wall', scopes: ['admin'] };
    const { key } = (await harness.send('POST', '/api/v1/keys', wish, admin)).json();
    const watched = await watch(base, key);
    await watched.next();
    await harness.send('DELETE', '/api/v1/keys/wall', undefined, admin);
    await tick();
    expect(await watched.next()).toEqual({ event: 'end', data: { reason: 'key' } });
    await watched.ended;
  });

  it('is refused to a key that is not for administration', async () => {
    await serve();
    const { key } = (await harness.send('POST', '/api/v1/keys', { name: 'kitchen' }, admin)).json();
    expect((await harness.send('GET', '/api/v1/events', undefined, { 'x-api-key': key })).statusCode).toBe(403);
  });

  it('ends with the server', async () => {
    const watched = await watch(await serve());
    await watched.next();
    const closed = harness.http.close();
    expect(await watched.next()).toEqual({ event: 'end', data: { reason: 'shutdown' } });
    await watched.ended;
    harness.clock.advance(5_000);
    await closed;
  });
});
