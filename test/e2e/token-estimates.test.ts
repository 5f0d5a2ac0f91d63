import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mostTokensOf } from '../../src/gateway/text-tokens.ts';
import { referenceModels } from '../support/reference.ts';
import { textsOfTheWorld } from '../support/texts-of-the-world.ts';
import { tokenize } from '../support/tokenize.ts';

const reference = referenceModels();
const folder = 'folder' in reference ? join(reference.folder, 'vocab') : '';
// That of BERT reads no prompts: what it does not know is one token.
const files =
  'folder' in reference ? readdirSync(folder).filter((name) => name.endsWith('.gguf') && !name.includes('bert')) : [];

describe.skipIf('skip' in reference)(
  `the most tokens of a text (${'skip' in reference ? reference.skip : 'all'})`,
  () => {
    it.each(files)('are no fewer than %s has, in any script, code or noise', async (file) => {
      const names = Object.keys(textsOfTheWorld);
      const counts = await tokenize(
        join(folder, file),
        names.map((name) => textsOfTheWorld[name]!),
      );
      // One more: some vocabularies begin each text with a token of their own, which estimates of prompts have apart.
      const short = names.flatMap((name, index) => {
        const [most, counted] = [mostTokensOf(textsOfTheWorld[name]!) + 1, counts[index]!.length];
        return counted > most ? [{ name, most, counted }] : [];
      });
      expect(short).toEqual([]);
    });
  },
);
