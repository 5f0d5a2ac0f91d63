import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { modelInfo } from '../support/fake-engine.ts';
import { cloudOf, createHarness, type Harness } from './harness.ts';

/** A key for one of two models, one for both. */
const keys = [
  { name: 'child', key: 'secret-child', models: ['small'], scopes: ['inference'] },
  { name: 'other', key: 'secret-other', models: ['local/tiny'], scopes: ['inference'] },
  { name: 'all', key: 'secret-all', scopes: ['inference', 'admin'] },
];
const child = { 'x-api-key': 'secret-child' };
const other = { 'x-api-key': 'secret-other' };
const all = { 'x-api-key': 'secret-all' };

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({}, {}, [], cloudOf({ keys }));
  harness.engine.models = [
    modelInfo({ name: 'tiny', aliases: [] }),
    modelInfo({ name: 'hidden', aliases: [] }),
    modelInfo({ name: 'small-1b', aliases: ['small'] }),
  ];
});
afterEach(() => harness.close());

const get = (path: string, headers: Record<string, string>) => harness.send('GET', path, undefined, headers);
const post = (path: string, body: object, headers: Record<string, string>) => harness.send('POST', path, body, headers);

describe('a key with a list of models', () => {
  it.each([
    ['/models', 'models', 'small-1b', 'tiny'],
    ['/api/v1/models', 'models', 'small-1b', 'tiny'],
    ['/api/tags', 'models', 'small-1b:latest', 'tiny:latest'],
    ['/api/ps', 'models', 'small-1b:latest', 'tiny:latest'],
  ])('sees no others at %s', async (path, field, ofChild, ofOther) => {
    for (const { name } of harness.engine.models) await harness.engine.load(name, {});
    const names = async (headers: Record<string, string>) =>
      (await get(path, headers)).json()[field].map(({ name }: { name: string }) => name);
    expect(await names(child)).toEqual([ofChild]);
    expect(await names(other)).toEqual([ofOther]);
    expect(await names(all)).toHaveLength(3);
  });

  it.each([
    ['/models/NAME', 'GET'],
    ['/api/v1/models/NAME', 'GET'],
    ['/models/NAME/plan', 'GET'],
    ['/v1/models/NAME', 'GET'],
    ['/api/show', 'POST'],
  ])('is told the same of another model as of one that is not there: %s', async (path, method) => {
    const ask = async (name: string, headers: Record<string, string>) => {
      const url = path.replace('NAME', name);
      const response = await (method === 'GET' ? get(url, headers) : post(url, { model: name }, headers));
      return [response.statusCode, response.body.replaceAll(name, 'NAME').replaceAll(/"req[^"]*"|"\d{4}-[^"]*"/g, '')];
    };
    expect((await ask('small', child))[0]).toBe(200);
    const [status, body] = await ask('hidden', child);
    expect(status).toBe(404);
    expect(await ask('absent', child)).toEqual([status, body]);
    expect((await ask('hidden', all))[0]).toBe(200);
  });

  it.each([
    ['/api/chat', { messages: [] }],
    ['/api/generate', { prompt: '' }],
    ['/api/chat', { messages: [], keep_alive: 0 }],
    ['/api/chat', { messages: [{ role: 'user', content: 'Hi' }], options: { num_ctx: 100_000 }, stream: false }],
    ['/api/embed', { input: [] }],
    ['/api/embeddings', { prompt: '' }],
  ])('loads, unloads and resizes no other: %s with %j', async (path, body) => {
    const response = await post(path, { model: 'hidden', ...body }, child);
    expect(response.statusCode, response.body).toBe(403);
    expect(harness.engine.loads).toEqual([]);
  });
});
