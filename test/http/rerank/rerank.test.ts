import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const query = 'What is GGUF?';
const documents = ['A fish.', 'A file format for models.', 'A format.'];
const rerank = (body: object, url = '/v1/rerank') => harness.send('POST', url, { query, documents, ...body });
const lastRequest = () => harness.gateway.wholeCalls.at(-1)!.request;

describe.each(['/v1/rerank', '/rerank'])('POST %s', (url) => {
  it('gives the documents’ places, best first, as Jina and Cohere do', async () => {
    const response = await rerank({ model: 'tiny-rank' }, url);
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny-rank' });
    const body = response.json();
    expect(body.id).toMatch(/^rerank-[0-9a-f]{24}$/);
    expect(body).toStrictEqual({
      id: body.id,
      model: 'tiny-rank',
      results: [
        { index: 1, relevance_score: 0.25 },
        { index: 2, relevance_score: 0.09 },
        { index: 0, relevance_score: 0.07 },
      ],
      usage: { prompt_tokens: 80, total_tokens: 80 },
    });
    expect(lastRequest()).toEqual({ model: 'tiny-rank', query, documents });
  });

  it('cuts to top_n and repeats the documents when asked to', async () => {
    const body = (await rerank({ top_n: 2, return_documents: true }, url)).json();
    expect(body.results).toEqual([
      { index: 1, relevance_score: 0.25, document: { text: 'A file format for models.' } },
      { index: 2, relevance_score: 0.09, document: { text: 'A format.' } },
    ]);
    expect((await rerank({ top_n: 99 }, url)).json().results).toHaveLength(3);
  });

  it('takes documents as objects with a text, beside plain ones', async () => {
    await rerank({ documents: [{ text: 'one', id: 7 }, 'two'], keep_alive: 60, truncation: true }, url);
    expect(lastRequest()).toEqual({ model: 'default', query, documents: ['one', 'two'], keepAliveMs: 60_000 });
  });

  it('keeps the order of documents with equal scores', async () => {
    const body = (await rerank({ documents: ['bb', 'aa', 'ccc'] }, url)).json();
    expect(body.results.map((result: { index: number }) => result.index)).toEqual([2, 0, 1]);
  });
});

describe('a rerank request', () => {
  it.each<[string, object, string]>([
    ['no query', { query: undefined }, 'query'],
    ['an empty query', { query: '' }, 'query'],
    ['no documents', { documents: undefined }, 'documents'],
    ['an empty list', { documents: [] }, 'documents'],
    ['one text for a list', { documents: 'a' }, 'documents'],
    ['2049 documents', { documents: Array.from({ length: 2049 }, () => 'a') }, 'documents'],
    ['an empty document', { documents: ['a', ''] }, 'documents.1'],
    ['an empty text in an object', { documents: [{ text: '' }] }, 'documents.0'],
    ['an object without a text', { documents: ['a', { body: 'b' }] }, 'documents.1'],
    ['a number', { documents: [1] }, 'documents.0'],
    ['null', { documents: [null] }, 'documents.0'],
    ['a top_n of 0', { top_n: 0 }, 'top_n'],
    ['a path as model', { model: '/etc/passwd' }, 'model'],
  ])('with %s is refused by name', async (_title, body, field) => {
    const response = await rerank(body);
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ param: field });
    expect(harness.gateway.wholeCalls).toEqual([]);
  });

  it('gets errors in the shape of its mount', async () => {
    harness.gateway.playWhole({
      rank: () => {
        throw new AppError('not_supported', '"m" cannot rank documents.', { field: 'model', fix: 'Choose another.' });
      },
    });
    const openai = await rerank({});
    expect(openai.statusCode).toBe(501);
    expect(openai.headers['x-should-retry']).toBe('false');
    expect(openai.json().error).toMatchObject({ code: 'not_supported', param: 'model' });
    const root = await rerank({}, '/rerank');
    expect(root.json()).toMatchObject({
      error: { code: 'NOT_SUPPORTED', details: { field: 'model', fix: 'Choose another.' } },
    });
  });

  it('is work, so it is refused while the server drains', async () => {
    harness.lifecycle.isDraining = true;
    expect((await rerank({})).statusCode).toBe(503);
    expect((await rerank({}, '/rerank')).statusCode).toBe(503);
  });
});
