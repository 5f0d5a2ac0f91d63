import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { messageAnswer, messageEvent } from '../../../src/http/anthropic/messages/answer-schema.ts';
import { anthropicError } from '../../../src/http/anthropic/objects/answer-schema.ts';
import { systemOneAnswer } from '../../../src/http/decisions/schema.ts';
import { batchAnswer } from '../../../src/http/native/batch/schema.ts';
import { nativeChatAnswer } from '../../../src/http/native/chat/schema.ts';
import { decideAnswer } from '../../../src/http/native/decide/schema.ts';
import { embeddingAnswer as nativeEmbeddingAnswer } from '../../../src/http/native/embeddings/schema.ts';
import { generateAnswer, generateItem } from '../../../src/http/native/generate/schema.ts';
import { healthAnswer } from '../../../src/http/native/health/schema.ts';
import { loadAnswer, modelEnvelope, modelListEnvelope } from '../../../src/http/native/models/schema.ts';
import { apiError, nativeError } from '../../../src/http/native/mounts/error-schema.ts';
import { apiMount, rootMount } from '../../../src/http/native/mounts/mounts.ts';
import { chatAnswer, chatChunk } from '../../../src/http/openai/chat/answer-schema.ts';
import { completionAnswer } from '../../../src/http/openai/completions/answer-schema.ts';
import { decisionAnswer } from '../../../src/http/openai/decisions/schema.ts';
import { embeddingAnswer } from '../../../src/http/openai/embeddings/schema.ts';
import { modelListAnswer } from '../../../src/http/openai/models/schema.ts';
import { openaiError } from '../../../src/http/openai/objects/answer-schema.ts';
import { rerankAnswer } from '../../../src/http/rerank/schema.ts';
import { finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

interface Operation {
  summary?: string;
  tags?: string[];
  security?: object[];
  requestBody?: { required?: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  tags: { name: string; description: string }[];
  components: { schemas: Record<string, object> };
}

let harness: Harness;
let document: Document;
beforeAll(async () => {
  harness = await createHarness();
  const choice = { text: 'Hello', bytes: [72, 101, 108, 108, 111], logprob: -0.25 };
  harness.gateway.play(({ logprobs }) => [
    startEvent(),
    ...(logprobs ? [{ type: 'logprobs' as const, tokens: [{ ...choice, top: [choice] }] }] : []),
    ...textEvents(['Hello', ' world'], 0),
    finishEvent(2),
  ]);
  document = (await harness.send('GET', '/openapi.json')).json();
});
afterAll(() => harness.close());

describe('/openapi.json', () => {
  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate({ ...document });
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  it('has every route with a summary, a tag and its errors', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation] as const),
    );
    expect(operations.map(([name]) => name).sort()).toEqual([
      'delete /api/delete',
      'delete /api/v1/keys/{id}',
      'delete /api/v1/models/pull/{id}',
      'delete /api/v1/models/{name}',
      'delete /models/pull/{id}',
      'delete /models/{name}',
      'delete /v1/files/{file}',
      'delete /v1/messages/batches/{batch_id}',
      'delete /v1/responses/{response}',
      'get /',
      'get /api/health',
      'get /api/ps',
      'get /api/status',
      'get /api/tags',
      'get /api/v1/batches',
      'get /api/v1/batches/{batch_id}',
      'get /api/v1/batches/{batch_id}/results',
      'get /api/v1/catalog',
      'get /api/v1/catalog/suggestions',
      'get /api/v1/config',
      'get /api/v1/config/settings',
      'get /api/v1/config/status',
      'get /api/v1/costs/alerts',
      'get /api/v1/costs/by-provider',
      'get /api/v1/costs/daily',
      'get /api/v1/costs/entries',
      'get /api/v1/costs/summary',
      'get /api/v1/events',
      'get /api/v1/health',
      'get /api/v1/health/circuit-breakers',
      'get /api/v1/health/providers',
      'get /api/v1/health/providers/{provider_id}',
      'get /api/v1/jobs',
      'get /api/v1/keys',
      'get /api/v1/logs',
      'get /api/v1/logs/events',
      'get /api/v1/machine',
      'get /api/v1/models',
      'get /api/v1/models/pull/{id}',
      'get /api/v1/models/pull/{id}/events',
      'get /api/v1/models/pulls',
      'get /api/v1/models/search',
      'get /api/v1/models/{name}',
      'get /api/v1/models/{name}/plan',
      'get /api/v1/privacy/daily',
      'get /api/v1/providers',
      'get /api/v1/providers/failover-chains',
      'get /api/v1/providers/{provider_id}',
      'get /api/v1/providers/{provider_id}/models',
      'get /api/v1/rate-limits',
      'get /api/v1/rate-limits/{provider_id}',
      'get /api/v1/requests',
      'get /api/v1/status/{request_id}',
      'get /api/v1/ws/generate',
      'get /api/v1/ws/providers',
      'get /api/v1/ws/pull/{id}',
      'get /api/version',
      'get /catalog',
      'get /catalog/suggestions',
      'get /health',
      'get /livez',
      'get /machine',
      'get /metrics',
      'get /models',
      'get /models/pull/{id}',
      'get /models/pull/{id}/events',
      'get /models/pulls',
      'get /models/search',
      'get /models/{name}',
      'get /models/{name}/plan',
      'get /readyz',
      'get /requests',
      'get /status/{request_id}',
      'get /v1/batches',
      'get /v1/batches/{batch}',
      'get /v1/files',
      'get /v1/files/{file}',
      'get /v1/files/{file}/content',
      'get /v1/messages/batches',
      'get /v1/messages/batches/{batch_id}',
      'get /v1/messages/batches/{batch_id}/results',
      'get /v1/models',
      'get /v1/models/{model}',
      'get /v1/responses/{response}',
      'get /v1/responses/{response}/input_items',
      'get /ws/generate',
      'get /ws/providers',
      'get /ws/pull/{id}',
      'patch /api/v1/providers/{provider_id}',
      'post /api/blobs/{digest}',
      'post /api/chat',
      'post /api/copy',
      'post /api/create',
      'post /api/embed',
      'post /api/embeddings',
      'post /api/generate',
      'post /api/me',
      'post /api/pull',
      'post /api/push',
      'post /api/show',
      'post /api/signout',
      'post /api/v1/batch/generate',
      'post /api/v1/batches/create',
      'post /api/v1/batches/{batch_id}/cancel',
      'post /api/v1/chat',
      'post /api/v1/config/reload',
      'post /api/v1/config/validate',
      'post /api/v1/decide',
      'post /api/v1/embeddings',
      'post /api/v1/generate',
      'post /api/v1/generate/stream',
      'post /api/v1/jobs/{batch_id}/cancel',
      'post /api/v1/keys',
      'post /api/v1/messages/count-tokens',
      'post /api/v1/messages/create',
      'post /api/v1/messages/stream',
      'post /api/v1/models/import',
      'post /api/v1/models/pull',
      'post /api/v1/models/{name}/load',
      'post /api/v1/models/{name}/unload',
      'post /api/v1/providers/{provider_id}/reset',
      'post /api/v1/providers/{provider_id}/test',
      'post /api/v1/rate-limits/{provider_id}/reset',
      'post /api/v1/status/{request_id}/cancel',
      'post /api/v1/tickets',
      'post /apply-template',
      'post /batch/generate',
      'post /decide',
      'post /detokenize',
      'post /generate',
      'post /generate/stream',
      'post /models/import',
      'post /models/pull',
      'post /models/{name}/load',
      'post /models/{name}/unload',
      'post /rerank',
      'post /status/{request_id}/cancel',
      'post /tickets',
      'post /tokenize',
      'post /v1/batches',
      'post /v1/batches/{batch}/cancel',
      'post /v1/chat/completions',
      'post /v1/chat/completions/input_tokens',
      'post /v1/completions',
      'post /v1/decisions',
      'post /v1/embeddings',
      'post /v1/files',
      'post /v1/messages',
      'post /v1/messages/batches',
      'post /v1/messages/batches/{batch_id}/cancel',
      'post /v1/messages/count_tokens',
      'post /v1/rerank',
      'post /v1/responses',
      'post /v1/responses/compact',
      'post /v1/responses/input_tokens',
      'post /v1/responses/{response}/cancel',
      'post /v1/systemone',
    ]);
    for (const [name, operation] of operations) {
      expect(operation.summary, name).toBeTruthy();
      expect(operation.tags, name).toHaveLength(1);
      if (name.startsWith('post'))
        expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['400', '401', '500']));
    }
  });

  it('shows a lock on what asks for a key, and only there', () => {
    const open = Object.entries(document.paths)
      .filter(([, methods]) => methods['get']?.security?.length === 0)
      .map(([path]) => path);
    expect(open.sort()).toEqual(['/', '/api/health', '/api/v1/health', '/health', '/livez', '/readyz']);
    const locked = [{ bearer: ['inference'] }, { apiKey: ['inference'] }, {}];
    expect(document.paths['/generate']!['post']!.security).toEqual(locked);
  });

  it('describes every tag that a route has', () => {
    const used = Object.values(document.paths).flatMap((methods) => Object.values(methods).flatMap(({ tags }) => tags));
    const described = document.tags.filter(({ description }) => description !== '').map(({ name }) => name);
    expect(described.sort()).toEqual([...new Set(used)].sort());
  });

  it('names its schemas instead of repeating them', () => {
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        'ChatCompletionRequest',
        'ChatCompletion',
        'GenerateRequest',
        'Model',
        'Error',
        'ApiError',
        'OpenAiError',
      ]),
    );
    expect(document.paths['/generate']!['post']!.requestBody!.content['application/json']!.schema).toEqual({
      $ref: '#/components/schemas/GenerateRequest',
    });
  });

  it('says which answers are event streams', () => {
    expect(Object.keys(document.paths['/generate/stream']!['post']!.responses['200']!.content!)).toEqual([
      'text/event-stream',
    ]);
    expect(Object.keys(document.paths['/v1/chat/completions']!['post']!.responses['200']!.content!)).toEqual([
      'application/json',
      'text/event-stream',
    ]);
  });

  it('says what the items of an input may be', () => {
    const { EmbeddingRequest } = document.components.schemas as Record<string, { properties: Record<string, object> }>;
    const one = [{ type: 'string' }, { type: 'array', items: { type: 'integer' } }];
    expect(EmbeddingRequest!.properties['input']).toMatchObject({
      anyOf: [...one, { type: 'array', items: { anyOf: one } }],
    });
  });

  it('says of the records of event streams that they hold JSON text, how they are named and how they end', () => {
    const dataOf = (method: string, path: string) =>
      document.paths[path]![method]!.responses['200']!.content!['text/event-stream']!.schema as {
        properties: { data: { anyOf?: object[] }; event: object };
      };
    const chunk = { $ref: '#/components/schemas/ChatCompletionChunk' };
    const chat = dataOf('post', '/v1/chat/completions').properties;
    expect(chat.data.anyOf).toContainEqual({
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: chunk,
    });
    expect(chat.data.anyOf).toContainEqual({ type: 'string', const: '[DONE]' });
    expect(JSON.stringify(dataOf('post', '/generate/stream'))).not.toContain('[DONE]');
    expect(JSON.stringify(dataOf('get', '/models/pull/{id}/events').properties.event)).toContain('"resumable"');
    const streams = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ responses }) =>
        Object.values(responses).flatMap(({ content }) => content?.['text/event-stream']?.schema ?? []),
      ),
    );
    for (const schema of streams) {
      expect(schema).toMatchObject({ properties: { data: expect.anything(), event: expect.anything() } });
    }
  });

  it('has an answer for a missing key wherever one is asked for', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { security, responses } of Object.values(methods)) {
        expect(Object.keys(responses).includes('401'), path).toBe(security?.length !== 0);
        expect(Object.keys(responses), path).toEqual(expect.arrayContaining(['400', '403', '500']));
      }
    }
  });

  it('lets a load go without a body, and asks for one where text is generated', () => {
    expect(document.paths['/models/{name}/load']!['post']!.requestBody?.required ?? false).toBe(false);
    expect(document.paths['/generate']!['post']!.requestBody!.required).toBe(true);
    expect(JSON.stringify(document)).not.toContain('x-fastify');
  });
});

