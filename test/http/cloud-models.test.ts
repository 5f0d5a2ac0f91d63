import { afterEach, describe, expect, it } from 'vitest';
import type { ModelInfo } from '../../src/core/model.ts';
import { visibleModels } from '../../src/http/mount/visible-models.ts';
import { localRouting } from '../support/calls.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { cloudProvider, timedOut } from '../support/cloud-provider.ts';
import { createHarness, type Harness } from './harness.ts';

const configured = cloudConfigOf(
  'providers: { openai: { api_key: k, models: [{ id: gpt-4o }] }, anthropic: { api_key: k }, azure: { base_url: https://azure.example/v1 } }',
);
let harness: Harness;
afterEach(() => harness.close());

async function begin(change: (all: ReturnType<typeof services>) => void = () => {}) {
  const all = services();
  change(all);
  harness = await createHarness({}, {}, Object.values(all), configured);
}
function services() {
  return {
    openai: cloudProvider('openai', ['gpt-4o', 'tiny']),
    anthropic: cloudProvider('anthropic', ['claude-3-sonnet']),
    azure: cloudProvider('azure', ['gpt-4o']),
  };
}
const get = async (path: string, headers = {}) => (await harness.send('GET', path, undefined, headers)).json();
const cloudIds = ['gpt-4o', 'openai/tiny', 'claude-3-sonnet', 'azure/gpt-4o'];

describe('the health of the server', () => {
  const cloud = () => {
    const { openai, anthropic, azure } = services();
    const noKey = () => ({ state: 'unavailable', reason: 'It has no key.' }) as const;
    return [openai, { ...anthropic, status: noKey }, azure];
  };
  const settings =
    'providers: { openai: { api_key: k }, anthropic: {}, azure: { base_url: https://azure.example/v1, enabled: false } }';
  const counts = { configured: 3, enabled: 2, without_key: 1 };

  it('names providers and whether their keys are there where nobody is asked for a key, and else only counts them', async () => {
    harness = await createHarness({}, {}, cloud(), cloudConfigOf(settings));
    expect((await get('/health')).providers).toEqual({
      ...counts,
      list: [
        { id: 'openai', enabled: true, key: 'set' },
        { id: 'anthropic', enabled: true, key: 'missing' },
        { id: 'azure', enabled: false, key: 'not_needed' },
      ],
    });
    await harness.close();
    harness = await createHarness({ apiKeys: ['secret-key'] }, {}, cloud(), cloudConfigOf(settings));
    const { providers } = await get('/health');
    expect(providers).toEqual(counts);
    expect(JSON.stringify(await get('/health'))).not.toContain('anthropic');
  });
});

describe('models of other providers', () => {
  it("are in OpenAI's list with their provider, behind those of this machine, each by a name that leads to it", async () => {
    await begin();
    const { data, models } = await get('/v1/models');
    const owners = data.map(({ id, owned_by }: { id: string; owned_by: string }) => [id, owned_by]);
    expect(owners).toEqual([
      ['tiny', 'hearth'],
      ['gpt-4o', 'openai'],
      ['openai/tiny', 'openai'],
      ['claude-3-sonnet', 'anthropic'],
      ['azure/gpt-4o', 'azure'],
    ]);
    expect(models.map(({ slug }: { slug: string }) => slug)).toEqual(['tiny', ...cloudIds]);
    for (const id of cloudIds) expect(await get(`/v1/models/${encodeURIComponent(id)}`), id).toMatchObject({ id });
    expect(await get(`/v1/models/${encodeURIComponent('openai/gpt-4o')}`)).toMatchObject({ id: 'gpt-4o' });
    for (const id of cloudIds) {
      const body = { model: id, messages: [{ role: 'user', content: 'Hi' }] };
      const answer = await harness.send('POST', '/v1/chat/completions', body);
      expect(answer.headers['x-provider-used'], id).toBe(new Map(owners).get(id));
    }
  });

  it("are in Anthropic's list", async () => {
    await begin();
    const { data } = await get('/v1/models?limit=100', { 'anthropic-version': '2023-06-01' });
    expect(data.map(({ id, provider }: { id: string; provider: string }) => [id, provider])).toEqual(
      expect.arrayContaining([
        ['tiny', 'local'],
        ['claude-3-sonnet', 'anthropic'],
      ]),
    );
    expect(data).toHaveLength(5);
  });

  it.each(['/models', '/api/v1/models'])('stand beside those of this machine at %s', async (path) => {
    await begin();
    const { models, cloud_models } = await get(path);
    expect(models.map(({ name }: { name: string }) => name)).toEqual(['tiny']);
    expect(cloud_models.map(({ name }: { name: string }) => name)).toEqual(cloudIds);
    expect(cloud_models[0]).toMatchObject({ provider: 'openai', context_length: 128_000, operations: ['generate'] });
  });

  it("are not in Ollama's list, which is of files", async () => {
    await begin();
    const { models } = await get('/api/tags');
    expect(models.map(({ name }: { name: string }) => name)).toEqual(['tiny:latest']);
  });

  it('are missing only of a service that is down', async () => {
    await begin(({ openai }) => {
      openai.down = timedOut;
    });
    const { data } = await get('/v1/models');
    expect(data.map(({ id }: { id: string }) => id)).toEqual(['tiny', 'claude-3-sonnet', 'gpt-4o']);
  });

  it('are asked of a service in its own words, once for all who list them', async () => {
    let asked = 0;
    await begin((all) => {
      const { models } = all.openai;
      all.openai.models = async (signal): Promise<ModelInfo[]> => {
        asked++;
        return models(signal);
      };
    });
    await Promise.all([get('/v1/models'), get('/models'), get('/api/v1/providers')]);
    expect(asked).toBe(1);
  });

  it('are seen only with a key whose requests may leave the house, and where any may', async () => {
    await begin();
    const seen = async (cloudAllowed: boolean, mayUseCloud: boolean) => {
      const routing = () => ({ ...localRouting, cloudAllowed });
      const { signal } = new AbortController();
      const asker = { principal: { mayUseCloud, models: null }, wish: { hops: [] } };
      const models = await visibleModels({ gateway: harness.gateway, routing }, asker, signal);
      return models.map(({ id }) => id);
    };
    expect(await seen(true, true)).toEqual(['tiny', ...cloudIds]);
    expect(await seen(true, false)).toEqual(['tiny']);
    expect(await seen(false, true)).toEqual(['tiny']);
  });

  it('are asked of nobody where the configuration forbids the cloud', async () => {
    const all = services();
    const asked: string[] = [];
    for (const one of Object.values(all)) {
      one.models = async () => {
        asked.push(one.id);
        return [];
      };
      one.probe = async () => void asked.push(one.id);
    }
    const forbidden = { ...configured, cloudAllowed: false };
    harness = await createHarness({}, {}, Object.values(all), forbidden);
    for (const path of [
      '/v1/models',
      '/models',
      '/api/v1/providers',
      '/api/v1/providers/openai',
      '/api/v1/health/providers',
    ]) {
      expect((await harness.send('GET', path)).statusCode, path).toBe(200);
    }
    expect(asked).toEqual([]);
    expect((await get('/api/v1/providers/openai/models')).models).toMatchObject([{ id: 'gpt-4o' }]);
  });
});
