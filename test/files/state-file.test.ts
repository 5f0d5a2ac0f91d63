import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createStateFile } from '../../src/files/state-file.ts';

describe('a state file', () => {
  let folder: string;
  let warnings: string[];
  const open = (path: string) =>
    createStateFile({
      path,
      parse: (value) => z.object({ count: z.int() }).parse(value),
      warn: (_error, doing) => warnings.push(doing),
    });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-state-'));
    warnings = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read as it was written, makes its folder and leaves nothing else there', () => {
    const file = open(join(folder, 'new', 'state.json'));
    expect(file.read()).toBeNull();
    file.write({ count: 3 });
    expect(open(join(folder, 'new', 'state.json')).read()).toEqual({ count: 3 });
    expect(readdirSync(join(folder, 'new'))).toEqual(['state.json']);
    expect(warnings).toEqual([]);
  });

  it.each(['{"count":', '{"count":"three"}', ''])('counts as none, with a warning, when it holds %j', (text) => {
    writeFileSync(join(folder, 'state.json'), text);
    expect(open(join(folder, 'state.json')).read()).toBeNull();
    expect(warnings).toEqual(['read']);
  });

  it('that cannot be written is a warning and no failure', () => {
    writeFileSync(join(folder, 'file'), '');
    open(join(folder, 'file', 'state.json')).write({ count: 1 });
    expect(warnings).toEqual(['write']);
  });
});
