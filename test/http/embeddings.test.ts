import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackVector } from '../../src/core/embedding.ts';
import { AppError } from '../../src/core/errors.ts';
import { embedByLength } from '../support/fake-engine.ts';
import { createHarness, type Harness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const openai = (body: object) => harness.send('POST', '/v1/embeddings', body);
const native = (body: object) => harness.send('POST', '/api/v1/embeddings', body);
const lastRequest = () => harness.gateway.wholeCalls.at(-1)!.request;
const vectorOf = (input: string | number[]) => embedByLength({ model: 'm', inputs: [input] }).vectors[0]!;

describe('POST /v1/embeddings', () => {
  it('answers with the whole object that OpenAI describes', async () => {
    const response = await openai({ model: 'tiny-embed', input: ['one', 'three'] });
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny-embed' });
    expect(response.json()).toStrictEqual({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: vectorOf('one') },
        { object: 'embedding', index: 1, embedding: vectorOf('three') },
      ],
      model: 'tiny-embed',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    });
  });

  it('gives the same numbers as base64 when asked to', async () => {
    const response = await openai({ input: 'one', encoding_format: 'base64' });
    const [item] = response.json().data;
    expect(item.embedding).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    expect(unpackVector(item.embedding)).toEqual(vectorOf('one'));
  });

  it.each([
    ['a text', 'one', ['one']],
    ['an array of texts', ['one', 'two'], ['one', 'two']],
    ['a token array', [1, 2, 3], [[1, 2, 3]]],
    ['token arrays', [[1], [2, 3]], [[1], [2, 3]]],
    ['texts of spaces', [' '], [' ']],
  ])('takes %s', async (_title, input, inputs) => {
    expect((await openai({ input })).statusCode).toBe(200);
    expect(lastRequest()).toEqual({ model: 'default', inputs });
  });

  it('hands on dimensions and keep_alive, drops what it does not know, and takes null for absent', async () => {
    await openai({ model: 'm', input: 'a', dimensions: 2, keep_alive: '5m', user: 'me', priority: 1 });
    expect(lastRequest()).toEqual({ model: 'm', inputs: ['a'], dimensions: 2, keepAliveMs: 300_000 });
    const nulls = { model: null, encoding_format: null, dimensions: null, keep_alive: null };
    expect((await openai({ input: 'a', ...nulls })).json().data[0].embedding).toEqual(vectorOf('a'));
    expect(lastRequest()).toEqual({ model: 'default', inputs: ['a'] });
  });

  it('takes 2048 inputs and not one more', async () => {
    expect((await openai({ input: Array.from({ length: 2048 }, () => 'a') })).json().data).toHaveLength(2048);
    const response = await openai({ input: Array.from({ length: 2049 }, () => 'a') });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ param: 'input', message: expect.stringContaining('2048') });
  });

  it.each<[string, object, string]>([
    ['no input', {}, 'input'],
    ['null', { input: null }, 'input'],
    ['a number', { input: 5 }, 'input'],
    ['an object', { input: { text: 'a' } }, 'input'],
    ['an empty text', { input: '' }, 'input'],
    ['an empty array', { input: [] }, 'input'],
    ['an empty text among others', { input: ['a', ''] }, 'input.1'],
    ['an empty token array', { input: [[1], []] }, 'input.1'],
    ['null among texts', { input: ['a', null] }, 'input.1'],
    ['a number among texts', { input: ['a', 7] }, 'input.1'],
    ['a text among tokens', { input: [7, 'a'] }, 'input.1'],
    ['a negative token', { input: [7, -1] }, 'input.1'],
    ['a token with a fraction', { input: [[7, 1.5]] }, 'input.0.1'],
    ['a token beyond 32 bits', { input: [[4294967296]] }, 'input.0.0'],
    ['arrays too deep', { input: [[[1]]] }, 'input.0.0'],
    ['an unknown encoding', { input: 'a', encoding_format: 'int8' }, 'encoding_format'],
    ['no dimensions at all', { input: 'a', dimensions: 0 }, 'dimensions'],
    ['dimensions as text', { input: 'a', dimensions: '2' }, 'dimensions'],
    ['a path as model', { input: 'a', model: '../m' }, 'model'],
    ['no duration', { input: 'a', keep_alive: 'soon' }, 'keep_alive'],
  ])('refuses %s and names the field', async (_title, body, field) => {
    const response = await openai(body);
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ type: 'invalid_request_error', param: field });
    expect(harness.gateway.wholeCalls).toEqual([]);
  });

  it('words errors of the model as OpenAI does', async () => {
    harness.gateway.playWhole({
      embed: () => {
        throw new AppError('context_length_exceeded', 'The text has 600 tokens.', { field: 'inputs.0', fix: 'Split.' });
      },
    });
    const response = await openai({ input: 'a' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({
      error: {
        message: '"input.0": The text has 600 tokens. Split.',
        type: 'invalid_request_error',
        param: 'input.0',
        code: 'context_length_exceeded',
      },
      detail: '"input.0": The text has 600 tokens. Split.',
    });
  });

  it('is work, so it is refused while the server drains', async () => {
    harness.lifecycle.isDraining = true;
    for (const response of [await openai({ input: 'a' }), await native({ input: 'a' })]) {
      expect(response.statusCode).toBe(503);
      expect(response.headers['retry-after']).toBe('5');
    }
  });
});

describe('POST /api/v1/embeddings', () => {
  it('answers as the second seed specification has it', async () => {
    const response = await native({ input: ['First sentence', 'Second'] });
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({ 'x-provider-used': 'local', 'x-model-used': 'tiny-embed' });
    expect(response.json()).toStrictEqual({
      embeddings: [
        { index: 0, embedding: vectorOf('First sentence'), dimensions: 2 },
        { index: 1, embedding: vectorOf('Second'), dimensions: 2 },
      ],
      usage: { prompt_tokens: 20, total_tokens: 20 },
      provider: 'local',
      model: 'tiny-embed',
    });
    expect(lastRequest()).toEqual({ model: 'default', inputs: ['First sentence', 'Second'] });
  });

  it('takes a single text, a model and keep_alive', async () => {
    await native({ input: 'a', model: 'm', keep_alive: -1 });
    expect(lastRequest()).toEqual({ model: 'm', inputs: ['a'], keepAliveMs: Number.POSITIVE_INFINITY });
  });

  it('refuses unknown fields and empty texts by name', async () => {
    expect((await native({ input: 'a', encoding_format: 'float' })).json()).toMatchObject({
      error: 'ValidationError',
      field: 'encoding_format',
    });
    expect((await native({ input: ['a', ''] })).json()).toMatchObject({ status_code: 400, field: 'input.1' });
    expect(harness.gateway.wholeCalls).toEqual([]);
  });
});
