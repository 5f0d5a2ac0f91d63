import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { runningList, showAnswer, tagList } from '../../../src/http/ollama/models/schema.ts';
import { modelInfo } from '../../support/fake-engine.ts';
import { pullInfo } from '../../support/fake-store.ts';
import { createHarness, type Harness } from '../harness.ts';
import { linesOf } from './lines.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const details = {
  parent_model: '',
  format: 'gguf',
  family: 'llama',
  families: ['llama'],
  parameter_size: '3.00M',
  quantization_level: 'Q8_0',
  context_length: 2048,
  embedding_length: 256,
};
const made = (name: string, preset = {}) => ({
  name,
  from: 'tiny:q8_0',
  preset,
  ownsFile: false,
  createdAt: new Date('2026-02-02T00:00:00Z'),
});

describe('GET /api/tags', () => {
  it('lists models with a tag, and nothing that cannot be used', async () => {
    harness.engine.models.push(modelInfo({ name: 'broken', aliases: [], state: 'invalid' }));
    const answer = (await harness.send('GET', '/api/tags')).json();
    expect(answer).toEqual({
      models: [
        {
          name: 'tiny:latest',
          model: 'tiny:latest',
          modified_at: '2026-01-02T03:04:05.678Z',
          size: 3_460_300,
          digest: expect.stringMatching(/^[0-9a-f]{64}$/),
          details,
          capabilities: ['completion', 'tools'],
        },
      ],
    });
    expect(tagList.parse(answer)).toEqual(answer);
  });

  it('lists each quantization where there are several, and what was made', async () => {
    const [variant] = modelInfo().variants;
    const variants = [variant!, { ...variant!, quantization: 'q4_0', sizeBytes: 2_000_000 }];
    harness.engine.models = [modelInfo({ variants, aliases: ['mine'] })];
    harness.store.made.push(made('mine', { system: 'x' }));
    const { models } = (await harness.send('GET', '/api/tags')).json();
    const rows = models.map((model: { name: string; size: number }) => [model.name, model.size]);
    expect(rows).toEqual([
      ['tiny:latest', 3_460_300],
      ['tiny:q8_0', 3_460_300],
      ['tiny:q4_0', 2_000_000],
      ['mine:latest', 3_460_300],
    ]);
    const digests = models.map(({ digest }: { digest: string }) => digest);
    expect(digests[0]).toBe(digests[1]);
    expect(new Set(digests).size).toBe(3);
  });

  it.each([
    [modelInfo({ thinks: true }), ['completion', 'tools', 'thinking']],
    [modelInfo({ purpose: 'embed' }), ['embedding']],
    [modelInfo({ purpose: 'rank' }), []],
  ])('says what a model can do (%#)', async (model, capabilities) => {
    harness.engine.models = [model];
    expect((await harness.send('GET', '/api/tags')).json().models[0].capabilities).toEqual(capabilities);
  });
});

describe('GET /api/ps', () => {
  const running = async () => (await harness.send('GET', '/api/ps')).json().models;

  it('lists loaded models with what they take and when they go', async () => {
    expect(await running()).toEqual([]);
    await harness.engine.load('tiny', {});
    const answer = (await harness.send('GET', '/api/ps')).json();
    expect(answer.models).toEqual([
      {
        name: 'tiny:latest',
        model: 'tiny:latest',
        size: 64 * 1024 ** 2,
        digest: expect.any(String),
        details,
        expires_at: '2026-02-03T04:10:06.789Z',
        size_vram: 0,
        context_length: 2048,
      },
    ]);
    expect(runningList.parse(answer)).toEqual(answer);
  });

  it('says of a busy model when it would go, and of one that stays that it does', async () => {
    const { loaded } = await harness.engine.load('tiny', {});
    Object.assign(loaded!, { expiresAt: null, activeRequests: 1 });
    expect((await running())[0].expires_at).toBe('2026-03-04T05:11:07.089Z');
    Object.assign(loaded!, { activeRequests: 0 });
    expect((await running())[0].expires_at).toBe('2318-01-01T00:00:00.000Z');
  });
});

