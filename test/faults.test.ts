import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from './support/server.ts';

interface Row {
  number: number;
  fault: string;
  tests: string;
}

const rows: Row[] = readFileSync(join(repositoryRoot, 'test/faults.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const match = /^\| (\d+) \| (.+?) \| (.+) \|$/.exec(line);
    return match ? [{ number: Number(match[1]), fault: match[2]!, tests: match[3]! }] : [];
  });

/** Of the table: a file, and the titles that it has. */
function testsOf({ tests }: Row): { path: string; titles: string[] }[] {
  return tests.split('; `').map((part) => {
    const [path = '', titles = ''] = part.replace(/^`/, '').split('`: ');
    return { path, titles: [...titles.matchAll(/"([^"]+)"/g)].map(([, title]) => title!) };
  });
}

/** Texts of a program, with its quotes as they are read. */
const sourceOf = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8').replaceAll(/\\(['"])/g, '$1');

describe('the table of faults', () => {
  it('has rows, in order and none twice', () => {
    const numbers = rows.map(({ number }) => number);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it.each(rows)('has a test for fault $number: $fault', (row) => {
    if (row.tests.startsWith('none: ')) {
      expect(row.tests.length).toBeGreaterThan('none: '.length + 10);
      return;
    }
    const tests = testsOf(row);
    expect(tests.length).toBeGreaterThan(0);
    for (const { path, titles } of tests) {
      expect(existsSync(join(repositoryRoot, path)), path).toBe(true);
      expect(titles.length, path).toBeGreaterThan(0);
      const source = sourceOf(path);
      expect(titles.filter((title) => !source.includes(title))).toEqual([]);
    }
  });
});
