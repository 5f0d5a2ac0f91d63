import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Accounts, openAccounts } from '../../src/accounting/accounts.ts';
import type { ModelPricing, ProviderConfig } from '../../src/config/providers.ts';
import { noWish } from '../../src/core/call.ts';
import type { ChatRequest, OriginalRequest } from '../../src/core/chat.ts';
import type { Provider } from '../../src/core/provider.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createAnthropicProvider } from '../../src/providers/anthropic/anthropic.ts';
import { createOpenAiCompatibleProvider } from '../../src/providers/openai-compatible/openai-compatible.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { cloudOf } from '../support/accounting.ts';
import { anyContext, localRouting } from '../support/calls.ts';
import { anthropicConfig } from '../support/fake-anthropic/config.ts';
import { type FakeAnthropic, startFakeAnthropic } from '../support/fake-anthropic/fake-anthropic.ts';
import { type FakeBedrock, startFakeBedrock } from '../support/fake-bedrock/fake-bedrock.ts';
import { bedrockConfig, bedrockOver } from '../support/fake-bedrock/provider.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../support/fake-openai/fake-openai.ts';
import { manualClock } from '../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../support/provider-config.ts';

/**
 * What recorded answers of every provider cost, to the smallest unit: over the wire, through the provider, the gateway and the
 * books.
 */

const usd = (amount: number) => BigInt(Math.round(amount * 1e9));
const log = createLogger('silent');
const clock = manualClock();
const pricing = (changes: Partial<ModelPricing> = {}): ModelPricing => ({
  inputPerMillion: usd(3),
  outputPerMillion: usd(15),
  reasoningPerMillion: null,
  cacheReadPerMillion: usd(0.3),
  cacheWrite5mPerMillion: usd(3.75),
  cacheWrite1hPerMillion: usd(6),
  toolUses: { web_search_requests: usd(0.01) },
  ...changes,
});
const request = (model: string): ChatRequest => ({
  model,
  input: {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What does it cost?' }] }],
    tools: [],
    toolChoice: { type: 'auto' },
  },
  sampling: {},
  stop: [],
  maxTokens: 1_000,
});

let folder: string;
let database: Database;
let anthropic: FakeAnthropic;
let openai: FakeOpenAi;
let bedrock: FakeBedrock;
beforeAll(async () => {
  anthropic = await startFakeAnthropic();
  openai = await startFakeOpenAi();
  bedrock = await startFakeBedrock();
});
afterAll(() => Promise.all([anthropic.close(), openai.close(), bedrock.close()]));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-goldens-'));
  database = await openSqlite(join(folder, 'hearth.sqlite'), { now: () => clock.now() });
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

/** The row of one answer. `abandon`: the client goes after so many events. */
async function rowOf(
  config: ProviderConfig,
  provider: Provider,
  model: string,
  { asked = {}, abandon }: { asked?: Partial<ChatRequest>; abandon?: number } = {},
) {
  const cloud = {
    ...cloudOf({ budgets: { daily: 10, unknown_prices: 'allow' } }),
    providers: new Map([[config.id, config]]),
  };
  const accounts: Accounts = await openAccounts({
    database,
    cloud: () => cloud,
    limitsOf: () => ({ all: cloud.budget, own: cloud.keyBudget }),
    clock,
    log,
    bus: { publish: () => {} },
  });
  const gateway = createGateway({
    providers: () => new Map([[config.id, provider]]),
    guards: [accounts],
    clock,
    bus: { publish: () => {} },
  });
  const begun = await gateway.stream(
    { ...request(model), ...asked },
    anyContext({
      config: { ...localRouting, cloudAllowed: true },
      routing: { ...noWish, provider: config.id, cloud: 'require' },
    }),
  );
  let seen = 0;
  for await (const _ of begun.events) if (++seen === abandon) break;
  await accounts.flush();
  const cost = begun.costNanoUsd();
  const rows = await database.tables.selectFrom('ledger').selectAll().execute();
  const reserved = await database.tables.selectFrom('reservations').selectAll().execute();
  await accounts.close();
  expect(rows).toHaveLength(1);
  expect(reserved).toEqual([]);
  expect(rows[0]!.cost).toBe(cost);
  return rows[0]!;
}

const sse = (records: readonly object[], end = '') =>
  records.map((record) => `data: ${JSON.stringify(record)}\n\n`).join('') + end;

