import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { benchLines } from '../../src/cli/bench.ts';
import type { BenchModel, TimedAnswer } from '../../src/cli/bench-api.ts';
import { median, runBench } from '../../src/cli/bench-run.ts';
import { costRows, rangeOf, usd } from '../../src/cli/cost.ts';
import { logLine } from '../../src/cli/logs.ts';
import { privacyLines } from '../../src/cli/privacy.ts';
import type { LiveState } from '../../src/cli/status-api.ts';
import { memoryLines, requestStatusLines, statusLines } from '../../src/cli/status-lines.ts';
import { commandSayer } from '../../src/core/say-command.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { runCli } from '../support/run-cli.ts';

const gb = 1e9;
const memory: LiveState['memory'] = {
  total_bytes: 8 * gb,
  source: 'host',
  reserve_bytes: 0.25 * gb,
  free_bytes: 2 * gb,
  others_bytes: 3.5 * gb,
  server_bytes: 0.05 * gb,
  models: [
    { model: 'qwen3-4b', total_bytes: 2.2 * gb, weights_bytes: 2 * gb, cache_bytes: 0.1 * gb, work_bytes: 0.1 * gb },
  ],
};
const state: LiveState = {
  server: { version: '1.0.0', state: 'ready', reason: null },
  memory,
  models: [
    {
      name: 'qwen3-4b',
      quantization: 'q4_k_m',
      state: 'loaded',
      active_requests: 1,
      slots: 4,
      queued_requests: 2,
      tokens_per_second: 12.34,
      pinned: false,
      expires_at: null,
    },
  ],
  pace: { tokens_per_second: 12.34, first_token_ms: 250.4 },
  requests: [
    {
      request_id: 'req_1',
      key: 'kitchen',
      model: 'qwen3-4b',
      provider: 'local',
      status: 'running',
      elapsed_ms: 1_500,
      stage: 'prompt',
      place: null,
      prompt_progress: 0.456,
      output_tokens: 0,
    },
  ],
  providers: [
    { id: 'local', enabled: true, status: 'healthy', error: null },
    { id: 'openai', enabled: true, status: 'unhealthy', error: 'Access denied' },
    { id: 'qwen', enabled: false, status: 'disabled', error: null },
  ],
  today: {
    cost_usd: 0.42,
    here: 12,
    left: 3,
    budgets: [{ period: 'day', limit_usd: 5, spent_usd: 0.42 }],
  },
  jobs: { pending: 3, running: 1 },
};
const about = {
  address: 'http://127.0.0.1:8000',
  startedAt: new Date('2026-11-29T08:00:00Z'),
  now: new Date('2026-11-29T10:05:00Z'),
};

const sayCommand = commandSayer('./hearth');

describe('the status of a server', () => {
  it('has memory by part, models, requests, batches, providers and the day', () => {
    const text = statusLines(state, about).join('\n');
    expect(text).toContain('Hearth 1.0.0 at http://127.0.0.1:8000, up 2 h 5 min, ready');
    expect(text).toMatch(/qwen3-4b:q4_k_m +loaded +1\/4 +2 +12\.3/);
    expect(text).toContain('first token of the latest answer after 250 ms');
    expect(text).toMatch(/req_1 +kitchen +qwen3-4b +reads 45 % +1\.5 s +0/);
    expect(text).toContain('batches    1 requests run, 3 wait');
    expect(text).toContain('providers  openai unhealthy (Access denied), qwen off');
    expect(text).toContain('today      12 answered here, 3 sent elsewhere, 0.42 USD (0.42 of 5.00 a day)');
  });

  it('says what is not there, and what is not known', () => {
    const empty = { ...state, models: [], requests: [], providers: [], today: null, jobs: null };
    const text = statusLines(empty, { ...about, startedAt: null }).join('\n');
    for (const word of ['models     none is loaded', 'requests   none', 'this machine alone', 'not known']) {
      expect(text).toContain(word);
    }
  });

  it('draws every part of the memory, however small, in a bar of one width', () => {
    const bars = [memory, { ...memory, server_bytes: 1, free_bytes: 1, others_bytes: 7.5 * gb }].map(
      (one) => memoryLines(one)[1]!,
    );
    for (const bar of bars) {
      expect(bar).toHaveLength(62);
      expect([...new Set(bar.slice(1, -1))].join('')).toBe('oh1.r');
    }
    expect(memoryLines(memory).join('\n')).toContain('weights 2.0 GB, cache 100 MB, work space 100 MB');
  });

  it('of a request has its text so far, of a batch how far it is', () => {
    const one = { request_id: 'batch_1', status: 'running', created_at: '2026-11-29T10:00:00.000Z' };
    expect(requestStatusLines({ ...one, partial_output: 'Hello' }).at(-1)).toBe('  so far: Hello');
    const progress = { total: 10, done: 4, failed: 1, left_seconds: 90 };
    expect(requestStatusLines({ ...one, progress }).at(-1)).toBe('  4 of 10 done, 1 failed, 2 min left');
  });
});

