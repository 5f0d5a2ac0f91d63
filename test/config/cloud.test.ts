import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { warningsOf } from '../../src/config/cloud.ts';
import { changesBetween } from '../../src/config/differences.ts';
import { ConfigError, loadConfig } from '../../src/config/load.ts';
import { createConfigStore } from '../../src/config/store.ts';
import { watchFile } from '../../src/config/watch.ts';
import { AppError } from '../../src/core/errors.ts';
import { manualClock } from '../support/manual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-cloud-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const write = (text: string) => {
  const path = join(folder, `config-${files++}.yaml`);
  writeFileSync(path, text);
  return path;
};
const load = (text: string, env: Record<string, string> = {}) =>
  loadConfig({ flags: { config: write(text) }, env, cwd: folder }).cloud;

describe('providers of the file', () => {
  it('are read by the names of the second specification', () => {
    const { providers, ...rest } = load(
      `
version: "1.0"
global: { default_provider: gemini, default_model: gemini-2.0-flash-exp, request_timeout: 30, max_retries: 3, enable_caching: true, cache_ttl: 3600 }
providers:
  gemini:
    enabled: true
    display_name: Google Gemini
    base_url: https://gemini.example/v1/
    api_key: \${GEMINI_KEY}
    models:
      - id: gemini-2.0-flash-exp
        aliases: [flash]
        context_window: 1000000
        max_output_tokens: 8192
        is_default: true
        pricing: { input_per_1k: 0.000075, output_per_1k: 0.0003, cache_read_per_1k: 0.00001875 }
    rate_limits: { requests_per_minute: 60, tokens_per_minute: 1000000, requests_per_day: 1500 }
    capabilities: { supports_streaming: true, supports_vision: true }
failover_chains:
  default: [gemini, local]
  premium: { providers: [gemini], description: High-quality output chain }
budgets: { daily: 5, monthly: "50.00", per_key: { daily: 0.5 }, alert_at: 0.8 }
rate_limits: { per_key: { requests_per_minute: 30 }, per_address: { requests_per_minute: 100 } }
keys:
  - { name: kitchen, key: "\${KITCHEN}", scopes: [inference], cloud: false, models: [qwen], expires: 2027-01-01 }
`,
      { GEMINI_KEY: 'secret-gemini', KITCHEN: 'secret-kitchen' },
    );
    const gemini = providers.get('gemini')!;
    expect(gemini).toMatchObject({
      id: 'gemini',
      type: 'openai-compatible',
      preset: 'gemini',
      enabled: true,
      displayName: 'Google Gemini',
      baseUrl: 'https://gemini.example/v1',
      rateLimits: { requestsPerMinute: 60, tokensPerMinute: 1_000_000, requestsPerDay: 1_500 },
      capabilities: { supports_streaming: true, supports_vision: true },
    });
    expect(gemini.apiKey!.reveal()).toBe('secret-gemini');
    expect(gemini.models).toEqual([
      {
        id: 'gemini-2.0-flash-exp',
        aliases: ['flash'],
        displayName: null,
        contextTokens: 1_000_000,
        maxOutputTokens: 8_192,
        isDefault: true,
        supportsVision: null,
        supportsTools: null,
        pricing: {
          inputPerMillion: 75_000_000n,
          outputPerMillion: 300_000_000n,
          reasoningPerMillion: null,
          cacheReadPerMillion: 18_750_000n,
          cacheWrite5mPerMillion: null,
          cacheWrite1hPerMillion: null,
        },
      },
    ]);
    expect(rest).toMatchObject({
      version: '1.0',
      cloudAllowed: true,
      defaultProvider: 'gemini',
      defaultModel: 'gemini-2.0-flash-exp',
      requestTimeoutMs: 30_000,
      retries: { maxAttempts: 4 },
      caching: { enabled: true, ttlSeconds: 3_600 },
      chains: {
        default: { providers: ['gemini', 'local'], description: '' },
        premium: { providers: ['gemini'], description: 'High-quality output chain' },
      },
      budget: { daily: 5_000_000_000n, weekly: null, monthly: 50_000_000_000n },
      keyBudget: { daily: 500_000_000n },
      alertAt: 0.8,
      rateLimits: { perKey: { requestsPerMinute: 30 }, perAddress: { requestsPerMinute: 100 } },
    });
    expect(rest.keys).toMatchObject([
      { name: 'kitchen', mayUseCloud: false, models: ['qwen'], expiresAt: new Date('2027-01-01'), budget: null },
    ]);
  });

  it.each([
    ['anthropic: {}', 'anthropic', null],
    ['bedrock: { region: eu-central-1 }', 'bedrock', null],
    ['deepseek: {}', 'openai-compatible', 'deepseek'],
    ['work: { type: openai }', 'openai-compatible', 'openai'],
    ['work: { type: anthropic, base_url: "http://127.0.0.1:9" }', 'anthropic', null],
    ['box: { preset: llama-server, base_url: "http://127.0.0.1:9" }', 'openai-compatible', 'llama-server'],
    ['box: { base_url: "http://127.0.0.1:9/v1" }', 'openai-compatible', 'custom'],
  ])('are spoken to as their name, type or preset says: %s', (line, type, preset) => {
    const [provider] = load(`providers:\n  ${line}\n`).providers.values();
    expect(provider).toMatchObject({ type, preset });
  });

  it.each([
    ['providers: { work: {} }', /providers\.work\.type: must be set/],
    ['providers: { work: { type: vllm } }', /providers\.work\.base_url: must be set/],
    ['providers: { local: { type: openai } }', /providers\.local: .*this machine/s],
    ['providers: { openai: { api_keys: x } }', /providers\.openai\.api_keys: there is no such setting/],
    ['providers: { openai: { api_key: "${NOT_SET}" } }', /providers\.openai\.api_key: the variable NOT_SET is not set/],
    ['providers: { openai: { api_key: a, api_key_file: b } }', /set only one of them/],
    ['providers: { openai: { api_key_file: gone.txt } }', /api_key_file: .*gone\.txt cannot be read/],
    ['providers: { openai: { models: [{ id: m, pricing: { input_per_1k: cheap } }] } }', /must be an amount in USD/],
    [
      'providers: { openai: { models: [{ id: m, pricing: { input_per_1k: 1, input_per_million: 1 } }] } }',
      /is set beside/,
    ],
    ['failover_chains: { a: [nobody] }', /failover_chains\.a: there is no provider "nobody"/],
    ['global: { default_provider: nobody }', /there is no provider "nobody"/],
    ['keys: [{ name: a }]', /needs a key/],
    ['jwt: { issuer: a, audience: b }', /jwt: needs a jwks_file or a jwks_url/],
    ['jwt: { issuer: a, audience: b, jwks_url: "http://login.example.com" }', /jwt\.jwks_url: .*without TLS/s],
    [
      'jwt: { issuer: a, audience: b, jwks_url: "https://a", algorithms: [HS256] }',
      /jwt\.algorithms\.0: must be one of/,
    ],
    ['jwt: { issuer: a, audience: b, jwks_file: absent.json }', /jwt\.jwks_file: .*absent\.json cannot be read/],
    ['keys: [{ name: a, key: x }, { name: a, key: y }]', /is there twice/],
    [
      'providers: { openai: { models: [{ id: m, pricing: { input_per_1k: 1 } }, { id: m }] } }',
      /providers\.openai\.models: the name "m" is there twice/,
    ],
    ['providers: { openai: { models: [{ id: a, aliases: [x] }, { id: b, aliases: [x] }] } }', /"x" is there twice/],
    ['providers: { openai: { models: [{ id: a }, { id: b, aliases: [a] }] } }', /"a" is there twice/],
    ['version: 2', /version: must be '1\.0'/],
    ['providers: { openai: { api_key: "sk-canary\\nsecond" } }', /providers\.openai\.api_key: must be one line/],
    ['providers: { openai: { api_key_file: two-lines.txt } }', /api_key_file: .*two-lines\.txt must hold one line/],
    ['providers: { openai: { api_key_file: blank.txt } }', /api_key_file: .*blank\.txt is empty/],
    ['providers: { openai: { headers: { x: "canary\\nb" } } }', /providers\.openai\.headers\.x: must be one line/],
    ['keys: [{ name: a, key: canary with blanks }]', /keys\.0\.key: must be 1 to 512 characters without blanks/],
    ['keys: [{ name: a, key: canary }, { name: b, key: canary }]', /keys\.1\.key: is the key of "a" too/],
    [
      'providers: { x: { type: openai, preset: gemini } }',
      /providers\.x\.preset: is another one than its type, openai/,
    ],
    [
      'providers: { openai: { capabilities: { supports_visoin: true } } }',
      /supports_visoin: there is no such setting; did you mean supports_vision/,
    ],
    ['global: { request_timeout: 0 }', /global\.request_timeout: must be longer than 0 s/],
    ['providers: { openai: { idle_timeout: 0s } }', /providers\.openai\.idle_timeout: must be longer than 0 s/],
  ])('are refused with the place and the fix: %s', (text, message) => {
    writeFileSync(join(folder, 'two-lines.txt'), 'sk-canary\nsecond\n');
    writeFileSync(join(folder, 'blank.txt'), '\n');
    expect(() => load(text)).toThrow(ConfigError);
    expect(() => load(text)).toThrow(message);
    expect(() => load(text)).not.toThrow(/canary/);
  });

  it('name the address of signed tokens alone where that is wrong', () => {
    const text = 'jwt: { issuer: a, audience: b, jwks_url: "http://login.example.com" }';
    expect(() => load(text)).not.toThrow(/needs a jwks_file/);
  });

  it('that are off need no variable', () => {
    const openai = load('providers: { openai: { enabled: false, api_key: "${NOT_SET}" } }').providers.get('openai');
    expect(openai).toMatchObject({ enabled: false, apiKey: null });
  });

  it('say whose tokens are taken', () => {
    const line = 'jwt: { issuer: a, audience: b, jwks_url: "https://login.example.com/jwks", cloud: false }';
    expect(load(line).jwt).toEqual({
      issuer: 'a',
      audiences: ['b'],
      keys: { url: 'https://login.example.com/jwks' },
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      scopes: ['inference'],
      models: null,
      mayUseCloud: false,
      budget: null,
      rateLimits: null,
    });
  });

  it('take keys from files beside the file, and variables with something to fall back to', () => {
    writeFileSync(join(folder, 'key.txt'), 'from-file\n');
    const { providers } = load(
      'providers: { openai: { api_key_file: key.txt, base_url: "${BASE:-http://127.0.0.1:9}", headers: { X-Tenant: "a$${b}" } } }',
    );
    const openai = providers.get('openai')!;
    expect(openai.apiKey!.reveal()).toBe('from-file');
    expect(openai.baseUrl).toBe('http://127.0.0.1:9');
    expect(openai.headers['X-Tenant']!.reveal()).toBe('a${b}');
  });

  it('show their secrets nowhere', () => {
    const cloud = load(
      'providers: { openai: { api_key: canary-1, headers: { x: canary-2 } } }\nkeys: [{ name: a, key: canary-3 }]',
    );
    const shown = [
      inspect(cloud, { depth: 9 }),
      JSON.stringify([...cloud.providers.values(), cloud.keys]),
      `${cloud.keys[0]!.key}`,
    ];
    expect(shown.join()).not.toContain('canary');
  });

  it('warn of what is likely a mistake', () => {
    const warnings = warningsOf(
      load(
        'keys: [{ name: old, key: x, expires: 2020-01-01 }]\nglobal: { enable_caching: true }\nproviders: { openai: {}, ollama: {}, qwen: { api_key: x, models: [{ id: q, is_default: true }, { id: r, is_default: true }] } }',
      ),
    );
    expect(warnings).toEqual([
      "Key 'old' has expired",
      "Provider 'openai' has no models configured",
      "Provider 'openai' has no api_key",
      "Model 'q' of 'qwen' has no price",
      "Model 'r' of 'qwen' has no price",
      "Provider 'qwen' has several models with is_default; the first one counts",
      'global.enable_caching has no effect: answers are never kept',
      'Nothing may be spent: set budgets.daily, weekly or monthly to use models that cost money',
    ]);
  });
});

