import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { documentWithTable, exampleFile, schemaFile, settingsTable } from '../../scripts/config-docs.ts';
import { allSettings } from '../../src/config/settings.ts';
import { settingsSchema } from '../../src/config/source.ts';
import { repositoryRoot } from '../support/server.ts';

describe('what the documents say of the settings', () => {
  it('is what is declared, in the example file', () => {
    // `node scripts/config-docs.ts` writes this and the others.
    expect(readFileSync(join(repositoryRoot, 'hearth.example.yaml'), 'utf8')).toBe(exampleFile());
  });

  it('is what is declared, in the schema for editors, which the example names', () => {
    expect(readFileSync(join(repositoryRoot, 'hearth.schema.json'), 'utf8')).toBe(schemaFile());
    expect(exampleFile().split('\n')[0]).toBe('# yaml-language-server: $schema=hearth.schema.json');
  });

  it('is what is declared, in the table', () => {
    const { text, derived } = documentWithTable();
    expect(text).toBe(derived);
  });

  it('holds every setting once', () => {
    const places = [...settingsTable().matchAll(/^\|[^|]*\|[^|]*\| `([a-z_.]+)` \|/gm)].map((match) => match[1]);
    expect(places).toEqual(allSettings.map(({ path }) => path.join('.')));
    const keys = [...exampleFile().matchAll(/^ *(?:# )?([a-z_]+): \S/gm)].map((match) => match[1]);
    const known = new Set(allSettings.map(({ path }) => path.at(-1)));
    expect(keys.filter((key) => known.has(key)).sort()).toEqual(allSettings.map(({ path }) => path.at(-1)).sort());
  });

  it('has examples that the configuration takes', () => {
    const keys = new Set(allSettings.map(({ path }) => path.at(-1)));
    const sections = exampleFile().replace(/^# ([a-z_]+:)$/gm, '$1');
    const everything = sections.replace(/^( *)# (([a-z_]+): \S.*)$/gm, (line, indent, rest, key) =>
      keys.has(key) ? `${indent}${rest}` : line,
    );
    const { success, error, data } = settingsSchema.safeParse(parse(everything));
    expect(error).toBeUndefined();
    expect(success).toBe(true);
    expect(Object.keys(data!.server!)).toContain('api_key');
    expect(Object.keys(data!.models!)).toContain('pinned_prompts');
  });
});