describe('a line of the log', () => {
  const line = {
    sequence: 1,
    time: '2026-11-29T10:00:00.000Z',
    level: 'warn',
    message: 'memory is short',
    request_id: 'req_1',
  };

  it('has its level, its message, its request and what else it says in one line', () => {
    const fields = { model: 'tiny', err: { message: 'gone', stack: 'long\nlong' }, notes: ['a'], reason: 'two words' };
    expect(logLine({ ...line, fields })).toMatch(
      /^\S+ \S+ warn {3}memory is short {2}request=req_1 {2}model=tiny {2}err="gone" {2}notes=\["a"\] {2}reason="two words"$/,
    );
  });
});

describe('costs', () => {
  const counts = { requests: 1, input_tokens: 10, output_tokens: 5 };
  const row = (more: object) => ({
    key: 'k1',
    key_name: 'kitchen',
    provider: 'openai',
    model: 'gpt-4o',
    left_house: true,
    ...counts,
    cost: 0.5,
    unknown_cost_count: 0,
    ...more,
  });
  const day = (date: string, ...by_key: ReturnType<typeof row>[]) => ({
    date,
    here: { requests: 2, input_tokens: 0, output_tokens: 0 },
    left: { requests: by_key.length, input_tokens: 20, output_tokens: 10 },
    by_key,
  });
  const days = [
    day('2026-11-29', row({}), row({ key_name: null, provider: 'claude', model: 'opus', cost: 2 })),
    day(
      '2026-11-28',
      row({ cost: 0.25, unknown_cost_count: 1 }),
      row({ left_house: false, provider: 'local', cost: 0 }),
    ),
  ];

  it.each([
    [
      'provider',
      [
        ['claude', 2],
        ['openai', 0.75],
      ],
    ],
    [
      'key',
      [
        ['k1', 2],
        ['kitchen', 0.75],
      ],
    ],
    [
      'model',
      [
        ['claude:opus', 2],
        ['openai:gpt-4o', 0.75],
      ],
    ],
    [
      'day',
      [
        ['2026-11-29', 2.5],
        ['2026-11-28', 0.25],
      ],
    ],
  ] as const)('are summed by %s, without what was answered here', (by, expected) => {
    expect(costRows(days, by).map(({ name, cost }) => [name, cost])).toEqual(expected);
  });

  it('are of the month that runs, of another one, or of the last days', () => {
    const now = new Date('2026-11-29T23:30:00Z');
    expect(rangeOf({}, now)).toEqual({ days: 29, month: '2026-11' });
    expect(rangeOf({ month: '2026-10' }, now)).toEqual({ days: 60, month: '2026-10' });
    expect(rangeOf({ days: 3 }, now)).toEqual({ days: 3, month: null });
    expect(rangeOf({ month: '2027-01' }, now)).toEqual({ days: 1, month: '2027-01' });
  });

  it('are told to the cent, and finer below it', () => {
    expect([usd(0), usd(1.005), usd(12.3), usd(0.00042)]).toEqual(['0.00', '1.00', '12.30', '0.00042']);
  });

  it('what left the house is told by day, key and model', () => {
    const lines = privacyLines(days);
    expect(lines).toContain('4 requests were answered here, 4 were sent elsewhere.');
    expect(lines.some((line) => /^kitchen +openai:gpt-4o +2$/.test(line))).toBe(true);
    const home = [{ ...day('2026-11-29'), left: { requests: 0, input_tokens: 0, output_tokens: 0 } }];
    expect(privacyLines(home).at(-1)).toBe('All 2 requests were answered here; nothing left the house.');
  });
});

