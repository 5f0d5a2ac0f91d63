import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { cloudProvider, timedOut } from '../support/cloud-provider.ts';
import { openWebSocket } from '../support/websocket-client.ts';
import { expectPrinted } from './printed.ts';

const key = { 'x-api-key': 'your-api-key' };
const time = '2024-01-15T10:30:00Z';
const canary = 'canary-of-a-secret';

const file = `
version: "1.0"
global: { default_provider: gemini, default_model: gemini-2.0-flash-exp, request_timeout: 30, max_retries: 0, enable_caching: true, cache_ttl: 3600 }
providers:
  gemini:
    display_name: Google Gemini
    api_key: ${canary}
    models: [{ id: gemini-2.0-flash-exp, is_default: true }, { id: gemini-pro }]
  openai:
    display_name: OpenAI
    base_url: https://api.openai.com/v1
    api_key: ${canary}
    headers: { x-tenant: ${canary} }
    models:
      - { id: gpt-4o, display_name: GPT-4o, context_window: 128000, max_output_tokens: 4096, is_default: true, pricing: { input_per_1k: 0.005, output_per_1k: 0.015 } }
      - { id: gpt-4-turbo, display_name: GPT-4 Turbo, pricing: { input_per_1k: 0.01, output_per_1k: 0.03 } }
    rate_limits: { requests_per_minute: 500, tokens_per_minute: 150000, requests_per_day: 10000 }
    capabilities: { supports_embeddings: true }
  anthropic: { api_key: ${canary}, models: [{ id: claude-3-sonnet }] }
  deepseek: { enabled: false, api_key: ${canary}, models: [{ id: deepseek-chat }] }
failover_chains:
  default: { providers: [gemini, openai, anthropic], description: Default failover chain }
  premium: [openai, anthropic, gemini]
keys: [{ name: kitchen, key: ${canary}, rate_limits: { requests_per_minute: 5 }, budget: { daily: 0.5 } }]
budgets: { unknown_prices: allow }
jwt: { issuer: https://login.example.com, audience: hearth, jwks_url: https://login.example.com/jwks, cloud: false }
`;

let harness: Harness;
let openai: ReturnType<typeof cloudProvider>;
let anthropic: ReturnType<typeof cloudProvider>;

async function begin(): Promise<void> {
  openai = cloudProvider('openai', ['gpt-4o', 'gpt-4-turbo']);
  anthropic = cloudProvider('anthropic', ['claude-3-sonnet']);
  const others = [cloudProvider('gemini', ['gemini-2.0-flash-exp', 'gemini-pro']), openai, anthropic];
  const all = [...others, cloudProvider('deepseek', ['deepseek-chat']), cloudProvider('qwen', [])];
  harness = await createHarness({ apiKeys: ['your-api-key'] }, {}, all, cloudConfigOf(file));
}
const send = (method: string, path: string, body?: object) => harness.send(method, `/api/v1${path}`, body, key);
const get = async (path: string) => {
  const response = await send('GET', path);
  expect(response.statusCode, response.body).toBe(200);
  expect(response.body).not.toContain(canary);
  return response.json();
};
/** Asks a provider so many times, whatever comes of it. */
async function ask(provider: string, count = 1): Promise<void> {
  for (let number = 0; number < count; number++) {
    await harness.send('POST', '/api/v1/generate', { prompt: 'Hi' }, { ...key, 'x-provider': provider });
  }
}
async function breakAnthropic(): Promise<void> {
  anthropic.down = timedOut;
  await ask('anthropic', 5);
}

beforeAll(begin);
afterAll(() => harness.close());
afterEach(async () => {
  await harness.close();
  await begin();
});

