import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

/** What the document says of a value and what the server does with it; the two must agree. */
let harness: Harness;
let ajv: Ajv2020;
beforeAll(async () => {
  harness = await createHarness();
  const document = (await harness.send('GET', '/openapi.json')).json();
  ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...document, $id: 'hearth' });
});
afterAll(() => harness.close());

const isDescribed = (name: string, body: object) =>
  ajv.getSchema(`hearth#/components/schemas/${name}`)!(body) as boolean;

async function isTaken(url: string, body: object): Promise<boolean> {
  const { statusCode } = await harness.send('POST', url, body);
  // Whether there is such a model is not for the schema to say.
  expect([200, 202, 400, 404]).toContain(statusCode);
  return statusCode !== 400;
}

const chat = { messages: [{ role: 'user', content: 'Hi' }] };
const userSays = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const withTool = (parameters: unknown) => ({
  ...chat,
  tools: [{ type: 'function', function: { name: 'look', parameters } }],
});

describe('the document and the server agree', () => {
  it.each(['tiny', 'a b', 'org/repo:q4_k_m', 'Straße', '模型', '👩‍🚀', '..a', 'a/..b', 'x'.repeat(1_024)])(
    'that a model may be called %j',
    async (model) => {
      expect(isDescribed('GenerateRequest', { prompt: 'Hi', model })).toBe(true);
      expect(await isTaken('/generate', { prompt: 'Hi', model })).toBe(true);
    },
  );

  it.each([
    '',
    ' a',
    'a ',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'a\n',
    'a\u00a0b',
    'a\u200bb',
    'a\u2028b',
    'a\ufeff',
    'x'.repeat(1_025),
  ])('that no model is called %j', async (model) => {
    expect(isDescribed('GenerateRequest', { prompt: 'Hi', model })).toBe(false);
    expect(await isTaken('/generate', { prompt: 'Hi', model })).toBe(false);
  });

  it.each<[unknown, boolean]>([
    [0, true],
    [-1, true],
    [1e300, true],
    ['5m', true],
    ['1h30m', true],
    [' -1.5s\n', true],
    ['300', true],
    ['+2us', true],
    ['', false],
    ['5 m', false],
    ['m', false],
    ['five', false],
    ['1h30', false],
    ['.5s', false],
  ])('on a keep_alive of %j: %s', async (keepAlive, isRight) => {
    const body = { prompt: 'Hi', keep_alive: keepAlive };
    expect(isDescribed('GenerateRequest', body)).toBe(isRight);
    expect(await isTaken('/generate', body)).toBe(isRight);
  });

  it.each<[object, boolean]>([
    [{ system: 'Be brief.' }, true],
    [{ system: 'Be brief.', raw: false }, true],
    [{ system: 'Be brief.', raw: true }, false],
    [{ system_prompt: 'Be brief.', raw: true }, false],
    [{ system: 'Be brief.', system_prompt: 'Be brief.' }, false],
    [{ stop: 'a', stop_sequences: ['b'] }, false],
    [{ logit_bias: { '42': -100 } }, true],
    [{ logit_bias: { x: 1 } }, false],
    [{ logit_bias: { '1': 101 } }, false],
    [{ unknown: 1 }, false],
  ])('on a generation with %j: %s', async (fields, isRight) => {
    const body = { prompt: 'Hi', ...fields };
    expect(isDescribed('GenerateRequest', body)).toBe(isRight);
    expect(await isTaken('/generate', body)).toBe(isRight);
  });

  it.each<[object, boolean]>([
    [{ guided_json: null }, true],
    [{ logprobs: true, top_logprobs: 2 }, true],
    [{ logprobs: false, top_logprobs: 0 }, true],
    [{ top_logprobs: 2 }, false],
    [{ logprobs: false, top_logprobs: 2 }, false],
    [{ add_generation_prompt: true }, true],
    [{ add_generation_prompt: false }, false],
    [{ guided_json: {} }, false],
    [{ unknown: 1 }, true],
    [userSays([{ type: 'text', text: 'Hi', cache_control: {} }]), true],
    [userSays([{ type: 'text' }]), false],
    [userSays([{ type: 'nonsense', text: 'Hi' }]), false],
    [withTool({ type: 'object' }), true],
    [withTool({ type: ['object', 'null'] }), true],
    [withTool({ properties: {} }), true],
    [withTool(null), true],
    [withTool({ type: 'string' }), false],
  ])('on a chat with %j: %s', async (fields, isRight) => {
    const body = { ...chat, ...fields };
    expect(isDescribed('ChatCompletionRequest', body)).toBe(isRight);
    expect(await isTaken('/v1/chat/completions', body)).toBe(isRight);
  });

  it.each<[unknown, boolean]>([
    ['Once', true],
    [['Once', 'Twice'], true],
    [[1, 2], true],
    [[[1, 2], 'Once'], true],
    ['', false],
    [[], false],
    [['Once', ''], false],
    [[[]], false],
    [['Once', 1], false],
    [[1, 'Once'], false],
    [[1.5], false],
    [[-1], false],
    [[2 ** 31], false],
  ])('on a prompt of %j: %s', async (prompt, isRight) => {
    expect(isDescribed('CompletionRequest', { prompt })).toBe(isRight);
    expect(await isTaken('/v1/completions', { prompt })).toBe(isRight);
  });

  it.each<[object, boolean]>([
    [{ echo: true }, true],
    [{ echo: false, logprobs: 1 }, true],
    [{ echo: true, logprobs: null }, true],
    [{ echo: true, logprobs: 0 }, false],
    [{ suffix: '' }, true],
    [{ suffix: 'the end' }, true],
  ])('on a completion with %j: %s', async (fields, isRight) => {
    const body = { prompt: 'Once', ...fields };
    expect(isDescribed('CompletionRequest', body)).toBe(isRight);
    expect(await isTaken('/v1/completions', body)).toBe(isRight);
  });

  it.each<[string, string, object, boolean]>([
    ['OllamaShowRequest', '/api/show', { model: 'tiny' }, true],
    ['OllamaShowRequest', '/api/show', { name: 'tiny' }, true],
    ['OllamaShowRequest', '/api/show', {}, false],
    ['OllamaShowRequest', '/api/show', { model: null }, false],
    ['OllamaPullRequest', '/api/pull', { model: '', name: 'tiny', stream: false }, true],
    ['OllamaPullRequest', '/api/pull', { model: '' }, false],
    ['OllamaCreateRequest', '/api/create', { model: 'a', from: 'tiny', stream: false }, true],
    ['OllamaCreateRequest', '/api/create', { model: 'a', from: 'tiny', files: {}, stream: false }, true],
    ['OllamaCreateRequest', '/api/create', { from: 'tiny' }, false],
    ['OllamaCreateRequest', '/api/create', { model: 'a' }, false],
    ['OllamaCreateRequest', '/api/create', { model: 'a', from: 'tiny', quantize: 'q4_0' }, false],
    ['OllamaCreateRequest', '/api/create', { model: 'a', from: 'tiny', messages: [{}] }, false],
    ['OllamaChatRequest', '/api/chat', { ...chat, stream: false, top_logprobs: 1, logprobs: true }, true],
    ['OllamaChatRequest', '/api/chat', { ...chat, top_logprobs: 1 }, false],
    ['OllamaChatRequest', '/api/chat', { top_logprobs: 1 }, false],
    ['OllamaOrSeedGenerateRequest', '/api/generate', { prompt: 'Hi', raw: true, system: '' }, true],
    ['OllamaOrSeedGenerateRequest', '/api/generate', { prompt: 'Hi', raw: true, system: 'x' }, false],
    ['OllamaOrSeedGenerateRequest', '/api/generate', { prompt: 'Hi', raw: true, images: ['QUJD'] }, false],
    ['OllamaOrSeedGenerateRequest', '/api/generate', { prompt: 'Hi', suffix: 'x' }, false],
    ['OllamaOrSeedGenerateRequest', '/api/generate', { prompt: 'Hi', suffix: '' }, true],
    ['OllamaEmbedRequest', '/api/embed', { input: [] }, true],
    ['OllamaEmbedRequest', '/api/embed', { input: ['a', ''] }, false],
    ['TokenizeRequest', '/tokenize', { content: 'a' }, true],
    ['TokenizeRequest', '/tokenize', { content: null, messages: chat.messages }, true],
    ['TokenizeRequest', '/tokenize', {}, false],
    ['TokenizeRequest', '/tokenize', { content: 'a', prompt: 'a' }, false],
    ['DetokenizeRequest', '/detokenize', { tokens: [1] }, true],
    ['DetokenizeRequest', '/detokenize', { tokens: [] }, false],
    ['ChatRequest', '/api/v1/chat', { ...chat, stop: 'a', stop_sequences: ['b'] }, false],
    ['ChatCompletionRequest', '/v1/chat/completions', { ...chat, modalities: ['text'] }, true],
    ['ChatCompletionRequest', '/v1/chat/completions', { ...chat, modalities: ['text', 'audio'] }, false],
    ['ResponseCompactRequest', '/v1/responses/compact', { input: 'a' }, true],
    ['ResponseCompactRequest', '/v1/responses/compact', { input: '' }, true],
    ['ResponseCompactRequest', '/v1/responses/compact', { input: [], previous_response_id: 'resp_1' }, true],
    ['ResponseCompactRequest', '/v1/responses/compact', {}, false],
    ['ResponseCompactRequest', '/v1/responses/compact', { input: null }, false],
    ['ResponseCompactRequest', '/v1/responses/compact', { input: [] }, false],
    ['ResponseCompactRequest', '/v1/responses/compact', { previous_response_id: '' }, false],
    ['ResponseRequest', '/v1/responses', { input: 'a', prompt: { id: 'p' } }, false],
    ['ResponseRequest', '/v1/responses', { input: 'a', context_management: [] }, true],
    ['ResponseRequest', '/v1/responses', { input: 'a', context_management: [{ type: 'compaction' }] }, false],
    ['DecisionRequest', '/v1/decisions', { input: 'a', questions: [] }, false],
    ['DecisionRequest', '/v1/decisions', { input: 'a', questions: [{ type: 'predicate', instructions: '' }] }, false],
    ['DecisionRequest', '/v1/decisions', { input: 'a', questions: [{ type: 'predicate', instructions: 'b' }] }, true],
    ['SystemOneRequest', '/v1/systemone', { state: 'a', questions: {} }, false],
    ['DecideRequest', '/decide', { input: 'a', questions: [{ type: 'choice', question: 'b', options: ['c'] }] }, false],
    ['DecideRequest', '/decide', { input: 'a', questions: [{ type: 'yes_no', question: 'b', unknown: 1 }] }, false],
  ])('on %s at %s with %j: %s', async (name, url, body, isRight) => {
    expect(isDescribed(name, body)).toBe(isRight);
    expect(await isTaken(url, body)).toBe(isRight);
  });

  it.each<[unknown[], boolean]>([
    [['a'], true],
    [[{ text: 'a' }, 'b'], true],
    [[], false],
    [[''], false],
    [[{ text: '' }], false],
    [[1], false],
  ])('on documents of %j: %s', async (documents, isRight) => {
    expect(isDescribed('RerankRequest', { query: 'a', documents })).toBe(isRight);
    expect(await isTaken('/rerank', { query: 'a', documents })).toBe(isRight);
  });

  it('on how many texts one request may bring', async () => {
    const texts = (count: number) => Array(count).fill('a');
    for (const [name, url, most, bodyOf] of [
      ['CompletionRequest', '/v1/completions', 256, (prompt: string[]) => ({ prompt })],
      ['EmbeddingRequest', '/v1/embeddings', 2_048, (input: string[]) => ({ input })],
      ['RerankRequest', '/v1/rerank', 2_048, (documents: string[]) => ({ query: 'a', documents })],
    ] as const) {
      for (const count of [most, most + 1]) {
        const body = bodyOf(texts(count));
        expect(isDescribed(name, body), `${name} of ${count}`).toBe(count === most);
        expect(await isTaken(url, body), `${name} of ${count}`).toBe(count === most);
      }
    }
  });
});
