import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allRights } from '../../../../src/core/call.ts';
import { AppError } from '../../../../src/core/errors.ts';
import { batchAnswer } from '../../../../src/http/openai/batches/schema.ts';
import { finishEvent, startEvent, textEvents } from '../../../support/fake-engine.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
  harness.gateway.play(() => [startEvent(), ...textEvents(['Hello'], 0), finishEvent(1)]);
});
afterEach(() => harness.close());

type Headers = Record<string, string>;

const endpoint = '/v1/chat/completions';
const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const line = (custom_id: unknown, body: unknown = chat, rest: object = {}) => ({
  custom_id,
  method: 'POST',
  url: endpoint,
  body,
  ...rest,
});
const jsonl = (lines: readonly unknown[]) =>
  lines.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n');

async function upload(text: string, purpose = 'batch', headers: Headers = {}): Promise<string> {
  const boundary = 'xYzZY';
  const part = (name: string, value: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name=${name}\r\n\r\n${value}\r\n`;
  const body = `${part('"purpose"', purpose)}${part('"file"; filename="a.jsonl"', text)}--${boundary}--\r\n`;
  const type = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  return (await harness.send('POST', '/v1/files', body, { ...type, ...headers })).json<{ id: string }>().id;
}
const wish = (input_file_id: string, more: object = {}) => ({
  input_file_id,
  endpoint,
  completion_window: '24h',
  ...more,
});
const create = async (lines: readonly unknown[], more: object = {}, headers: Headers = {}) =>
  harness.send('POST', '/v1/batches', wish(await upload(jsonl(lines)), more), headers);
const show = async (id: string) => (await harness.send('GET', `/v1/batches/${id}`)).json();
const ended = async (id: string) => {
  await expect.poll(async () => (await show(id)).status).toMatch(/^(completed|expired|cancelled|failed)$/);
  return show(id);
};
const linesIn = async (fileId: string) => {
  const { body } = await harness.send('GET', `/v1/files/${fileId}/content`);
  return body
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text));
};

describe('POST /v1/batches', () => {
  it('says in a header who is told of the end', async () => {
    const { id } = (await create([line('a')], {}, { 'x-webhook-url': 'https://hooks.example.com/x' })).json();
    const told = await harness.database.tables.selectFrom('webhooks').select(['batch_id', 'url']).execute();
    expect(told).toEqual([{ batch_id: id, url: 'https://hooks.example.com/x' }]);
    const refused = await create([line('a')], {}, { 'x-webhook-url': 'http://hooks.example.com/x' });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().error).toMatchObject({ param: 'X-Webhook-URL', message: expect.stringContaining('HTTPS') });
  });

  it('answers with a batch that has all keys, and runs it to its files', async () => {
    const answer = await create([line('a'), line('b', { ...chat, temperature: 0 })], { metadata: { night: '1' } });
    expect([answer.statusCode, answer.body]).toEqual([200, expect.any(String)]);
    const batch = answer.json();
    const now = Math.floor(harness.clock.now().getTime() / 1_000);
    expect(batch).toEqual({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      object: 'batch',
      endpoint,
      model: 'tiny',
      errors: null,
      input_file_id: expect.stringMatching(/^file-/),
      completion_window: '24h',
      status: 'in_progress',
      output_file_id: null,
      error_file_id: null,
      created_at: now,
      in_progress_at: now,
      expires_at: now + 86_400,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: { total: 2, completed: 0, failed: 0 },
      usage: {
        input_tokens: 0,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 0,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 0,
      },
      metadata: { night: '1' },
    });
    expect(batchAnswer.parse(batch)).toEqual(batch);
    harness.jobs.start(harness.http.perform);
    const done = await ended(batch.id);
    expect(done).toMatchObject({
      status: 'completed',
      error_file_id: null,
      request_counts: { total: 2, completed: 2, failed: 0 },
      completed_at: now,
    });
    expect(done.usage.output_tokens).toBe(2);
    expect(done.usage.total_tokens).toBe(done.usage.input_tokens + 2);
    const results = await linesIn(done.output_file_id);
    expect(results.map(({ custom_id }) => custom_id)).toEqual(['a', 'b']);
    expect(results[0]).toEqual({
      id: expect.stringMatching(/^batch_req_[0-9a-f]{38}$/),
      custom_id: 'a',
      response: {
        status_code: 200,
        request_id: expect.stringMatching(/^req_/),
        body: expect.objectContaining({ object: 'chat.completion', model: 'tiny' }),
      },
      error: null,
    });
    expect(results[0].response.body.choices[0].message.content).toBe('Hello');
    const file = (await harness.send('GET', `/v1/files/${done.output_file_id}`)).json();
    expect(file).toMatchObject({
      purpose: 'batch_output',
      filename: `${batch.id}_output.jsonl`,
      expires_at: now + 30 * 86_400,
    });
  });

  it('tells in a file of errors what failed, as its route would have', async () => {
    harness.gateway.play(({ input }) => {
      if (JSON.stringify(input).includes('bad')) throw new AppError('model_load_failed', 'The file is broken.');
      return [startEvent(), ...textEvents(['Hello'], 0), finishEvent(1)];
    });
    const bad = { ...chat, messages: [{ role: 'user', content: 'bad' }] };
    const { id } = (
      await create([line('good'), line('bad', bad)], {
        output_expires_after: { anchor: 'created_at', seconds: 3_600 },
      })
    ).json();
    harness.jobs.start(harness.http.perform);
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 2, completed: 1, failed: 1 } });
    const [error, ...others] = await linesIn(done.error_file_id);
    expect(others).toEqual([]);
    expect(error).toEqual({
      id: expect.any(String),
      custom_id: 'bad',
      response: {
        status_code: 422,
        request_id: expect.any(String),
        body: { error: expect.objectContaining({ code: 'model_load_failed' }), detail: expect.any(String) },
      },
      error: null,
    });
    const file = (await harness.send('GET', `/v1/files/${done.error_file_id}`)).json();
    expect(file.expires_at - file.created_at).toBe(3_600);
  });

  it.each<[what: string, endpoint: string, body: object]>([
    ['completions', '/v1/completions', { model: 'tiny', prompt: 'Hi' }],
    ['responses', '/v1/responses', { model: 'tiny', input: 'Hi' }],
    ['embeddings', '/v1/embeddings', { model: 'tiny', input: 'Hi' }],
    [
      'decisions',
      '/v1/decisions',
      { model: 'tiny', input: 'Hi', questions: [{ type: 'predicate', instructions: 'x' }] },
    ],
  ])('takes %s', async (_what, url, body) => {
    const { id, errors } = (await create([line('a', body, { url })], { endpoint: url })).json();
    expect(errors).toBeNull();
    harness.jobs.start(harness.http.perform);
    const done = await ended(id);
    const [result] = await linesIn(done.output_file_id ?? done.error_file_id);
    expect(result.response).toMatchObject({ status_code: 200, body: expect.any(Object) });
  });

  it('keeps no responses of a batch, unless a request says so', async () => {
    const url = '/v1/responses';
    const body = { model: 'tiny', input: 'Hi' };
    const { id } = (
      await create([line('a', body, { url }), line('b', { ...body, store: true }, { url })], { endpoint: url })
    ).json();
    harness.jobs.start(harness.http.perform);
    const [first, second] = await linesIn((await ended(id)).output_file_id);
    const statusOf = async (result: { response: { body: { id: string } } }) =>
      (await harness.send('GET', `/v1/responses/${result.response.body.id}`)).statusCode;
    expect([await statusOf(first), await statusOf(second)]).toEqual([404, 200]);
  });

  const stream = { ...chat, stream: true };
  it.each<[what: string, lines: unknown[], errors: object[]]>([
    ['no line', [], [{ code: 'empty_file', line: null, param: null }]],
    ['blank lines', ['', '  '], [{ code: 'empty_file', line: null, param: null }]],
    ['what is no JSON', [line('a'), '{"custom_id"'], [{ code: 'invalid_json_line', line: 2, param: null }]],
    ['a list', ['[]'], [{ code: 'invalid_json_line', line: 1 }]],
    ['half a character', [line('\ud800')], [{ code: 'invalid_json_line', line: 1, param: 'custom_id' }]],
    ['no id', [line(undefined)], [{ code: 'missing_required_parameter', line: 1, param: 'custom_id' }]],
    ['a number for an id', [line(7)], [{ code: 'invalid_custom_id', line: 1, param: 'custom_id' }]],
    ['an empty id', [line('')], [{ code: 'invalid_custom_id', line: 1, param: 'custom_id' }]],
    ['an id without an end', [line('x'.repeat(513))], [{ code: 'invalid_custom_id', line: 1, param: 'custom_id' }]],
    ['an id twice', [line('a'), '', line('a')], [{ code: 'duplicate_custom_id', line: 3, param: 'custom_id' }]],
    ['another method', [line('a', chat, { method: 'GET' })], [{ code: 'invalid_method', line: 1, param: 'method' }]],
    [
      'another address',
      [line('a', chat, { url: '/v1/embeddings' })],
      [{ code: 'url_mismatch', line: 1, param: 'url' }],
    ],
    [
      'no body',
      [line('a', chat, { body: undefined })],
      [{ code: 'missing_required_parameter', line: 1, param: 'body' }],
    ],
    ['a list for a body', [line('a', [])], [{ code: 'missing_required_parameter', line: 1, param: 'body' }]],
    ['a stream', [line('a', stream)], [{ code: 'invalid_request', line: 1, param: 'body.stream' }]],
    [
      'a body that its route would refuse',
      [line('a', { ...chat, temperature: 9 })],
      [{ code: 'invalid_request', line: 1, param: 'body.temperature' }],
    ],
    ['no messages', [line('a', { model: 'tiny' })], [{ code: 'invalid_request', line: 1, param: 'body.messages' }]],
    [
      'a model that is not there',
      [line('a'), line('b', { ...chat, model: 'nobody' })],
      [{ code: 'model_not_found', line: 2, param: 'body.model' }],
    ],
    [
      'several mistakes',
      [line('a', stream), line('b'), line(7)],
      [
        { code: 'invalid_request', line: 1 },
        { code: 'invalid_custom_id', line: 3 },
      ],
    ],
  ])('takes nothing of a file with %s, and says where', async (_what, lines, errors) => {
    const answer = await create(lines);
    expect(answer.statusCode).toBe(200);
    const batch = answer.json();
    expect(batchAnswer.parse(batch)).toEqual(batch);
    expect(batch).toMatchObject({
      status: 'failed',
      request_counts: { total: 0, completed: 0, failed: 0 },
      in_progress_at: null,
      failed_at: batch.created_at,
    });
    expect(batch.errors.object).toBe('list');
    expect(batch.errors.data).toMatchObject(errors);
    for (const { message } of batch.errors.data) expect(message).toMatch(/\w+.*\.$/);
    expect(await show(batch.id)).toEqual(batch);
  });

  it('names at most a hundred mistakes', async () => {
    const { errors } = (await create(Array.from({ length: 150 }, () => 'x'))).json();
    expect(errors.data).toHaveLength(100);
  });

  it.each<[what: string, more: object, field: string]>([
    ['a file that is not there', { input_file_id: 'file-1' }, 'input_file_id'],
    ['an endpoint that is not for batches', { endpoint: '/v1/moderations' }, 'endpoint'],
    ['a window that is none', { completion_window: 'tomorrow' }, 'completion_window'],
    ['a window that is too short', { completion_window: '59m' }, 'completion_window'],
    ['a window without an end', { completion_window: '31d' }, 'completion_window'],
    ['a number in its metadata', { metadata: { a: 1 } }, 'metadata.a'],
    [
      'too much metadata',
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [at, 'x'])) },
      'metadata',
    ],
    [
      'an expiry that is too short',
      { output_expires_after: { anchor: 'created_at', seconds: 3_599 } },
      'output_expires_after.seconds',
    ],
    [
      'an anchor that is none',
      { output_expires_after: { anchor: 'now', seconds: 3_600 } },
      'output_expires_after.anchor',
    ],
  ])('refuses %s by name', async (_what, more, field) => {
    const answer = await create([line('a')], more);
    expect([answer.statusCode, answer.json().error.param]).toEqual([field === 'input_file_id' ? 404 : 400, field]);
    expect((await harness.send('GET', '/v1/batches')).json().data).toEqual([]);
  });

  it('refuses a file of another purpose', async () => {
    const answer = await harness.send('POST', '/v1/batches', wish(await upload(jsonl([line('a')]), 'user_data')));
    expect([answer.statusCode, answer.json().error]).toMatchObject([
      400,
      { param: 'input_file_id', message: expect.stringContaining('"batch"') },
    ]);
  });

  it('gives the same batch to who repeats a request with its key', async () => {
    const file = await upload(jsonl([line('a')]));
    const key = { 'idempotency-key': 'night-1' };
    const first = (await harness.send('POST', '/v1/batches', wish(file), key)).json();
    expect((await harness.send('POST', '/v1/batches', wish(file), key)).json().id).toBe(first.id);
    const other = await harness.send('POST', '/v1/batches', wish(file, { completion_window: '2h' }), key);
    expect([other.statusCode, other.json().error.code]).toEqual([422, 'idempotency_key_reused']);
  });
});

describe('a batch', () => {
  it('is listed with others, the newest first, in pages', async () => {
    const ids = [];
    for (let count = 0; count < 3; count++) {
      harness.clock.advance(1_000);
      ids.unshift((await create([line('a')])).json().id);
    }
    const list = async (query = '') => (await harness.send('GET', `/v1/batches${query}`)).json();
    expect(await list()).toMatchObject({
      object: 'list',
      data: ids.map((id) => ({ id })),
      first_id: ids[0],
      last_id: ids[2],
      has_more: false,
    });
    expect(await list('?limit=2')).toMatchObject({ data: [{ id: ids[0] }, { id: ids[1] }], has_more: true });
    expect(await list(`?limit=2&after=${ids[1]}`)).toMatchObject({ data: [{ id: ids[2] }], has_more: false });
    for (const [query, field] of [
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['after=batch_1', 'after'],
    ]) {
      const answer = await harness.send('GET', `/v1/batches?${query}`);
      expect([answer.statusCode, answer.json().error.param]).toEqual([400, field]);
    }
  });

  it('that is cancelled tells what was not asked for', async () => {
    const { id } = (await create([line('a'), line('b')])).json();
    const cancelling = (await harness.send('POST', `/v1/batches/${id}/cancel`)).json();
    expect(cancelling).toMatchObject({ id, status: 'cancelling', cancelling_at: expect.any(Number) });
    harness.jobs.start(harness.http.perform);
    const done = await ended(id);
    expect(done).toMatchObject({
      status: 'cancelled',
      output_file_id: null,
      request_counts: { total: 2, completed: 0, failed: 0 },
      cancelled_at: expect.any(Number),
    });
    expect(await linesIn(done.error_file_id)).toEqual(
      ['a', 'b'].map((custom_id) => ({
        id: expect.any(String),
        custom_id,
        response: null,
        error: { code: 'batch_cancelled', message: expect.any(String) },
      })),
    );
    expect((await harness.send('POST', `/v1/batches/${id}/cancel`)).json()).toEqual(done);
  });

  it('that is out of time tells what was not asked for', async () => {
    const { id } = (await create([line('a')], { completion_window: '1h' })).json();
    harness.clock.advance(3_660_000);
    harness.jobs.start(harness.http.perform);
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'expired', expired_at: expect.any(Number) });
    expect(await linesIn(done.error_file_id)).toMatchObject([{ custom_id: 'a', error: { code: 'batch_expired' } }]);
  });

  it('does not make a file again that its owner has deleted', async () => {
    const { id } = (await create([line('a')])).json();
    harness.jobs.start(harness.http.perform);
    const { output_file_id: file } = await ended(id);
    await harness.send('DELETE', `/v1/files/${file}`);
    harness.clock.advance(600_000);
    expect((await show(id)).output_file_id).toBe(file);
    expect((await harness.send('GET', `/v1/files/${file}`)).statusCode).toBe(404);
  });

  it('of another key is the same as none', async () => {
    await harness.close();
    harness = await createHarness({ apiKeys: ['secret-key'] });
    const key = async (name: string) => {
      const made = await harness.keyring.create({ ...allRights, name, scopes: ['inference'], expiresAt: null });
      return { 'x-api-key': made.key };
    };
    const [mine, yours] = [await key('mine'), await key('yours')];
    const file = await upload(jsonl([line('a')]), 'batch', mine);
    const foreign = await harness.send('POST', '/v1/batches', wish(file), yours);
    expect([foreign.statusCode, foreign.json().error.param]).toEqual([404, 'input_file_id']);
    const { id } = (await harness.send('POST', '/v1/batches', wish(file), mine)).json();
    const other = id.replace(/.$/, (digit: string) => (digit === '0' ? '1' : '0'));
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/cancel'],
    ] as const) {
      const answers = [];
      for (const name of [id, other])
        answers.push(await harness.send(method, `/v1/batches/${name}${path}`, undefined, yours));
      expect(answers[0]!.statusCode).toBe(404);
      expect(answers[0]!.body).toBe(answers[1]!.body);
    }
    expect((await harness.send('GET', '/v1/batches', undefined, yours)).json().data).toEqual([]);
  });
});
