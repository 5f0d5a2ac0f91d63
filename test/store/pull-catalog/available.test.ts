import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observe/logger.ts';
import { createCatalog } from '../../../src/store/catalog/catalog.ts';
import type { PullableModel } from '../../../src/store/pull-catalog/entry.ts';
import { listAvailable, readPullCatalog } from '../../../src/store/pull-catalog/pull-catalog.ts';
import { modelBytes } from '../../support/model-bytes.ts';
import { prefersQ40 } from '../../support/quantization-advice.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-available-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const entry = (name: string, changes: Partial<PullableModel> = {}): PullableModel => ({
  name,
  title: name,
  family: 'llama',
  kind: 'chat',
  machineGb: 4,
  repository: 'maker/repository',
  licence: 'mit',
  parameters: 1_000_000_000,
  contextTokens: 4_096,
  variants: [{ quantization: 'q4_k_m', files: [{ path: `${name}-instruct-q4_k_m.gguf`, bytes: 700 }] }],
  ...changes,
});

/** The models of a folder that holds these files and nothing else. */
async function onDisk(files: Record<string, Buffer>) {
  const models = await mkdtemp(join(folder, 'models-'));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(models, name), bytes);
  const log = createLogger('silent');
  const catalog = createCatalog({ folders: [models], builtinFile: null, aliases: {}, defaultModel: null, log });
  await catalog.refresh();
  return catalog.models();
}

describe('what can be pulled', () => {
  it('is sorted by machine, then by kind, then by size', () => {
    const models = [
      entry('big', { machineGb: 16 }),
      entry('ranker', { kind: 'rerank', parameters: 1 }),
      entry('middle', { parameters: 3_000_000_000 }),
      entry('vectors', { kind: 'embedding', parameters: 2 }),
      entry('small'),
    ];
    expect(listAvailable(models, []).map(({ name }) => name)).toEqual(['small', 'middle', 'vectors', 'ranker', 'big']);
  });

  it('has the sizes of all parts together, and null where one is unknown', () => {
    const variants = [
      {
        quantization: 'q4_k_m',
        files: [
          { path: 'a.gguf', bytes: 100 },
          { path: 'b.gguf', bytes: 23 },
        ],
      },
      { quantization: 'q8_0', files: [{ path: 'c.gguf', bytes: 100 }, { path: 'd.gguf' }] },
    ];
    const [model] = listAvailable([entry('split', { variants })], []);
    expect(model!.quantizations.map(({ sizeBytes }) => sizeBytes)).toEqual([123, null]);
  });

  it('says which of its quantizations this processor is faster with than with the first', () => {
    const variants = ['q4_k_m', 'q4_0'].map((quantization) => ({
      quantization,
      files: [{ path: `${quantization}.gguf`, bytes: 100 }],
    }));
    const [both, one] = listAvailable([entry('both', { variants }), entry('one')], [], prefersQ40);
    expect(both!.advice).toMatchObject({ quantization: 'q4_0', message: 'Q4_0 is faster: hearth pull both:Q4_0' });
    expect(one!.advice).toBeNull();
  });

  it('is on disk when its file is, in that quantization', async () => {
    const variants = ['q4_k_m', 'q8_0'].map((quantization) => ({
      quantization,
      files: [{ path: `Tiny-Instruct-${quantization}.gguf` }],
    }));
    const models = await onDisk({ 'tiny-instruct-Q8_0.gguf': modelBytes(1_000) });
    const [tiny, other] = listAvailable([entry('tiny', { variants }), entry('tiny-2')], models);
    expect(tiny).toMatchObject({
      onDisk: true,
      quantizations: [
        { quantization: 'q4_k_m', onDisk: false },
        { quantization: 'q8_0', onDisk: true },
      ],
    });
    expect(other!.onDisk).toBe(false);
  });

  it('is on disk in a quantization that the catalogue does not list, and under its plain name', async () => {
    const models = await onDisk({ 'tiny-q5_k_m.gguf': modelBytes(1_000) });
    expect(listAvailable([entry('tiny')], models)[0]).toMatchObject({
      onDisk: true,
      quantizations: [{ quantization: 'q4_k_m', onDisk: false }],
    });
  });

  it('is not on disk when the file there cannot be used', async () => {
    const models = await onDisk({ 'tiny-instruct-q4_k_m.gguf': Buffer.from('<html>no model</html>') });
    expect(models).toHaveLength(1);
    expect(listAvailable([entry('tiny')], models)[0]!.onDisk).toBe(false);
  });

  it('is, on a fresh machine, the whole catalogue for 4, 8, 16 and 32 GB', () => {
    const { models } = readPullCatalog(new URL('../../../models/catalog.json', import.meta.url));
    const available = listAvailable(models, []);
    expect(available).toHaveLength(models.length);
    expect([...new Set(available.map(({ machineGb }) => machineGb))]).toEqual([4, 8, 16, 32]);
    expect(available.filter((model) => model.onDisk)).toEqual([]);
  });
});