describe('POST /api/show', () => {
  it('shows the header of the file, and its tensors when asked', async () => {
    const answer = (await harness.send('POST', '/api/show', { model: 'tiny' })).json();
    expect(answer).toEqual({
      modelfile: 'FROM tiny\n',
      parameters: '',
      template: '{{ messages[0].content }}',
      details,
      model_info: {
        'general.architecture': 'llama',
        'llama.block_count': 2,
        'tokenizer.ggml.tokens': null,
        'general.parameter_count': 3_000_000,
      },
      capabilities: ['completion', 'tools'],
      modified_at: '2026-01-02T03:04:05.678Z',
    });
    expect(showAnswer.parse(answer)).toEqual(answer);
    const verbose = (await harness.send('POST', '/api/show', { name: 'tiny', verbose: true })).json();
    expect(verbose.tensors).toEqual([{ name: 'token_embd.weight', type: 'Q8_0', shape: [256, 512] }]);
  });

  it('shows what a made name adds, in words that would make it again', async () => {
    harness.engine.models = [modelInfo({ aliases: ['mine'] })];
    const preset = { system: 'Be short.', sampling: { temperature: 0.5 }, stop: ['END'], contextTokens: 1_024 };
    harness.store.made.push(made('mine', preset));
    expect((await harness.send('POST', '/api/show', { model: 'mine' })).json()).toMatchObject({
      system: 'Be short.',
      modelfile:
        'FROM tiny:q8_0\nSYSTEM """Be short."""\nPARAMETER temperature 0.5\nPARAMETER num_ctx 1024\nPARAMETER stop "END"\n',
      parameters: [
        'temperature                    0.5',
        'num_ctx                        1024',
        'stop                           "END"',
      ].join('\n'),
      details: { parent_model: 'tiny:q8_0' },
    });
  });

  it('is 404 for a model that is not here, in words that clients look for', async () => {
    const response = await harness.send('POST', '/api/show', { model: 'nope' });
    expect(response.statusCode).toBe(404);
    expect(response.json().error).toContain('not found');
  });
});

describe('POST /api/pull', () => {
  const changes = (...pulls: Partial<Parameters<typeof pullInfo>[0]>[]) => {
    harness.store.changes = async function* () {
      for (const pull of pulls) yield pullInfo(pull);
    };
  };
  const file = (receivedBytes: number) => ({ path: 'Tiny-Q4_0.gguf', sizeBytes: 4, receivedBytes });

  it('tells of its progress in lines', async () => {
    changes(
      { files: [file(1)] },
      { files: [file(1)] },
      { files: [file(4)], state: 'verifying' },
      { files: [file(4)], state: 'done' },
    );
    const response = await harness.send('POST', '/api/pull', { name: 'tiny:latest' });
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    const status = expect.stringMatching(/^pulling [0-9a-f]{12}$/);
    expect(linesOf(response.body)).toEqual([
      { status: 'pulling manifest' },
      { status, digest, total: 4, completed: 1 },
      { status, digest, total: 4, completed: 4 },
      { status: 'verifying sha256 digest' },
      { status: 'writing manifest' },
      { status: 'success' },
    ]);
    expect(harness.store.wishes).toEqual([{ name: 'tiny:latest' }]);
    const whole = await harness.send('POST', '/api/pull', { model: 'tiny', stream: false });
    expect(whole.json()).toEqual({ status: 'success' });
  });

  it('that fails ends with its error', async () => {
    const error = { code: 'hub_failed', message: 'The hub has gone.', fix: null, details: {} };
    changes({ state: 'failed', error });
    const lines = linesOf((await harness.send('POST', '/api/pull', { model: 'tiny' })).body);
    expect(lines.at(-1)).toEqual({ error: 'The hub has gone.' });
    const whole = await harness.send('POST', '/api/pull', { model: 'tiny', stream: false });
    expect([whole.statusCode, whole.json()]).toEqual([500, { error: 'The hub has gone.' }]);
  });

  it('of what is at no hub but here is done', async () => {
    harness.store.failure = new AppError('model_not_found', 'No.');
    const here = await harness.send('POST', '/api/pull', { model: 'tiny', stream: false });
    expect(here.json()).toEqual({ status: 'success' });
    expect((await harness.send('POST', '/api/pull', { model: 'nope' })).statusCode).toBe(404);
  });
});

