import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chatBody } from '../../../src/http/openai/chat/schema.ts';
import { completionBody } from '../../../src/http/openai/completions/schema.ts';
import { embeddingBody } from '../../../src/http/openai/embeddings/schema.ts';
import { repositoryRoot } from '../../support/server.ts';

const document = readFileSync(join(repositoryRoot, 'docs/dialect-openai.md'), 'utf8');

/** Names in the first column of the table under a heading. */
function namesUnder(heading: string): string[] {
  const section = document.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `') || line.startsWith('| text parts'));
  return rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));
}

const unique = (names: readonly string[]) => [...new Set(names)].sort();
/** Values that stand in the column beside names of fields. */
const values = ['custom', 'file', 'function', 'image_url', 'input_audio'];

describe('docs/dialect-openai.md', () => {
  const chat = namesUnder('Chat');

  it('has every field of chat, and no other', () => {
    expect(unique(chat)).toEqual(unique([...Object.keys(chatBody.shape), ...values]));
  });

  it('has every field of completions that chat has not, and no other', () => {
    const own = namesUnder('Completions');
    expect(unique([...chat, ...own])).toEqual(expect.arrayContaining(Object.keys(completionBody.shape)));
    for (const name of own) expect(Object.keys(completionBody.shape)).toContain(name);
  });

  it('has every field of embeddings, and no other', () => {
    expect(unique(namesUnder('Embeddings'))).toEqual(unique(Object.keys(embeddingBody.shape)));
  });
});