describe("an answer of Anthropic's API", () => {
  const claude = (changes: Partial<ModelPricing> = {}) =>
    anthropicConfig({
      baseUrl: anthropic.url,
      models: [cloudModel('claude-sonnet-4-5', { pricing: pricing(changes) })],
    });
  const costOf = (config = claude(), abandon?: number) =>
    rowOf(
      config,
      createAnthropicProvider({ config, clock, log }),
      'claude-sonnet-4-5',
      abandon === undefined ? {} : { abandon },
    );
  const recorded = (start: object, end: object, text = 'Four') => {
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-sonnet-4-5',
      content: [],
      usage: start,
    };
    const events = [
      { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: end },
      { type: 'message_stop' },
    ];
    return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
  };

  it('with caches of both lifetimes, a search and a region costs what each of them does', async () => {
    anthropic.recording = readFileSync(new URL('../fixtures/anthropic/stream.sse', import.meta.url), 'utf8');
    const row = await costOf();
    expect(row).toMatchObject({
      input_tokens: 21n,
      cache_read_tokens: 2_048n,
      cache_write_5m_tokens: 148n,
      cache_write_1h_tokens: 40n,
      output_tokens: 161n,
      served_place: 'eu',
      is_estimated: 0n,
    });
    // (21 x 3 + 2048 x 0.3 + 148 x 3.75 + 40 x 6 + 161 x 15) x 1.1 millionths, and a search.
    expect(row.cost).toBe(4_276_140n + usd(0.01));
  });

  it('counts usage once: what comes at the end replaces what came at the start', async () => {
    anthropic.recording = recorded(
      { input_tokens: 100, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
      { input_tokens: 100, output_tokens: 20, cache_read_input_tokens: null },
    );
    expect(await costOf()).toMatchObject({ input_tokens: 100n, output_tokens: 20n, cost: 600_000n });
  });

  it('that begins with zeros is billed by its end', async () => {
    anthropic.recording = recorded({ input_tokens: 0, output_tokens: 0 }, { input_tokens: 50, output_tokens: 4 });
    expect(await costOf()).toMatchObject({ input_tokens: 50n, output_tokens: 4n, cost: 210_000n, is_estimated: 0n });
  });

  it('costs by the speed and the place that were served, caches too', async () => {
    const start = {
      input_tokens: 10,
      cache_read_input_tokens: 1_000,
      output_tokens: 1,
      speed: 'fast',
      inference_geo: 'us',
    };
    anthropic.recording = recorded(start, { output_tokens: 2 });
    const config = claude({ tiers: { fast: { numerator: 6n, denominator: 1n } } });
    // (10 x 3 + 1000 x 0.3 + 2 x 15) x 6 x 1.1.
    expect(await costOf(config)).toMatchObject({ served_tier: 'fast', served_place: 'us', cost: 2_376_000n });
  });

  it('has no cost where it was fast and nobody knows what that costs', async () => {
    anthropic.recording = recorded({ input_tokens: 10, output_tokens: 1, speed: 'fast' }, { output_tokens: 2 });
    expect(await costOf()).toMatchObject({ cost: null });
  });

  it('of a long prompt costs what long prompts cost, where only its caches make it one', async () => {
    const start = { input_tokens: 100, cache_read_input_tokens: 200_000, output_tokens: 1 };
    anthropic.recording = recorded(start, { output_tokens: 20 });
    const prices = { inputPerMillion: usd(6), outputPerMillion: usd(22.5), cacheReadPerMillion: usd(0.6) };
    const config = claude({
      longContext: {
        aboveTokens: 200_000,
        prices: { ...prices, reasoningPerMillion: null, cacheWrite5mPerMillion: null, cacheWrite1hPerMillion: null },
      },
    });
    // 100 x 6 + 200000 x 0.6 + 20 x 22.5.
    expect(await costOf(config)).toMatchObject({ cost: 121_050_000n, is_estimated: 0n });
    anthropic.recording = recorded({ ...start, input_tokens: 0 }, { output_tokens: 20 });
    // One that is just not longer: 200000 x 0.3 + 20 x 15.
    await database.transaction(async (tables) => {
      await tables.deleteFrom('ledger').execute();
    });
    expect(await costOf(config)).toMatchObject({ cost: 60_300_000n });
  });

  it('costs half as one of a batch, and as always in the usual class', async () => {
    for (const [tier, cost] of [
      ['batch', 307_500n],
      ['standard', 615_000n],
    ] as const) {
      anthropic.recording = recorded(
        { input_tokens: 100, cache_read_input_tokens: 50, output_tokens: 1, service_tier: tier },
        { output_tokens: 20 },
      );
      await database.transaction(async (tables) => {
        await tables.deleteFrom('ledger').execute();
      });
      expect([tier, (await costOf()).cost]).toEqual([tier, cost]);
    }
  });

  it('has no cost where nobody knows its price, and its counts all the same', async () => {
    anthropic.recording = recorded({ input_tokens: 100, output_tokens: 1 }, { output_tokens: 20 });
    const config = anthropicConfig({ baseUrl: anthropic.url, models: [cloudModel('claude-sonnet-4-5')] });
    expect(await costOf(config)).toMatchObject({ cost: null, input_tokens: 100n, output_tokens: 20n });
  });

  it('is rounded once, upwards, to a billionth of a dollar', async () => {
    anthropic.recording = recorded({ input_tokens: 1, output_tokens: 1 }, { output_tokens: 1 });
    const config = claude({ inputPerMillion: 1_000_001n, outputPerMillion: 1n });
    // 1.000001 and 0.000001 nano-USD.
    expect(await costOf(config)).toMatchObject({ cost: 2n });
  });

  it('that its client leaves costs its prompt and what was seen of it', async () => {
    anthropic.recording = recorded({ input_tokens: 100, output_tokens: 1 }, { output_tokens: 500 }, 'x'.repeat(30));
    // After its start, its block and the piece of text: 10 tokens, as far as one can tell.
    expect(await costOf(claude(), 3)).toMatchObject({
      outcome: 'cancelled',
      is_estimated: 1n,
      input_tokens: 100n,
      output_tokens: 10n,
      cost: 450_000n,
    });
  });
});

