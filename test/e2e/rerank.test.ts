import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postJson } from '../support/client.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { tinyRanker, tinyRankerContextTokens } from '../support/tiny-ranker.ts';

interface Ranking {
  results: { index: number; relevance_score: number }[];
  usage: { prompt_tokens: number };
}

describe('a reranking model, of which "good" raises the score and "bad" lowers it', () => {
  let server: RunningServer;
  let folder: string;
  const rerank = (documents: unknown[], query = 'tea', path = '/v1/rerank') =>
    postJson(`${server.baseUrl}${path}`, { model: 'tiny-ranker', query, documents });
  const scoresOf = async (documents: string[], query?: string) => {
    const { results } = (await rerank(documents, query)).body as Ranking;
    return documents.map((_, index) => results.find((result) => result.index === index)!.relevance_score);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-models-'));
    await writeFile(join(folder, 'tiny-ranker-f32.gguf'), tinyRanker());
    server = await startServer({ models: folder });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(['/v1/rerank', '/rerank'])('sorts documents through %s', async (path) => {
    const { status, body } = await rerank(['tea is bad', { text: 'tea is good' }, 'tea is tea'], 'tea', path);
    expect(status).toBe(200);
    const { results, usage } = body as Ranking;
    expect(results.map((result) => result.index)).toEqual([1, 2, 0]);
    expect(results.map((result) => result.relevance_score > 0.5)).toEqual([true, false, false]);
    expect(results[1]!.relevance_score).toBeCloseTo(0.5, 5);
    expect(results[0]!.relevance_score + results[2]!.relevance_score).toBeCloseTo(1, 5);
    // [CLS] tea [SEP] [SEP] and three words [SEP]: the library ends the query with two separators.
    expect(usage.prompt_tokens).toBe(3 * 8);
  });

  it('reads the query too', async () => {
    const [good] = await scoresOf(['tea'], 'good');
    const [bad] = await scoresOf(['tea'], 'bad');
    expect(good).toBeGreaterThan(0.5);
    expect(bad).toBeLessThan(0.5);
  });

  it('gives a document the same score alone and among others, asked for at once', async () => {
    const documents = ['good', 'bad bad', 'good tea is tea', 'tea'];
    const alone: number[] = [];
    for (const document of documents) alone.push(...(await scoresOf([document])));
    const together = await Promise.all(Array.from({ length: 6 }, () => scoresOf(documents)));
    for (const scores of together) {
      for (const [index, score] of scores.entries()) expect(score).toBeCloseTo(alone[index]!, 5);
    }
  });

  it('refuses a document that does not fit beside the query, with both numbers', async () => {
    const { status, body } = await rerank(['tea', 'tea '.repeat(tinyRankerContextTokens)]);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: {
        code: 'context_length_exceeded',
        param: 'documents.1',
        message: expect.stringContaining(String(tinyRankerContextTokens)),
      },
    });
    // What just fits is read: five tokens are the frame and the query.
    expect((await rerank(['tea '.repeat(tinyRankerContextTokens - 5)])).status).toBe(200);
    expect((await rerank(['tea '.repeat(tinyRankerContextTokens - 4)])).status).toBe(400);
  });

  it('makes no embeddings and no text', async () => {
    const embedding = await postJson(`${server.baseUrl}/v1/embeddings`, { model: 'tiny-ranker', input: 'tea' });
    expect(embedding.body).toMatchObject({ error: { code: 'invalid_request', param: 'model' } });
    const text = await postJson(`${server.baseUrl}/generate`, { model: 'tiny-ranker', prompt: 'tea' });
    expect(text.status).toBe(400);
    expect(text.body).toMatchObject({ error: { message: expect.stringContaining('only ranks') } });
  });
});
