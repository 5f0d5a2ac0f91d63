import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFootprints } from '../../../src/engine/memory/footprints.ts';
import type { GgufFacts } from '../../../src/store/gguf/gguf.ts';
import { anyExpectedBytes, anyPlan } from '../../support/plans.ts';

const file = { id: 'm:q4_0', facts: { sizeBytes: 1_000 } as GgufFacts };
const read = anyPlan({ useMmap: false, expectedBytes: anyExpectedBytes(1_000) });
const mapped = anyPlan({ useMmap: true, expectedBytes: anyExpectedBytes(1_000) });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-footprints-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const open = (machine = 'one', warnings: unknown[] = []) =>
  createFootprints({ folder, machine, log: { warn: (...parts: unknown[]) => void warnings.push(parts) } });

describe('measured footprints', () => {
  it('correct the next plan of the same file, also after a restart', () => {
    open().record(file, read, 1_200);
    const footprints = open();
    expect(footprints.correctionBytes(file, read)).toBe(200);
    expect(footprints.correctionBytes(file, { ...read, contextTokens: 8_192 })).toBe(200);
  });

  it('measure against the bare estimate, so that corrections do not pile up', () => {
    const footprints = open();
    const corrected = { ...anyExpectedBytes(1_000), correction: 200, atLoad: 1_200, total: 1_200 };
    footprints.record(file, { ...read, expectedBytes: corrected }, 1_200);
    expect(footprints.correctionBytes(file, read)).toBe(200);
  });

  it('belong to one file, one way to open it, one kind of cache and one machine', () => {
    const footprints = open();
    footprints.record(file, read, 1_200);
    expect(footprints.correctionBytes({ ...file, id: 'other' }, read)).toBe(0);
    expect(footprints.correctionBytes({ ...file, facts: { sizeBytes: 1_001 } as GgufFacts }, read)).toBe(0);
    expect(footprints.correctionBytes(file, mapped)).toBe(0);
    expect(footprints.correctionBytes(file, { ...read, kvType: 'q8_0' })).toBe(0);
    expect(open('two').correctionBytes(file, read)).toBe(0);
  });

  it('lower the estimate of a file that was read, never that of a mapped one, whose pages may not be there yet', () => {
    const footprints = open();
    footprints.record(file, read, 900);
    footprints.record(file, mapped, 900);
    expect(footprints.correctionBytes(file, read)).toBe(-100);
    expect(footprints.correctionBytes(file, mapped)).toBe(0);
  });

  it('are not trusted beyond half of the estimate', () => {
    const footprints = open();
    footprints.record(file, read, 9_000);
    expect(footprints.correctionBytes(file, read)).toBe(500);
    footprints.record(file, read, 1);
    expect(footprints.correctionBytes(file, read)).toBe(-500);
    footprints.record(file, read, 0);
    expect(footprints.correctionBytes(file, read)).toBe(-500);
  });

  it('start afresh with a warning when the file is damaged, and leave no temporary file', () => {
    writeFileSync(join(folder, 'footprints.json'), '{"version":1,"footprints":{"x":');
    const warnings: unknown[] = [];
    const footprints = open('one', warnings);
    expect(warnings).toHaveLength(1);
    footprints.record(file, read, 1_100);
    expect(readdirSync(folder)).toEqual(['footprints.json']);
    expect(open().correctionBytes(file, read)).toBe(100);
  });

  it('that cannot be written only cost the correction after a restart', () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file where the folder was');
    const warnings: unknown[] = [];
    const footprints = open('one', warnings);
    footprints.record(file, read, 1_100);
    expect(footprints.correctionBytes(file, read)).toBe(100);
    expect(warnings).toHaveLength(1);
  });
});
