import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Notes, notesIn } from '../../src/storage/notes.ts';

let folder: string;
let path: string;
let notes: Notes;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-notes-'));
  path = join(folder, 'notes');
  notes = notesIn(path);
});
afterEach(async () => {
  notes.close();
  await rm(folder, { recursive: true, force: true });
});
const text = () => readFile(path, 'utf8');

describe('notes', () => {
  it('are in the file at once, for its owner alone, until all of them are forgotten', async () => {
    expect([notes.add('one'), notes.add('two'), notes.add('three')]).toEqual([0, 1, 2]);
    expect(await text()).toBe('one\ntwo\nthree\n');
    expect((await stat(path)).mode & 0o077).toBe(0);
    notes.dropBefore(2);
    expect(notesIn(path).left()).toContain('three');
    notes.dropBefore(3);
    expect(await text()).toBe('');
    expect(notes.add('four')).toBe(3);
    notes.dropBefore(Number.POSITIVE_INFINITY);
    expect(notes.add('five')).toBe(4);
    expect(await text()).toBe('five\n');
  });

  it('take no more room than those that still count, and a little', async () => {
    const line = 'x'.repeat(1_000);
    let kept = 0;
    for (let index = 0; index < 2_000; index++) {
      const number = notes.add(`${index} ${line}`);
      if (index === 100) kept = number;
      if (index > 100) notes.dropBefore(Math.max(kept, number - 5));
    }
    expect((await stat(path)).size).toBeLessThan(300_000);
    expect(notesIn(path).left().slice(-3)).toEqual([1_997, 1_998, 1_999].map((index) => `${index} ${line}`));
  });

  it('of a process that was killed are there for the next one, but for a line that was cut', async () => {
    await writeFile(path, 'one\ntwo\nthr');
    expect(notes.left()).toEqual(['one', 'two']);
    notes.dropLeft();
    expect(await text()).toBe('');
    notes.add('three');
    expect(await text()).toBe('three\n');
  });

  it('touch nothing where nobody writes any, and leave no empty file', async () => {
    expect(notes.left()).toEqual([]);
    notes.close();
    await expect(stat(path)).rejects.toThrow('ENOENT');
    notes.add('one');
    notes.dropBefore(1);
    notes.close();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });
});
