import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger } from '../../../src/observe/logger.ts';
import { createCatalog } from '../../../src/store/catalog/catalog.ts';
import { readPullCatalog } from '../../../src/store/pull-catalog/pull-catalog.ts';
import { modelBytes } from '../../support/model-bytes.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-names-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const names = readPullCatalog(new URL('../../../models/catalog.json', import.meta.url)).namesOnDisk();

async function catalogWith(files: string[]) {
  for (const file of files) await writeFile(join(folder, file), modelBytes(1_000));
  const catalog = createCatalog({
    folders: [folder],
    builtinFile: null,
    aliases: {},
    defaultModel: null,
    knownNames: names,
    log: createLogger('silent'),
  });
  await catalog.refresh();
  return catalog;
}

it('a model that was pulled by a plain name is asked for by that name', async () => {
  const catalog = await catalogWith(['qwen1_5-7b-chat-q4_k_m.gguf']);
  expect(catalog.resolve('qwen-7b-chat').model.name).toBe('qwen1_5-7b-chat');
  expect(catalog.resolve('Qwen-7B-Chat:q4_k_m').variant?.quantization).toBe('q4_k_m');
  expect(catalog.models()[0]!.aliases).toContain('qwen-7b-chat');
  expect(() => catalog.resolve('qwen-14b-chat')).toThrow('There is no model qwen-14b-chat.');
});

it('a file of that name wins over the catalogue', async () => {
  const catalog = await catalogWith(['qwen1_5-7b-chat-q4_k_m.gguf', 'qwen-7b-chat-q8_0.gguf']);
  expect(catalog.resolve('qwen-7b-chat').model.name).toBe('qwen-7b-chat');
});

it('may have the size of the model behind a colon, as other programs write it', async () => {
  const catalog = await catalogWith(['qwen2.5-0.5b-instruct-q4_0.gguf']);
  expect(catalog.resolve('qwen2.5:0.5b').model.name).toBe('qwen2.5-0.5b-instruct');
  expect(catalog.resolve('qwen2.5:0.5b:q4_0').variant?.quantization).toBe('q4_0');
  expect(() => catalog.resolve('qwen2.5:1.5b')).toThrow('There is no model qwen2.5:1.5b.');
});
