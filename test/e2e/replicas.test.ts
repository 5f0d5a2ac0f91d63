import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeOpenAi, startFakeOpenAi } from '../support/fake-openai/fake-openai.ts';
import { type Balancer, haproxyPath, replicaHeader, startBalancer } from '../support/haproxy.ts';
import { postgresUrl } from '../support/postgres.ts';
import { adminKey, type Replicas, startReplicas } from '../support/replicas.ts';

const missing = [
  ...(postgresUrl === undefined ? ['HEARTH_TEST_POSTGRES names no database'] : []),
  ...(haproxyPath === null ? ['HAProxy is not installed'] : []),
];
const reason = missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')})`;

/** Ends only a hung run. */
const poll = <Result>(ask: () => Promise<Result> | Result) => expect.poll(ask, { timeout: 60_000, interval: 100 });

/** A module that sets the clock of a process an hour ahead. */
const hourAhead = `data:text/javascript,${encodeURIComponent(`
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...given) { given.length > 0 ? super(...given) : super(Date.now()); }
    static now() { return Right.now() + 3_600_000; }
  };
`)}`;

/** What the toy is asked: 6 words of a prompt, and 16 of an answer at most. */
const question = { messages: [{ role: 'user', content: 'What is there to see?' }], max_tokens: 16 };
/** USD for a million tokens. */
const pricing = { input_per_million: 1_000, output_per_million: 1_000 };
const models = [{ id: 'toy', pricing }];

