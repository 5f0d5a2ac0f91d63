import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

describe('GET /models/{name}/plan', () => {
  it.each(['', '/api/v1'])('at "%s" shows settings and memory by part, and loads nothing', async (prefix) => {
    const response = await harness.send(
      'GET',
      `${prefix}/models/tiny/plan?quantization=Q4_K_M&context_length=1024&parallel=2&prefer_gpu=false&kv_cache_type=q8_0`,
    );
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      model: 'tiny',
      quantization: 'q8_0',
      fits: true,
      plan: {
        context_length: 1024,
        parallel: 2,
        batch_size: 128,
        threads: 1,
        gpu_layers: 0,
        gpu_memory_bytes: 0,
        mmap: true,
        kv_cache_type: 'f16',
        flash_attention: true,
        expected_memory: '128MB',
        expected_bytes: {
          mapped_weights: 0,
          weights: 128 * 2 ** 20,
          repacked_weights: 0,
          kv_cache: 0,
          compute: 0,
          vocabulary: 0,
          process: 0,
          correction: 0,
          at_load: 128 * 2 ** 20,
          total: 128 * 2 ** 20,
        },
        notes: ['slots reduced from 8 to 4 to fit the memory'],
      },
      shortage: null,
      budget: { total_bytes: 8e9, available_bytes: 5e9, reclaimable_bytes: 1e9, source: 'host' },
    });
    expect(harness.engine.plans).toEqual([
      {
        name: 'tiny',
        wish: { quantization: 'q4_k_m', contextTokens: 1024, parallel: 2, kvType: 'q8_0', preferGpu: false },
      },
    ]);
    expect(harness.engine.loads).toEqual([]);
  });

  it('shows what is missing for a model that does not fit', async () => {
    const response = await harness.send('GET', '/models/tiny/plan?context_length=200000');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      fits: false,
      plan: null,
      shortage: { needed_bytes: 9e9, available_bytes: 6e9, shortfall_bytes: 3e9, nearest: null },
    });
  });

  it.each([
    ['context_length=0', 'context_length'],
    ['context_length=1.5', 'context_length'],
    ['parallel=33', 'parallel'],
    ['prefer_gpu=yes', 'prefer_gpu'],
    ['quantization=q4/0', 'quantization'],
    ['slots=2', 'slots'],
  ])('refuses %s and names the field', async (query, field) => {
    const response = await harness.send('GET', `/models/tiny/plan?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain(field);
    expect(harness.engine.plans).toEqual([]);
  });

  it('is 404 for a model that is not there', async () => {
    expect((await harness.send('GET', '/models/nope/plan')).statusCode).toBe(404);
  });
});
