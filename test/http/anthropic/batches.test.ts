import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allRights } from '../../../src/core/call.ts';
import { AppError } from '../../../src/core/errors.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const newer = { 'anthropic-version': '2026-10-21' };
const params = (more: Record<string, unknown> = {}) => ({
  model: 'tiny',
  max_tokens: 16,
  messages: [{ role: 'user', content: 'Hi' }],
  ...more,
});
type Requests = readonly { custom_id: string; params: Record<string, unknown> }[];
const many = (count: number): Requests =>
  Array.from({ length: count }, (_, n) => ({ custom_id: `c${n}`, params: params() }));
const create = (requests: unknown, headers: Record<string, string> = {}) =>
  harness.send('POST', '/v1/messages/batches', { requests }, headers);
const get = (path: string, headers: Record<string, string> = {}) =>
  harness.send('GET', `/v1/messages/batches${path}`, undefined, headers);
const begin = () => harness.jobs.start(harness.http.perform);
const ended = async (id: string, headers: Record<string, string> = {}) => {
  for (;;) {
    const batch = (await get(`/${id}`, headers)).json();
    if (batch.processing_status === 'ended') return batch;
    await new Promise((resolve) => setImmediate(resolve));
  }
};
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const none = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };

const told = () => harness.database.tables.selectFrom('webhooks').select(['batch_id', 'url']).execute();

