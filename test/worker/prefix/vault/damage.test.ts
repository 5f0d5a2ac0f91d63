import { appendFile, copyFile, mkdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '../../../../src/worker/prefix/vault/files.ts';
import { createVault, type Fingerprint, type Vault } from '../../../../src/worker/prefix/vault/vault.ts';
import { type Bench, createBench, fingerprint, holds, load, range, stateOf, store } from './support.ts';

const first = range(0, 100);
const second = range(500, 100);
const idOf = (vault: Vault, tokens: readonly number[]) => vault.find([...tokens, 999_999], 'a')!.id;

/** A vault with two entries of one size, and the paths of their files. */
async function createPair(bench: Bench) {
  const vault = await bench.open();
  await store(vault, first);
  await store(vault, second);
  const ids = [idOf(vault, first), idOf(vault, second)] as const;
  const states = (await bench.list()).filter((name) => name.endsWith('.state'));
  const pathOf = (id: string, part: string) => join(bench.folder, dirname(states[0]!), `${id}.${part}`);
  return { vault, ids, pathOf };
}

/** Flips one bit. */
async function flip(path: string, position: number): Promise<void> {
  const raw = await readFile(path);
  raw[position]! ^= 1;
  await writeFile(path, raw);
}

async function swap(one: string, other: string): Promise<void> {
  await rename(one, `${one}.aside`);
  await rename(other, one);
  await rename(`${one}.aside`, other);
}

/** After damage to the state of `first`: nothing was loaded and the entry is gone for good; `second` is as it was. */
async function expectDropped(bench: Bench, vault: Vault, id: string): Promise<void> {
  expect(bench.lines).toHaveLength(1);
  expect(vault.find([...first, 1], 'a')).toBeNull();
  const left = (await bench.list()).filter((name) => /\.(state|json)$/.test(name));
  expect(left.map((name) => basename(name).startsWith(id))).toEqual([false, false]);
  expect(await load(vault, id)).toBeNull();
  expect(await load(vault, idOf(vault, second))).toBe(stateOf(second));
  expect(await store(vault, first)).toBe(true);
  expect(await load(vault, id)).toBe(stateOf(first));
}

const damages: [string, (path: string) => Promise<void>][] = [
  ['cut short', (path) => truncate(path, 999)],
  ['empty', (path) => truncate(path, 0)],
  ['longer', (path) => appendFile(path, 'x')],
  ['changed in its first byte', (path) => flip(path, 0)],
  ['changed in its last byte', (path) => flip(path, 999)],
  ['gone', (path) => rename(path, `${path}.elsewhere`)],
];

describe('a state file', () => {
  it.each(damages)('that is %s is not loaded, and its entry is deleted', async (_, damage) => {
    await using bench = await createBench();
    const { vault, ids, pathOf } = await createPair(bench);
    await damage(pathOf(ids[0], 'state'));
    let loads = 0;
    expect(await vault.restore(ids[0], async () => void loads++)).toBe(false);
    expect(loads).toBe(0);
    await expectDropped(bench, vault, ids[0]);
  });

  it.each(damages)('that is %s before a restart is not loaded either', async (what, damage) => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await damage(pathOf(ids[0], 'state'));
    const vault = await bench.open();
    // A wrong size is seen at the start already.
    if (!what.startsWith('changed')) expect(holds(vault, first)).toBe(false);
    expect(await load(vault, ids[0])).toBeNull();
    expect(holds(vault, first)).toBe(false);
    expect(await load(vault, ids[1])).toBe(stateOf(second));
  });

  it('that was swapped with another of the same size is not loaded', async () => {
    await using bench = await createBench();
    const { vault, ids, pathOf } = await createPair(bench);
    await swap(pathOf(ids[0], 'state'), pathOf(ids[1], 'state'));
    expect(await load(vault, ids[0])).toBeNull();
    expect(await load(vault, ids[1])).toBeNull();
    expect(bench.lines).toHaveLength(2);
    expect(await bench.list()).toEqual([]);
  });

  it('that the model refuses is deleted', async () => {
    await using bench = await createBench();
    const { vault, ids } = await createPair(bench);
    expect(await vault.restore(ids[0], () => Promise.reject(new Error('n_stream mismatch')))).toBe(false);
    await expectDropped(bench, vault, ids[0]);
  });

  it('that fails for two requests at once is deleted once', async () => {
    await using bench = await createBench();
    const { vault, ids, pathOf } = await createPair(bench);
    await flip(pathOf(ids[0], 'state'), 10);
    expect(await Promise.all([load(vault, ids[0]), load(vault, ids[0])])).toEqual([null, null]);
    expect(holds(vault, first)).toBe(false);
    expect(holds(vault, second)).toBe(true);
    expect(await bench.entries()).toBe(1);
  });

  it('that is the only one of its owner and fails for two requests at once takes neither down', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, first);
    const refuse = () => Promise.reject(new Error('refused'));
    const id = idOf(vault, first);
    expect(await Promise.all([vault.restore(id, refuse), vault.restore(id, refuse)])).toEqual([false, false]);
    expect(await bench.list()).toEqual([]);
  });
});