describe('an address that is likely a mistake', () => {
  it.each([
    [
      'hearth: { base_url: "http://nas.lan:8000" }',
      ["Provider 'hearth' has a base_url without a path: most servers have this API at /v1"],
    ],
    ['hearth: { base_url: "http://nas.lan:8000/v1" }', []],
    [
      'anthropic: { api_key: x, base_url: "http://nas.lan/v1" }',
      ["Provider 'anthropic' has a base_url that ends with /v1, which is asked for beyond it"],
    ],
    ['anthropic: { api_key: x, base_url: "http://nas.lan" }', []],
  ])('is warned of: %s', (line, expected) => {
    const warnings = warningsOf(load(`providers:\n  ${line}\nbudgets: { daily: 1 }\n`));
    expect(warnings.filter((text) => text.includes('base_url'))).toEqual(expected);
  });
});

describe('a configuration that changes while the server runs', () => {
  function setup(first: string) {
    const path = write(first);
    const read = () => loadConfig({ flags: { config: path }, env: {}, cwd: folder });
    const clock = manualClock();
    const store = createConfigStore({ initial: read(), load: read, filePath: path, clock });
    return { path, store, clock, rewrite: (text: string) => writeFileSync(path, text) };
  }

  it('names what is in a section that is empty before or after, and not the section', () => {
    const { store, rewrite, clock } = setup('');
    rewrite('failover_chains: { a: [local] }');
    clock.advance(5_000);
    expect(store.reload().settingsChanged).toEqual(['failover_chains.a']);
    rewrite('');
    clock.advance(5_000);
    expect(store.reload().settingsChanged).toEqual(['failover_chains.a']);
  });

  it('is put into force as a whole, and its changes are told', () => {
    const { store, rewrite, clock } = setup('global: { request_timeout: 30 }\nproviders: { openai: { api_key: a } }');
    const seen: number[] = [];
    store.onChange((config) => seen.push(config.cloud.requestTimeoutMs));
    rewrite('server: { port: 9999 }\nglobal: { request_timeout: 40 }\nproviders: { qwen: { api_key: b } }');
    clock.advance(5_000);
    const changes = store.reload();
    expect(changes).toMatchObject({
      providersAdded: ['qwen'],
      providersRemoved: ['openai'],
      needRestart: ['server.port'],
    });
    expect(changes.settingsChanged).toContain('global.request_timeout');
    expect(seen).toEqual([40_000]);
    expect(store.current().server.port).toBe(8_000);
    expect(store.state()).toMatchObject({ error: null, loadedAt: new Date('2026-01-01T00:00:05Z') });
  });

  it('changes hours, slots, models and keeping of batches, and not what a body of theirs may be', () => {
    const { store, rewrite } = setup('jobs: { max_slots: 2 }');
    rewrite(
      'jobs: { max_slots: 0, window: 23:00-06:00, models_per_window: 1, keep: 7d, body_limit: 1MiB }\nlog: { level: warn }',
    );
    expect(store.reload()).toMatchObject({
      settingsChanged: ['jobs.keep', 'jobs.max_slots', 'jobs.models_per_window', 'jobs.window'],
      needRestart: ['jobs.body_limit', 'log.level'],
    });
    expect(store.current().jobs).toMatchObject({
      maxSlots: 0,
      hours: { startMinute: 23 * 60, endMinute: 6 * 60 },
      modelsPerWindow: 1,
      keepMs: 7 * 86_400_000,
      bodyLimitBytes: 32 * 2 ** 20,
    });
  });

  it('changes when batches rest and who is told of their end, and not which UPS is asked', () => {
    const { store, rewrite } = setup('jobs: { max_slots: 2 }');
    const secret = `whsec_${'A'.repeat(32)}`;
    rewrite(
      `jobs: { max_slots: 2, on_battery: run, ups: nas.lan/ups, webhook_hosts: [nas.lan], webhook_secret: ${secret} }`,
    );
    expect(store.reload()).toMatchObject({
      settingsChanged: ['jobs.on_battery', 'jobs.webhook_hosts', 'jobs.webhook_secret'],
      needRestart: ['jobs.ups'],
    });
    const { runOnBattery, webhookSecret, ups } = store.current().jobs;
    expect([runOnBattery, webhookSecret?.reveal(), ups]).toEqual([true, secret, null]);
  });

  it('stays as it was when the file is bad, with line and path, and when it is only validated', () => {
    const { store, rewrite, path } = setup('providers: { openai: { api_key: a } }');
    rewrite('providers:\n  openai:\n    api_keys: a\n');
    expect(() => store.reload()).toThrow(ConfigError);
    expect(store.state().error).toBe(
      `${path}:3:5: providers.openai.api_keys: there is no such setting; did you mean api_key?`,
    );
    expect(store.current().cloud.providers.get('openai')!.apiKey!.reveal()).toBe('a');
    rewrite('providers:\n  openai:\n    api_key: a\nfailover_chains:\n  c: [openai, nobody]\n');
    expect(() => store.reload()).toThrow(ConfigError);
    expect(store.state().error).toBe(`${path}:5:6: failover_chains.c: there is no provider "nobody"`);
    rewrite('providers: { openai: { api_key: b } }');
    const { settingsChanged } = store.reload({ validateOnly: true });
    expect(settingsChanged).toEqual(['providers.openai.api_key']);
    expect(store.current().cloud.providers.get('openai')!.apiKey!.reveal()).toBe('a');
    expect(store.state().error).toBeNull();
  });

  it('stays as it was when somebody cannot work with the new one', () => {
    const { store, rewrite } = setup('global: { request_timeout: 30 }');
    store.onChange(() => {
      throw new ConfigError('no');
    });
    rewrite('global: { request_timeout: 40 }');
    expect(() => store.reload()).toThrow('no');
    expect(store.current().cloud.requestTimeoutMs).toBe(30_000);
    expect(store.state().error).toBe('no');
  });

  it.each([
    [new AppError('not_supported', 'There is no such type.'), /cannot be put into force: There is no such type\./],
    [new TypeError('x is not a function'), /cannot be put into force/],
  ])('goes back to what it was for everyone when one of several fails: %s', (thrown, told) => {
    const { store, rewrite } = setup('global: { request_timeout: 30 }');
    const seen: number[] = [];
    store.onChange(({ cloud }) => void seen.push(cloud.requestTimeoutMs!));
    store.onChange(() => {
      throw thrown;
    });
    rewrite('global: { request_timeout: 40 }');
    expect(() => store.reload()).toThrow(ConfigError);
    expect(store.state().error).toMatch(told);
    expect(seen).toEqual([40_000, 30_000]);
  });

  it('has no differences to itself', () => {
    const { store } = setup('providers: { openai: { api_key: a } }');
    expect(changesBetween(store.current(), store.current())).toEqual({
      providersAdded: [],
      providersRemoved: [],
      settingsChanged: [],
      needRestart: [],
    });
  });

  it('is noticed by a look now and then, where no event comes', () => {
    const { path, store, clock, rewrite } = setup('global: { request_timeout: 30 }');
    let changes = 0;
    const onChange = () => {
      changes++;
      store.reload();
    };
    const stop = watchFile(path, { clock, lastRead: store.lastRead, onChange });
    clock.advance(30_000);
    expect(changes).toBe(0);
    rewrite('global: { request_timeout: 40 }');
    clock.advance(10_000);
    expect(changes).toBe(1);
    clock.advance(30_000);
    expect(changes).toBe(1);
    stop();
    rewrite('global: { request_timeout: 50 }');
    clock.advance(60_000);
    expect(changes).toBe(1);
  });

  it('is compared with what was read last, whoever read it, and not with what was seen last', () => {
    const { path, store, clock, rewrite } = setup('global: { request_timeout: 30 }');
    const stop = watchFile(path, { clock, lastRead: store.lastRead, onChange: () => void store.reload() });
    rewrite('global: { request_timeout: 40 }');
    store.reload();
    rewrite('global: { request_timeout: 30 }');
    store.reload({ validateOnly: true });
    clock.advance(10_000);
    expect(store.current().cloud.requestTimeoutMs).toBe(30_000);
    // As some editors leave it for a moment.
    rewrite('');
    clock.advance(30_000);
    expect(store.current().cloud.requestTimeoutMs).toBe(30_000);
    stop();
  });

  it.each(['a pipe', 'a folder', 'what is larger than any configuration'])(
    'is not read where it has become %s',
    (what) => {
      const { path, store, clock, rewrite } = setup('global: { request_timeout: 30 }');
      const errors: unknown[] = [];
      const stop = watchFile(path, {
        clock,
        lastRead: store.lastRead,
        onChange() {
          expect(() => store.reload()).toThrow(ConfigError);
          errors.push(store.state().error);
        },
      });
      rmSync(path);
      if (what === 'a pipe') execFileSync('mkfifo', [path]);
      else if (what === 'a folder') mkdirSync(path);
      else writeFileSync(path, '#'.repeat(2 ** 20 + 1));
      clock.advance(30_000);
      expect(errors).toEqual([expect.stringMatching(/not a regular file|larger than 1 MiB/)]);
      rmSync(path, { recursive: true });
      rewrite('global: { request_timeout: 40 }');
      store.reload();
      expect(store.state().error).toBeNull();
      stop();
    },
  );

  it('is in force while it is gone, and that it is gone is told', () => {
    const { path, store, rewrite } = setup('global: { request_timeout: 30 }');
    rmSync(path);
    expect(store.state().error).toBe(`${path}: cannot be read (ENOENT)`);
    expect(store.current().cloud.requestTimeoutMs).toBe(30_000);
    rewrite('global: { request_timeout: 30 }');
    expect(store.state().error).toBeNull();
  });
});
