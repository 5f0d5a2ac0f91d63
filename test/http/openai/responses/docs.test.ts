import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { itemSchemas } from '../../../../src/http/openai/responses/item-schemas.ts';
import { ignoredFields, inputTokensBody, responseBody } from '../../../../src/http/openai/responses/schema.ts';
import { repositoryRoot } from '../../../support/server.ts';

const guide = readFileSync(join(repositoryRoot, 'docs/dialect-responses.md'), 'utf8');

function rowsUnder(heading: string): string[][] {
  const section = guide.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))!;
  return [...section.matchAll(/^\| (`.*)\|$/gm)].map(([, row]) => row!.split('|').map((cell) => cell.trim()));
}
const namesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

describe('docs/dialect-responses.md', () => {
  const fields = rowsUnder('Request').flatMap(([names, kind]) => namesIn(names!).map((name) => [name, kind] as const));

  it('has every field of a request once', () => {
    expect(fields.map(([name]) => name).sort()).toEqual(Object.keys(responseBody.shape).sort());
  });

  it('says which are ignored', () => {
    expect(fields.flatMap(([name, kind]) => (kind === 'ignored' ? [name] : [])).sort()).toEqual(
      [...ignoredFields].sort(),
    );
  });

  it('has the fields of every type of item that are read', () => {
    const items = rowsUnder('Items').map(([names, read]) => [namesIn(names!)[0], namesIn(read!).sort()]);
    const kept = ['type', 'id', 'status'];
    const inCode = Object.entries(itemSchemas).map(([type, { shape }]) => {
      const given = Object.entries(shape).filter(
        ([name, field]) =>
          !kept.includes(name) || !(field instanceof z.ZodOptional && field.unwrap() instanceof z.ZodUnknown),
      );
      return [type, given.map(([name]) => name).sort()];
    });
    expect(items.sort()).toEqual(inCode.sort());
  });

  it('has the fields of a count of tokens', () => {
    const [, listed = ''] = /what decides the prompt: ([\s\S]*?)\.\n/.exec(guide) ?? [];
    expect(namesIn(listed).sort()).toEqual(Object.keys(inputTokensBody.shape).sort());
  });
});