describe('a batch', () => {
  it('says in a header who is told of its end; the same key with another address is another request', async () => {
    const make = (url: string) => create(many(1), { 'x-webhook-url': url, 'idempotency-key': 'k' });
    const { id } = (await make('https://hooks.example.com/x')).json();
    expect((await make('https://hooks.example.com/x')).json().id).toBe(id);
    expect(await told()).toEqual([{ batch_id: id, url: 'https://hooks.example.com/x' }]);
    expect((await make('https://hooks.example.com/y')).statusCode).toBe(422);
    const refused = await create(many(1), { 'x-webhook-url': 'https://evil.example/' });
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toMatchObject({
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: expect.stringContaining('"X-Webhook-URL" leads to evil.example'),
      },
    });
  });

  it('is shown in all its fields from the beginning on', async () => {
    const { statusCode, body } = await create(many(2));
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^msgbatch_[0-9a-f]{32}$/),
      type: 'message_batch',
      processing_status: 'in_progress',
      request_counts: { processing: 2, ...none },
      created_at: '2026-03-04T05:06:07.089Z',
      expires_at: '2026-03-05T05:06:07.089Z',
      ended_at: null,
      cancel_initiated_at: null,
      archived_at: null,
      results_url: null,
    });
  });

  it('holds nobody up, however many requests it has and however long they are', async () => {
    /** How often others have their turn while it is made. */
    const turnsOf = async (requests: Requests) => {
      let turns = 0;
      let isDone = false;
      const count = () => {
        turns++;
        if (!isDone) setImmediate(count);
      };
      setImmediate(count);
      const { statusCode } = await create(requests);
      isDone = true;
      expect(statusCode).toBe(200);
      return turns;
    };
    const long = params({ messages: [{ role: 'user', content: 'word '.repeat(120_000) }] });
    const few = await turnsOf(many(4));
    // One for some dozens of short ones or for one that is long: when they are looked at and when they are stored.
    expect((await turnsOf(many(500))) - few).toBeGreaterThanOrEqual(2 * (500 / 50 - 1));
    expect((await turnsOf(many(4).map((one) => ({ ...one, params: long })))) - few).toBeGreaterThanOrEqual(2 * 3 + 1);
  });

  it('has the results that its requests would have had by themselves', async () => {
    begin();
    const { id } = (await create([{ custom_id: 'good', params: params() }], newer)).json();
    const batch = await ended(id);
    expect(batch.request_counts).toEqual({ processing: 0, ...none, succeeded: 1 });
    expect(batch.results_url).toBe(`http://localhost:80/v1/messages/batches/${id}/results`);
    const results = await get(`/${id}/results`);
    expect(results.headers['content-type']).toBe('application/x-jsonl');
    const [good] = linesOf(results.body);
    const alone = (await harness.send('POST', '/v1/messages', params())).json();
    expect(good).toEqual({
      custom_id: 'good',
      result: { type: 'succeeded', message: { ...alone, id: expect.stringMatching(/^msg_/) } },
    });
  });

  it('has the error of a request in the form that its route gives it', async () => {
    begin();
    harness.gateway.play(() => {
      throw new AppError('model_not_found', 'There is no model "tiny".', { field: 'model' });
    });
    const { id } = (await create(many(1))).json();
    expect((await ended(id)).request_counts).toEqual({ processing: 0, ...none, errored: 1 });
    const [line] = linesOf((await get(`/${id}/results`)).body);
    const alone = (await harness.send('POST', '/v1/messages', params())).json();
    expect(line).toEqual({
      custom_id: 'c0',
      result: { type: 'errored', error: { ...alone, request_id: expect.stringMatching(/^req_/) } },
    });
  });

  it('counts nothing but what is processed until it has ended', async () => {
    const { id } = (await create(many(3))).json();
    const item = await harness.database.tables.selectFrom('batches').select('id').executeTakeFirst();
    expect(item?.id).toBe(id);
    await harness.database.transaction((tables) =>
      tables.updateTable('batches').set({ succeeded: 2n }).where('id', '=', id).execute(),
    );
    expect((await get(`/${id}`)).json().request_counts).toEqual({ processing: 3, ...none });
  });

  it('is cancelled: what has not begun is not asked for, and its results say so', async () => {
    const { id } = (await create(many(3))).json();
    const { statusCode, body } = await harness.send('POST', `/v1/messages/batches/${id}/cancel`);
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      processing_status: 'ended',
      cancel_initiated_at: '2026-03-04T05:06:07.089Z',
      request_counts: { processing: 0, ...none, canceled: 3 },
    });
    expect(linesOf((await get(`/${id}/results`)).body)).toEqual(
      ['c0', 'c1', 'c2'].map((custom_id) => ({ custom_id, result: { type: 'canceled' } })),
    );
    begin();
    expect(harness.gateway.calls).toEqual([]);
  });

  it('is deleted once it has ended', async () => {
    const { id } = (await create(many(1))).json();
    const remove = () => harness.send('DELETE', `/v1/messages/batches/${id}`);
    const early = await remove();
    expect([early.statusCode, early.json().error.type]).toEqual([400, 'invalid_request_error']);
    await harness.send('POST', `/v1/messages/batches/${id}/cancel`);
    const done = await remove();
    expect([done.statusCode, done.json()]).toEqual([200, { id, type: 'message_batch_deleted' }]);
    expect((await get(`/${id}`)).statusCode).toBe(404);
  });

  it('has no results before it has ended, nor when they are too old', async () => {
    const { id } = (await create(many(1))).json();
    const early = await get(`/${id}/results`);
    expect([early.statusCode, early.json().error.type]).toEqual([400, 'invalid_request_error']);
    await harness.send('POST', `/v1/messages/batches/${id}/cancel`);
    harness.clock.advance(86_400_000);
    while (await harness.jobs.tidy(86_400_000));
    expect((await get(`/${id}`)).json()).toMatchObject({
      archived_at: '2026-03-05T05:06:07.089Z',
      results_url: null,
    });
    expect((await get(`/${id}/results`)).statusCode).toBe(404);
  });

  it('leads to its results by the address that it was asked at', async () => {
    const { id } = (await create(many(1))).json();
    await harness.send('POST', `/v1/messages/batches/${id}/cancel`);
    const urlFor = async (headers: Record<string, string>) => (await get(`/${id}`, headers)).json().results_url;
    const path = `/v1/messages/batches/${id}/results`;
    expect(await urlFor({ host: '10.0.0.5:8000' })).toBe(`http://10.0.0.5:8000${path}`);
    expect(await urlFor({ host: '10.0.0.5', 'x-forwarded-proto': 'https' })).toBe(`https://10.0.0.5${path}`);
  });

  it('keeps its version: what only the older one has is refused at the newer one', async () => {
    const requests = [{ custom_id: 'a', params: params({ temperature: 0.5 }) }];
    expect((await create(requests)).statusCode).toBe(200);
    expect((await create(requests, { 'anthropic-version': '2023-06-01' })).statusCode).toBe(200);
    const refused = await create(requests, newer);
    expect([refused.statusCode, refused.json().error.details]).toMatchObject([
      400,
      { field: 'requests.0.params.temperature', index: 0, custom_id: 'a' },
    ]);
    expect((await create(requests, { 'anthropic-version': '1999' })).statusCode).toBe(400);
  });

  it('asks in the background, in the name of who made it, with the marks that it was made with', async () => {
    begin();
    const { id } = (await create(many(1), { 'x-cloud': 'never' })).json();
    await ended(id);
    expect(harness.gateway.calls.at(-1)!.context).toMatchObject({
      principal: { id: 'anonymous' },
      routing: { cloud: 'never' },
      isBackground: true,
      deadlineMs: Number.POSITIVE_INFINITY,
    });
    await harness.send('POST', '/v1/messages', params());
    expect(harness.gateway.calls.at(-1)!.context).not.toHaveProperty('isBackground');
  });

  it('keeps a request here that says so, whatever goes with all of them, and takes no contradiction', async () => {
    begin();
    const home = { custom_id: 'a', params: { ...params(), cloud: false } };
    const { id } = (await create([home], { 'x-cloud': 'allow' })).json();
    await ended(id);
    expect(harness.gateway.calls.at(-1)!.context).toMatchObject({ routing: { cloud: 'never' } });
    const refused = await create([home], { 'x-cloud': 'require' });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().error.details).toMatchObject({ field: 'requests.0.params.cloud' });
  });

  it('is no request of HTTP for the metrics but for its own', async () => {
    begin();
    const { id } = (await create(many(5))).json();
    await ended(id);
    const metrics = await harness.metrics();
    expect(metrics).not.toMatch(/hearth_http_requests_total\{[^}]*route="\/v1\/messages"/);
  });
});

