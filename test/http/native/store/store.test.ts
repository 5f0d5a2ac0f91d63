import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../../src/core/errors.ts';
import { availableList } from '../../../../src/http/native/store/schema.ts';
import { pullInfo } from '../../../support/fake-store.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const halfway = {
  id: 'pull-1',
  model: 'Tiny:q4_0',
  state: 'downloading',
  total_bytes: 4_000_000,
  received_bytes: 2_000_000,
  percent: 50,
  bytes_per_second: 500_000,
  eta_seconds: 4,
  plan: { fits: true, needed_bytes: 9_000_000, available_bytes: 4_000_000_000, message: 'Fits.' },
  error: null,
  started_at: '2026-02-03T04:05:06.789Z',
  finished_at: null,
};

describe.each(['', '/api/v1'])('the store at "%s"', (prefix) => {
  it('begins a pull and shows it with its plan', async () => {
    const body = { name: 'hf.co/maker/tiny-GGUF', quantization: 'q4_0', revision: 'v2', force: true };
    const response = await harness.send('POST', `${prefix}/models/pull`, body);
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({
      status: 'accepted',
      pull: { ...halfway, name: 'hf.co/maker/tiny-GGUF' },
      message: 'Tiny:q4_0 is being pulled: 3.8MB.',
    });
    expect(harness.store.wishes).toEqual([body]);
  });

  it('searches the catalogue and the hub', async () => {
    const response = await harness.send('GET', `${prefix}/models/search?query=tiny%20chat&limit=5`);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      models: [
        {
          name: 'hf.co/maker/tiny-GGUF',
          source: 'hub',
          repository: 'maker/tiny-GGUF',
          downloads: 7,
          likes: 3,
          gated: false,
          licence: 'mit',
          quantizations: [
            { quantization: 'q4_0', size_bytes: 200_000_000, fits: true, on_disk: true },
            { quantization: 'f16', size_bytes: 9_000_000_000, fits: false, on_disk: false },
          ],
          advice: null,
        },
      ],
      notes: [],
      memory_bytes: 4_000_000_000,
    });
    expect(harness.store.searches).toEqual([{ query: 'tiny chat', limit: 5 }]);
  });

  it.each(['', '?query=', '?query=a&limit=21', '?query=a&page=2'])('refuses the search "%s"', async (query) => {
    const response = await harness.send('GET', `${prefix}/models/search${query}`);
    expect(response.statusCode).toBe(400);
    expect(harness.store.searches).toEqual([]);
  });

  it('lists what can be pulled, with what is known of it', async () => {
    const response = await harness.send('GET', `${prefix}/catalog`);
    expect(response.statusCode).toBe(200);
    const [first, second] = response.json().models;
    expect(first).toEqual({
      name: 'tiny',
      aliases: ['tiny-instruct'],
      title: 'Tiny Instruct',
      kind: 'chat',
      machine_gb: 4,
      parameters: 300_000_000,
      active_parameters: null,
      context_length: 8_192,
      licence: 'apache-2.0',
      repository: 'maker/tiny-GGUF',
      note: null,
      quantizations: [
        { quantization: 'q4_k_m', size_bytes: 200_000_000, on_disk: false },
        { quantization: 'q8_0', size_bytes: null, on_disk: false },
      ],
      advice: null,
      on_disk: false,
    });
    expect(second).toMatchObject({ name: 'large', machine_gb: 32 });
    expect(availableList.parse(response.json())).toEqual(response.json());
  });

  it('lists pulls and shows one', async () => {
    expect((await harness.send('GET', `${prefix}/models/pulls`)).json()).toMatchObject({ pulls: [halfway] });
    expect((await harness.send('GET', `${prefix}/models/pull/pull-1`)).json()).toMatchObject(halfway);
  });

  it('tells the progress as an event stream whose last record is named like the end', async () => {
    harness.store.changes = async function* () {
      yield pullInfo();
      yield pullInfo({ state: 'done', receivedBytes: 4_000_000, finishedAt: new Date('2026-02-03T04:06:00Z') });
    };
    const response = await harness.send('GET', `${prefix}/models/pull/pull-1/events`);
    expect(response.headers['content-type']).toBe('text/event-stream');
    const records = response.body.split('\n\n').filter((record) => record !== '');
    expect(records.map((record) => record.split('\n')[0])).toEqual([
      'event: progress',
      'event: done',
      ...(prefix === '' ? [] : ['data: [DONE]']),
    ]);
    expect(JSON.parse(records[1]!.split('\ndata: ')[1]!)).toMatchObject({ state: 'done', percent: 100 });
  });

  it('cancels a pull, and deletes its parts when told to', async () => {
    const kept = await harness.send('DELETE', `${prefix}/models/pull/pull-1`);
    expect(kept.json()).toMatchObject({
      pull: { state: 'cancelled' },
      message: 'The pull of Tiny:q4_0 has ended; 1.9MB are kept.',
    });
    await harness.send('DELETE', `${prefix}/models/pull/pull-1?discard=true`);
    expect(harness.store.cancelled).toEqual([
      { id: 'pull-1', discard: false },
      { id: 'pull-1', discard: true },
    ]);
    expect((await harness.send('DELETE', `${prefix}/models/pull/pull-1?discard=perhaps`)).statusCode).toBe(400);
  });

  it('imports a file for a client, so only from the folders that are allowed', async () => {
    const response = await harness.send('POST', `${prefix}/models/import`, { path: '/incoming/Tiny-q8_0.gguf' });
    expect(response.json()).toEqual({
      status: 'success',
      model: 'Tiny:q8_0',
      files: ['Tiny-q8_0.gguf'],
      size_bytes: 3_460_300,
      message: 'Model Tiny:q8_0 is here.',
    });
    expect(harness.store.imported).toEqual([{ filePath: '/incoming/Tiny-q8_0.gguf', anyFolder: false }]);
  });

  it('removes a model by its name', async () => {
    const response = await harness.send('DELETE', `${prefix}/models/tiny`);
    expect(response.json()).toEqual({
      status: 'success',
      removed: [{ model: 'tiny:q8_0', files: ['tiny-q8_0.gguf'], size_bytes: 3_460_300, freed_bytes: 3_460_300 }],
      message: 'tiny:q8_0: 3.3MB freed.',
    });
    expect(harness.store.removed).toEqual(['tiny']);
  });

  it('words failures as the mount does', async () => {
    harness.store.failure = new AppError('hub_failed', 'The hub could not be read.', { retryAfterSeconds: 9 });
    const response = await harness.send('POST', `${prefix}/models/pull`, { name: 'tiny' });
    expect(response.statusCode).toBe(502);
    expect(response.headers['retry-after']).toBe('9');
    expect(response.json()).toMatchObject(
      prefix === ''
        ? { error: { code: 'HUB_FAILED', message: 'The hub could not be read.', details: { retry_after: 9 } } }
        : { code: 'hub_failed', detail: 'The hub could not be read.', status_code: 502, retry_after: 9 },
    );
    for (const [method, path] of [
      ['GET', '/models/pull/none'],
      ['GET', '/models/pull/none/events'],
      ['DELETE', '/models/pull/none'],
    ] as const) {
      expect((await harness.send(method, prefix + path)).statusCode).toBe(404);
    }
  });

  it.each([
    ['a missing name', {}, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['a name of 1,001 characters', { name: 'x'.repeat(1_001) }, 'name'],
    ['a quantization that is a path', { name: 'tiny', quantization: '../q4' }, 'quantization'],
    ['force as a text', { name: 'tiny', force: 'yes' }, 'force'],
    ['a URL to pull from', { name: 'tiny', base_url: 'http://evil.example' }, 'base_url'],
  ])('refuses %s and starts nothing', async (_what, body, field) => {
    const response = await harness.send('POST', `${prefix}/models/pull`, body);
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain(`"field":"${field}"`);
    expect(harness.store.wishes).toEqual([]);
  });

  it('refuses a path as the name of what is to be removed', async () => {
    for (const name of ['..%2F..%2Fetc', '%2Fetc%2Fpasswd', 'file:%2F%2Fx']) {
      expect((await harness.send('DELETE', `${prefix}/models/${name}`)).statusCode).toBe(400);
    }
    expect(harness.store.removed).toEqual([]);
  });

  it('takes no new pulls and imports while the server drains, and still shows those that run', async () => {
    harness.lifecycle.isDraining = true;
    expect((await harness.send('POST', `${prefix}/models/pull`, { name: 'tiny' })).statusCode).toBe(503);
    expect((await harness.send('POST', `${prefix}/models/import`, { path: '/x.gguf' })).statusCode).toBe(503);
    expect((await harness.send('GET', `${prefix}/models/pulls`)).statusCode).toBe(200);
  });
});

describe('a client that leaves', () => {
  it('ends its stream of events and not the pull', async () => {
    const seen = Promise.withResolvers<AbortSignal>();
    harness.store.changes = async function* (signal) {
      yield pullInfo();
      seen.resolve(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const address = await harness.http.listen();
    const client = new AbortController();
    const response = await fetch(`${address}/models/pull/pull-1/events`, { signal: client.signal });
    const signal = await seen.promise;
    expect(signal.aborted).toBe(false);
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    client.abort();
    await gone;
    await expect(response.text()).rejects.toThrow();
    expect(harness.store.cancelled).toEqual([]);
  });
});
