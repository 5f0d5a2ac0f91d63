import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toAnthropicPage } from '../../../src/http/openai/models/anthropic.ts';
import { createHarness, type Harness } from '../harness.ts';

const models = ['a', 'b', 'c', 'd', 'e'].map((id, day) => ({ id, createdAt: new Date(Date.UTC(2026, 0, day + 1)) }));
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
    const many = Array.from({ length: 21 }, (_, index) => ({ id: `m${index}`, createdAt: new Date(0) }));
    expect(toAnthropicPage(many, {})).toMatchObject({ data: { length: 20 }, has_more: true });
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
    const model = { type: 'model', id, display_name: id, created_at: expect.stringMatching(/^\d{4}-.*Z$/) };
    const answer = (await get('/v1/models', anthropic)).json();
    expect(answer).toEqual({ data: [model], has_more: false, first_id: id, last_id: id });
    expect(Math.floor(Date.parse(answer.data[0].created_at) / 1000)).toBe(created);
    expect((await get(`/v1/models/${id}`, anthropic)).json()).toEqual(model);
    expect((await get(`/v1/models/${id}`)).json()).toEqual(openai.data[0]);
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
