import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { promptUsage } from '../../../src/core/usage.ts';
import { answerEvents, modelInfo, startEvent, textEvents } from '../../support/fake-engine.ts';
import { someGpu } from '../../support/fake-gpu.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const id = { 'x-request-id': 'req_1' };

describe.each(['', '/api/v1'])('POST %s/generate', (mount) => {
  const generate = (body: object) => harness.send('POST', `${mount}/generate`, { prompt: 'Hi', ...body }, id);

  it('answers with text, usage and where it came from', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      harness.clock.advance(1_234.4);
      yield* textEvents(['Hello', ' world'], 0);
      yield {
        type: 'finish',
        reason: 'length',
        rawReason: null,
        stopSequence: null,
        usage: { ...promptUsage(5, 2), outputTokens: 2, reasoningTokens: 0 },
        timings: { queueMs: null, prefillMs: null, decodeMs: null },
      };
    });
    const response = await generate({});
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-provider-used']).toBe('local');
    expect(response.headers['x-model-used']).toBe('tiny');
    expect(response.json()).toStrictEqual({
      text: 'Hello world',
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, cached_prompt_tokens: 2 },
      latency: 1.234,
      latency_ms: 1234,
      model: 'tiny',
      provider: 'local',
      finish_reason: 'length',
      cost: 0,
      request_id: 'req_1',
    });
  });

  it('says which model answers also where its name has letters that a header cannot hold', async () => {
    harness.gateway.play(() => [startEvent('модель Ä %'), ...answerEvents(['Hi']).slice(1)]);
    for (const body of [{}, { stream: true }]) {
      const response = await generate(body);
      expect(response.statusCode).toBe(200);
      expect(response.headers['x-model-used']).toBe('%D0%BC%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C %C3%84 %');
      expect(response.body).toContain('модель Ä %');
    }
  });

  it('streams when told to, as its own streaming route does', async () => {
    const asked = await generate({ stream: true });
    const own = await harness.send('POST', `${mount}/generate/stream`, { prompt: 'Hi' }, id);
    expect(asked.headers['content-type']).toBe('text/event-stream');
    expect(asked.body).toBe(own.body);
    expect(own.headers['x-model-used']).toBe('tiny');
    expect(own.body).toBe(
      'data: {"token":"Hello","delta":"Hello","index":0,"finished":false}\n\n' +
        'data: {"token":" world","delta":" world","index":1,"finished":false}\n\n' +
        'data: {"token":"","delta":"","index":2,"finished":true,"finish_reason":"stop",' +
        '"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"cached_prompt_tokens":2},' +
        '"latency_ms":0,"model":"tiny","provider":"local","cost":0,"request_id":"req_1"}\n\n' +
        (mount === '' ? '' : 'data: [DONE]\n\n'),
    );
  });

  it('streams to who asks for an event stream nothing but JSON, as the sample in JavaScript reads it', async () => {
    const headers = { ...id, accept: 'text/event-stream' };
    const { body } = await harness.send('POST', `${mount}/generate/stream`, { prompt: 'Hi' }, headers);
    const tokens = body
      .split(/(?<=\n\n)/)
      .map((chunk) => JSON.parse(chunk.replace('data: ', '')))
      .map(({ token }) => token);
    expect(tokens).toEqual(['Hello', ' world', '']);
  });

  it('hands the request to the core in its own words', async () => {
    await generate({
      system_prompt: 'Be brief.',
      model: 'tiny',
      max_tokens: 7,
      temperature: 0,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.05,
      seed: 2 ** 32 + 3,
      repeat_penalty: 1.1,
      frequency_penalty: -1,
      presence_penalty: 1,
      stop_sequences: ['\n\n'],
      keep_alive: -1,
    });
    expect(harness.gateway.calls[0]!.request).toEqual({
      model: 'tiny',
      input: {
        type: 'chat',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
          { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        ],
        tools: [],
        toolChoice: { type: 'auto' },
      },
      sampling: {
        temperature: 0,
        topP: 0.9,
        topK: 40,
        minP: 0.05,
        seed: 3,
        repeatPenalty: 1.1,
        frequencyPenalty: -1,
        presencePenalty: 1,
      },
      stop: ['\n\n'],
      maxTokens: 7,
      keepAliveMs: Number.POSITIVE_INFINITY,
    });
  });

  it('leaves the chat template out of a raw request', async () => {
    await generate({ raw: true });
    expect(harness.gateway.calls[0]!.request.input).toEqual({ type: 'text', prompt: 'Hi' });
  });

  it('ends a stream that fails in the middle with an item in the shape of the mount', async () => {
    harness.gateway.play(async function* () {
      yield startEvent();
      yield* textEvents(['Hel'], 0);
      throw new AppError('worker_crashed', 'The model stopped.', { retryAfterSeconds: 2 });
    });
    const items = sseData((await generate({ stream: true })).body);
    expect(items).not.toContain('[DONE]');
    const ofRoot = {
      error: {
        code: 'WORKER_CRASHED',
        message: 'The model stopped.',
        details: { retry_after: 2, request_id: 'req_1' },
      },
      finished: true,
    };
    const ofApi = {
      error: 'ServiceUnavailable',
      detail: 'The model stopped.',
      status_code: 503,
      request_id: 'req_1',
      timestamp: '2026-03-04T05:06:07.089Z',
      code: 'worker_crashed',
      retry_after: 2,
      finished: true,
    };
    expect(JSON.parse(items.at(-1)!)).toStrictEqual(mount === '' ? ofRoot : ofApi);
  });
});