describe('errors of the second seed specification', () => {
  const generate = (headers: Record<string, string>) =>
    harness.send('POST', '/api/v1/generate', { prompt: 'Hi' }, { ...key, ...headers });

  it('name who was tried where a chain failed, and what each said', async () => {
    openai.down = timedOut;
    anthropic.down = timedOut;
    await harness.send('PATCH', '/api/v1/providers/gemini', { enabled: false }, key);
    const { headers, ...response } = await generate({ 'x-failover-chain': 'premium' });
    expect(response.statusCode).toBe(503);
    expectPrinted(response.json(), {
      error: 'ServiceUnavailable',
      detail: 'All providers in failover chain are unavailable',
      status_code: 503,
      providers_tried: ['openai', 'anthropic'],
      errors: { openai: 'Connection timeout', anthropic: 'Rate limit exceeded' },
    });
    expect(response.json().providers_tried).toEqual(['openai', 'anthropic']);
  });

  it.each<[ConstructorParameters<typeof AppError>[0], number, string]>([
    ['upstream_unavailable', 502, 'ProviderError'],
    ['upstream_rate_limited', 429, 'RateLimitExceeded'],
    ['upstream_refused', 400, 'ValidationError'],
    ['upstream_overloaded', 503, 'ServiceUnavailable'],
  ])('of a provider have the type of their status: %s', async (code, status, type) => {
    openai.down = new AppError(code, 'no', { details: { provider: 'openai' } });
    const response = await generate({ 'x-provider': 'openai' });
    expect(response.json()).toMatchObject({ error: type, status_code: status, provider: 'openai' });
  });
});

