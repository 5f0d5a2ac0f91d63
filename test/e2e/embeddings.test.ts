import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unpackVector } from '../../src/core/embedding.ts';
import { postJson } from '../support/client.ts';
import { realModels } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

interface Reference {
  text: string;
  /** With [CLS] and [SEP]. */
  tokens: number[];
  /** Of length 1, by an independent implementation from the original weights. */
  embedding: number[];
}

const model = 'all-minilm-l6-v2';
const real = realModels(['all-minilm-l6-v2-q8_0.gguf', 'all-minilm-l6-v2.expected.json']);
const why = 'skip' in real ? ` (skipped: ${real.skip})` : '';

/** The cosine, as both have length 1. */
const cosine = (left: number[], right: number[]) => left.reduce((sum, value, index) => sum + value * right[index]!, 0);

/** Equal but for rounding: how the threads share the work may change between two requests. */
function expectSame(left: number[][], right: number[][]): void {
  expect(left.length).toBe(right.length);
  for (const [index, vector] of left.entries()) {
    const difference = Math.max(...vector.map((value, place) => Math.abs(value - right[index]![place]!)));
    expect(difference, `vector ${index}`).toBeLessThan(1e-6);
  }
}

describe.skipIf('skip' in real)(`all-MiniLM-L6-v2, against the original weights${why}`, () => {
  let server: RunningServer;
  let client: OpenAI;
  let references: Reference[];

  /** Vectors of inputs, asked for in one request. */
  const embed = async (input: string[] | number[][]) => {
    const response = await client.embeddings.create({ model, input, encoding_format: 'float' });
    return response.data.map((item) => item.embedding);
  };

  beforeAll(async () => {
    const folder = 'skip' in real ? '' : real.folder;
    references = JSON.parse(readFileSync(join(folder, 'all-minilm-l6-v2.expected.json'), 'utf8'));
    server = await startServer({ models: folder });
    client = new OpenAI({ baseURL: `${server.baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('gives the recorded vectors, of length 1, and counts the recorded tokens', async () => {
    expect(references.length).toBeGreaterThan(5);
    for (const reference of references) {
      const response = await client.embeddings.create({ model, input: reference.text, encoding_format: 'float' });
      const vector = response.data[0]!.embedding;
      expect(cosine(vector, reference.embedding), reference.text).toBeGreaterThan(0.999);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
      const count = reference.tokens.length;
      expect(response.usage).toEqual({ prompt_tokens: count, total_tokens: count });
      expect(response.model).toBe(model);
    }
  });

  it('reads a text as exactly the recorded tokens, which may come with or without [CLS] and [SEP]', async () => {
    const fromText = await embed(references.map((reference) => reference.text));
    expectSame(await embed(references.map((reference) => reference.tokens)), fromText);
    expectSame(await embed(references.map((reference) => reference.tokens.slice(1, -1))), fromText);
  });

  it('gives the same numbers in base64, which the SDK asks for by itself', async () => {
    const input = references.map((reference) => reference.text);
    const floats = await embed(input);
    const bySdk = await client.embeddings.create({ model, input });
    expectSame(
      bySdk.data.map((item) => item.embedding),
      floats,
    );
    const raw = await postJson(`${server.baseUrl}/v1/embeddings`, { model, input, encoding_format: 'base64' });
    const packed = (raw.body as { data: { embedding: string }[] }).data.map((item) => item.embedding);
    expectSame(packed.map(unpackVector), floats);
  });

  it('gives 16 inputs of one request, and of 16 requests at once, the vectors that each has alone', async () => {
    const texts = Array.from({ length: 16 }, (_, index) => `Text ${index}: ${'about cats and dogs '.repeat(index)}`);
    const alone: number[][] = [];
    for (const text of texts) alone.push(...(await embed([text])));
    expectSame(await embed(texts), alone);
    const atOnce = await Promise.all(texts.map((text) => embed([text])));
    expectSame(atOnce.flat(), alone);
    expect(new Set(alone.map((vector) => vector[0])).size).toBe(16);
  });

  it('reads a text of 512 tokens as a whole, its beginning included', async () => {
    const [word, other] = [references[0]!.tokens[4]!, references[0]!.tokens[5]!];
    const long = Array.from({ length: 510 }, () => word);
    const otherStart = long.map((token, index) => (index < 255 ? other : token));
    const [vector, changed] = (await embed([long, otherStart])) as [number[], number[]];
    // Were the text cut into batches, only its end would count, and these two would be equal.
    expect(cosine(vector, changed)).toBeLessThan(0.99);
  });

  it('refuses a text of more tokens than it can read at once, with both numbers', async () => {
    const input = ['short', 'word '.repeat(598)];
    const refusal = await postJson(`${server.baseUrl}/v1/embeddings`, { model, input });
    expect(refusal.status).toBe(400);
    expect(refusal.body).toMatchObject({
      error: {
        code: 'context_length_exceeded',
        param: 'input.1',
        message: expect.stringMatching(/\b600\b.*\b512\b/),
      },
    });
  });

  it('refuses tokens that it does not have, and dimensions other than its own', async () => {
    const refused = (body: object) => postJson(`${server.baseUrl}/v1/embeddings`, { model, ...body });
    expect((await refused({ input: [[101, 30_522]] })).body).toMatchObject({ error: { param: 'input.0' } });
    expect((await refused({ input: [[101, 30_521]] })).status).toBe(200);
    const dimensions = await refused({ input: 'a', dimensions: 256 });
    expect(dimensions.status).toBe(400);
    expect(dimensions.body).toMatchObject({ error: { param: 'dimensions', message: expect.stringContaining('384') } });
    expect((await refused({ input: 'a', dimensions: 384 })).status).toBe(200);
  });

  it('is found without a name, as the one model that makes embeddings', async () => {
    const answer = await postJson(`${server.baseUrl}/api/v1/embeddings`, { input: [references[0]!.text, ' '] });
    expect(answer.status).toBe(200);
    const body = answer.body as { embeddings: { embedding: number[]; dimensions: number }[] };
    expect(body).toMatchObject({
      model,
      provider: 'local',
      usage: { prompt_tokens: references[0]!.tokens.length + 2 },
    });
    expect(body.embeddings.map((item) => item.dimensions)).toEqual([384, 384]);
    expect(cosine(body.embeddings[0]!.embedding, references[0]!.embedding)).toBeGreaterThan(0.999);
  });

  it('neither chats nor ranks, and chat models make no embeddings', async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const chat = await postJson(`${server.baseUrl}/v1/chat/completions`, { model, messages });
    expect(chat.status).toBe(400);
    expect(chat.body).toMatchObject({ error: { param: 'model', message: expect.stringContaining('only makes') } });
    const rank = await postJson(`${server.baseUrl}/v1/rerank`, { model, query: 'a', documents: ['b'] });
    expect(rank.body).toMatchObject({ error: { code: 'invalid_request', param: 'model' } });
    const embedding = await postJson(`${server.baseUrl}/v1/embeddings`, { model: 'hearth-guide-3m', input: 'a' });
    expect(embedding.body).toMatchObject({ error: { code: 'invalid_request', param: 'model' } });
  });
});