describe.skipIf(missing.length > 0)(`three replicas behind a balancer${reason}`, () => {
  let paid: FakeOpenAi;
  let limited: FakeOpenAi;
  let broken: FakeOpenAi;
  let replicas: Replicas;
  let balancer: Balancer;
  let affinity = 0;

  beforeAll(async () => {
    [paid, limited, broken] = await Promise.all([startFakeOpenAi(), startFakeOpenAi(), startFakeOpenAi()]);
    const provider = (fake: FakeOpenAi, more: object = {}) => ({
      type: 'openai',
      base_url: fake.baseUrl,
      api_key: 'sk-canary',
      models,
      ...more,
    });
    replicas = await startReplicas(postgresUrl!, 3, {
      global: { max_retries: 0, health_probes: false },
      providers: {
        paid: provider(paid),
        limited: provider(limited, { rate_limits: { requests_per_minute: 30 } }),
        broken: provider(broken),
      },
      budgets: { monthly: 1_000 },
    });
    balancer = await startBalancer(replicas.servers);
  });
  afterAll(async () => {
    await balancer?.stop();
    await replicas?.stop();
    await Promise.all([paid, limited, broken].map((fake) => fake?.close()));
  });

  const send = (
    baseUrl: string,
    body: object,
    { key = adminKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
  ) =>
    fetch(`${baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
      body: JSON.stringify(body),
    });
  /** Through the balancer, each to a replica of its own hash; whole, for its status. */
  const spread = async (body: object, options: { key?: string; headers?: Record<string, string> } = {}) => {
    const headers = { 'x-session-affinity': `spread-${affinity++}`, ...options.headers };
    const answer = await send(balancer.baseUrl, body, { ...options, headers });
    await answer.arrayBuffer();
    return answer;
  };
  const cloud = (provider: string) => ({ headers: { 'x-provider': provider } });
  const admin = async (baseUrl: string, method: string, path: string, body?: object) => {
    const answer = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { 'x-api-key': adminKey, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, read by hand
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const local = { model: 'default', temperature: 0, max_tokens: 1, messages: question.messages };
  const makeKey = async (at: number, wish: object) => {
    const { status, body } = await admin(replicas.servers[at]!.baseUrl, 'POST', '/api/v1/keys', wish);
    expect(status).toBe(201);
    return body as { id: string; key: string };
  };
  const counts = (answers: readonly Response[]) => {
    const found: Record<number, number> = {};
    for (const { status } of answers) found[status] = (found[status] ?? 0) + 1;
    return found;
  };

  it('know a key that was made at one of them within a moment, and refuse it when it was revoked at another', async () => {
    const [one, two, three] = replicas.servers;
    const { id, key } = await makeKey(0, { name: 'kitchen' });
    const statusAt = async (baseUrl: string) => {
      const answer = await send(baseUrl, local, { key });
      await answer.arrayBuffer();
      return answer.status;
    };
    expect(await statusAt(one!.baseUrl)).toBe(200);
    for (const { baseUrl } of [two!, three!]) await poll(() => statusAt(baseUrl)).toBe(200);
    expect((await admin(three!.baseUrl, 'DELETE', `/api/v1/keys/${id}`)).status).toBe(200);
    expect(await statusAt(three!.baseUrl)).toBe(401);
    for (const { baseUrl } of [one!, two!]) await poll(() => statusAt(baseUrl)).toBe(401);
  });

  it('let a key ask together what one of them would', async () => {
    const { key } = await makeKey(1, { name: 'limited', rate_limits: { requests_per_minute: 50 } });
    await poll(async () => (await admin(balancer.baseUrl, 'GET', '/api/v1/keys')).body.keys.length).toBeGreaterThan(1);
    for (const { baseUrl } of replicas.servers) {
      await expect
        .poll(async () => (await fetch(`${baseUrl}/v1/models`, { headers: { 'x-api-key': key } })).status)
        .toBe(200);
    }
    const answers = await Promise.all(Array.from({ length: 150 }, () => spread(local, { key })));
    expect(counts(answers)).toEqual({ 200: 50, 429: 100 });
    const refused = answers.find(({ status }) => status === 429)!;
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(new Set(answers.map(({ headers }) => headers.get(replicaHeader))).size).toBe(3);
  });

  it('send a provider together what it allows', async () => {
    const body = { model: 'toy', ...question };
    const answers = await Promise.all(Array.from({ length: 90 }, () => spread(body, cloud('limited'))));
    expect(counts(answers)[200]).toBe(30);
    expect(limited.requests).toHaveLength(30);
    const { body: left } = await admin(replicas.servers[2]!.baseUrl, 'GET', '/api/v1/rate-limits/limited');
    expect(left.requests_per_minute).toMatchObject({ limit: 30, remaining: 0 });
  });

  it('rest from a provider that failed at one of them', async () => {
    const [one, two, three] = replicas.servers;
    broken.play(...Array.from({ length: 5 }, () => ({ type: 'error', status: 500, message: 'broken' }) as const));
    const ask = async (baseUrl: string) => {
      const answer = await send(baseUrl, { model: 'toy', ...question }, cloud('broken'));
      return { status: answer.status, text: await answer.text() };
    };
    for (let number = 0; number < 5; number++) expect((await ask(one!.baseUrl)).status).toBeGreaterThanOrEqual(500);
    for (const { baseUrl } of [two!, three!]) {
      const stateThere = async () => {
        const { body } = await admin(baseUrl, 'GET', '/api/v1/health/circuit-breakers');
        return JSON.stringify(body);
      };
      await poll(stateThere).toMatch(/"broken.*"open"/);
      expect((await ask(baseUrl)).status).toBe(503);
    }
    expect(broken.requests).toHaveLength(5);
  });

  it('keep a conversation at one of them, where its prefix is', async () => {
    const system = { role: 'system', content: `You are Hearth. ${'The house has many rooms. '.repeat(40)}` };
    const turn = async (messages: object[], name: string) => {
      const answer = await send(
        balancer.baseUrl,
        { model: 'default', temperature: 0, max_tokens: 8, messages },
        { headers: { 'x-session-affinity': name } },
      );
      expect(answer.status).toBe(200);
      const { choices, usage } = (await answer.json()) as {
        choices: { message: { content: string } }[];
        usage: { prompt_tokens_details: { cached_tokens: number } };
      };
      const said = { role: 'assistant', content: choices[0]!.message.content };
      const cached = usage.prompt_tokens_details.cached_tokens;
      return { replica: answer.headers.get(replicaHeader), said, cached };
    };
    const seen = new Set<string | null>();
    for (let talk = 0; talk < 8; talk++) {
      const name = `talk-${talk}`;
      const beginning = [
        { ...system, content: `${name} ${system.content}` },
        { role: 'user', content: 'Hello!' },
      ];
      const first = await turn(beginning, name);
      const second = await turn([...beginning, first.said, { role: 'user', content: 'And you?' }], name);
      expect(second.replica).toBe(first.replica);
      expect(second.cached).toBeGreaterThan(100);
      seen.add(first.replica);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('go on from a response that another one of them made', async () => {
    const [one, two, three] = replicas.servers;
    const respond = async (baseUrl: string, body: object) => {
      const answer = await fetch(`${baseUrl}/v1/responses`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
        body: JSON.stringify({ model: 'default', max_output_tokens: 16, ...body }),
      });
      return { status: answer.status, body: (await answer.json()) as { id: string; status: string } };
    };
    const first = await respond(one!.baseUrl, { input: 'My name is Dora.' });
    expect(first.status).toBe(200);
    const second = await respond(two!.baseUrl, { input: 'Hello!', previous_response_id: first.body.id });
    expect(second.status).toBe(200);
    const items = await admin(three!.baseUrl, 'GET', `/v1/responses/${second.body.id}/input_items?order=asc`);
    expect(JSON.stringify(items.body)).toContain('My name is Dora.');
    // One that is made in the background can be looked after anywhere.
    const made = await respond(one!.baseUrl, { input: 'Hello!', background: true });
    const statusThere = async () => (await admin(two!.baseUrl, 'GET', `/v1/responses/${made.body.id}`)).body.status;
    await poll(statusThere).toMatch(/completed|incomplete/);
  });

  it('spend no more together than the budget, and hold nothing when all is done', async () => {
    const body = { model: 'toy', ...question };
    await spread(body, cloud('paid'));
    const costs = () => replicas.query<{ cost: string }>("SELECT cost FROM ledger WHERE provider = 'paid'");
    await poll(async () => (await costs()).length).toBe(1);
    const arrived = paid.requests.length;
    const cost = BigInt((await costs())[0]!.cost);
    // As much as 100 of these cost.
    const limit = cost * 100n;
    const { key } = await makeKey(2, { name: 'spender', budget: { monthly: (Number(limit) / 1e9).toFixed(9) } });
    for (const { baseUrl } of replicas.servers) {
      await expect
        .poll(async () => (await fetch(`${baseUrl}/v1/models`, { headers: { 'x-api-key': key } })).status)
        .toBe(200);
    }
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => spread(body, { key, ...cloud('paid') })));
    const found = counts(answers);
    expect(Object.keys(found).sort()).toEqual(['200', '402']);
    expect(found[200]).toBe(paid.requests.length - arrived);
    expect(found[200]).toBeLessThanOrEqual(100);
    expect(found[200]).toBeGreaterThan(20);
    const reserved = async () => {
      const rows = await replicas.query<{ left: string }>(
        'SELECT sum(reserved) + (SELECT count(*) FROM reservations) AS left FROM spending',
      );
      return Number(rows[0]!.left);
    };
    await poll(reserved).toBe(0);
    const own = await replicas.query<{ spent: string }>(
      "SELECT s.spent FROM spending s WHERE s.period = 'month' AND s.scope = (SELECT principal FROM ledger WHERE key_name = 'spender' LIMIT 1)",
    );
    expect(BigInt(own[0]!.spent)).toBeLessThanOrEqual(limit);
    expect(BigInt(own[0]!.spent)).toBe(cost * BigInt(found[200]!));
  });

  it('answer by their own models while the database is away, spend nothing, and find it again', async () => {
    const pay = () => spread({ model: 'toy', ...question }, cloud('paid'));
    expect((await pay()).status).toBe(200);
    await replicas.way.set('cut');
    await poll(async () => (await pay()).status).toBe(507);
    const arrived = paid.requests.length;
    for (const { baseUrl } of replicas.servers) {
      const answer = await send(baseUrl, local);
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
      const refused = await send(baseUrl, { model: 'toy', ...question }, cloud('paid'));
      expect(refused.status).toBe(507);
      expect(await refused.text()).toContain('storage_unavailable');
      const { status, body } = await admin(baseUrl, 'GET', '/health');
      expect(status).toBe(200);
      expect(body.components.database).toBe('unhealthy');
      const metrics = await fetch(`${baseUrl}/metrics`, { headers: { 'x-api-key': adminKey } });
      expect(metrics.status).toBe(200);
      await metrics.text();
      expect((await admin(baseUrl, 'GET', '/api/v1/costs/summary')).status).toBe(507);
    }
    expect(paid.requests).toHaveLength(arrived);
    await replicas.way.set('open');
    // Each of them finds it by itself.
    for (const { baseUrl } of replicas.servers) {
      await poll(async () => {
        const answer = await send(baseUrl, { model: 'toy', ...question }, cloud('paid'));
        await answer.arrayBuffer();
        return answer.status;
      }).toBe(200);
    }
  });

  it('take nothing from each other where the clock of one is wrong, and write the same time', async () => {
    const held = () => replicas.query<{ instance: string }>('SELECT instance FROM reservations');
    paid.play({ type: 'stall', afterBytes: -1 });
    const client = new AbortController();
    const waiting = fetch(`${replicas.servers[0]!.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}`, 'x-provider': 'paid' },
      body: JSON.stringify({ model: 'toy', ...question }),
      signal: client.signal,
    }).catch(() => null);
    await poll(async () => (await held()).length).toBe(1);
    const wrong = await replicas.add({ NODE_OPTIONS: `--import=${hourAhead}` });
    expect(await held()).toHaveLength(1);
    const answer = await send(wrong.baseUrl, { model: 'toy', ...question, user: 'wrong' }, cloud('paid'));
    expect(answer.status).toBe(200);
    await wrong.stop();
    client.abort();
    await waiting;
    await poll(async () => (await held()).length).toBe(0);
    const [latest] = await replicas.query<{ ahead: string }>(
      'SELECT max(at) - extract(epoch FROM clock_timestamp()) * 1000 AS ahead FROM ledger',
    );
    expect(Number(latest!.ahead)).toBeLessThan(60_000);
  });

  it('give back what one held that was killed, and go on with their own streams', async () => {
    const [one, , three] = replicas.servers;
    // The dead one waits for an answer that never comes, and so holds what it may cost.
    paid.play({ type: 'stall', afterBytes: -1 });
    const lost = send(three!.baseUrl, { model: 'toy', ...question, user: 'lost' }, cloud('paid')).catch(() => null);
    const held = () => replicas.query<{ instance: string }>('SELECT instance FROM reservations');
    await poll(async () => (await held()).length).toBe(1);
    const streaming = await send(one!.baseUrl, { ...local, max_tokens: 400, stream: true });
    const reader = streaming.body!.getReader();
    await reader.read();
    three!.child.kill('SIGKILL');
    expect((await three!.ended).signal).toBe('SIGKILL');
    await lost;
    // The others are asked in its place at once.
    expect(counts(await Promise.all(Array.from({ length: 30 }, () => spread(local))))).toEqual({ 200: 30 });
    // A minute of silence is what takes it for dead; it passes at once here.
    await replicas.query('UPDATE instances SET seen_at = 0 WHERE id = $1', [(await held())[0]!.instance]);
    await poll(async () => (await held()).length).toBe(0);
    const rows = await replicas.query<{ outcome: string }>("SELECT outcome FROM ledger WHERE outcome = 'lost'");
    expect(rows).toHaveLength(1);
    const [sums] = await replicas.query<{ reserved: string }>('SELECT sum(reserved) AS reserved FROM spending');
    expect(Number(sums!.reserved)).toBe(0);
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += Buffer.from(value).toString();
    }
    expect(text).toContain('data: [DONE]');
  });

  it('get nothing new while they shut down, and end their streams first', async () => {
    const two = replicas.servers[1]!;
    const start = async () => {
      for (let tries = 0; ; tries++) {
        const name = `drain-${tries}`;
        const headers = { 'x-session-affinity': name };
        const answer = await send(
          balancer.baseUrl,
          { ...local, max_tokens: 2_000, stream: true, ignore_eos: true },
          { headers },
        );
        if (answer.headers.get(replicaHeader) === 'hearth2') return { answer, headers };
        await answer.body!.cancel();
      }
    };
    const { answer, headers } = await start();
    const reader = answer.body!.getReader();
    await reader.read();
    two.child.kill('SIGTERM');
    const next = async () => {
      const other = await send(balancer.baseUrl, local, { headers });
      await other.arrayBuffer();
      return other.status === 200 ? other.headers.get(replicaHeader) : null;
    };
    await poll(next).toBe('hearth1');
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += Buffer.from(value).toString();
    }
    // Whole, or with the event that says that the server ended: never cut.
    expect(text).toMatch(/data: \[DONE\]|shutting_down/);
    expect((await two.ended).code).toBe(0);
  });
});