describe('errors of the native dialect', () => {
  it('have code, message and details at the root', async () => {
    const response = await harness.send('POST', '/generate', { prompt: 'Hi', colour: 1 }, id);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toStrictEqual({
      error: {
        code: 'INVALID_REQUEST',
        message: 'Unknown field "colour".',
        details: { field: 'colour', fix: 'Remove it, or check its spelling in /docs.', request_id: 'req_1' },
      },
    });
  });

  it('have type, detail and status at /api/v1', async () => {
    const response = await harness.send('POST', '/api/v1/generate', { prompt: 'Hi', max_tokens: 0 }, id);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toStrictEqual({
      error: 'ValidationError',
      detail: '"max_tokens" is not valid: too small: expected number to be >=1.',
      status_code: 400,
      request_id: 'req_1',
      timestamp: '2026-03-04T05:06:07.089Z',
      code: 'invalid_request',
      field: 'max_tokens',
    });
  });

  it('carry the numbers of the failure', async () => {
    harness.gateway.play(() => {
      throw new AppError('context_length_exceeded', 'Too long.', { details: { prompt_tokens: 9, context_length: 8 } });
    });
    const root = (await harness.send('POST', '/generate', { prompt: 'Hi' })).json();
    expect(root.error.details).toMatchObject({ prompt_tokens: 9, context_length: 8 });
    const api = (await harness.send('POST', '/api/v1/generate', { prompt: 'Hi' })).json();
    expect(api.details).toStrictEqual({ prompt_tokens: 9, context_length: 8 });
  });
});

