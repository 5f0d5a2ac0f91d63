import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyArchitectures, tinyFileName, windowTokens, writeTinyModels } from '../../../scripts/tiny-models/models.ts';
import { readGguf } from '../../../src/store/gguf/gguf.ts';

let folder = '';
let written: { filePath: string; sizeBytes: number }[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tiny-models-'));
  written = await writeTinyModels(join(folder, 'first'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the tiny models', () => {
  it('are one small file per architecture', async () => {
    expect((await readdir(join(folder, 'first'))).sort()).toEqual(tinyArchitectures.map(tinyFileName).sort());
    for (const { sizeBytes } of written) expect(sizeBytes).toBeLessThan(2 ** 20);
  });

  it('are the same bytes every time', async () => {
    const again = await writeTinyModels(join(folder, 'again'));
    for (const [index, { filePath }] of written.entries()) {
      expect((await readFile(filePath)).equals(await readFile(again[index]!.filePath)), filePath).toBe(true);
    }
  });

  it.each(tinyArchitectures)('pass the header check of the server: %s', async (architecture) => {
    const facts = await readGguf(join(folder, 'first', tinyFileName(architecture)));
    expect(facts).toMatchObject({
      architecture,
      trainedContextTokens: 1024,
      embeddingLength: 64,
      vocabularySize: 512,
      isEncoder: architecture === 'bert',
      hasChatTemplate: architecture !== 'bert',
      tiedEmbedding: architecture.startsWith('gemma') || architecture === 'bert',
    });
    expect(facts.slidingWindow).toBe(architecture.startsWith('gemma') ? windowTokens : null);
  });
});