describe("an answer in OpenAI's dialect", () => {
  const chunk = (delta: object, rest: object = {}) => ({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'gpt-x',
    choices: [{ index: 0, delta, finish_reason: null }],
    ...rest,
  });
  const ended = (rest: object = {}) => ({
    ...chunk({}),
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    ...rest,
  });
  const costOf = (
    records: readonly object[],
    changes: Partial<ProviderConfig> = {},
    prices: Partial<ModelPricing> = {},
  ) => {
    openai.play({
      type: 'answer',
      status: 200,
      contentType: 'text/event-stream',
      body: sse(records, 'data: [DONE]\n\n'),
    });
    const config = providerConfig({
      baseUrl: openai.baseUrl,
      models: [cloudModel('gpt-x', { pricing: pricing(prices) })],
      ...changes,
    });
    return rowOf(config, createOpenAiCompatibleProvider({ config, clock }), 'gpt-x');
  };

  it('of OpenAI has its cached tokens once, though they are among those of the prompt', async () => {
    const usage = {
      prompt_tokens: 2_006,
      completion_tokens: 300,
      total_tokens: 2_306,
      prompt_tokens_details: { cached_tokens: 1_920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 128, audio_tokens: 0 },
    };
    const row = await costOf([
      chunk({ role: 'assistant', content: '' }, { service_tier: 'default', usage: null }),
      chunk({ content: 'Four' }, { service_tier: 'default', usage: null }),
      ended({ service_tier: 'default', usage: null }),
      { ...chunk({}), choices: [], service_tier: 'default', usage },
    ]);
    expect(row).toMatchObject({
      input_tokens: 86n,
      cache_read_tokens: 1_920n,
      output_tokens: 300n,
      reasoning_tokens: 128n,
      served_tier: 'default',
      is_estimated: 0n,
    });
    // 86 x 3 + 1920 x 0.3 + 300 x 15.
    expect(row.cost).toBe(5_334_000n);
  });

  it('of OpenAI costs by the class that was served, whatever was asked for', async () => {
    const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
    const records = [
      chunk({ content: 'Four' }, { service_tier: 'flex' }),
      ended({ service_tier: 'flex' }),
      { ...chunk({}), choices: [], service_tier: 'flex', usage },
    ];
    expect(await costOf(records)).toMatchObject({ served_tier: 'flex', cost: 225_000n });
  });

  it('of Gemini has the thinking that its completion tokens leave out, and usage that grows with each piece', async () => {
    const usage = (completion: number, total: number) => ({
      usage: { prompt_tokens: 120, completion_tokens: completion, total_tokens: total },
    });
    const row = await costOf(
      [
        chunk({ role: 'assistant', content: 'Fo' }, usage(1, 181)),
        chunk({ content: 'ur' }, usage(2, 200)),
        ended(usage(20, 220)),
      ],
      { preset: 'gemini' },
      { inputPerMillion: usd(0.1), outputPerMillion: usd(0.4) },
    );
    expect(row).toMatchObject({ input_tokens: 120n, output_tokens: 100n, cost: 52_000n, is_estimated: 0n });
  });

  it('of DeepSeek has what its cache had by its own name', async () => {
    const usage = {
      prompt_tokens: 1_000,
      completion_tokens: 10,
      total_tokens: 1_010,
      prompt_cache_hit_tokens: 640,
      prompt_cache_miss_tokens: 360,
    };
    const row = await costOf([chunk({ content: 'Four' }), ended({ usage })], { preset: 'deepseek' });
    // 360 x 3 + 640 x 0.3 + 10 x 15.
    expect(row).toMatchObject({ input_tokens: 360n, cache_read_tokens: 640n, cost: 1_422_000n });
  });

  it('of Qwen has its cached tokens where OpenAI has them', async () => {
    const usage = {
      prompt_tokens: 3_019,
      completion_tokens: 104,
      total_tokens: 3_123,
      prompt_tokens_details: { cached_tokens: 2_048 },
    };
    const row = await costOf([chunk({ content: 'Four' }), ended(), { ...chunk({}), choices: [], usage }], {
      preset: 'qwen',
    });
    // 971 x 3 + 2048 x 0.3 + 104 x 15.
    expect(row).toMatchObject({ input_tokens: 971n, cache_read_tokens: 2_048n, cost: 5_087_400n, is_estimated: 0n });
  });

  it('of a long prompt costs what long prompts cost, in the class that was served', async () => {
    const usage = {
      prompt_tokens: 272_001,
      completion_tokens: 10,
      total_tokens: 272_011,
      prompt_tokens_details: { cached_tokens: 272_000 },
    };
    const records = [
      chunk({ content: 'Four' }),
      ended(),
      { ...chunk({}), choices: [], service_tier: 'priority', usage },
    ];
    const long = { inputPerMillion: usd(6), outputPerMillion: usd(22.5), cacheReadPerMillion: usd(0.6) };
    const row = await costOf(
      records,
      {},
      {
        longContext: {
          aboveTokens: 272_000,
          prices: { ...long, reasoningPerMillion: null, cacheWrite5mPerMillion: null, cacheWrite1hPerMillion: null },
        },
        tiers: { priority: { numerator: 5n, denominator: 2n } },
      },
    );
    // (1 x 6 + 272000 x 0.6 + 10 x 22.5) x 2.5.
    expect(row).toMatchObject({ served_tier: 'priority', cost: 408_577_500n });
  });

  it.each(['vllm', 'llama-server', 'ollama', 'hearth'] as const)(
    'of an own machine (%s) costs nothing where it has no price',
    async (preset) => {
      const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
      openai.play({
        type: 'answer',
        status: 200,
        contentType: 'text/event-stream',
        body: sse([chunk({ content: 'Four' }), ended({ usage })], 'data: [DONE]\n\n'),
      });
      const config = providerConfig({ baseUrl: openai.baseUrl, models: [cloudModel('gpt-x')], preset });
      const row = await rowOf(config, createOpenAiCompatibleProvider({ config, clock }), 'gpt-x');
      expect(row).toMatchObject({ cost: 0n, input_tokens: 100n, output_tokens: 10n, left_house: 1n });
    },
  );

  it('that never says what it took is guessed, and says so', async () => {
    const row = await costOf([chunk({ content: 'x'.repeat(30) }), ended()]);
    expect(row).toMatchObject({ output_tokens: 10n, is_estimated: 1n, outcome: 'answered' });
    // The prompt of 18 letters is 6 tokens, and 24 stand around it.
    expect(row).toMatchObject({ input_tokens: 30n, cost: 240_000n });
  });
});

