import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readGguf } from '../../../src/store/gguf/gguf.ts';

test('the built-in model is a sound file with the shape that its card states', async () => {
  const path = fileURLToPath(new URL('../../../models/hearth-guide-3m-q8_0.gguf', import.meta.url));
  expect(await readGguf(path)).toMatchObject({
    architecture: 'llama',
    name: 'Hearth Guide 3M',
    sizeBytes: 3_295_744,
    parameterCount: 3_049_920,
    quantization: 'q8_0',
    trainedContextTokens: 2_048,
    blockCount: 6,
    embeddingLength: 192,
    headCount: 6,
    vocabularySize: 2_048,
    hasChatTemplate: true,
    tiedEmbedding: true,
    isEncoder: false,
  });
});

const folder = process.env['HEARTH_TEST_MODELS'];
const reason = folder ? '' : ' (skipped: HEARTH_TEST_MODELS is not set)';

describe.skipIf(!folder)(`published models${reason}`, () => {
  test('SmolLM2 gives its shape', async () => {
    expect(await readGguf(`${folder}/smollm2-135m-instruct-q4_1.gguf`)).toMatchObject({
      architecture: 'llama',
      quantization: 'q4_1',
      trainedContextTokens: 8_192,
      blockCount: 30,
      headCount: 9,
      headCountKv: 3,
      vocabularySize: 49_152,
      parameterCount: 134_515_008,
      hasChatTemplate: true,
    });
  });

  test('MiniLM is an encoder with mean pooling', async () => {
    expect(await readGguf(`${folder}/all-minilm-l6-v2-q8_0.gguf`)).toMatchObject({
      architecture: 'bert',
      isEncoder: true,
      poolingType: 1,
      trainedContextTokens: 512,
      vocabularySize: 30_522,
    });
  });
});