describe('the list of batches', () => {
  it('has pages, the newest first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      ids.unshift((await create(many(1))).json().id);
      harness.clock.advance(1_000);
    }
    const page = async (query: string) => {
      const { data, ...rest } = (await get(query)).json();
      return { ids: data.map(({ id }: { id: string }) => id), ...rest };
    };
    expect(await page('')).toEqual({ ids, has_more: false, first_id: ids[0], last_id: ids[2] });
    expect(await page('?limit=2')).toEqual({
      ids: ids.slice(0, 2),
      has_more: true,
      first_id: ids[0],
      last_id: ids[1],
    });
    expect((await page(`?limit=2&after_id=${ids[1]}`)).ids).toEqual([ids[2]]);
    expect((await page(`?limit=1&before_id=${ids[2]}`)).ids).toEqual([ids[1]]);
  });

  it('is empty where there are none', async () => {
    expect((await get('')).json()).toEqual({ data: [], has_more: false, first_id: null, last_id: null });
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'after_id=nope', 'before_id=nope', 'after_id=a&before_id=b'])(
    'refuses %s by its name',
    async (query) => {
      const { statusCode, body } = await get(`?${query}`);
      expect(statusCode).toBe(400);
      expect(JSON.parse(body).error.details.field).toMatch(/^(limit|after_id|before_id)$/);
    },
  );
});