describe('configuration of the second seed specification', () => {
  it('is shown as printed, without its secrets', async () => {
    const shown = await get('/config');
    const capabilities = { supports_streaming: true, supports_vision: true, supports_function_calling: true };
    expectPrinted(shown, {
      version: '1.0',
      global: {
        default_provider: 'gemini',
        default_model: 'gemini-2.0-flash-exp',
        request_timeout: 30,
        max_retries: 3,
        enable_caching: true,
        cache_ttl: 3600,
      },
      providers: { gemini: { enabled: true, capabilities } },
      failover_chains: { default: ['gemini', 'openai', 'anthropic'], premium: ['openai', 'anthropic', 'gemini'] },
    });
    expect(shown).toMatchObject({
      global: { default_provider: 'gemini', request_timeout: 30, max_retries: 0, cache_ttl: 3600 },
      providers: {
        gemini: { enabled: true, capabilities, api_key: '[redacted]' },
        openai: { headers: { 'x-tenant': '[redacted]' } },
        deepseek: { enabled: false },
      },
      failover_chains: { premium: ['openai', 'anthropic', 'gemini'] },
      keys: [
        {
          name: 'kitchen',
          key: '[redacted]',
          rate_limits: { requests_per_minute: 5 },
          budget: { daily: 0.5, weekly: null },
        },
      ],
      budgets: { unknown_prices: 'allow' },
      jwt: { audience: ['hearth'], jwks_url: 'https://login.example.com/jwks', scopes: ['inference'], cloud: false },
    });
  });

  it('has its status', async () => {
    const status = await get('/config/status');
    expectPrinted(status, {
      loaded: true,
      config_path: 'app/config/providers.yaml',
      version: '1.0',
      last_reload: time,
      providers_count: 8,
      enabled_providers: ['gemini', 'openai', 'anthropic', 'deepseek'],
      validation_status: 'valid',
    });
    expect(status).toMatchObject({ providers_count: 4, enabled_providers: ['gemini', 'openai', 'anthropic'] });
  });

  it('is read again, or only looked at', async () => {
    const text = file.replace('request_timeout: 30', 'request_timeout: 40').replace('deepseek:', 'qwen:');
    harness.next.load = () => ({ ...testConfig(), cloud: cloudConfigOf(text) });
    const printed = {
      status: 'success',
      message: 'Configuration reloaded successfully',
      changes: { providers_added: [], providers_removed: [], settings_changed: ['global.request_timeout'] },
    };
    const changes = {
      providers_added: ['qwen'],
      providers_removed: ['deepseek'],
      settings_changed: ['global.request_timeout'],
    };
    const looked = await send('POST', '/config/reload', { validate_only: true });
    expect(looked.json()).toMatchObject({ status: 'success', message: 'Configuration is valid', changes });
    expect(harness.configuration.current().cloud.requestTimeoutMs).toBe(30_000);
    harness.clock.advance(1_000);
    const reloaded = (await send('POST', '/config/reload', { validate_only: false })).json();
    expectPrinted(reloaded, printed);
    expect(reloaded).toMatchObject({ message: printed.message, changes });
    expect(await get('/config/status')).toMatchObject({ last_reload: '2026-03-04T05:06:08.089Z' });
    expect((await get('/config')).global.request_timeout).toBe(40);
    expect((await send('POST', '/config/reload')).statusCode).toBe(200);
  });

  it('stays as it was when the new one is bad, and says why', async () => {
    harness.next.load = () => ({ ...testConfig(), cloud: cloudConfigOf('globl: {}') });
    const response = await send('POST', '/config/reload', {});
    expect(response.json()).toMatchObject({
      error: 'ValidationError',
      status_code: 400,
      details: {
        errors: [expect.stringMatching(/hearth\.yaml:1:1: globl: there is no such setting; did you mean global\?$/)],
      },
    });
    expect(await get('/config/status')).toMatchObject({
      validation_status: 'invalid',
      error: expect.stringContaining('there is no such setting'),
    });
    expect((await get('/health')).components.config).toBe('degraded');
    expect((await get('/config')).version).toBe('1.0');
  });

  it('is checked by the path that its status shows, and as a text', async () => {
    harness.next.load = () => ({
      ...testConfig(),
      cloud: cloudConfigOf('providers: { cursor: { base_url: https://cursor.example/v1 } }'),
    });
    const checked = (await send('POST', '/config/validate', { config_path: 'app/config/providers.yaml' })).json();
    expectPrinted(checked, { valid: true, errors: [], warnings: ["Provider 'cursor' has no models configured"] });
    expect(checked).toMatchObject({ valid: true, errors: [] });
    expect(checked.warnings).toContain("Provider 'cursor' has no models configured");
    const text = (await send('POST', '/config/validate', { yaml: 'global: { max_retries: -1 }' })).json();
    expect(text).toEqual({
      valid: false,
      errors: ['yaml:1:24: global.max_retries: must be a whole number from 0 to 20, found -1'],
      warnings: [],
    });
  });

  it.each([
    [{ config_path: '../../../etc/passwd' }],
    [{ config_path: '/etc/hearth/other.yaml' }],
    [{}],
    [{ config_path: 'a.yaml', yaml: '' }],
    [{ config_path: 'a.yaml', other: 1 }],
  ])('is not checked for %j', async (body) => {
    expect((await send('POST', '/config/validate', body)).json()).toMatchObject({ status_code: 400 });
  });
});

const capabilities = {
  supports_streaming: true,
  supports_vision: true,
  supports_function_calling: true,
  supports_json_mode: true,
  supports_embeddings: true,
};
const gpt4o = {
  id: 'gpt-4o',
  display_name: 'GPT-4o',
  context_window: 128000,
  max_output_tokens: 4096,
  is_default: true,
  pricing: { input_per_1k: 0.005, output_per_1k: 0.015 },
};

