import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceModels } from '../support/reference.ts';
import { tokenize } from '../support/tokenize.ts';

const reference = referenceModels();
const folder = 'folder' in reference ? join(reference.folder, 'vocab') : '';
const files = 'folder' in reference ? readdirSync(folder).filter((name) => name.endsWith('.gguf')) : [];

describe.skipIf('skip' in reference)(`real vocabularies (${'skip' in reference ? reference.skip : 'all'})`, () => {
  it.each(files)('%s gives the token ids of its reference', async (file) => {
    const texts = readFileSync(join(folder, `${file}.inp`), 'utf8').split('\n__ggml_vocab_test__\n');
    // Most of the files end with a separator.
    if (texts.at(-1) === '') texts.pop();
    const expected = readFileSync(join(folder, `${file}.out`), 'utf8')
      .replace(/\n$/, '')
      .split('\n')
      .map((line) =>
        line
          .trim()
          .split(/\s+/)
          .filter((id) => id !== '')
          .map(Number),
      );
    const tokens = await tokenize(join(folder, file), texts);
    expect(tokens).toHaveLength(expected.length);
    for (const [index, text] of texts.entries()) expect(tokens[index], JSON.stringify(text)).toEqual(expected[index]);
  });
});