describe('models', () => {
  it('say what kernels with our patches bring, and which quantization is faster here', async () => {
    const advice = {
      quantization: 'q4_0',
      instead: 'q8_0',
      promptRatio: 2,
      decodeRatio: 1.5,
      measuredHere: true,
      message: 'Q4_0 is faster: hearth pull tiny:Q4_0',
    };
    harness.engine.models[0]!.advice = advice;
    await harness.send('POST', '/models/tiny/load', {});
    expect((await harness.send('GET', '/models/tiny')).json()).toMatchObject({
      kernels: {
        name: 'haswell',
        built_here: false,
        gain_of_built: { prompt: 1.12, decode: 1, measured_here: false },
      },
      advice: {
        quantization: 'q4_0',
        instead: 'q8_0',
        prompt_ratio: 2,
        decode_ratio: 1.5,
        measured_here: true,
        message: advice.message,
      },
    });
  });

  it('are listed with sizes for people and for programs', async () => {
    const made = { preset: {}, ownsFile: false, createdAt: new Date(0) };
    harness.store.made.push({ ...made, name: 'helper', from: 'tiny' }, { ...made, name: 'lost', from: 'elsewhere' });
    const { models } = (await harness.send('GET', '/models')).json();
    expect(models[0]).toStrictEqual({
      name: 'tiny',
      aliases: ['default', 'tiny-q8_0'],
      made_names: ['helper'],
      format: 'gguf',
      size: '3.3MB',
      size_bytes: 3_460_300,
      quantization: 'q8_0',
      loaded: false,
      state: 'unloaded',
      reason: null,
      memory_usage: null,
      memory_bytes: null,
      planned_memory_bytes: null,
      architecture: 'llama',
      parameters: 3_000_000,
      context_length: 2048,
      variants: [
        {
          quantization: 'q8_0',
          size: '3.3MB',
          size_bytes: 3_460_300,
          bits_per_weight: 8.5,
          reason: null,
          expected_memory: '128MB',
          expected_memory_bytes: 128 * 2 ** 20,
          fits: true,
          files: ['tiny-q8_0.gguf'],
        },
      ],
      advice: null,
      modified_at: '2026-01-02T03:04:05.678Z',
      context_length_loaded: null,
      slots: null,
      threads: null,
      kernels: null,
      tokens_per_second: null,
      calibration: null,
      pinned: false,
      gpu: null,
      gpu_device: null,
      gpu_layers: null,
      gpu_memory_bytes: null,
      gpu_reason: null,
      notes: [],
      loaded_at: null,
      load_ms: null,
      expires_at: null,
      ends_next: false,
      active_requests: null,
      queued_requests: null,
    });
  });

  it('that cannot be used are listed with the reason', async () => {
    harness.engine.models.push(modelInfo({ name: 'broken', state: 'invalid', reason: 'The file is cut short.' }));
    const { models } = (await harness.send('GET', '/models')).json();
    expect(models[1]).toMatchObject({ name: 'broken', state: 'invalid', reason: 'The file is cut short.' });
  });

  it('at /api/v1 stand in the envelope as well', async () => {
    const body = (await harness.send('GET', '/api/v1/models', undefined, id)).json();
    expect(Object.keys(body)).toEqual(['models', 'cloud_models', 'left_out', 'success', 'data', 'metadata']);
    expect(body).toMatchObject({ success: true, data: body.models, metadata: { request_id: 'req_1' } });
  });

  it('are loaded with the settings of the body, and then show their facts', async () => {
    const settings = { quantization: 'Q8_0', prefer_gpu: false, context_length: 1024, parallel: 2 };
    const wish = { ...settings, keep_alive: '1h', pin: true, force: true };
    const response = await harness.send('POST', '/models/tiny/load', wish);
    expect(response.statusCode).toBe(200);
    const body = response.json();
    expect(body).toMatchObject({ status: 'success', load_ms: 0, message: 'Model tiny is loaded.' });
    expect(body.plan).toMatchObject({
      context_length: 1024,
      parallel: 2,
      expected_memory: '128MB',
      kv_cache_type: 'f16',
    });
    expect(body.model).toMatchObject({
      pinned: true,
      loaded: true,
      state: 'loaded',
      memory_usage: '64MB',
      planned_memory_bytes: 128 * 2 ** 20,
      context_length_loaded: 1024,
      slots: 2,
      threads: 2,
      calibration: {
        decode_threads: 1,
        prefill_threads: 2,
        decode_tokens_per_second: 71.5,
        prefill_tokens_per_second: 330,
        cost_of_tokens: [1, 1.5],
        measured_at: '2026-02-01T02:03:04.567Z',
      },
      load_ms: 12,
      expires_at: '2026-02-03T04:10:06.789Z',
    });
    expect(harness.engine.loads).toEqual([
      {
        name: 'tiny',
        wish: {
          quantization: 'q8_0',
          preferGpu: false,
          contextTokens: 1024,
          parallel: 2,
          keepAliveMs: 3_600_000,
          pin: true,
          force: true,
        },
      },
    ]);
  });

  it.each([
    ['no body and no type', undefined, {}],
    ['an empty body of type JSON', '', { 'content-type': 'application/json' }],
    ['an empty object', {}, {}],
  ])('are loaded and unloaded with %s', async (_title, body, headers: Record<string, string>) => {
    expect((await harness.send('POST', '/models/tiny/load', body, headers)).statusCode).toBe(200);
    const response = await harness.send('POST', '/models/tiny/unload', body, headers);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ status: 'success', model: { loaded: false } });
    expect(harness.engine.loads).toEqual([{ name: 'tiny', wish: {} }]);
  });

  it('with a slash in the name are reached by %2F', async () => {
    harness.engine.models.push(modelInfo({ name: 'team/model:q4_0', aliases: [] }));
    expect((await harness.send('GET', '/models/team%2Fmodel:q4_0')).json().name).toBe('team/model:q4_0');
  });
});

