import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { createCalibrationStore } from '../../../src/engine/calibration/calibration-store.ts';
import {
  type Calibration,
  type CalibrationKey,
  runCalibration,
} from '../../../src/engine/calibration/run-calibration.ts';
import { type ManualClock, manualClock } from '../../support/manual-clock.ts';

const key: CalibrationKey = { model: 'm.gguf:1:2', cpuModel: 'Some CPU', cores: 4, engineVersion: '3.22.1' };
const calibration: Calibration = {
  decodeThreads: 2,
  prefillThreads: 4,
  libuvThreads: 1,
  batchTokens: 256,
  decodeTokensPerSecond: { 1: 30.5, 2: 55 },
  prefillTokensPerSecond: { 64: 300 },
  costOfTokens: [1, 1.5],
  measuredAt: '2026-01-01T00:00:01.000Z',
  provisional: false,
};

let root: string;
let folder: string;
let clock: ManualClock;
let warnings: string[];
const store = (maxCount?: number) =>
  createCalibrationStore({
    folder,
    clock,
    log: { warn: (_object: unknown, message?: string) => void warnings.push(message ?? '') },
    ...(maxCount !== undefined && { maxCount }),
  });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hearth-calibration-'));
  folder = join(root, 'calibration');
  clock = manualClock();
  warnings = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** The only file in the folder. */
async function onlyFile(): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0]!);
}

describe('the store', () => {
  it('gives back what was saved, to another store on the same folder too', async () => {
    expect(await store().load(key)).toBeNull();
    await store().save(key, calibration);
    expect(await store().load({ ...key })).toEqual(calibration);
    expect(await readdir(folder)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('keeps what a run has measured', async () => {
    const measured = await runCalibration({
      measure: async ({ tokens, threads }) => {
        clock.advance(20);
        return { ms: (10 * tokens) / threads };
      },
      cpu: { read: () => ({ waitingShare: 0.1, frozenCores: 0, idleCores: 1 }) },
      clock,
      cores: 4,
      batchTokens: 512,
    });
    await store().save(key, measured!);
    expect(await store().load(key)).toEqual(measured);
  });

  it('does not keep a provisional one', async () => {
    await store().save(key, { ...calibration, provisional: true });
    expect(await store().load(key)).toBeNull();
  });

  test.each<Partial<CalibrationKey>>([
    { model: 'm.gguf:1:3' },
    { cpuModel: 'Another CPU' },
    { cores: 8 },
    { engineVersion: '3.22.2' },
  ])('has nothing for another key: %o', async (other) => {
    await store().save(key, calibration);
    expect(await store().load({ ...key, ...other })).toBeNull();
  });

  it('replaces, and survives saves at the same time', async () => {
    await Promise.all([1, 2, 3, 4].map((decodeThreads) => store().save(key, { ...calibration, decodeThreads })));
    await store().save(key, { ...calibration, decodeThreads: 3 });
    expect((await store().load(key))?.decodeThreads).toBe(3);
    await onlyFile();
    expect(warnings).toEqual([]);
  });

  it('deletes those not used for longest, and nothing that is not its own', async () => {
    const keys = [1, 2, 3].map((number) => ({ ...key, model: `m${number}` }));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'notes.json'), '{}');
    for (const each of keys.slice(0, 2)) {
      await store(2).save(each, calibration);
      clock.advance(60_000);
    }
    await store(2).load(keys[0]!);
    clock.advance(60_000);
    await store(2).save(keys[2]!, calibration);
    expect(await Promise.all(keys.map(async (each) => (await store().load(each)) !== null))).toEqual([
      true,
      false,
      true,
    ]);
    expect(await readdir(folder)).toContain('notes.json');
  });

  it('clears away what a process that died left behind, not what is being written', async () => {
    await store().save(key, calibration);
    const file = await onlyFile();
    const [stale, fresh] = ['0a-1b', '0a-2b'].map((id) => `${file}.${id}.tmp`) as [string, string];
    for (const path of [stale, fresh]) await writeFile(path, 'half');
    const anHourAgo = new Date(clock.now().getTime() - 3_600_000);
    await utimes(stale, anHourAgo, anHourAgo);
    await utimes(fresh, clock.now(), clock.now());
    await store().save(key, calibration);
    const names = await readdir(folder);
    expect(names).toHaveLength(2);
    expect(names.some((name) => name.endsWith('0a-2b.tmp'))).toBe(true);
  });
});

describe('a bad file', () => {
  const changed = (change: object) => JSON.stringify({ version: 2, key, calibration: { ...calibration, ...change } });

  test.each([
    ['empty', ''],
    ['cut off', changed({}).slice(0, 80)],
    ['not an object', '[]'],
    ['of another version', JSON.stringify({ version: 1, key, calibration })],
    ['of another key', JSON.stringify({ version: 2, key: { ...key, model: 'other' }, calibration })],
    ['without threads', changed({ decodeThreads: undefined })],
    ['with no thread', changed({ decodeThreads: 0 })],
    ['with half a thread', changed({ libuvThreads: 1.5 })],
    ['with more threads than cores', changed({ prefillThreads: 5 })],
    ['with a cost under one', changed({ costOfTokens: [0.5] })],
    ['that is provisional', changed({ provisional: true })],
    ['without costs', changed({ costOfTokens: [] })],
    ['with a negative rate', changed({ decodeTokensPerSecond: { 1: -1 } })],
    ['with a rate of no thread count', changed({ decodeTokensPerSecond: { __proto__x: 1 } })],
    ['too long', `${changed({})}${' '.repeat(100_000)}`],
  ])('%s is as good as none, and is written anew', async (_title, text) => {
    await store().save(key, calibration);
    await writeFile(await onlyFile(), text);
    expect(await store().load(key)).toBeNull();
    expect(warnings).toEqual(['a stored calibration cannot be used and will be measured again']);
    await store().save(key, calibration);
    expect(await store().load(key)).toEqual(calibration);
  });

  it('is not followed when it is a link', async () => {
    await store().save(key, calibration);
    const file = await onlyFile();
    const elsewhere = join(root, 'elsewhere.json');
    await writeFile(elsewhere, await readFile(file));
    await rm(file);
    await symlink(elsewhere, file);
    expect(await store().load(key)).toBeNull();
    await store().save(key, calibration);
    expect(await store().load(key)).toEqual(calibration);
  });
});

it('only warns when the folder cannot be written', async () => {
  await writeFile(folder, 'a file where the folder should be');
  await store().save(key, calibration);
  expect(warnings).toEqual(['a calibration could not be stored; the next load measures again']);
  expect(await store().load(key)).toBeNull();
});
