import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { itemSchemas } from '../../../../src/http/openai/responses/item-schemas.ts';
import { ignoredFields, responseBody } from '../../../../src/http/openai/responses/schema.ts';
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

  it('has every type of item', () => {
    const items = rowsUnder('Items').flatMap(([names]) => namesIn(names!));
    const unnamed = Object.keys(itemSchemas).filter((type) => !items.includes(type.replace(/(_call)_output$/, '$1')));
    expect(unnamed).toEqual([]);
  });
});
