import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderConfig, ProviderPreset } from '../../../src/config/providers.ts';
import { secret } from '../../../src/config/secret.ts';
import type { ChatRequest } from '../../../src/core/chat.ts';
import type { TokensRequest } from '../../../src/core/provider.ts';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { services } from '../../../src/providers/openai-compatible/presets.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { type FakeOpenAi, startFakeOpenAi } from '../../support/fake-openai/fake-openai.ts';
import type { Manner } from '../../support/fake-openai/wording.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

const fakes: FakeOpenAi[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

async function open(preset: ProviderPreset, changes: Partial<ProviderConfig> = {}, manner: Manner = 'openai') {
  const fake = await startFakeOpenAi(manner);
  fakes.push(fake);
  const config = providerConfig({ preset, baseUrl: fake.baseUrl, ...changes });
  return { fake, provider: createOpenAiCompatibleProvider({ config, clock: manualClock() }) };
}

const chat = (model = 'toy'): ChatRequest => ({
  model,
  input: {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'one two three' }] }],
    tools: [],
    toolChoice: { type: 'auto' },
  },
  sampling: {},
  stop: [],
});

describe('vectors', () => {
  it('are of length 1 and in the order of the inputs, whatever the service gives', async () => {
    const { provider } = await open('openai');
    const { vectors, promptTokens, model } = await provider.embed(
      { model: 'toy-embed', inputs: ['', 'abc', [1, 2]] },
      anyContext(),
    );
    expect(vectors.map((vector) => Math.hypot(...vector))).toEqual(
      [1, 1, 1].map((length) => expect.closeTo(length, 6)),
    );
    expect(vectors[0]![2]).toBe(0);
    expect(vectors[1]![2]! / vectors[1]![0]!).toBeCloseTo(1);
    expect(vectors.flat().every((value) => Math.fround(value) === value)).toBe(true);
    expect({ promptTokens, model }).toEqual({ promptTokens: 9, model: 'toy-embed' });
  });

  it('of many inputs take as many requests as the service needs', async () => {
    const { fake, provider } = await open('qwen');
    const inputs = Array.from({ length: 23 }, (_, index) => 'x'.repeat(index));
    const { vectors } = await provider.embed({ model: 'toy-embed', inputs }, anyContext());
    expect(fake.requests.map(({ body }) => body.input.length)).toEqual([10, 10, 3]);
    expect(vectors.map((vector) => Math.round((vector[2]! / vector[0]!) * 3))).toEqual(
      inputs.map(({ length }) => length),
    );
  });

  it('of tokens are refused where the service reads texts only, and so is a length that it did not keep', async () => {
    const { provider } = await open('gemini');
    await expect(provider.embed({ model: 'toy-embed', inputs: ['a', [1]] }, anyContext())).rejects.toMatchObject({
      code: 'not_supported',
      field: 'inputs.1',
    });
    await expect(
      provider.embed({ model: 'toy-embed', inputs: ['a'], dimensions: 2 }, anyContext()),
    ).rejects.toMatchObject({ code: 'not_supported', field: 'dimensions' });
  });

  it('that are too few are a failure of the service', async () => {
    const { fake, provider } = await open('openai');
    fake.play({ type: 'answer', status: 200, body: '{"data":[{"index":0,"embedding":[1]}]}' });
    await expect(provider.embed({ model: 'toy-embed', inputs: ['a', 'b'] }, anyContext())).rejects.toMatchObject({
      code: 'upstream_unavailable',
    });
  });
});

describe('scores', () => {
  it('are in the order of the documents, and from 0 to 1 where the service gives logits', async () => {
    const asked = { model: 'toy-rerank', query: 'q', documents: ['x'.repeat(50), 'x'.repeat(10)] };
    const vllm = await open('vllm');
    expect((await vllm.provider.rank(asked, anyContext())).scores).toEqual([0.5, 0.1]);
    const llama = await open('llama-server');
    const { scores } = await llama.provider.rank(asked, anyContext());
    expect(scores).toEqual([expect.closeTo(1 / (1 + Math.exp(-0.5))), expect.closeTo(1 / (1 + Math.exp(-0.1)))]);
    expect(llama.fake.requests[0]).toMatchObject({ path: '/v1/rerank', body: { top_n: 2 } });
  });
});

describe('counts', () => {
  it.each<[ProviderPreset, string]>([
    ['llama-server', '/v1/chat/completions/input_tokens'],
    ['hearth', '/v1/chat/completions/input_tokens'],
    ['vllm', '/tokenize'],
  ])('come from the endpoint that %s has', async (preset, path) => {
    const { fake, provider } = await open(preset);
    expect(await provider.count(chat(), anyContext())).toEqual({ model: 'toy', promptTokens: 4 });
    expect(fake.requests[0]!.path).toBe(path);
    expect(fake.requests[0]!.body).not.toHaveProperty('stream');
    expect(await provider.count({ ...chat(), input: { type: 'text', prompt: 'one two' } }, anyContext())).toMatchObject(
      { promptTokens: 3 },
    );
    expect(fake.requests[1]!.path).toBe('/tokenize');
  });

  it('are not made up where the service has none', async () => {
    const { fake, provider } = await open('openai');
    await expect(provider.count(chat(), anyContext())).rejects.toMatchObject({ code: 'not_supported' });
    expect(fake.requests).toEqual([]);
  });
});