describe('names', () => {
  it('are made, copied and deleted', async () => {
    const response = await harness.send('POST', '/api/create', {
      model: 'mine',
      from: 'tiny',
      system: 'Be short.',
      template: '{{ messages[0].content }}',
      parameters: { temperature: 0.5, stop: ['END'], num_predict: 9, num_ctx: 1_024, mirostat: 1 },
      license: 'MIT',
    });
    expect(linesOf(response.body).at(-1)).toEqual({ status: 'success' });
    expect(response.headers['x-hearth-ignored']).toBe('license, parameters.mirostat');
    await harness.send('POST', '/api/copy', { source: 'tiny', destination: 'yours' });
    expect(harness.store.makes).toEqual([
      {
        name: 'mine',
        from: { type: 'model', name: 'tiny' },
        preset: {
          system: 'Be short.',
          template: '{{ messages[0].content }}',
          sampling: { temperature: 0.5 },
          stop: ['END'],
          maxTokens: 9,
          contextTokens: 1_024,
        },
      },
      { name: 'yours', from: { type: 'model', name: 'tiny' }, preset: {} },
    ]);
    const deleted = await harness.send('DELETE', '/api/delete', { model: 'mine' });
    expect([deleted.statusCode, deleted.body]).toEqual([200, '']);
    expect(harness.store.removed).toEqual(['mine']);
  });

  it.each([
    [{ from: 'tiny', messages: [{ role: 'user', content: 'x' }] }, 'messages'],
    [{ from: 'tiny', adapters: { a: 'sha256:1' } }, 'adapters'],
    [{ from: 'tiny', quantize: 'q4_0' }, 'quantize'],
    [{ modelfile: 'FROM tiny' }, 'modelfile'],
    [{}, 'from'],
    [{ from: 'tiny', system: 'x'.repeat(70_000) }, 'system'],
    [{ from: 'tiny', files: { 'a.gguf': 'sha256:1' } }, 'files'],
    [{ files: { 'a.gguf': 'sha256:1', 'b.gguf': 'sha256:2' } }, 'files'],
    [{ from: 'tiny', template: '{{ .Prompt }}' }, 'template'],
  ])('are not made of %j', async (body, field) => {
    const response = await harness.send('POST', '/api/create', { model: 'mine', ...body });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toContain(`"${field}"`);
    expect(harness.store.makes).toEqual([]);
  });
});

describe('blobs', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  it.each(['application/octet-stream', 'application/json', null])(
    'are bytes, whatever type they have (%j)',
    async (type) => {
      expect((await harness.send('HEAD', `/api/blobs/${digest}`)).statusCode).toBe(404);
      const bytes = Buffer.from([1, 2, 255, 0]);
      const headers = type === null ? {} : { 'content-type': type };
      const sent = await harness.http.app.inject({
        method: 'POST',
        url: `/api/blobs/${digest}`,
        payload: bytes,
        headers,
      });
      expect(sent.statusCode).toBe(201);
      expect(harness.store.blobs.get(digest)).toEqual(bytes);
      expect((await harness.send('HEAD', `/api/blobs/${digest}`)).statusCode).toBe(200);
    },
  );

  it('become models', async () => {
    await harness.send('POST', '/api/create', { model: 'mine', files: { 'a.gguf': digest }, stream: false });
    expect(harness.store.makes).toEqual([{ name: 'mine', from: { type: 'blob', digest }, preset: {} }]);
  });

  it('may be larger than other bodies', async () => {
    const sent = await harness.send('POST', `/api/blobs/${digest}`, Buffer.alloc(3 * 1024 * 1024), {
      'content-type': 'application/octet-stream',
    });
    expect(sent.statusCode).toBe(201);
  });
});

describe('the rest', () => {
  it('tells its version in numbers', async () => {
    const answer = (await harness.send('GET', '/api/version')).json();
    expect(answer).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+$/), hearth_version: '1.2.3' });
  });

  it('uses no cloud', async () => {
    expect((await harness.send('GET', '/api/status')).json()).toEqual({ cloud: { disabled: true, source: 'config' } });
  });

  it.each(['/api/push', '/api/signout', '/api/me'])('POST %s is refused with a reason', async (url) => {
    const response = await harness.send('POST', url);
    expect(response.statusCode).toBe(403);
    expect(response.json()).toEqual({ error: expect.any(String) });
  });

  it.each(['/api/nowhere', '/api/web_search', '/ollama/api/nowhere'])('%s is 404 in this dialect', async (url) => {
    const response = await harness.send('POST', url, {});
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({ error: expect.any(String) });
  });

  it('says that it runs to whoever is no browser', async () => {
    expect((await harness.send('GET', '/')).body).toBe('Ollama is running');
    expect((await harness.send('HEAD', '/')).statusCode).toBe(200);
    expect((await harness.send('GET', '/', undefined, { accept: 'text/html' })).statusCode).toBe(302);
  });

  it('asks for the key', async () => {
    const closed = await createHarness({ apiKeys: ['k'.repeat(32)] });
    const response = await closed.send('GET', '/api/tags');
    expect(response.statusCode).toBe(401);
    expect(response.json()).toEqual({ error: expect.any(String) });
    await closed.close();
  });
});