describe('an answer of Bedrock', () => {
  const nova = 'eu.amazon.nova-pro-v1:0';
  const claude = (scope: string) => `${scope}anthropic.claude-sonnet-4-5-20250929-v1:0`;
  const costOf = async (model: string, events: readonly unknown[], asked: Partial<ChatRequest> = {}) => {
    bedrock.script.push({ type: 'events', events: events as never });
    const changes = { models: [cloudModel(model, { pricing: pricing() })] };
    const provider = bedrockOver(bedrock.baseUrl, changes, { clock });
    try {
      return await rowOf(bedrockConfig({ baseUrl: bedrock.baseUrl, ...changes }), provider, model, { asked });
    } finally {
      provider.close();
    }
  };
  const answered = (usage: object, more: object = {}) => [
    ['messageStart', { role: 'assistant' }],
    ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Four' } }],
    ['contentBlockStop', { contentBlockIndex: 0 }],
    ['messageStop', { stopReason: 'end_turn' }],
    ['metadata', { usage, metrics: { latencyMs: 5 }, ...more }],
  ];
  const usage = {
    inputTokens: 21,
    outputTokens: 7,
    totalTokens: 28,
    cacheReadInputTokens: 1_000,
    cacheWriteInputTokens: 300,
    cacheDetails: [
      { ttl: '1h', inputTokens: 100 },
      { ttl: '5m', inputTokens: 200 },
    ],
  };

  it('has the writes of an hour apart from those of five minutes', async () => {
    const row = await costOf(nova, answered(usage));
    expect(row).toMatchObject({ cache_write_5m_tokens: 200n, cache_write_1h_tokens: 100n, cache_read_tokens: 1_000n });
    // 21 x 3 + 1000 x 0.3 + 200 x 3.75 + 100 x 6 + 7 x 15; Nova costs the same in every region.
    expect(row.cost).toBe(1_818_000n);
  });

  it('costs by the class that was served', async () => {
    const row = await costOf(nova, answered(usage, { serviceTier: { type: 'flex' } }));
    expect(row).toMatchObject({ served_tier: 'flex', cost: 909_000n });
  });

  const start = { input_tokens: 100, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
  const message = (more: object = {}) => [
    {
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [],
        usage: { ...start, ...more },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Four' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 20 } },
    { type: 'message_stop' },
  ];

  it('of Claude that passes as it came has the writes of an hour apart, too', async () => {
    const body = {
      model: claude('global.'),
      max_tokens: 100,
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    };
    const original: OriginalRequest = {
      dialect: 'anthropic',
      path: '/v1/messages',
      headers: { 'anthropic-version': '2023-06-01' },
      body,
      bytes: Buffer.from(JSON.stringify(body)),
    };
    const caches = {
      cache_read_input_tokens: 1_000,
      cache_creation_input_tokens: 300,
      cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 },
    };
    const row = await costOf(claude('global.'), message(caches), { original, onlyRelayed: true });
    expect(row).toMatchObject({ cache_write_5m_tokens: 200n, cache_write_1h_tokens: 100n });
    // 100 x 3 + 1000 x 0.3 + 200 x 3.75 + 100 x 6 + 20 x 15.
    expect(row.cost).toBe(2_250_000n);
  });

  it.each([
    ['global.', 600_000n],
    ['eu.', 660_000n],
  ])('of Claude by the profile %s has its scope in its price', async (scope, cost) => {
    const events = answered({ inputTokens: 100, outputTokens: 20, totalTokens: 120 });
    expect((await costOf(claude(scope), events)).cost).toBe(cost);
  });

  it.each([
    ['global.', {}, 600_000n],
    ['eu.', {}, 660_000n],
    // What the answer says counts more than what the id promised.
    ['global.', { inference_geo: 'us' }, 660_000n],
    ['eu.', { inference_geo: 'global' }, 600_000n],
  ])(
    'of Claude that passes as it came, by the profile %s and saying %j, has the place in its price',
    async (scope, more, cost) => {
      const body = { model: claude(scope), max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'hi' }] };
      const original: OriginalRequest = {
        dialect: 'anthropic',
        path: '/v1/messages',
        headers: { 'anthropic-version': '2023-06-01' },
        body,
        bytes: Buffer.from(JSON.stringify(body)),
      };
      expect(await costOf(claude(scope), message(more), { original, onlyRelayed: true })).toMatchObject({
        input_tokens: 100n,
        output_tokens: 20n,
        cost,
      });
    },
  );
});