describe('tokens', () => {
  const text = (prompt: string | number[], more: Partial<TokensRequest> = {}): TokensRequest => ({
    model: 'toy',
    input: { type: 'text', prompt },
    sampling: {},
    stop: [],
    ...more,
  });
  const shows = async (preset: ProviderPreset) => open(preset, {}, preset === 'vllm' ? 'vllm' : 'llama-server');

  it.each<ProviderPreset>(['vllm', 'llama-server', 'hearth'])(
    'of a text, and the text of tokens, come from %s',
    async (preset) => {
      const { fake, provider } = await shows(preset);
      expect(await provider.tokens(text('one two'), anyContext())).toEqual({
        model: 'toy',
        tokens: [1, 2],
        text: 'one two',
      });
      const started = await provider.tokens(text('one two', { addStart: true }), anyContext());
      expect(started.tokens).toEqual([0, 1, 2]);
      expect(await provider.tokens(text([1, 3]), anyContext())).toEqual({
        model: 'toy',
        tokens: [1, 3],
        text: 'one three',
      });
      expect(fake.requests.map(({ path }) => path)).toEqual(['/tokenize', '/tokenize', '/detokenize']);
      expect(fake.requests.every(({ body }) => body.model === 'toy')).toBe(true);
    },
  );

  it.each<[ProviderPreset, string[], string]>([
    ['vllm', ['/tokenize', '/detokenize'], '<user> one two three'],
    ['hearth', ['/tokenize', '/detokenize'], '<user> one two three'],
    ['llama-server', ['/apply-template', '/tokenize'], '<user> one two three'],
  ])('of a conversation are those of the prompt that %s makes of it', async (preset, paths, prompt) => {
    const { fake, provider } = await shows(preset);
    expect(await provider.tokens(chat(), anyContext())).toEqual({
      model: 'toy',
      tokens: [...(preset === 'llama-server' ? [0] : []), 4, 1, 2, 3],
      text: prompt,
    });
    expect(fake.requests.map(({ path }) => path)).toEqual(paths);
    expect(fake.requests[0]!.body).toMatchObject({ messages: [{ role: 'user', content: 'one two three' }] });
    expect(fake.requests[0]!.body).not.toHaveProperty('stream');
  });

  it('come in pieces where the service tells them as texts, and are refused by name where it does not', async () => {
    const llama = await shows('llama-server');
    const { pieces } = await llama.provider.tokens(text('one \xff', { wantsPieces: true }), anyContext());
    expect(pieces).toEqual([
      { text: 'one', bytes: [...Buffer.from('one')] },
      { text: '\uFFFD', bytes: [255] },
    ]);
    await llama.provider.tokens(text('<s>', { controlsAreText: true }), anyContext());
    expect(llama.fake.requests.map(({ body }) => body.parse_special)).toEqual([true, false]);
    const { fake, provider } = await shows('vllm');
    for (const field of ['wantsPieces', 'controlsAreText']) {
      const asked = provider.tokens(text('one', { [field]: true }), anyContext());
      await expect(asked).rejects.toMatchObject({ code: 'not_supported', field });
    }
    expect(fake.requests).toEqual([]);
  });

  it('are a failure of the service where they are none', async () => {
    const { fake, provider } = await shows('vllm');
    fake.play({ type: 'answer', status: 200, body: '{"tokens":["a"]}' });
    await expect(provider.tokens(text('one'), anyContext())).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it('are not shown by those who have no such endpoint', async () => {
    const { fake, provider } = await open('openai');
    const asked = provider.tokens(text('one'), anyContext());
    await expect(asked).rejects.toMatchObject({ code: 'not_supported', field: 'model' });
    expect(fake.requests).toEqual([]);
  });
});

describe('models', () => {
  it('are those of the configuration, by id and alias, and nobody is asked for them', async () => {
    const models = [
      cloudModel('toy', { aliases: ['fast'], displayName: 'The toy', contextTokens: 8_192, maxOutputTokens: 100 }),
    ];
    const { fake, provider } = await open('openai', { models, capabilities: { supports_vision: false } });
    const [model] = await provider.models(new AbortController().signal);
    expect(model).toMatchObject({
      id: 'toy',
      aliases: ['fast'],
      displayName: 'The toy',
      contextTokens: 8_192,
      maxOutputTokens: 100,
      provider: 'cloud',
    });
    expect(model!.capabilities.reads).not.toContain('image');
    expect([provider.nameOf('fast'), provider.nameOf('toy'), provider.nameOf('gpt-4o')]).toEqual(['toy', 'toy', null]);
    expect(fake.requests).toEqual([]);
    await collect(provider.stream(chat('fast'), anyContext()));
    expect(fake.requests[0]!.body.model).toBe('toy');
  });

  it('are those that the service lists where the configuration names none', async () => {
    const { fake, provider } = await open('custom');
    fake.play({
      type: 'answer',
      status: 200,
      body: '{"data":[{"id":"models/a","created":86400,"max_model_len":4096},{"id":"a-rerank"},{"id":"text-embedding-3"},{"id":"models/a"},{}]}',
    });
    const models = await provider.models(new AbortController().signal);
    expect(models.map(({ id, capabilities }) => [id, capabilities.operations])).toEqual([
      ['a', ['generate']],
      ['a-rerank', ['rank']],
      ['text-embedding-3', ['embed']],
    ]);
    expect(models[0]).toMatchObject({ createdAt: new Date(86_400_000), contextTokens: 4_096 });
  });

  it('read images and call tools as the configuration says of each, whatever it says of the service', async () => {
    const models = [
      cloudModel('toy', { supportsVision: true, supportsTools: false, maxOutputTokens: 99 }),
      cloudModel('other'),
    ];
    const { provider } = await open('vllm', { models, capabilities: { supports_vision: false } });
    expect(provider.capabilities('toy')).toMatchObject({ tools: false, maxOutputTokens: 99 });
    expect(provider.capabilities('toy')!.reads).toContain('image');
    expect(provider.capabilities('other')!.reads).not.toContain('image');
  });

  it('pass what their service has, and nothing for a model that is not theirs', async () => {
    const { provider } = await open('ollama', { models: [cloudModel('toy', { aliases: ['fast'] })] });
    const passes = (path: string, model = 'fast', dialect: 'openai' | 'anthropic' = 'openai') =>
      provider.relays!({ dialect, path }, model);
    expect(passes('/v1/chat/completions')).toBe(true);
    expect(passes('/v1/responses')).toBe(true);
    expect(passes('/v1/images')).toBe(false);
    expect(passes('/v1/chat/completions', 'nope')).toBe(false);
    expect(passes('/v1/messages', 'fast', 'anthropic')).toBe(false);
  });

  it('call no tools where the configuration says so', async () => {
    const { provider } = await open('openai', { capabilities: { supports_function_calling: false } });
    const input = { ...chat().input, tools: [{ name: 'f' }] } as ChatRequest['input'];
    await expect(collect(provider.stream({ ...chat(), input }, anyContext()))).rejects.toMatchObject({
      code: 'not_supported',
      field: 'input.tools',
    });
  });
});

describe('a probe', () => {
  it('asks for the models, and fails as a request would', async () => {
    const { fake, provider } = await open('openai', { models: [cloudModel('toy')] });
    await provider.probe!(new AbortController().signal);
    expect(fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/models']);
    fake.play({ type: 'error', status: 401, message: 'no' });
    await expect(provider.probe!(new AbortController().signal)).rejects.toMatchObject({
      code: 'upstream_access_denied',
    });
  });
});

describe('the head of a request', () => {
  it('has the key, the headers of the configuration and nothing of the environment', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      OPENAI_API_KEY: 'sk-env',
      OPENAI_ORG_ID: 'org-env',
      OPENAI_PROJECT_ID: 'proj-env',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/',
    });
    try {
      const { fake, provider } = await open('openai', { headers: { 'X-Tenant': secret('me') } });
      await collect(provider.stream(chat(), anyContext()));
      const keyless = await open('ollama', { apiKey: null });
      await collect(keyless.provider.stream(chat(), anyContext()));
      expect(fake.requests[0]!.headers).toMatchObject({ authorization: 'Bearer sk-canary', 'x-tenant': 'me' });
      expect(keyless.fake.requests[0]!.headers).not.toHaveProperty('authorization');
      expect(JSON.stringify([...fake.requests, ...keyless.fake.requests])).not.toMatch(/-env/);
    } finally {
      for (const name of ['OPENAI_API_KEY', 'OPENAI_ORG_ID', 'OPENAI_PROJECT_ID', 'OPENAI_BASE_URL']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });
});

describe('a status', () => {
  it('says what is missing without asking', async () => {
    const { fake, provider } = await open('gemini', { apiKey: null });
    expect(provider.status()).toEqual({ state: 'unavailable', reason: 'It has no key.' });
    expect((await open('ollama', { apiKey: null })).provider.status()).toEqual({ state: 'ready', reason: null });
    expect((await open('openai', { enabled: false })).provider.status()).toMatchObject({ state: 'unavailable' });
    expect(fake.requests).toEqual([]);
  });
});

describe('the table of services', () => {
  it.each(Object.entries(services))('says of %s when and where its facts were read', (_name, { asOf, baseUrl }) => {
    expect(asOf.date).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(asOf.source).not.toBe('');
    expect(baseUrl ?? 'http://x').not.toMatch(/\/$/);
  });
});