describe('providers of the second seed specification', () => {
  it('are listed', async () => {
    const list = await get('/providers');
    expectPrinted(
      { ...list, providers: list.providers.slice(1) },
      {
        providers: [
          {
            id: 'gemini',
            display_name: 'Google Gemini',
            enabled: true,
            healthy: true,
            models_count: 3,
            default_model: 'gemini-2.0-flash-exp',
            capabilities,
          },
        ],
        total: 8,
        enabled: 6,
      },
    );
    expect(list).toMatchObject({ total: 5, enabled: 4 });
    expect(list.providers.map(({ id, enabled }: { id: string; enabled: boolean }) => [id, enabled])).toEqual([
      ['local', true],
      ['gemini', true],
      ['openai', true],
      ['anthropic', true],
      ['deepseek', false],
    ]);
    expect(list.providers[2]).toMatchObject({
      display_name: 'OpenAI',
      models_count: 2,
      default_model: 'gpt-4o',
      capabilities: { ...capabilities, supports_token_counting: true },
    });
    expect(list.providers[2].models).toBeUndefined();
  });

  it('are listed by what the query asks for', async () => {
    const list = await get('/providers?enabled_only=true&include_models=true');
    expect(list.providers.map(({ id }: { id: string }) => id)).toEqual(['local', 'gemini', 'openai', 'anthropic']);
    expect(list).toMatchObject({ total: 5, enabled: 4 });
    expect(list.providers[2].models).toMatchObject([gpt4o, { id: 'gpt-4-turbo' }]);
    expect((await send('GET', '/providers?enabled_only=maybe')).statusCode).toBe(400);
  });

  it('show their details', async () => {
    await ask('openai');
    const shown = await get('/providers/openai');
    expectPrinted(shown, {
      id: 'openai',
      display_name: 'OpenAI',
      enabled: true,
      base_url: 'https://api.openai.com/v1',
      api_version: null,
      capabilities: { ...capabilities, supports_system_prompt: true, supports_token_counting: true },
      rate_limits: { requests_per_minute: 500, tokens_per_minute: 150000, requests_per_day: 10000 },
      models: [gpt4o],
      health: { status: 'healthy', last_check: time, latency_ms: 150, error_rate: 0.01 },
    });
    expect(shown).toMatchObject({
      rate_limits: { requests_per_minute: 500, tokens_per_minute: 150000, requests_per_day: 10000 },
      models: [gpt4o, { is_default: false, pricing: { input_per_1k: 0.01, output_per_1k: 0.03 } }],
      health: { status: 'healthy', last_check: '2026-03-04T05:06:07.089Z', error_rate: 0 },
    });
  });

  it('show their models, those that are down too', async () => {
    openai.down = timedOut;
    const shown = await get('/providers/openai/models');
    const features = { supports_vision: true, supports_function_calling: true };
    expectPrinted(shown, {
      provider_id: 'openai',
      models: [{ ...gpt4o, ...features, context_window: null, max_output_tokens: null }],
      total: 5,
    });
    expect(shown).toMatchObject({ total: 2, models: [{ ...gpt4o, ...features }, { display_name: 'GPT-4 Turbo' }] });
  });

  it('are switched off and on', async () => {
    const off = (await send('PATCH', '/providers/openai', { enabled: false })).json();
    expect(off).toEqual({
      status: 'success',
      provider_id: 'openai',
      enabled: false,
      message: 'Provider disabled successfully',
    });
    expect(await get('/providers/openai')).toMatchObject({ enabled: false, health: { status: 'disabled' } });
    expect((await get('/config')).providers.openai.enabled).toBe(false);
    const refused = await harness.send(
      'POST',
      '/api/v1/generate',
      { prompt: 'Hi' },
      { ...key, 'x-provider': 'openai' },
    );
    expect(refused.statusCode).toBe(400);
    await send('PATCH', '/providers/openai', { enabled: true });
    const answered = await harness.send(
      'POST',
      '/api/v1/generate',
      { prompt: 'Hi' },
      { ...key, 'x-provider': 'openai' },
    );
    expect(answered.json()).toMatchObject({ text: 'Hello', provider: 'openai' });
  });

  it.each([
    ['PATCH', '/providers/local', { enabled: false }, 400],
    ['PATCH', '/providers/openai', { enabled: 'no' }, 400],
    ['PATCH', '/providers/openai', {}, 400],
    ['PATCH', '/providers/cursor', { enabled: true }, 404],
    ['GET', '/providers/cursor', undefined, 404],
    ['GET', '/providers/__proto__', undefined, 404],
    ['GET', '/providers/cursor/models', undefined, 404],
    ['POST', '/providers/cursor/reset', undefined, 404],
    ['GET', '/health/providers/cursor', undefined, 404],
  ] as const)('%s %s with %j is refused', async (method, path, body, status) => {
    expect((await send(method, path, body)).json()).toMatchObject({ status_code: status });
  });

  it('have their chains', async () => {
    const chains = await get('/providers/failover-chains');
    expectPrinted(chains, {
      chains: {
        default: { providers: ['gemini', 'openai', 'anthropic'], description: 'Default failover chain' },
        premium: { providers: ['openai', 'anthropic', 'gemini'], description: 'High-quality output chain' },
      },
    });
    expect(chains.chains.default).toEqual({
      providers: ['gemini', 'openai', 'anthropic'],
      description: 'Default failover chain',
    });
  });
});

