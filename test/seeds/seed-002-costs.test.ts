import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../http/harness.ts';
import { addRows, cloudOf } from '../support/accounting.ts';
import { expectPrinted } from './printed.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
  harness.clock.advance(Date.parse('2026-03-15T14:30:00Z') - harness.clock.now().getTime());
  harness.cloudConfig.current = cloudOf({ budgets: { daily: 50, per_key: { monthly: 10 } } });
  const usd = (amount: number) => BigInt(Math.round(amount * 1e9));
  await addRows(harness.database, [
    { at: '2026-03-15T10:30:00Z' },
    { at: '2026-03-15T10:29:00Z', model: 'gpt-3.5-turbo', cost: usd(2.25) },
    { at: '2026-03-14T10:00:00Z', provider: 'anthropic', model: 'claude-3-sonnet', cost: usd(3.25) },
    { at: '2026-03-02T00:00:00Z', provider: 'gemini', model: 'gemini-2.0-flash-exp', cost: usd(0.5) },
    { at: '2026-02-28T23:59:59Z', provider: 'gemini', model: 'gemini-2.0-flash-exp', cost: usd(7) },
    { at: '2026-03-15T10:31:00Z', model: 'gpt-new', cost: null },
    {
      at: '2026-03-15T10:32:00Z',
      provider: 'local',
      model: 'tiny',
      left_house: 0n,
      cost: 0n,
      principal: '1f',
      key_name: 'kitchen',
    },
  ]);
  const day = BigInt(Date.parse('2026-03-15'));
  await harness.database.transaction(async (tables) => {
    const row = { scope: '', period: 'day', starts_at: day, spent: usd(42.5), reserved: 0n };
    await tables.insertInto('spending').values(row).execute();
    await tables
      .insertInto('budget_alerts')
      .values({
        scope: '',
        period: 'day',
        starts_at: day,
        level: 'warning',
        at: BigInt(Date.parse('2026-03-15T14:00:00Z')),
      })
      .execute();
  });
});
afterAll(() => harness.close());

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await harness.send('GET', `/api/v1${path}`, undefined, headers);
  expect(response.statusCode, response.body).toBe(200);
  return response;
};

describe('the costs of the second seed specification', () => {
  it('have their summary', async () => {
    const summary = (await get('/costs/summary')).json();
    expectPrinted(summary, {
      total_cost: 12.5,
      period: { start: '2024-01-01T00:00:00Z', end: '2024-01-15T23:59:59Z' },
      by_provider: { openai: 8.75, anthropic: 3.25, gemini: 0.5 },
      by_model: {
        'openai:gpt-4o': 6.5,
        'openai:gpt-3.5-turbo': 2.25,
        'anthropic:claude-3-sonnet': 3.25,
        'gemini:gemini-2.0-flash-exp': 0.5,
      },
      request_count: 1250,
      token_count: { input: 450000, output: 125000 },
    });
    expect(summary).toMatchObject({
      total_cost: 6.0047,
      period: { start: '2026-03-01T00:00:00.000Z' },
      by_provider: { openai: 2.2547, anthropic: 3.25, gemini: 0.5 },
      by_model: { 'openai:gpt-4o': 0.0047 },
      request_count: 5,
      token_count: { input: 2_500, output: 750 },
      unknown_cost_count: 1,
    });
  });

  it('have their summary of a range', async () => {
    const of = async (query: string) => (await get(`/costs/summary?${query}`)).json();
    expect(await of('since=2026-02-01T00:00:00Z&until=2026-03-01T00:00:00Z')).toMatchObject({ total_cost: 7 });
    // Without a beginning it is the month of its end.
    expect(await of('until=2026-03-01')).toMatchObject({
      total_cost: 7,
      period: { start: '2026-02-01T00:00:00.000Z' },
    });
    // A time without a zone, a day, and another zone.
    expect(await of('since=2026-03-15T10:30:00')).toMatchObject({ request_count: 2 });
    expect(await of('since=2026-03-14&until=2026-03-15')).toMatchObject({ total_cost: 3.25 });
    expect(await of('since=2026-03-15T11:30:00%2B01:00')).toMatchObject({ request_count: 2 });
  });

  it('have their days', async () => {
    const daily = (await get('/costs/daily')).json();
    expectPrinted(daily, { daily_costs: {}, total: 10.5, average_daily: 1.5 });
    expect(Object.entries(daily.daily_costs)).toEqual([
      ['2026-03-15', 2.2547],
      ['2026-03-14', 3.25],
      ['2026-03-13', 0],
      ['2026-03-12', 0],
      ['2026-03-11', 0],
      ['2026-03-10', 0],
      ['2026-03-09', 0],
    ]);
    expect(daily).toMatchObject({ total: 5.5047, average_daily: 0.786385714 });
    expect(Object.keys((await get('/costs/daily?days=30')).json().daily_costs)).toHaveLength(30);
  });

  it('have their providers', async () => {
    const printed = { total: 8.75, request_count: 500, input_tokens: 250000, output_tokens: 75000 };
    const { costs } = (await get('/costs/by-provider')).json();
    expectPrinted(costs, { openai: printed, anthropic: { ...printed, total: 3.25 } });
    expect(costs).toMatchObject({ openai: { total: 2.2547, request_count: 3, input_tokens: 1_500 } });
    expect(costs).not.toHaveProperty('local');
    expect((await get('/costs/by-provider?local=true')).json().costs).toMatchObject({ local: { total: 0 } });
  });

  it('have their alerts', async () => {
    const answer = (await get('/costs/alerts')).json();
    expect(answer).toMatchObject({
      alerts: [
        {
          type: 'daily_budget_warning',
          provider: null,
          threshold: 50.0,
          current_value: 42.5,
          timestamp: '2026-03-15T14:00:00.000Z',
          message: 'Daily cost $42.50 has reached 85% of budget $50.00',
        },
      ],
    });
    expect(answer.alerts).toHaveLength(1);
  });

  it('have their entries', async () => {
    const answer = (await get('/costs/entries')).json();
    expectPrinted(answer, {
      entries: [
        {
          provider: 'openai',
          model: 'gpt-4o',
          input_tokens: 500,
          output_tokens: 150,
          cost: null,
          timestamp: '2024-01-15T10:30:00Z',
          request_id: 'req_abc123',
        },
      ],
      total: 100,
    });
    expect(answer.total).toBe(5);
    expect(answer.entries.map(({ model }: { model: string }) => model)).toEqual([
      'gpt-new',
      'gpt-4o',
      'gpt-3.5-turbo',
      'claude-3-sonnet',
      'gemini-2.0-flash-exp',
    ]);
    expect(answer.entries[1]).toMatchObject({ cost: 0.0047, timestamp: '2026-03-15T10:30:00.000Z', estimated: false });
    expect((await get('/costs/entries?local=true&limit=1')).json()).toMatchObject({
      entries: [{ provider: 'local', key: '1f', key_name: 'kitchen' }],
    });
    expect(answer.entries[0].cost).toBeNull();
    const limited = (await get('/costs/entries?limit=2&provider=openai')).json();
    expect(limited).toMatchObject({ total: 3, entries: [{ model: 'gpt-new' }, { model: 'gpt-4o' }] });
  });
});