describe('a measurement', () => {
  const model: BenchModel = {
    name: 'tiny',
    quantization: 'q8_0',
    state: 'loaded',
    context_length_loaded: 2048,
    slots: 4,
    threads: 1,
    kernels: { name: 'haswell', built_here: true, gain_of_built: null },
    advice: null,
    gpu: 'off',
    gpu_device: null,
    load_ms: 1_234,
  };
  /** Reads two tokens a millisecond, then writes one every ten. */
  const answerOf = async ({ prompt, tokens }: { prompt: string; tokens: number }): Promise<TimedAnswer> => {
    const promptTokens = prompt.split(' ').length * 2;
    const firstTokenMs = promptTokens / 2;
    return { firstTokenMs, lastTokenMs: firstTokenMs + (tokens - 1) * 10, promptTokens, cachedTokens: 0, tokens };
  };
  const run = (of: BenchModel, answer = answerOf) =>
    runBench({ answer, random: (limit) => limit - 1, onStep: () => {} }, of, { rounds: 3, tokens: 65, streams: 4 });

  it('has rates of prompts and answers, alone and several at a time', async () => {
    const result = await run(model);
    expect(result.prompts).toEqual([
      { wanted_tokens: 128, prompt_tokens: 128, tokens_per_second: 2_000, first_token_ms: 64 },
      { wanted_tokens: 512, prompt_tokens: 512, tokens_per_second: 2_000, first_token_ms: 256 },
    ]);
    expect(result.decode).toEqual([
      { streams: 1, tokens_per_second: 100, tokens_per_second_each: 100, first_token_ms: 16 },
      { streams: 4, tokens_per_second: 400, tokens_per_second_each: 100, first_token_ms: 16 },
    ]);
    expect(benchLines(model, result, sayCommand)).toEqual([
      'tiny:q8_0 on 1 thread, kernels haswell (built here), loaded in 1.2 s',
      '',
      '                      TOKENS/S   EACH  FIRST TOKEN',
      'prompt of 128 tokens    2000.0               64 ms',
      'prompt of 512 tokens    2000.0              256 ms',
      'one answer               100.0               16 ms',
      '4 answers at a time      400.0  100.0        16 ms',
    ]);
  });

  it('says what the kernels bring or would bring, and which quantization is faster', async () => {
    const result = { prompts: [], decode: [], notes: [] };
    const linesOf = (changes: Partial<BenchModel>) => benchLines({ ...model, ...changes }, result, sayCommand).slice(3);
    const gain_of_built = { prompt: 4.33, decode: 2, measured_here: true };
    expect(linesOf({ kernels: { name: 'sse42', built_here: true, gain_of_built } })).toEqual([
      '',
      'The kernels built here make its prompts 4.3 and answers 2.0 times as fast, measured on this machine.',
    ]);
    const other = { ...gain_of_built, measured_here: false };
    const advice = { message: "Q4_K_M reads prompts at 0.5 of Q4_0's speed on this processor: hearth pull x:Q4_0" };
    expect(linesOf({ kernels: { name: 'sse42', built_here: false, gain_of_built: other }, advice })).toEqual([
      '',
      '"npm run build:kernels" would make its prompts 4.3 and answers 2.0 times as fast, measured on another machine with such kernels.',
      'Q4_K_M reads prompts at 0.5 of Q4_0\'s speed on this processor: "./hearth pull x:Q4_0".',
    ]);
    const none = { prompt: 1.01, decode: 1, measured_here: true };
    expect(linesOf({ kernels: { name: 'zen4', built_here: false, gain_of_built: none } })).toEqual([]);
    expect(linesOf({ gpu_device: 'GPU', kernels: { name: 'sse42', built_here: true, gain_of_built } })).toEqual([]);
  });

  it('leaves out a prompt that does not fit, and says when one was known before', async () => {
    const small = await run({ ...model, context_length_loaded: 256 });
    expect(small.prompts.map(({ wanted_tokens }) => wanted_tokens)).toEqual([128]);
    expect(small.notes).toEqual(['A prompt of 512 tokens does not fit into the context of 256.']);
    const cached = await run(model, async (wish) => ({ ...(await answerOf(wish)), cachedTokens: 5 }));
    expect(cached.notes).toHaveLength(2);
  });

  it('counts the middle of its rounds', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});

describe('the commands', () => {
  let harness: Harness;
  let folder: string;
  let config: ReturnType<typeof testConfig>;
  beforeEach(async () => {
    harness = await createHarness({ apiKeys: ['secret-key'] });
    folder = await mkdtemp(join(tmpdir(), 'hearth-operations-'));
    const { port } = new URL(await harness.http.listen());
    config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
  });
  afterEach(async () => {
    await harness.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('logs: the last lines, of a level, and as JSON', async () => {
    const log = createLogger('info', { write: () => {} }, harness.logLines);
    log.info('one');
    log.warn({ model: 'tiny' }, 'two\u001b[2J');
    const all = await runCli(config, ['logs']);
    expect(all.text.split('\n').map((line) => line.slice(20))).toEqual([
      'info   one',
      'warn   two%1B[2J  model=tiny',
      '',
    ]);
    expect((await runCli(config, ['logs', '--level', 'warn'])).text).not.toContain('one');
    const json = JSON.parse((await runCli(config, ['logs', '--json', '-n', '1'])).text);
    expect(json).toMatchObject([{ sequence: 2, level: 'warn', request_id: null, fields: { model: 'tiny' } }]);
  });

  it('logs --follow: the newest of those that are there, until the server ends', async () => {
    const log = createLogger('info', { write: () => {} }, harness.logLines);
    for (const word of ['one', 'two', 'three']) log.info(word);
    harness.logLines.end();
    const { text, failures, code } = await runCli(config, ['logs', '--follow', '--lines', '2', '--json']);
    const messages = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).message);
    expect(messages).toEqual(['two', 'three']);
    expect([failures, code]).toEqual([['The server has ended.'], 1]);
  });

  it('status: the server, and one request', async () => {
    const { text, code } = await runCli(config, ['status']);
    expect(code).toBe(0);
    expect(text).toMatch(/^Hearth 1\.2\.3 at http:\/\/127\.0\.0\.1:\d+, up \d+ \w+, ready\n/);
    const json = JSON.parse((await runCli(config, ['status', '--json'])).text);
    expect(Object.keys(json)).toEqual(
      expect.arrayContaining(['server', 'memory', 'models', 'pace', 'requests', 'providers', 'today', 'jobs']),
    );
    expect(json.server).toMatchObject({
      address: expect.stringContaining('127.0.0.1'),
      started_at: expect.any(String),
    });
    const absent = await runCli(config, ['status', 'req_none']);
    expect([absent.failures, absent.code]).toEqual([['There is no request of this id.'], 1]);
  });

  it('cost and privacy: of a server, and of the folders alone', async () => {
    expect((await runCli(config, ['cost'])).text).toContain('Nothing was sent to other providers');
    const json = JSON.parse((await runCli(config, ['cost', '--by', 'key', '--json'])).text);
    expect(json).toEqual({
      range: expect.anything(),
      by: 'key',
      total: 0,
      unknown_cost_count: 0,
      rows: [],
      alerts: [],
    });
    expect((await runCli(config, ['privacy', '--days', '2'])).text).toBe(
      'Nothing was asked in the last 2 days (in UTC).\n',
    );
    const alone = { ...testConfig({}, { folder: join(folder, 'models'), builtin: false }), dataFolder: folder };
    expect(JSON.parse((await runCli(alone, ['privacy', '--json', '--days', '1'])).text)).toMatchObject([
      { by_key: [] },
    ]);
  });

  it('bench names the model that was likely meant', async () => {
    const { failures, code } = await runCli(config, ['bench', 'tinny']);
    expect([failures, code]).toEqual([['There is no model "tinny". Did you mean "tiny"?'], 1]);
  });

  it.each([['status'], ['logs'], ['bench']])('%s needs a server that runs', async (word) => {
    const alone = { ...testConfig({}, { folder: join(folder, 'models'), builtin: false }), dataFolder: folder };
    const { failures, code } = await runCli(alone, [word]);
    expect([failures, code]).toEqual([[expect.stringContaining('Start one with "hearth"')], 1]);
  });
});
