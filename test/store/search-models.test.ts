import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readPullCatalog } from '../../src/store/pull-catalog/pull-catalog.ts';
import { roughlyFits } from '../../src/store/search-models.ts';
import { type FakeHub, fakeRepository, json, startFakeHub } from '../support/fake-hub.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { prefersQ40 } from '../support/quantization-advice.ts';
import { never, type TestStore, type TestStoreChanges, testStore } from '../support/test-store.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const pullCatalog = readPullCatalog(new URL('../../models/catalog.json', import.meta.url));

async function setUp(deps: TestStoreChanges['deps'] = {}): Promise<{ hub: FakeHub } & TestStore> {
  const hub = await startFakeHub([
    { path: 'Tiny-Q4_0.gguf', bytes: modelBytes(100_000) },
    { path: 'copies/Tiny-Q4_0.gguf', bytes: modelBytes(50_000) },
    { path: 'Tiny-Q8_0.gguf', bytes: modelBytes(200_000) },
    { path: 'mmproj-Tiny-F16.gguf', bytes: modelBytes(100) },
  ]);
  const test = await testStore(hub, { deps: { pullCatalog, ...deps } });
  open.push(hub, test);
  return { hub, ...test };
}

/** A file as the hub lists it. */
const listed = (path: string, size: number) => ({
  type: 'file',
  path,
  size,
  oid: '0'.repeat(40),
  lfs: { oid: '0'.repeat(64), size, pointerSize: 134 },
});

const other = (id: string, downloads: number, files?: object[]) => ({
  id,
  downloads,
  likes: 1,
  gated: false,
  tags: ['gguf'],
  ...(files && { files }),
});

