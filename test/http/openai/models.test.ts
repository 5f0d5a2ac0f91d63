import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ModelInfo } from '../../../src/core/model.ts';
import { toAnthropicPage } from '../../../src/http/anthropic/models/models.ts';
import { createHarness, type Harness } from '../harness.ts';

const modelOf = (id: string, createdAt: Date): ModelInfo => ({
  id,
  aliases: [],
  provider: 'local',
  displayName: id,
  createdAt,
  contextTokens: 2_048,
  maxOutputTokens: null,
  state: 'ready',
  reason: null,
  thinks: true,
  capabilities: {
    operations: ['generate'],
    reads: ['text', 'reasoning'],
    tools: true,
    formats: ['text', 'json-schema'],
    logprobs: true,
    choices: 8,
  },
});
const models = ['a', 'b', 'c', 'd', 'e'].map((id, day) => modelOf(id, new Date(Date.UTC(2026, 0, day + 1))));
const page = (query: Parameters<typeof toAnthropicPage>[1]) => {
  const { data, ...rest } = toAnthropicPage(models, query);
  return { ids: data.map(({ id }) => id).join(''), ...rest };
};

describe("a page of models in Anthropic's shape", () => {
  it.each([
    [{}, 'edcba', false],
    [{ limit: '2' }, 'ed', true],
    [{ limit: '5' }, 'edcba', false],
    [{ limit: '2', after_id: 'd' }, 'cb', true],
    [{ limit: '2', after_id: 'c' }, 'ba', false],
    [{ after_id: 'a' }, '', false],
    [{ limit: '2', before_id: 'b' }, 'dc', true],
    [{ limit: '2', before_id: 'c' }, 'ed', false],
    [{ before_id: 'e' }, '', false],
  ])('of %j holds %s, and says whether there are more: %s', (query, ids, hasMore) => {
    expect(page(query)).toEqual({ ids, has_more: hasMore, first_id: ids.at(0) ?? null, last_id: ids.at(-1) ?? null });
  });

  it('walks through all models by its cursors', () => {
    const seen: string[] = [];
    let query: { limit: string; after_id?: string } = { limit: '2' };
    for (;;) {
      const { ids, has_more, last_id } = page(query);
      seen.push(ids);
      if (!has_more) break;
      query = { limit: '2', after_id: last_id! };
    }
    expect(seen).toEqual(['ed', 'cb', 'a']);
  });

  it('holds twenty models when not told otherwise', () => {
    const many = Array.from({ length: 21 }, (_, index) => modelOf(`m${index}`, new Date(0)));
    expect(toAnthropicPage(many, {})).toMatchObject({ data: { length: 20 }, has_more: true });
  });

  it('holds active models only, as there are no others', () => {
    expect(page({ 'lifecycle[]': 'active' }).ids).toBe('edcba');
    expect(page({ 'lifecycle[]': ['retired', 'active'] }).ids).toBe('edcba');
    expect(page({ 'lifecycle[]': 'deprecated' })).toEqual({ ids: '', has_more: false, first_id: null, last_id: null });
  });

  it('says what each can do', () => {
    const [model] = toAnthropicPage(models, {}).data;
    expect(model).toMatchObject({
      max_input_tokens: 2_048,
      max_tokens: 2_048,
      lifecycle: 'active',
      line: null,
      deprecated_at: null,
      retires_at: null,
      capabilities: {
        batch: { supported: true },
        image_input: { supported: false },
        structured_outputs: { supported: true },
        thinking: { supported: true, types: { enabled: { supported: true } } },
        context_management: { supported: true, compact_20260112: { supported: false } },
      },
    });
    const [quick] = toAnthropicPage([{ ...models[0]!, thinks: false }], {}).data;
    const no = { supported: false };
    expect(quick!.capabilities).toMatchObject({
      effort: { supported: false, low: no, max: no },
      thinking: { supported: false, types: { adaptive: no, disabled: { supported: true }, enabled: no } },
    });
    const vectors = { ...models[0]!, capabilities: { ...models[0]!.capabilities, operations: ['embed' as const] } };
    expect(toAnthropicPage([vectors], {}).data[0]!.capabilities).toBeNull();
  });

  it.each([
    [{ limit: '0' }, 'limit'],
    [{ limit: '1001' }, 'limit'],
    [{ limit: '2.5' }, 'limit'],
    [{ limit: 'all' }, 'limit'],
    [{ after_id: 'x' }, 'after_id'],
    [{ before_id: 'x' }, 'before_id'],
    [{ after_id: 'a', before_id: 'b' }, 'before_id'],
  ])('is refused for %j, which names %s', (query, field) => {
    expect(() => page(query)).toThrow(expect.objectContaining({ code: 'invalid_request', field }));
  });
});

describe('/v1/models', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await createHarness({ origins: ['http://app.example'] });
  });
  afterEach(() => harness.close());
  const get = (url: string, headers: Record<string, string> = {}) => harness.send('GET', url, undefined, headers);
  const anthropic = { 'anthropic-version': '2023-06-01' };

  it("has Anthropic's shape for clients that send its version, and OpenAI's for all others", async () => {
    const openai = (await get('/v1/models')).json();
    expect(openai).toMatchObject({ object: 'list', data: [{ object: 'model', owned_by: 'hearth' }] });
    const [{ id, created }] = openai.data;
    const model = expect.objectContaining({
      type: 'model',
      id,
      display_name: id,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      max_input_tokens: 2_048,
      capabilities: expect.objectContaining({ image_input: { supported: false } }),
    });
    const answer = (await get('/v1/models', anthropic)).json();
    expect(answer).toEqual({ data: [model], has_more: false, first_id: id, last_id: id });
    expect(Math.floor(Date.parse(answer.data[0].created_at) / 1000)).toBe(created);
    expect((await get(`/v1/models/${id}`, anthropic)).json()).toEqual(model);
    expect((await get(`/v1/models/${id}`)).json()).toEqual(openai.data[0]);
  });

  it('lists the models for Codex beside them, with every field that it insists on', async () => {
    const { data, models } = (await get('/v1/models?client_version=0.153.0')).json();
    expect(models.map(({ slug }: { slug: string }) => slug)).toEqual(data.map(({ id }: { id: string }) => id));
    expect(models[0]).toMatchObject({
      slug: 'tiny',
      display_name: 'tiny',
      supported_reasoning_levels: [],
      shell_type: 'shell_command',
      visibility: 'list',
      supported_in_api: true,
      priority: 0,
      base_instructions: expect.stringContaining('coding agent'),
      support_verbosity: false,
      truncation_policy: { mode: 'tokens', limit: 256 },
      supports_parallel_tool_calls: true,
      context_window: 2048,
      experimental_supported_tools: [],
      input_modalities: ['text'],
    });
    harness.engine.models[0]!.purpose = 'embed';
    expect((await get('/v1/models')).json().models).toEqual([]);
  });

  it('tells caches which headers its shape depends on', async () => {
    expect((await get('/v1/models')).headers.vary).toBe('anthropic-version');
    const fromPage = await get('/v1/models', { ...anthropic, origin: 'http://app.example' });
    expect(fromPage.headers.vary).toBe('Origin, anthropic-version');
  });

  it("looks at the query only in Anthropic's shape", async () => {
    expect((await get('/v1/models?limit=none&client_version=1.2')).statusCode).toBe(200);
    expect((await get('/v1/models?limit=none', anthropic)).statusCode).toBe(400);
  });
});
