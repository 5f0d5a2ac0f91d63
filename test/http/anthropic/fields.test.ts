import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ignoredFields, messagesBody } from '../../../src/http/anthropic/messages/schema.ts';
import { conversationFields } from '../../../src/http/anthropic/objects/body.ts';
import { readFields } from '../../../src/http/anthropic/objects/ignored-blocks.ts';
import { refusedFields } from '../../../src/http/anthropic/objects/refused-fields.ts';
import { knownFields } from '../../../src/http/anthropic/objects/tools.ts';
import { volatileLines } from '../../../src/http/anthropic/objects/volatile-lines.ts';
import { repositoryRoot } from '../../support/server.ts';

const document = readFileSync(join(repositoryRoot, 'docs/dialect-anthropic.md'), 'utf8');
const under = (heading: string) => document.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
const rowsUnder = (heading: string) =>
  under(heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
const rows = rowsUnder('Request');
const namesIn = (cell: string) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!);
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

  it('says which of them a count of tokens has', () => {
    const [, listed = ''] =
      /count_tokens` takes what decides the prompt: ([^.]*(?:\.[a-z][^.]*)*)\. It/.exec(document) ?? [];
    expect((listed.match(/`[a-z_]+`/g) ?? []).map((name) => name.slice(1, -1)).sort()).toEqual(
      Object.keys(conversationFields).sort(),
    );
  });

  it('names the fields of every block that are read', () => {
    const rows = rowsUnder('Messages');
    for (const [type, fields] of Object.entries(readFields)) {
      const row = rows.find(([, names]) => names === `\`${type}\``);
      expect(namesIn(row?.[2] ?? '').sort(), type).toEqual([...fields].sort());
    }
  });

  it('names the fields of tools that are honoured', () => {
    expect(
      rowsUnder('Tools')
        .flatMap(([, names = '']) => namesIn(names))
        .sort(),
    ).toEqual([...knownFields].sort());
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
