import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { chatBody } from '../../../src/http/ollama/chat/schema.ts';
import { embedBody, embeddingsBody } from '../../../src/http/ollama/embed/schema.ts';
import { sharedBody } from '../../../src/http/ollama/generate/schema.ts';
import { showBody } from '../../../src/http/ollama/models/schema.ts';
import { honoured } from '../../../src/http/ollama/objects/options.ts';
import { copyBody, createBody, deleteBody, pullBody } from '../../../src/http/ollama/store/schema.ts';
import { repositoryRoot } from '../../support/server.ts';

const text = readFileSync(join(repositoryRoot, 'docs/dialect-ollama.md'), 'utf8');

/** Fields in the first column of the table under a heading. */
function fieldsUnder(heading: string): string[] {
  const section = text.split(/^#{2,3} /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));
}

describe('the tables of docs/dialect-ollama.md', () => {
  it.each<[string, z.ZodObject]>([
    ['POST /api/chat', chatBody],
    ['POST /api/generate', sharedBody],
    ['POST /api/embed', embedBody],
    ['POST /api/embeddings', embeddingsBody],
    ['POST /api/show', showBody],
    ['POST /api/pull', pullBody],
    ['POST /api/create', createBody],
    ['POST /api/copy', copyBody],
    ['DELETE /api/delete', deleteBody],
  ])('have every field of %s', (heading, schema) => {
    expect(fieldsUnder(heading).sort()).toEqual(Object.keys(schema.shape).sort());
  });

  it('have every option that is honoured', () => {
    expect(fieldsUnder('Options').sort()).toEqual(Object.keys(honoured).sort());
  });
});
