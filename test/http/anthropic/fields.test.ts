import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ignoredFields, messagesBody } from '../../../src/http/anthropic/messages/schema.ts';
import { refusedFields } from '../../../src/http/anthropic/objects/refused-fields.ts';
import { volatileLines } from '../../../src/http/anthropic/objects/volatile-lines.ts';
import { repositoryRoot } from '../../support/server.ts';

const document = readFileSync(join(repositoryRoot, 'docs/dialect-anthropic.md'), 'utf8');
const under = (heading: string) => document.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
const rows = under('Request')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const fieldsThatAre = (word: string) =>
  rows.filter(([, , here]) => here === word).flatMap(([, names = '']) => names.match(/[a-z_]+/g) ?? []);

describe('the table of fields in docs/dialect-anthropic.md', () => {
  it('names every field of the schema, and says what becomes of it', () => {
    const refused = Object.keys(refusedFields);
    const others = Object.keys(messagesBody.shape).filter(
      (name) => !refused.includes(name) && !ignoredFields.some((ignored) => ignored === name),
    );
    expect(fieldsThatAre('refused').sort()).toEqual(refused.sort());
    expect(fieldsThatAre('ignored').sort()).toEqual([...ignoredFields].sort());
    expect(fieldsThatAre('honoured').sort()).toEqual(others.sort());
  });

  it('names every volatile line with its source and its date', () => {
    for (const { name, source, readOn } of volatileLines) {
      const row = under('Volatile lines')
        .split('\n')
        .find((line) => line.includes(`\`${name}\``));
      expect(row).toContain(source);
      expect(row).toContain(readOn);
    }
  });
});