describe('what cannot be answered', () => {
  type Loose = Record<string, unknown> & { params: Record<string, unknown> };
  const rows: [title: string, change: (request: Loose) => void, field: string][] = [
    [
      'a field of a request',
      (request) => {
        request.params['max_tokens'] = 'many';
      },
      'requests.7.params.max_tokens',
    ],
    [
      'a field that is missing',
      (request) => {
        delete request.params['messages'];
      },
      'requests.7.params.messages',
    ],
    [
      'what a schema cannot see',
      (request) => {
        request.params['thinking'] = { type: 'enabled', budget_tokens: 1024 };
      },
      'requests.7.params.thinking.budget_tokens',
    ],
    [
      'a stream',
      (request) => {
        request.params['stream'] = true;
      },
      'requests.7.params.stream',
    ],
    [
      'an id that is there twice',
      (request) => {
        request['custom_id'] = 'c2';
      },
      'requests.7.custom_id',
    ],
    [
      'an id that is none',
      (request) => {
        request['custom_id'] = 'a b';
      },
      'requests.7.custom_id',
    ],
    [
      'parameters that are none',
      (request) => {
        Object.assign(request, { params: 'x' });
      },
      'requests.7.params',
    ],
  ];
  it.each(rows)('%s is named, and nothing is stored', async (_title, change, field) => {
    const requests = structuredClone(many(10)) as unknown as Loose[];
    change(requests[7]!);
    const { statusCode, body } = await create(requests);
    expect(statusCode).toBe(400);
    expect(JSON.parse(body).error.details.field).toBe(field);
    expect((await get('')).json().data).toEqual([]);
    expect(await harness.database.tables.selectFrom('batch_items').selectAll().execute()).toEqual([]);
  });

  it('names the request by its id, too', async () => {
    const { error } = (await create([{ custom_id: 'mail-1', params: params({ max_tokens: -1 }) }])).json();
    expect(error.message).toContain('Request 0 ("mail-1")');
    expect(error.details).toMatchObject({ index: 0, custom_id: 'mail-1' });
  });

  it('is a batch of no requests, or of more than may be', async () => {
    expect((await create([])).statusCode).toBe(400);
    const { statusCode, body } = await create(Array.from({ length: 100_001 }, () => 0));
    expect(statusCode).toBe(400);
    expect(body).toContain('requests');
  });

  it('is one request that is larger than its route takes', async () => {
    await harness.close();
    harness = await createHarness({ bodyLimitBytes: 1_024 });
    const large = { custom_id: 'large', params: params({ system: 'x'.repeat(2_000) }) };
    const { statusCode, body } = await create([...many(3), large]);
    expect([statusCode, JSON.parse(body).error.type]).toEqual([413, 'request_too_large']);
    expect(body).toContain('Request 3 (\\"large\\")');
  });

  it('holds more keys in all than one request may, and no more in one', async () => {
    const metadata = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, n) => [`k${n}`, 1]));
    const wide = (n: number, keys: number) => ({
      custom_id: `c${n}`,
      params: params({ diagnostics: metadata(keys) }),
    });
    expect((await create([wide(0, 4_000), wide(1, 4_000), wide(2, 4_000)])).statusCode).toBe(200);
    const refused = await create([wide(0, 10), wide(1, 10_001)]);
    expect([refused.statusCode, refused.json().error.details]).toMatchObject([400, { index: 1 }]);
  });
});

describe('an Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k-1' };

  it('makes one batch, which a repetition shows as it is now', async () => {
    const first = (await create(many(2), key)).json();
    await harness.send('POST', `/v1/messages/batches/${first.id}/cancel`);
    const again = (await create(many(2), key)).json();
    expect(again).toMatchObject({ id: first.id, processing_status: 'ended' });
    expect((await get('')).json().data).toHaveLength(1);
  });

  it('is refused with another batch', async () => {
    await create(many(2), key);
    for (const other of [create(many(3), key), create(many(2), { ...key, ...newer })]) {
      expect((await other).statusCode).toBe(422);
    }
  });
});