describe('health of the second seed specification', () => {
  it('has its components', async () => {
    expectPrinted(await get('/health'), {
      status: 'healthy',
      timestamp: time,
      version: '1.0.0',
      components: { config: 'healthy', providers: 'healthy', database: 'healthy', cache: 'healthy' },
    });
  });

  it('of all providers is degraded where one is unhealthy', async () => {
    await ask('gemini');
    await ask('openai');
    await breakAnthropic();
    const health = await get('/health/providers');
    const healthy = { status: 'healthy', latency_ms: 120, last_check: time, circuit_breaker: 'closed' };
    expectPrinted(health, {
      overall_status: 'degraded',
      providers: {
        gemini: healthy,
        openai: healthy,
        anthropic: { status: 'unhealthy', error: 'Connection timeout', last_check: time, circuit_breaker: 'open' },
      },
      healthy_count: 6,
      unhealthy_count: 2,
    });
    expect(health).toMatchObject({
      overall_status: 'degraded',
      providers: { anthropic: { status: 'unhealthy', error: 'Connection timeout', circuit_breaker: 'open' } },
      healthy_count: 3,
      unhealthy_count: 1,
      unknown_count: 0,
    });
    expect(Object.keys(health.providers)).not.toContain('deepseek');
    expect(JSON.stringify(health)).not.toContain('secret.example');
    expect(await get('/health')).toMatchObject({ status: 'degraded', components: { providers: 'degraded' } });
  });

  it('of one provider has its circuit and what is left of its limit', async () => {
    await ask('openai', 3);
    const health = await get('/health/providers/openai');
    expectPrinted(health, {
      provider_id: 'openai',
      status: 'healthy',
      latency_ms: 180,
      last_check: time,
      circuit_breaker: { state: 'closed', failure_count: 0, success_count: 150 },
      rate_limit: { remaining: 450, limit: 500, reset_at: time },
    });
    expect(health).toMatchObject({
      circuit_breaker: { state: 'closed', failure_count: 0, success_count: 3 },
      rate_limit: { remaining: 497, limit: 500, reset_at: '2026-03-04T05:07:07.089Z' },
    });
    expect(await get('/health/providers/deepseek')).toMatchObject({ status: 'disabled' });
  });

  it('has the circuits, which can be closed by hand', async () => {
    await ask('openai', 2);
    await breakAnthropic();
    const closed = { state: 'closed', failure_count: 0, success_count: 200, last_failure: null };
    const { circuit_breakers: circuits } = await get('/health/circuit-breakers');
    expectPrinted(circuits, {
      gemini: closed,
      openai: closed,
      anthropic: { state: 'open', failure_count: 5, success_count: 0, last_failure: time, opens_at: time },
    });
    expect(circuits).toMatchObject({
      openai: { state: 'closed', success_count: 2 },
      anthropic: {
        state: 'open',
        failure_count: 5,
        last_failure: '2026-03-04T05:06:07.089Z',
        opens_at: '2026-03-04T05:06:37.089Z',
        models: { 'claude-3-sonnet': 'open' },
      },
    });
    expect((await send('POST', '/providers/anthropic/reset')).json()).toEqual({
      status: 'success',
      provider_id: 'anthropic',
      message: 'Circuit breaker reset successfully',
    });
    expect((await get('/health/circuit-breakers')).circuit_breakers.anthropic).toMatchObject({ state: 'closed' });
  });
});

