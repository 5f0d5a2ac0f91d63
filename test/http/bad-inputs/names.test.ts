import { describe, expect, it } from 'vitest';
import { badInputs } from './runner.ts';
import { ollamaErrors, openaiErrors, rootErrors, targetOf } from './targets.ts';

const { harness, refused } = badInputs();

describe('names in paths', () => {
  const bad = [
    '..%2fx',
    '%2e%2e%2fx',
    'a%00b',
    'a%1b[31m',
    'a%2f..%2fb',
    'a%2f',
    '%20x',
    'https:%2f%2fx',
    '%e2%80%aex',
  ];
  const urls = bad.flatMap((name) => [`/models/${name}`, `/api/v1/models/${name}`, `/v1/models/${name}`]);

  it.each(urls)('GET %s is a bad request, not a lookup', async (url) => {
    const response = await harness().send('GET', url);
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain('model');
  });

  it.each(bad)('POST /models/%s/load loads nothing', async (name) => {
    expect((await harness().send('POST', `/models/${name}/load`)).statusCode).toBe(400);
    expect(harness().engine.loads).toEqual([]);
  });

  it.each(['/models/%ff', '/v1/models/%ff', `/models/${'x'.repeat(1_025)}`, `/v1/models/${'x'.repeat(1_025)}`])(
    'GET %s is a bad request in the dialect of the prefix',
    async (url) => {
      const response = await harness().send('GET', url);
      expect(response.statusCode).toBe(400);
      (url.startsWith('/v1') ? openaiErrors : rootErrors).check(response.json(), null);
    },
  );
});

describe('POST /models/{name}/load', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ quantization: '../x' }, 'quantization'],
    [{ prefer_gpu: 'yes' }, 'prefer_gpu'],
    [{ context_length: 0 }, 'context_length'],
    [{ context_length: 1.5 }, 'context_length'],
    [{ parallel: 0 }, 'parallel'],
    [{ parallel: 33 }, 'parallel'],
    [{ keep_alive: 'x' }, 'keep_alive'],
    [{ n_gpu_layers: 1 }, 'n_gpu_layers'],
  ])('refuses %j by name', async (body, field) => {
    await refused(targetOf('/models/tiny/load'), body, { field });
  });
});

describe('names of models in bodies of Ollama', () => {
  it.each(['/api/show', '/api/create'])('are not followed out of the folder by POST %s', async (url) => {
    await refused(targetOf(url), { ...targetOf(url).valid, model: '../../etc/passwd' }, { field: 'model' });
  });

  it.each([{}, { model: '../../etc/passwd' }])('%j deletes nothing', async (body) => {
    const response = await harness().send('DELETE', '/api/delete', body);
    expect(response.statusCode).toBe(400);
    ollamaErrors.check(response.json(), 'model');
    expect(harness().store.removed).toEqual([]);
  });
});
