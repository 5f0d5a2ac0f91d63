import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile, replaceFileSync } from '../../src/files/files.ts';

describe.each([
  ['at leisure', replaceFile],
  ['at once', async (...parameters: Parameters<typeof replaceFileSync>) => replaceFileSync(...parameters)],
])('a small file that is replaced %s', (_how, replace) => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-files-'));
    path = join(folder, 'list.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has the new text, is for its owner only, and leaves nothing beside it', async () => {
    await replace(path, 'a longer old text');
    await replace(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['list.json']);
  });

  it('takes over what a crash left half written', async () => {
    writeFileSync(`${path}.tmp`, 'half of a text that was longer');
    await replace(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['list.json']);
  });

  it('stays as it was when that fails, and nothing is left beside it', async () => {
    mkdirSync(path);
    await expect(replace(path, 'new')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(folder)).toEqual(['list.json']);
    await expect(replace(join(folder, 'none', 'list.json'), 'new')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is written under a name of the caller, where two write at a time', async () => {
    await Promise.all(['a', 'b', 'c'].map((text) => replace(path, text.repeat(100), `${path}.${text}.tmp`)));
    expect(readFileSync(path, 'utf8')).toMatch(/^(a{100}|b{100}|c{100})$/);
    expect(readdirSync(folder)).toEqual(['list.json']);
  });
});