describe('GET /health', () => {
  it.each(['/health', '/api/v1/health'])('%s has every field of the seed specifications', async (url) => {
    expect((await harness.send('GET', url)).json()).toStrictEqual({
      server: 'hearth',
      status: 'healthy',
      version: '1.2.3',
      timestamp: '2026-03-04T05:06:07.089Z',
      model_loaded: false,
      memory_usage: '2.1GB/8GB',
      memory: {
        budget_bytes: 8 * 2 ** 30,
        available_bytes: 5 * 2 ** 30,
        used_bytes: Math.round(2.1 * 2 ** 30),
        reserve_bytes: 256 * 2 ** 20,
        source: 'host',
      },
      active_connections: 0,
      aws: 'not_configured',
      clients_initialized: true,
      components: {
        engine: 'healthy',
        models: 'healthy',
        config: 'healthy',
        providers: 'healthy',
        database: 'healthy',
        cache: 'healthy',
      },
      providers: { configured: 0, enabled: 0, without_key: 0, list: [] },
      gpus: [],
    });
  });

  it('shows the GPUs that are known, with their memory', async () => {
    harness.engine.gpu = () => ({ devices: [{ device: someGpu, freeBytes: 5 * 2 ** 30 }], problems: [] });
    expect((await harness.send('GET', '/health')).json().gpus).toEqual([
      {
        name: 'Some GPU',
        backend: 'vulkan',
        kind: 'discrete',
        memory_bytes: 8 * 2 ** 30,
        memory_free_bytes: 5 * 2 ** 30,
      },
    ]);
  });

  it('is degraded, and still 200, without a usable model', async () => {
    harness.engine.models.splice(0);
    const response = await harness.send('GET', '/health');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      status: 'degraded',
      components: { engine: 'healthy', models: 'degraded' },
    });
  });

  it('is unhealthy and 503 when the engine does not answer', async () => {
    harness.engine.failure = new Error('/models is gone');
    const response = await harness.send('GET', '/health');
    expect(response.statusCode).toBe(503);
    expect(response.json().status).toBe('unhealthy');
    expect(response.body).not.toContain('gone');
  });
});

describe('the front door', () => {
  it('sends a browser to the page, wherever a proxy has put both', async () => {
    const response = await harness.send('GET', '/', undefined, { accept: 'text/html,*/*' });
    expect(response.statusCode).toBe(302);
    expect(response.headers.location).toBe('ui/');
  });

  it('tells everybody else that the server runs', async () => {
    const response = await harness.send('GET', '/');
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body).toBe('Ollama is running');
  });
});

describe('probes', () => {
  it('say alive and ready', async () => {
    expect((await harness.send('GET', '/livez')).json()).toEqual({ status: 'alive' });
    expect((await harness.send('GET', '/readyz')).json()).toEqual({ status: 'ready' });
  });

  it('depend on no model', async () => {
    harness.engine.failure = new Error('gone');
    expect((await harness.send('GET', '/livez')).statusCode).toBe(200);
    expect((await harness.send('GET', '/readyz')).statusCode).toBe(200);
  });
});
