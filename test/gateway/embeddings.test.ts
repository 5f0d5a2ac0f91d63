import { describe, expect, it } from 'vitest';
import type { Provider } from '../../src/core/provider.ts';
import { createGateway } from '../../src/gateway/gateway.ts';

const context = { signal: new AbortController().signal, requestId: 'req_1' };
const embedding = { model: 'm', inputs: ['a'] };
const ranking = { model: 'm', query: 'q', documents: ['a'] };
const bare: Provider = { id: 'local', stream: () => (async function* () {})() };
const gatewayOf = (provider: Provider) => createGateway({ providers: new Map([['local', provider]]) });

describe('the gateway', () => {
  it('hands requests for vectors and scores to the provider, and says who answered', async () => {
    const seen: unknown[] = [];
    const gateway = gatewayOf({
      ...bare,
      async embed(...call) {
        seen.push(...call);
        return { model: 'full-name', vectors: [[1]], promptTokens: 3 };
      },
      async rank(...call) {
        seen.push(...call);
        return { model: 'full-name', scores: [0.5], promptTokens: 4 };
      },
    });
    expect(await gateway.embed(embedding, context)).toEqual({
      providerId: 'local',
      model: 'full-name',
      vectors: [[1]],
      promptTokens: 3,
    });
    expect(await gateway.rank(ranking, context)).toEqual({
      providerId: 'local',
      model: 'full-name',
      scores: [0.5],
      promptTokens: 4,
    });
    expect(seen).toEqual([embedding, context, ranking, context]);
  });

  it('says so when the provider has no embeddings or no reranking', async () => {
    const gateway = gatewayOf(bare);
    await expect(gateway.embed(embedding, context)).rejects.toMatchObject({ code: 'not_supported', field: 'model' });
    await expect(gateway.rank(ranking, context)).rejects.toMatchObject({ code: 'not_supported', field: 'model' });
  });
});