describe('the schemas of answers', () => {
  /** The value, if the schema says all of it: what it does not know it would drop. */
  const described = (schema: z.ZodType, value: unknown) => schema.parse(value);
  const chat = { messages: [{ role: 'user', content: 'Hi' }] };

  it.each<[string, string, unknown, z.ZodType]>([
    ['POST', '/generate', { prompt: 'Hi' }, generateAnswer],
    ['GET', '/health', undefined, healthAnswer],
    ['GET', '/api/v1/models', undefined, modelListEnvelope],
    ['POST', '/models/tiny/load', undefined, loadAnswer],
    ['GET', '/nowhere', undefined, nativeError],
    ['POST', '/api/v1/generate', { prompt: '' }, apiError],
    ['POST', '/v1/chat/completions', chat, chatAnswer],
    ['POST', '/v1/chat/completions', { ...chat, n: 2, logprobs: true, top_logprobs: 1 }, chatAnswer],
    ['POST', '/v1/completions', { prompt: 'Hi' }, completionAnswer],
    ['POST', '/v1/completions', { prompt: 'Hi', n: 2, logprobs: 1 }, completionAnswer],
    ['POST', '/v1/embeddings', { input: ['a', 'b'] }, embeddingAnswer],
    ['POST', '/v1/embeddings', { input: 'a', encoding_format: 'base64' }, embeddingAnswer],
    ['POST', '/api/v1/embeddings', { input: 'a' }, nativeEmbeddingAnswer],
    ['POST', '/api/v1/chat', chat, nativeChatAnswer],
    ['POST', '/batch/generate', { requests: [{ prompt: 'Hi' }, {}] }, batchAnswer(rootMount)],
    ['POST', '/api/v1/batch/generate', { requests: [{ prompt: 'Hi' }, {}] }, batchAnswer(apiMount)],
    ['GET', '/api/v1/models/tiny', undefined, modelEnvelope],
    ['POST', '/v1/rerank', { query: 'a', documents: ['b'], return_documents: true }, rerankAnswer],
    ['POST', '/v1/decisions', { input: 'a', questions: [{ type: 'predicate', instructions: 'b' }] }, decisionAnswer],
    ['POST', '/v1/systemone', { state: 'a', questions: { b: { type: 'noul', instructions: 'c' } } }, systemOneAnswer],
    ['POST', '/decide', { input: 'a', questions: [{ type: 'yes_no', question: 'b' }] }, decideAnswer],
    ['GET', '/v1/models', undefined, modelListAnswer],
    ['GET', '/v1/nowhere', undefined, openaiError],
    ['POST', '/v1/messages', { ...chat, model: 'default', max_tokens: 5 }, messageAnswer],
    ['POST', '/v1/messages', chat, anthropicError],
  ])('describe all of what %s %s answers', async (method, url, body, schema) => {
    const answer = (await harness.send(method, url, body)).json();
    expect(described(schema, answer)).toEqual(answer);
  });

  it.each<[string, object, z.ZodType]>([
    ['/generate/stream', { prompt: 'Hi' }, generateItem],
    ['/v1/chat/completions', { ...chat, stream: true, stream_options: { include_usage: true } }, chatChunk],
    ['/v1/chat/completions', { ...chat, stream: true, n: 2, logprobs: true }, chatChunk],
    ['/v1/messages', { ...chat, model: 'default', max_tokens: 5, stream: true }, messageEvent],
    ['/v1/completions', { prompt: 'Hi', stream: true }, completionAnswer],
    ['/v1/completions', { prompt: 'Hi', stream: true, n: 2, logprobs: 1 }, completionAnswer],
  ])('describe all items of the stream of %s', async (url, body, schema) => {
    const items = sseData((await harness.send('POST', url, body)).body).filter((item) => item !== '[DONE]');
    expect(items.length).toBeGreaterThan(2);
    for (const item of items) expect(described(schema, JSON.parse(item))).toEqual(JSON.parse(item));
  });
});

describe('/docs', () => {
  it('names no other server in its page and its settings', async () => {
    const page = await harness.send('GET', '/docs');
    expect(page.statusCode).toBe(200);
    const urls = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(urls.length).toBeGreaterThan(4);
    for (const url of urls) {
      expect(url).toMatch(/^\/docs\//);
      expect((await harness.send('GET', url)).statusCode, url).toBe(200);
    }
    const settings = await harness.send('GET', '/docs/static/swagger-initializer.js');
    expect(settings.body).toContain('"validatorUrl":null');
  });

  it('lets the page load from its own server only, over plain HTTP too', async () => {
    const policy = String((await harness.send('GET', '/docs')).headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/https:|upgrade-insecure-requests/);
  });
});