describe('a search', () => {
  it('has the sizes of a repository by quantization, whether they fit, and what is on disk', async () => {
    const { hub, store, folder } = await setUp();
    await mkdir(join(folder, fakeRepository), { recursive: true });
    await writeFile(join(folder, fakeRepository, 'Tiny-Q8_0.gguf'), modelBytes(200_000));
    const { models, notes, memoryBytes } = await store.search('tiny-gguf', 10, never);
    const [small, , large] = hub.files;
    expect({ notes, memoryBytes }).toEqual({ notes: [], memoryBytes: 4e9 });
    expect(models).toEqual([
      {
        name: `hf.co/${fakeRepository}`,
        source: 'hub',
        repository: fakeRepository,
        downloads: 7,
        likes: 3,
        gated: false,
        licence: 'mit',
        quantizations: [
          { quantization: 'q4_0', sizeBytes: small!.bytes.length, fits: true, onDisk: false },
          { quantization: 'q8_0', sizeBytes: large!.bytes.length, fits: true, onDisk: true },
        ],
        advice: null,
      },
    ]);
  });

  it('has first what fits, then what is not known, then what does not; each by downloads', async () => {
    const { hub, store } = await setUp();
    hub.others = [
      other('big/tiny-70B-GGUF', 900, [listed('A-Q4_0.gguf', 40e9)]),
      other('lost/tiny-GGUF', 800),
      other('split/tiny-GGUF', 5, [
        listed('A-Q4_0-00001-of-00002.gguf', 1e9),
        listed('A-Q4_0-00002-of-00002.gguf', 1e9),
      ]),
      {
        ...other('gated/tiny-GGUF', 700, [listed('A-Q8_0.gguf', 1e9)]),
        gated: 'manual',
        tags: ['gguf', 'license:gemma'],
      },
      { ...other('plain/tiny', 999), tags: [] },
    ];
    const { models } = await store.search('tiny gguf', 10, never);
    expect(models.map(({ repository }) => repository)).toEqual([
      'gated/tiny-GGUF',
      fakeRepository,
      'split/tiny-GGUF',
      'lost/tiny-GGUF',
      'big/tiny-70B-GGUF',
    ]);
    expect(models[0]).toMatchObject({ gated: true, licence: 'gemma', downloads: 700 });
    expect(models[2]!.quantizations).toEqual([{ quantization: 'q4_0', sizeBytes: 2e9, fits: true, onDisk: false }]);
    expect(models[3]!.quantizations).toEqual([]);
    expect((await store.search('tiny gguf', 2, never)).models).toHaveLength(2);
  });

  it('has models of the catalogue by their plain names, before others of the hub that fit as well', async () => {
    const { hub, store } = await setUp();
    const known = pullCatalog.find('qwen3-4b')!;
    hub.others = [other(known.repository, 12), other('someone/Qwen3-4B-GGUF', 99, [listed('A-Q4_0.gguf', 2e9)])];
    const { models } = await store.search('qwen3 4b', 10, never);
    expect(models.map(({ name, source, downloads }) => [name, source, downloads])).toEqual([
      ['qwen3-4b', 'catalog', 12],
      ['hf.co/someone/Qwen3-4B-GGUF', 'hub', 99],
      // Nobody knows its size so far.
      ['qwen3-4b-instruct-2507', 'catalog', null],
    ]);
  });

  it('says which quantization this processor is faster with, of what fits', async () => {
    const { hub, store } = await setUp({ advise: prefersQ40 });
    const both = [listed('A-Q4_K_M.gguf', 1_000), listed('A-Q4_0.gguf', 950)];
    const known = pullCatalog.find('qwen3-4b')!;
    hub.others = [
      other('maker/qwen3-4b-GGUF', 3, both),
      other(known.repository, 2, both),
      other('big/qwen3-4b-GGUF', 1, [listed('A-Q4_K_M.gguf', 3e9), listed('A-Q4_0.gguf', 40e9)]),
    ];
    const { models } = await store.search('qwen3 4b', 10, never);
    const adviceOf = (name: string) => models.find((model) => model.name === name)!.advice;
    expect(adviceOf('hf.co/maker/qwen3-4b-GGUF')).toMatchObject({
      quantization: 'q4_0',
      instead: 'q4_k_m',
      message: 'Q4_0 is faster: hearth pull hf.co/maker/qwen3-4b-GGUF:Q4_0',
    });
    expect(adviceOf('qwen3-4b')!.message).toBe('Q4_0 is faster: hearth pull qwen3-4b:Q4_0');
    expect(adviceOf('hf.co/big/qwen3-4b-GGUF')).toBeNull();
  });

  it('does without the hub where the catalogue has something, and says so', async () => {
    const { hub, store } = await setUp();
    hub.faults.onRequest = (_request, response) => {
      json(response, { error: 'no' }, 503);
      return true;
    };
    const { models, notes } = await store.search('qwen3-14b', 10, never);
    expect(models.map(({ name }) => name)).toEqual(['qwen3-14b']);
    expect(notes).toEqual([expect.stringMatching(/^The hub could not be asked: .*503/)]);
    await expect(store.search('tiny', 10, never)).rejects.toMatchObject({
      code: 'hub_failed',
      fix: 'Ask again later.',
    });
  });

  it.each(['../../etc/passwd', 'a/b/c', '.hidden/x', 'a/..'])(
    'leaves out a repository that is called %s',
    async (id) => {
      const { hub, store } = await setUp();
      hub.others = [other(id, 9)];
      const { models } = await store.search(id, 10, never);
      expect(models.filter(({ source }) => source === 'hub')).toEqual([]);
      expect(hub.requests).toHaveLength(1);
    },
  );
});

describe('the guess from a size', () => {
  it('is that of the plans of the catalogue: what it is meant for fits, four times as much does not', () => {
    const wrong = pullCatalog.models.filter(({ machineGb, variants }) => {
      const sizeBytes = variants[0]!.files.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
      return !roughlyFits(sizeBytes, machineGb * 1e9) || roughlyFits(sizeBytes + machineGb * 1e9, machineGb * 1e9);
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});
