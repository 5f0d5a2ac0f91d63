import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../scripts/bench/machine.ts';
import { createReport, renderCell, renderTable } from '../../../scripts/bench/report.ts';
import { alternate } from '../../../scripts/bench/rounds.ts';

const machine: Machine = {
  cpu: 'Some CPU',
  cores: 2,
  memoryGib: 4,
  node: 'v24.0.0',
  nodeLlamaCpp: '1.0.0',
  llamaCpp: 'v0',
  patchedKernels: [],
  commit: 'abc123',
  loadBefore: 0.1,
};

describe('a report', () => {
  it('prints machine and command before the first table and writes both beside the figures', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-report-'));
    let printed = '';
    const report = createReport({
      name: 'gap',
      machine,
      command: 'npm run bench -- gap --rounds 2',
      startedAt: new Date(0),
      outFile: join(folder, 'deeper', 'gap.json'),
      load: () => 1.5,
      print: (text) => {
        printed += text;
      },
    });
    report.table('Gaps', ['figure', 'ms'], [['longest', 12]]);
    report.note('a note');
    report.keep('rounds', [1, 2]);
    report.write();
    const written: unknown = JSON.parse(readFileSync(join(folder, 'deeper', 'gap.json'), 'utf8'));
    rmSync(folder, { recursive: true });

    expect(printed.indexOf('Some CPU')).toBeLessThan(printed.indexOf('longest'));
    expect(printed).toContain('npm run bench -- gap --rounds 2');
    expect(written).toEqual({
      bench: 'gap',
      startedAt: '1970-01-01T00:00:00.000Z',
      command: 'npm run bench -- gap --rounds 2',
      machine,
      loadAfter: 1.5,
      tables: [{ title: 'Gaps', columns: ['figure', 'ms'], rows: [['longest', 12]] }],
      notes: ['a note'],
      rounds: [1, 2],
    });
  });
});

describe('a table', () => {
  it('is Markdown with columns of one width', () => {
    expect(
      renderTable(
        ['side', 'tok/s'],
        [
          ['engine', 123.4],
          ['b', null],
        ],
      ),
    ).toBe(['| side   | tok/s |', '|--------|------:|', '| engine |   123 |', '| b      |     - |', ''].join('\n'));
  });

  it.each([
    [null, '-'],
    ['text', 'text'],
    [7, '7'],
    [0.9712, '0.97'],
    [12.345, '12.3'],
    [1234.5, '1235'],
    [{ median: 10.25, min: 9, max: 12, count: 3 }, '10.3 (9-12)'],
    [{ median: 10.25, min: 10.25, max: 10.25, count: 1 }, '10.3'],
  ])('shows %j as %s', (cell, expected) => {
    expect(renderCell(cell)).toBe(expected);
  });
});

describe('sides of a comparison', () => {
  it('take turns, and one is never started before the other has ended', async () => {
    const log: string[] = [];
    const results = await alternate(['A', 'B'], 2, async (side, round) => {
      log.push(`${side}${round} begins`);
      await Promise.resolve();
      log.push(`${side}${round} ends`);
      return `${side}${round}`;
    });
    expect(log.filter((line) => line.endsWith('begins'))).toEqual(['A0 begins', 'B0 begins', 'A1 begins', 'B1 begins']);
    expect(log.every((line, index) => index % 2 === 0 || line === log[index - 1]!.replace('begins', 'ends'))).toBe(
      true,
    );
    expect(results).toEqual(
      new Map([
        ['A', ['A0', 'A1']],
        ['B', ['B0', 'B1']],
      ]),
    );
  });
});
