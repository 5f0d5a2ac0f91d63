import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Books, booksOf } from '../support/books.ts';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { type GatewayServer, localWords, startGateway } from '../support/gateway-server.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { startSecondHearth } from '../support/second-hearth.ts';

/** A token of the prompt costs 4 millionths of a USD, one of the answer 20; in batches half of it. */
const pricing = { input_per_million: 4, output_per_million: 20, regional_factor: 1 };
let clouds: Clouds;
let clock: ManualClock;
let server: GatewayServer;
let books: Books;
beforeEach(async () => {
  clock = manualClock();
  clouds = await startClouds(clock.now);
});
afterEach(async () => {
  await books.close();
  await server.close();
  await clouds.close();
});

async function serve(changes: { daily?: number; batch?: string; file?: object } = {}): Promise<void> {
  const priced = (provider: Record<string, unknown>) => ({
    ...provider,
    ...(changes.batch && { batch: changes.batch }),
    models: (provider['models'] as object[]).map((model) => ({ ...model, pricing })),
  });
  const { openai, claude, aws } = clouds.providers;
  const providers = { openai: priced(openai), claude: priced(claude), aws: { ...priced(aws), batch: undefined } };
  server = await startGateway({ budgets: { daily: changes.daily ?? 10 }, providers, ...changes.file }, { clock });
  books = await booksOf(server);
}

// biome-ignore lint/suspicious/noExplicitAny: answers of two dialects, read by hand
type Json = any;