describe('costs as tables', () => {
  it('are asked for by the address or by Accept, and every text is safe in a spreadsheet', async () => {
    await addRows(harness.database, [
      {
        at: '2026-03-15T11:00:00Z',
        provider: 'gemini',
        model: '=HYPERLINK("x"),a',
        cost: 1n,
        principal: 'p',
        key_name: '=pantry',
      },
    ]);
    const response = await get('/costs/entries?limit=2&provider=gemini', { accept: 'text/csv' });
    expect(response.headers['content-type']).toBe('text/csv; charset=utf-8');
    const [head, first] = response.body.split('\r\n');
    expect(head).toBe(
      'timestamp,request_id,attempt_id,key,key_name,provider,model,operation,outcome,error,input_tokens,cache_read_tokens,cache_write_5m_tokens,cache_write_1h_tokens,output_tokens,reasoning_tokens,cost,estimated,left_house,latency_ms,first_content_ms,served_tier,served_place',
    );
    expect(first).toMatch(
      /^2026-03-15T11:00:00\.000Z,req_abc123,att_\d+,p,'=pantry,gemini,"'=HYPERLINK\(""x""\),a",generate,answered,,500,,,,150,,0\.000000001,false,true,450,120,,$/,
    );
    const daily = await get('/costs/daily?days=2&format=csv');
    expect(daily.body).toBe('date,cost\r\n2026-03-15,2.254700001\r\n2026-03-14,3.25\r\n');
    expect((await get('/costs/daily?format=json', { accept: 'text/csv' })).json()).toHaveProperty('total');
  });
});

describe('what cannot be asked of costs', () => {
  it.each([
    '/costs/summary?since=yesterday',
    '/costs/summary?since=2026-03-02&until=2026-03-01',
    '/costs/daily?days=0',
    '/costs/daily?days=1e9',
    '/costs/entries?limit=-1',
    '/costs/entries?format=xml',
  ])('is refused: %s', async (path) => {
    expect((await harness.send('GET', `/api/v1${path}`)).statusCode).toBe(400);
  });
});

describe('the daily report of what left the house', () => {
  it('tells what was answered here and what left, by key and model', async () => {
    const { days } = (await get('/privacy/daily?days=2')).json();
    expect(days).toMatchObject([
      {
        date: '2026-03-15',
        here: { requests: 1, input_tokens: 500, output_tokens: 150 },
        left: { requests: 4 },
        by_key: [
          { key: '1f', key_name: 'kitchen', provider: 'local', model: 'tiny', left_house: false, requests: 1 },
          { key: 'anonymous', key_name: null, provider: 'openai', model: 'gpt-3.5-turbo', left_house: true },
          { key: 'anonymous', provider: 'openai', model: 'gpt-4o', left_house: true },
          { key: 'anonymous', provider: 'openai', model: 'gpt-new', left_house: true },
          { key: 'p', provider: 'gemini', left_house: true },
        ],
      },
      { date: '2026-03-14', here: { requests: 0 }, left: { requests: 1 } },
    ]);
  });
});