describe('batches of keys', () => {
  it('are seen by their own key alone', async () => {
    await harness.close();
    harness = await createHarness({ apiKeys: ['one', 'two'] });
    begin();
    const [one, two] = [{ 'x-api-key': 'one' }, { authorization: 'Bearer two' }];
    const { id } = (await create(many(1), one)).json();
    await ended(id, one);
    expect((await get(`/${id}/results`, one)).statusCode).toBe(200);
    const unknown = (await get('/msgbatch_0', two)).json();
    for (const [method, path] of [
      ['GET', `/${id}`],
      ['GET', `/${id}/results`],
      ['POST', `/${id}/cancel`],
      ['DELETE', `/${id}`],
    ] as const) {
      const response = await harness.send(method, `/v1/messages/batches${path}`, undefined, two);
      expect([response.statusCode, response.json().error]).toEqual([404, unknown.error]);
    }
    expect((await get('', two)).json().data).toEqual([]);
    expect((await get('')).statusCode).toBe(401);
  });

  it('ask with the rights of their key', async () => {
    await harness.close();
    harness = await createHarness({ apiKeys: ['admin-key'] });
    begin();
    const { key } = await harness.keyring.create({
      ...allRights,
      name: 'kitchen',
      scopes: ['inference'],
      models: ['tiny'],
      expiresAt: null,
    });
    const headers = { 'x-api-key': key };
    const { id } = (await create(many(1), headers)).json();
    await ended(id, headers);
    expect(harness.gateway.calls.at(-1)!.context.principal).toMatchObject({ name: 'kitchen', models: ['tiny'] });
  });
});

describe('while the server shuts down', () => {
  it('no batch is taken, and those that are there are shown', async () => {
    const { id } = (await create(many(1))).json();
    harness.lifecycle.isDraining = true;
    expect((await create(many(1))).statusCode).toBe(529);
    expect((await get(`/${id}`)).statusCode).toBe(200);
  });
});

describe('the envelope', () => {
  it('has the same batches', async () => {
    begin();
    const seed = {
      requests: [
        {
          custom_id: 'request_1',
          params: {
            model: 'claude-sonnet-4-20250514',
            max_tokens: 1024,
            messages: [{ role: 'user', content: 'Hello!' }],
          },
        },
        { custom_id: 'request_2', params: { model: 'tiny', messages: [{ role: 'user', content: 'Hello!' }] } },
      ],
    };
    const made = await harness.send('POST', '/api/v1/batches/create', seed);
    expect(made.json()).toEqual({
      success: true,
      data: expect.objectContaining({ type: 'message_batch', processing_status: 'in_progress' }),
      metadata: { request_id: expect.stringMatching(/^req_/), processing_time_ms: 0 },
    });
    const { id } = made.json().data;
    const batch = await ended(id);
    const show = (path: string, method = 'GET') => harness.send(method, `/api/v1/batches${path}`);
    expect((await show(`/${id}`)).json().data).toEqual(batch);
    expect((await show('?limit=20')).json().data).toEqual((await get('')).json());
    expect((await show(`/${id}/cancel`, 'POST')).json().data).toEqual(batch);
    const results = await show(`/${id}/results`);
    expect(results.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(results.json()).toEqual({
      success: true,
      data: { batch_id: id, results: linesOf((await get(`/${id}/results`)).body) },
      metadata: { request_id: expect.stringMatching(/^req_/), processing_time_ms: 0 },
    });
  });

  it('says in its body who is told of the end', async () => {
    const make = (webhook_url: string) =>
      harness.send('POST', '/api/v1/batches/create', { requests: many(1), webhook_url });
    const made = await make('https://hooks.example.com/x');
    expect(await told()).toEqual([{ batch_id: made.json().data.id, url: 'https://hooks.example.com/x' }]);
    const refused = await make('https://evil.example/');
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toMatchObject({
      success: false,
      error: expect.stringContaining('"webhook_url" leads to evil.example'),
    });
  });

  it('has its own errors', async () => {
    const unknown = await harness.send('GET', '/api/v1/batches/nope');
    expect([unknown.statusCode, unknown.json()]).toEqual([
      404,
      {
        success: false,
        error: 'There is no batch of this id.',
        metadata: expect.objectContaining({ error_type: 'NotFoundError', code: 'not_found' }),
      },
    ]);
    const elsewhere = await harness.send('GET', '/api/v1/batches/nope/what');
    expect(elsewhere.json()).toMatchObject({ success: false });
  });
});