async function ask(method: string, url: string, body?: object, headers: Record<string, string> = {}): Promise<Json> {
  const response = await fetch(`${server.baseUrl}${url}`, {
    method,
    headers: { 'anthropic-version': '2023-06-01', 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return text.startsWith('{') && !text.includes('}\n{') ? JSON.parse(text) : text;
}

/** Time passes until it is so. */
async function until(holds: () => Promise<boolean> | boolean, stepMs = 1_000): Promise<void> {
  for (let turn = 0; !(await holds()); turn++) {
    await nextTurn();
    if (turn % 20 === 19) clock.advance(stepMs);
  }
}

const params = (model: string, text: string, more: object = {}) => ({
  model,
  max_tokens: 40,
  messages: [{ role: 'user', content: text }],
  ...more,
});
const create = (requests: object[], headers: Record<string, string> = {}) =>
  ask(
    'POST',
    '/v1/messages/batches',
    { requests: requests.map((one, index) => ({ custom_id: `r${index}`, params: one })) },
    headers,
  );
const ended = async (id: string) => {
  let batch: Json = null;
  await until(async () => {
    batch = await ask('GET', `/v1/messages/batches/${id}`);
    return batch.processing_status === 'ended';
  });
  return batch;
};
const resultsOf = async (id: string): Promise<Map<string, Json>> => {
  const text = String(
    await (
      await fetch(`${server.baseUrl}/v1/messages/batches/${id}/results`, {
        headers: { 'anthropic-version': '2023-06-01' },
      })
    ).text(),
  );
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Json);
  return new Map(lines.map((line) => [line.custom_id, line.result]));
};

describe('a batch with models of providers', () => {
  it('goes to their own batches, and what is of this machine stays here', async () => {
    await serve();
    const { id } = await create([
      params(cloudModels.claude, 'one'),
      params('default', 'two'),
      params(cloudModels.openai, 'three'),
      params(cloudModels.claude, 'four'),
    ]);
    await until(() => clouds.anthropic.batches.all.length > 0 && clouds.openai.batches.all.length > 0);
    expect((await ask('GET', `/status/${id}`)).progress.cloud).toEqual({ requests: 3, most_usd: expect.any(Number) });
    clouds.anthropic.batches.end();
    clouds.openai.batches.end();
    const batch = await ended(id);
    expect(batch.request_counts).toMatchObject({ succeeded: 4 });
    const results = await resultsOf(id);
    expect(results.get('r1').message.content[0].text).toBe(localWords.join(''));
    for (const name of ['r0', 'r2', 'r3']) expect(results.get(name).message.type).toBe('message');
    expect(results.get('r0').message.usage.service_tier).toBe('batch');
    expect(clouds.anthropic.batches.all).toHaveLength(1);
    expect(clouds.anthropic.batches.all[0]!.requests).toHaveLength(2);
    expect(clouds.openai.batches.all).toHaveLength(1);
    await until(async () => (await books.entries()).length === 4);
    expect(await books.reservations()).toEqual([]);
    const away = (await books.entries()).filter(({ left_house }) => left_house === 1n);
    expect(away.map(({ served_tier }) => served_tier)).toEqual(['batch', 'batch', 'batch']);
    for (const { input_tokens, cache_read_tokens, output_tokens, cost } of away) {
      expect(cost).toBe((input_tokens! + cache_read_tokens!) * 2_000n + output_tokens! * 10_000n);
    }
    // Nothing is left of it elsewhere.
    await until(() => clouds.anthropic.batches.deleted.size === 1 && clouds.openai.batches.files.size === 0);
  });

  it('answers in the dialect of the batch, whoever has answered', async () => {
    await serve();
    const body = (text: string, more: object = {}) => ({
      messages: [{ role: 'user', content: text }],
      max_tokens: 30,
      ...more,
    });
    const lines = [
      { custom_id: 'a', model: cloudModels.claude },
      { custom_id: 'b', model: cloudModels.openai },
      { custom_id: 'c', model: cloudModels.openai },
    ].map(({ custom_id, model }) => ({
      custom_id,
      method: 'POST',
      url: '/v1/chat/completions',
      body: body(custom_id, { model }),
    }));
    const id = await createFromFile('/v1/chat/completions', lines);
    await until(() => clouds.anthropic.batches.all.length > 0 && clouds.openai.batches.all.length > 0);
    expect(clouds.anthropic.batches.all[0]!.requests[0]!.params).toMatchObject({
      model: cloudModels.claude,
      max_tokens: 30,
    });
    clouds.anthropic.batches.end();
    clouds.openai.batches.end({
      1: { status: 400, body: { error: { message: 'Bad.', type: 'invalid_request_error', param: 'x', code: null } } },
    });
    const { output_file_id, error_file_id, request_counts } = await fileBatchEnded(id);
    expect(request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
    const good = await linesOf(output_file_id);
    expect(good.map(({ custom_id, response }) => [custom_id, response.status_code, response.body.object])).toEqual([
      ['a', 200, 'chat.completion'],
      ['b', 200, 'chat.completion'],
    ]);
    // In the service's own words, as it would be by itself.
    const [bad] = await linesOf(error_file_id);
    expect(bad.response).toMatchObject({ status_code: 400, body: { error: { message: 'Bad.', param: 'x' } } });
  });

  it('tells an error of Claude as Claude does, and sends again what may pass', async () => {
    await serve();
    const { id } = await create(['one', 'two', 'three', 'four'].map((text) => params(cloudModels.claude, text)));
    await until(() => clouds.anthropic.batches.all.length === 1);
    const error = (type: string) => ({
      error: { type: 'error', error: { type, message: 'It is so.' }, request_id: 'req_1' },
    });
    clouds.anthropic.batches.end({ 0: error('invalid_request_error'), 1: error('overloaded_error'), 2: 'expired' });
    await until(() => clouds.anthropic.batches.all.length === 2);
    expect(clouds.anthropic.batches.all[1]!.requests).toHaveLength(2);
    clouds.anthropic.batches.end();
    expect((await ended(id)).request_counts).toMatchObject({ succeeded: 3, errored: 1 });
    const { error: told } = (await resultsOf(id)).get('r0');
    expect(told).toEqual({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'It is so.' },
      request_id: 'req_1',
    });
    await until(async () => (await books.reservations()).length === 0);
    const rows = await books.entries();
    expect(rows.map(({ outcome, cost }) => [outcome, cost === 0n]).sort()).toEqual([
      ['answered', false],
      ['answered', false],
      ['answered', false],
      ['cancelled', true],
      ['failed', true],
      ['failed', true],
    ]);
  });

  it('is cancelled at the provider with its batch, and gives back what was held', async () => {
    await serve();
    const { id } = await create(['one', 'two'].map((text) => params(cloudModels.claude, text)));
    await until(() => clouds.anthropic.batches.all.length === 1);
    expect((await books.reservations()).length).toBe(2);
    await ask('POST', `/v1/messages/batches/${id}/cancel`);
    await until(() => clouds.anthropic.batches.all[0]!.state === 'canceling');
    clouds.anthropic.batches.end();
    expect((await ended(id)).request_counts).toMatchObject({ canceled: 2 });
    await until(async () => (await books.reservations()).length === 0);
    expect((await books.spending()).map(({ spent, reserved }) => [spent, reserved])).toEqual([
      [0n, 0n],
      [0n, 0n],
      [0n, 0n],
    ]);
  });

  it('sends what the budget allows, and says of the rest that it does not', async () => {
    // A request may cost some 500 millionths.
    await serve({ daily: 0.0015 });
    const { id } = await create(
      ['one', 'two', 'three', 'four', 'five'].map((text) => params(cloudModels.claude, text)),
    );
    await until(() => clouds.anthropic.batches.all.length === 1);
    const { length: count } = clouds.anthropic.batches.all[0]!.requests;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(5);
    clouds.anthropic.batches.end();
    expect((await ended(id)).request_counts).toMatchObject({ succeeded: count, errored: 5 - count });
    const errors = [...(await resultsOf(id)).values()].filter(({ type }) => type === 'errored');
    expect(new Set(errors.map(({ error }) => error.error.type))).toEqual(new Set(['billing_error']));
    expect(clouds.anthropic.batches.all).toHaveLength(1);
  });

  it('sends nothing for a key that may not, and nothing that must stay', async () => {
    const home = { name: 'home', key: 'sk-home-0123456789', cloud: false };
    await serve({ file: { keys: [home] } });
    const auth = { authorization: `Bearer ${home.key}` };
    const requests = [params(cloudModels.claude, 'one')];
    const forbidden = await create(requests, auth).catch((error: Error) => error.message);
    // Either none of it is taken, or each is refused.
    if (typeof forbidden !== 'string') {
      await until(
        async () =>
          (await ask('GET', `/v1/messages/batches/${forbidden.id}`, undefined, auth)).processing_status === 'ended',
      );
    }
    const marked = await create([params('default', 'one')], { ...auth, 'x-cloud': 'never' });
    await until(
      async () =>
        (await ask('GET', `/v1/messages/batches/${marked.id}`, undefined, auth)).processing_status === 'ended',
    );
    expect(clouds.arrived()).toBe(0);
    expect((await books.reservations()).length).toBe(0);
  });

  it('goes one by one where a provider has no batches, and where they are switched off', async () => {
    await serve({ batch: 'off' });
    const { id } = await create([
      params(cloudModels.claude, 'one'),
      params(cloudModels.bedrockClaude, 'two'),
      params(cloudModels.openai, 'three'),
    ]);
    expect((await ended(id)).request_counts).toMatchObject({ succeeded: 3 });
    expect(clouds.anthropic.batches.all).toEqual([]);
    expect(clouds.openai.batches.all).toEqual([]);
    await until(async () => (await books.entries()).length === 3);
    expect((await books.entries()).map(({ served_tier }) => served_tier)).not.toContain('batch');
  });

  it('sends what would be late here, where it may leave, and nothing else', async () => {
    await serve({ file: { global: { default_provider: 'claude' } } });
    server.local('hold');
    const requests = Array.from({ length: 200 }, (_, index) => params('default', `Note ${index}`));
    const stays = await create(requests);
    const goes = await create(requests, { 'x-cloud': 'allow' });
    await until(() => clouds.anthropic.batches.all.length > 0, 10_000);
    const asked = clouds.anthropic.batches.all[0]!.requests;
    expect(asked.every(({ params }) => params['model'] === cloudModels.claude)).toBe(true);
    expect((await ask('GET', `/status/${goes.id}`)).progress.cloud.requests).toBe(asked.length);
    expect((await ask('GET', `/status/${stays.id}`)).progress.cloud).toBeUndefined();
    for (const { id } of [stays, goes]) await ask('POST', `/v1/messages/batches/${id}/cancel`);
    server.local('answer');
    clouds.anthropic.batches.end();
  });

  it('says through which servers it came, so that nothing goes in a circle', async () => {
    await serve();
    const via = { 'x-hearth-via': 'cellar' };
    const { id } = await create([params(cloudModels.claude, 'one'), params(cloudModels.openai, 'two')], via);
    await until(() => clouds.anthropic.batches.all.length === 1 && clouds.openai.batches.all.length === 1);
    const made = [...clouds.anthropic.requests, ...clouds.openai.requests].filter(
      ({ method, path }) => method === 'POST' && path.endsWith('/batches'),
    );
    for (const { headers } of made) expect(headers['x-hearth-via']).toMatch(/^cellar,[0-9a-f]+$/);
    expect(made).toHaveLength(2);
    clouds.anthropic.batches.end();
    clouds.openai.batches.end();
    await ended(id);
  });

  it('goes one by one to who speaks the API and has no batches after all', async () => {
    await serve();
    clouds.anthropic.batches.handle = ({ url }) =>
      url.pathname.startsWith('/v1/messages/batches') ? { status: 404, body: { detail: 'Not Found' } } : null;
    const { id } = await create([params(cloudModels.claude, 'one')]);
    expect((await ended(id)).request_counts).toMatchObject({ succeeded: 1 });
    await until(async () => (await books.entries()).length > 0);
    expect(await books.reservations()).toEqual([]);
    expect((await books.entries()).map(({ served_tier }) => served_tier)).toEqual(['standard']);
  });
});

describe('a batch with models of another Hearth', () => {
  it.each(['anthropic', 'hearth'])('goes to its batches, as a provider of the type %s', async (type) => {
    const hearth = await startSecondHearth();
    try {
      hearth.jobs.start(hearth.http.perform);
      const base_url = type === 'hearth' ? `${hearth.url}/v1` : hearth.url;
      await serve({
        file: {
          providers: { attic: { type, base_url, models: [{ id: 'tiny' }] } },
          budgets: { daily: 1, unknown_prices: 'allow' },
        },
      });
      const { id } = await create([params('tiny', 'one'), params('attic/tiny', 'two'), params('default', 'three')]);
      let counts: Json = null;
      await until(async () => {
        hearth.clock.advance(500);
        const batch = await ask('GET', `/v1/messages/batches/${id}`);
        counts = batch.request_counts;
        return batch.processing_status === 'ended';
      });
      expect(counts).toMatchObject({ succeeded: 3 });
      await until(async () => (await books.entries()).length === 3);
      expect((await books.entries()).filter(({ served_tier }) => served_tier === 'batch')).toHaveLength(2);
    } finally {
      await hearth.close();
    }
  });
});

async function createFromFile(endpoint: string, lines: object[]): Promise<string> {
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([lines.map((line) => JSON.stringify(line)).join('\n')]), 'requests.jsonl');
  const file = (await (await fetch(`${server.baseUrl}/v1/files`, { method: 'POST', body: form })).json()) as Json;
  const batch = await ask('POST', '/v1/batches', { input_file_id: file.id, endpoint, completion_window: '24h' });
  expect(batch.errors).toBeNull();
  return batch.id as string;
}

async function fileBatchEnded(id: string): Promise<Json> {
  let batch: Json = null;
  await until(async () => {
    batch = await ask('GET', `/v1/batches/${id}`);
    return batch.status === 'completed';
  });
  return batch;
}

async function linesOf(file: string): Promise<Json[]> {
  const text = await (await fetch(`${server.baseUrl}/v1/files/${file}/content`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Json);
}
