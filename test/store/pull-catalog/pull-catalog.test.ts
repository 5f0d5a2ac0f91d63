import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFileName } from '../../../src/store/gguf/gguf.ts';
import { readPullCatalog } from '../../../src/store/pull-catalog/pull-catalog.ts';

const shipped = readPullCatalog(new URL('../../../models/catalog.json', import.meta.url));

describe('the catalogue of models to pull', () => {
  it.each(['qwen-7b-chat', 'qwen-14b-chat', 'gemma-7b', 'gemma-2b', 'llama-2-7b-chat', 'chatglm3-6b'])(
    'knows %s',
    (name) => {
      expect(shipped.find(name)?.name).toBe(name);
    },
  );

  it('finds a model by its alias and without regard to case', () => {
    expect(shipped.find('Qwen2.5-7B-Instruct')?.name).toBe('qwen2.5-7b');
    expect(shipped.find('no-such-model')).toBeNull();
  });

  it.each([4, 8, 16, 32])('has a chat model for a machine of %i GB', (machineGb) => {
    expect(shipped.models.some((model) => model.kind === 'chat' && model.machineGb === machineGb)).toBe(true);
  });

  it('has models that embed and models that rank', () => {
    expect(new Set(shipped.models.map((model) => model.kind))).toEqual(new Set(['chat', 'embedding', 'rerank']));
  });

  it.each(shipped.models.map((model) => [model.name, model] as const))(
    '%s has files whose names say the quantization that is written beside them',
    (_name, model) => {
      for (const { quantization, files } of model.variants) {
        const parsed = files.map(({ path }) => parseFileName(path.split('/').at(-1)!)!);
        expect(parsed.map((name) => name.quantization)).toEqual(files.map(() => quantization));
        // A split set is whole and in order.
        const splits = parsed.map((name) => name.split);
        if (files.length === 1) expect(splits).toEqual([null]);
        else expect(splits).toEqual(files.map((_file, index) => ({ index, count: files.length })));
      }
    },
  );

  it.each(shipped.models.map((model) => [model.name, model] as const))(
    'the first variant of %s leaves a third of the machine it is meant for to others',
    (_name, model) => {
      const { files, quantization } = model.variants[0]!;
      const known = files.every(({ bytes }) => bytes !== undefined);
      const bitsPerWeight = quantization.startsWith('q8') ? 8.6 : 5.2;
      const bytes = known ? files.reduce((sum, { bytes }) => sum + bytes!, 0) : (model.parameters * bitsPerWeight) / 8;
      expect(bytes / 1e9).toBeLessThan((model.machineGb * 2) / 3);
    },
  );
});

describe('a catalogue with a mistake', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-catalog-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const model = {
    name: 'some-model',
    title: 'Some',
    family: 'llama',
    kind: 'chat',
    machineGb: 4,
    repository: 'someone/some-GGUF',
    licence: 'mit',
    parameters: 1,
    contextTokens: 1,
    variants: [{ quantization: 'q8_0', files: [{ path: 'some-q8_0.gguf' }] }],
  };
  const read = (models: unknown[]) => {
    const path = join(folder, 'catalog.json');
    writeFileSync(path, JSON.stringify({ version: 1, models }));
    return () => readPullCatalog(path);
  };

  it('is read when there is none', () => {
    expect(read([model])().find('SOME-MODEL')?.repository).toBe('someone/some-GGUF');
  });

  it.each([
    ['a path that leads out of the folder', { variants: [{ quantization: 'q8_0', files: [{ path: '../x.gguf' }] }] }],
    ['a quantization in capitals', { variants: [{ quantization: 'Q8_0', files: [{ path: 'some-q8_0.gguf' }] }] }],
    ['no file', { variants: [{ quantization: 'q8_0', files: [] }] }],
    ['a field that nobody reads', { sise: 3 }],
    ['a hash that is none', { variants: [{ quantization: 'q8_0', files: [{ path: 'a.gguf', sha256: 'abc' }] }] }],
  ])('is refused for %s', (_what, change) => {
    expect(read([{ ...model, ...change }])).toThrow();
  });

  it('is refused when two models have one name', () => {
    expect(read([model, { ...model, name: 'other', aliases: ['Some-model'.toLowerCase()] }])).toThrow(/twice/);
  });
});