describe('at the start', () => {
  it('swapped pairs of files are dropped: no entry goes under the name of another', async () => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await swap(pathOf(ids[0], 'state'), pathOf(ids[1], 'state'));
    await swap(pathOf(ids[0], 'json'), pathOf(ids[1], 'json'));
    await bench.open();
    expect(await bench.list()).toEqual([]);
  });

  it.each([
    ['cut short', (path: string) => truncate(path, 100)],
    ['empty', (path: string) => truncate(path, 0)],
    ['no text', (path: string) => writeFile(path, Buffer.alloc(300, 0xff))],
    ['far too large', (path: string) => truncate(path, 10_000_000)],
    ['gone', (path: string) => rename(path, `${path}.elsewhere`)],
  ])('an entry whose record is %s is dropped, and the others stay', async (_, damage) => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await damage(pathOf(ids[0], 'json'));
    const vault = await bench.open({ capBytes: 100_000_000 });
    expect([holds(vault, first), holds(vault, second)]).toEqual([false, true]);
    expect((await bench.list()).filter((name) => /\.(state|json)$/.test(name)).length).toBe(2);
  });

  it('a record that is larger than any can be is not read', async () => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await truncate(pathOf(ids[0], 'json'), 1_000_000);
    const read: string[] = [];
    const readText = (path: string) => {
      read.push(path);
      return nodeFiles.readText(path);
    };
    await bench.open({ capBytes: 100_000_000, files: { ...nodeFiles, readText } });
    expect(read).toEqual([pathOf(ids[1], 'json')]);
  });

  it('a copied record does not make an entry of another name', async () => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await copyFile(pathOf(ids[1], 'json'), pathOf(ids[0], 'json'));
    const vault = await bench.open();
    expect(await bench.entries()).toBe(1);
    expect(await load(vault, idOf(vault, second))).toBe(stateOf(second));
  });

  it('half-written files and an entry larger than the cap are removed', async () => {
    await using bench = await createBench();
    const { vault, ids, pathOf } = await createPair(bench);
    await store(vault, range(2000, 10), { bytes: 9000, prefillMs: 900_000 });
    await writeFile(pathOf(ids[0], 'state.tmp'), 'half');
    await writeFile(pathOf('0'.repeat(32), 'json.tmp'), 'half');
    const reopened = await bench.open({ capBytes: 9000 });
    expect([holds(reopened, first), holds(reopened, second)]).toEqual([true, true]);
    expect(holds(reopened, range(2000, 10))).toBe(false);
    expect((await bench.list()).length).toBe(4);
  });

  it('files that are not the vault’s are left alone', async () => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    await writeFile(join(bench.folder, 'notes.txt'), 'mine');
    await writeFile(join(dirname(pathOf(ids[0], 'state')), 'notes.txt'), 'mine');
    await mkdir(join(bench.folder, 'other-folder'));
    await writeFile(join(bench.folder, 'other-folder', 'notes.txt'), 'mine');
    await bench.open();
    expect((await bench.list()).filter((name) => name.endsWith('notes.txt')).length).toBe(3);
  });

  it('a link in the place of a state is removed, and what it points to stays', async () => {
    await using bench = await createBench();
    const { ids, pathOf } = await createPair(bench);
    const target = join(bench.folder, 'target');
    await rename(pathOf(ids[0], 'state'), target);
    await symlink(target, pathOf(ids[0], 'state'));
    const vault = await bench.open();
    expect([holds(vault, first), holds(vault, second)]).toEqual([false, true]);
    expect(await readFile(target, 'utf8')).toBe(stateOf(first));
    expect(await bench.list()).not.toContain(`${basename(dirname(pathOf(ids[0], 'state')))}/${ids[0]}.state`);
  });

  it.each<Partial<Fingerprint>>([
    { modelHash: 'other' },
    { engineVersion: '3.23.0/v0.6.0' },
    { slots: 4 },
    { kvTypes: 'q8_0/q8_0' },
    { flashAttention: false },
  ])('states of another fingerprint (%j) are removed', async (change) => {
    await using bench = await createBench();
    await createPair(bench);
    const vault = await bench.open({ fingerprint: change });
    expect(vault.find([...first, 1], 'a')).toBeNull();
    expect(await bench.list()).toEqual([]);
    expect(await store(vault, first)).toBe(true);
  });

  it('states under the folder name of another fingerprint are not taken for ours', async () => {
    await using bench = await createBench();
    await createPair(bench);
    const [ours] = (await bench.list()).map((name) => dirname(name));
    const other = await bench.open({ fingerprint: { modelHash: 'other' } });
    await store(other, range(0, 5));
    const theirs = dirname((await bench.list())[0]!);
    await rename(join(bench.folder, theirs), join(bench.folder, ours!));
    await bench.open();
    expect(await bench.list()).toEqual([]);
  });

  it('a folder that cannot be used gives a vault that finds nothing and stores nothing', async () => {
    await using bench = await createBench();
    await writeFile(join(bench.folder, 'file'), '');
    const lines: string[] = [];
    const vault = await createVault({
      folder: join(bench.folder, 'file', 'vault'),
      fingerprint,
      capBytes: 1_000_000,
      now: () => 0,
      log: (line) => lines.push(line),
    });
    expect(lines.length).toBe(1);
    expect(vault.find(range(0, 10), 'a')).toBeNull();
    expect(await store(vault, range(0, 10))).toBe(false);
    await vault.close();
  });
});