describe('the WebSocket of the second seed specification', () => {
  it('generates, token by token, as it is printed', async () => {
    const baseUrl = (await harness.http.listen()).replace('http', 'ws');
    const client = await openWebSocket(`${baseUrl}/ws/generate`, key);
    client.send({ action: 'generate', prompt: 'Write a story', max_tokens: 500, temperature: 0.7 });
    const messages = await client.until('done');
    const tokens = messages.filter(({ type }) => type === 'token');
    expect(tokens.map(({ index }) => index)).toEqual(tokens.map((_, index) => index));
    for (const token of tokens) expectPrinted(token, { type: 'token', content: 'Once', index: 0 });
    expectPrinted(messages.at(-1)!, {
      type: 'done',
      usage: { prompt_tokens: 10, completion_tokens: 150, total_tokens: 160 },
    });
    client.socket.close();
    await client.closed;
  });

  it('needs the key, and tells how providers are, and each change', async () => {
    const baseUrl = (await harness.http.listen()).replace('http', 'ws');
    await expect(openWebSocket(`${baseUrl}/ws/providers`)).rejects.toThrow();
    const client = await openWebSocket(`${baseUrl}/ws/providers`, key);
    const first = await Promise.all([client.next(), client.next(), client.next(), client.next()]);
    expect(first.map(({ type, provider, status }) => [type, provider, status])).toEqual([
      ['health_update', 'local', 'healthy'],
      ['health_update', 'gemini', 'unknown'],
      ['health_update', 'openai', 'unknown'],
      ['health_update', 'anthropic', 'unknown'],
    ]);

    await ask('openai');
    const health = await client.next();
    expectPrinted(health, {
      type: 'health_update',
      provider: 'openai',
      status: 'healthy',
      latency_ms: 150,
      timestamp: time,
    });
    expect(health).toMatchObject({ type: 'health_update', provider: 'openai', status: 'healthy' });

    await breakAnthropic();
    const circuit = (await client.until('circuit_breaker')).at(-1)!;
    expectPrinted(circuit, {
      type: 'circuit_breaker',
      provider: 'anthropic',
      state: 'open',
      reason: 'Consecutive failures exceeded threshold',
      timestamp: time,
    });
    expect(circuit).toMatchObject({ provider: 'anthropic', model: 'claude-3-sonnet', state: 'open' });

    await ask('openai', 450);
    const warning = (await client.until('rate_limit_warning')).at(-1)!;
    expectPrinted(warning, {
      type: 'rate_limit_warning',
      provider: 'openai',
      remaining: 10,
      limit: 500,
      reset_at: time,
    });
    expect(warning).toMatchObject({ provider: 'openai', remaining: 49, limit: 500 });

    client.send({ action: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
    client.send({ action: 'subscribe' });
    expect(await client.next()).toMatchObject({ type: 'error', error: { code: 'INVALID_REQUEST' } });
    client.socket.close();
    await client.closed;
  });

  it('tells a later one which circuits are open, and closes with the server', async () => {
    await breakAnthropic();
    const baseUrl = (await harness.http.listen()).replace('http', 'ws');
    const client = await openWebSocket(`${baseUrl}/api/v1/ws/providers`, key);
    expect((await client.until('circuit_breaker')).at(-1)).toMatchObject({ provider: 'anthropic', state: 'open' });
    await harness.http.close();
    expect((await client.closed).code).toBe(1001);
  });
});
