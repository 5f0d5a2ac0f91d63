import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeFiles } from '../../../../src/worker/prefix/vault/files.ts';
import { createBench, holds, load, range, stateOf, store, writeState } from './support.ts';

const dayMs = 24 * 60 * 60 * 1000;

describe('a stored state', () => {
  it('is found by a prompt that goes on after it, and loaded as it was written', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    expect(await store(vault, range(0, 100), { prefillMs: 4000 })).toBe(true);
    const found = vault.find([...range(0, 100), 7, 8], 'a')!;
    expect(found).toMatchObject({ length: 100, entryTokens: 100 });
    expect(await load(vault, found.id)).toBe(stateOf(range(0, 100)));
    expect(await bench.entries()).toBe(1);
    expect(bench.lines).toEqual([]);
  });

  it('is still there after a restart', async () => {
    await using bench = await createBench();
    const before = await bench.open();
    await store(before, range(0, 100));
    await store(before, range(50, 100), { pinned: true });
    await before.close();
    const after = await bench.open();
    expect(await bench.entries()).toBe(2);
    expect(bench.lines).toEqual([]);
    expect(await load(after, after.find(range(0, 101), 'a')!.id)).toBe(stateOf(range(0, 100)));
    expect(await load(after, after.find(range(50, 101), 'a')!.id)).toBe(stateOf(range(50, 100)));
  });

  it('leaves the last token of the same prompt to evaluate', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100));
    expect(vault.find(range(0, 100), 'a')).toMatchObject({ length: 99, entryTokens: 100 });
  });

  it('is found by its beginning', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100), { prefillMs: 4000 });
    expect(vault.find([...range(0, 25), 999], 'a')).toMatchObject({ length: 25, entryTokens: 100 });
    expect(vault.find([999, ...range(0, 25)], 'a')).toBeNull();
    expect(vault.find([], 'a')).toBeNull();
  });

  it('is used as a whole or not at all where states cannot be cut', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ cuttable: false });
    await store(vault, range(0, 50));
    await store(vault, range(0, 100));
    expect(vault.find(range(0, 80), 'a')).toMatchObject({ length: 50, entryTokens: 50 });
    expect(vault.find(range(0, 50), 'a')).toBeNull();
    expect(vault.find(range(0, 101), 'a')).toMatchObject({ length: 100 });
  });

  it('is not cut on a model with a sliding window once it is as long as the window', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ fingerprint: { slidingWindow: 64 } });
    await store(vault, range(0, 64));
    expect(vault.find(range(0, 60), 'a')).toBeNull();
    expect(vault.find(range(0, 65), 'a')).toMatchObject({ length: 64 });
    await store(vault, range(1000, 63));
    expect(vault.find(range(1000, 60), 'a')).toMatchObject({ length: 59 });
  });

  it('is never seen by another owner, and the same prompt of two owners is stored twice', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100), { owner: 'a' });
    expect(vault.find(range(0, 101), 'b')).toBeNull();
    await store(vault, range(0, 100), { owner: 'b' });
    expect(await bench.entries()).toBe(2);
    expect(vault.find(range(0, 101), 'a')!.id).not.toBe(vault.find(range(0, 101), 'b')!.id);
    const reopened = await bench.open();
    expect(reopened.find(range(0, 101), 'a')).not.toBeNull();
    expect(reopened.find(range(0, 101), 'c')).toBeNull();
  });

  it('belongs to nobody else on the machine', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100));
    const [record] = (await bench.list()).filter((name) => name.endsWith('.json'));
    expect((await stat(join(bench.folder, record!))).mode & 0o077).toBe(0);
    expect((await stat(dirname(join(bench.folder, record!)))).mode & 0o077).toBe(0);
  });

  it('is not told in the log by text, tokens or owner', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await vault.save([4711, 4712], 5000, 'secret-owner', false, () => Promise.reject(new Error('disk full')));
    expect(bench.lines.join('\n')).toContain('disk full');
    expect(bench.lines.join('\n')).not.toMatch(/secret-owner|4711/);
  });
});

describe('a pin', () => {
  it('is known for exactly its tokens and owner, over a restart too', async () => {
    await using bench = await createBench();
    const before = await bench.open();
    await store(before, range(0, 100));
    await store(before, range(50, 100), { pinned: true });
    const known = (vault: typeof before) => [
      vault.holds(range(50, 100), 'a'),
      vault.holds(range(50, 100), 'b'),
      vault.holds(range(50, 99), 'a'),
      vault.holds(range(0, 100), 'a'),
    ];
    expect(known(before)).toEqual(['pinned', null, null, 'plain']);
    await before.close();
    expect(known(await bench.open())).toEqual(['pinned', null, null, 'plain']);
  });

  it('turns a stored state into a pinned one without writing it again', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100));
    const refuse = async () => {
      throw new Error('written again');
    };
    expect(await vault.save(range(0, 100), 5000, 'a', true, refuse)).toBe(true);
    expect(vault.holds(range(0, 100), 'a')).toBe('pinned');
  });
});

describe('admission', () => {
  it('keeps what is seen twice and costs enough', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    expect(vault.note(range(0, 512), 4000, 'a')).toBe(0);
    expect(vault.note(range(0, 512), 4000, 'a')).toBe(512);
    expect(vault.note(range(0, 512), 4000, 'b')).toBe(0);
  });

  it('leaves out what is read faster than the threshold', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    vault.note(range(0, 512), 1999, 'a');
    expect(vault.note(range(0, 512), 1999, 'a')).toBe(0);
    expect(vault.note(range(0, 512), 2000, 'a')).toBe(512);
  });

  it('leaves out what is stored, until what comes after it costs enough', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    vault.note(range(0, 512), 4000, 'a');
    await store(vault, range(0, 512));
    expect(vault.note(range(0, 512), 4000, 'a')).toBe(0);
    vault.note(range(0, 640), 5000, 'a');
    expect(vault.note(range(0, 640), 5000, 'a')).toBe(0);
    vault.note(range(0, 1024), 8000, 'a');
    expect(vault.note(range(0, 1024), 8000, 'a')).toBe(1024);
  });

  it('takes no costs that make no sense', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    for (const cost of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      expect(vault.note(range(0, 512), cost, 'a')).toBe(0);
      expect(await store(vault, range(0, 10), { prefillMs: cost })).toBe(true);
    }
    const reopened = await bench.open();
    expect(holds(reopened, range(0, 10))).toBe(true);
    expect(await bench.entries()).toBe(1);
  });
});

describe('saving', () => {
  it('writes one state once, and marks it as used the next time', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 100));
    const unwanted = () => Promise.reject(new Error('written twice'));
    expect(await vault.save(range(0, 100), 5000, 'a', false, unwanted)).toBe(true);
    expect(await bench.entries()).toBe(1);
  });

  it('pins what is already stored, for after a restart too', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 3500 });
    await store(vault, range(0, 10), { prefillMs: 1 });
    expect(await store(vault, range(0, 10), { prefillMs: 1, pinned: true })).toBe(true);
    const reopened = await bench.open({ capBytes: 3500 });
    for (const opened of [vault, reopened]) {
      for (let n = 1; n < 5; n++) await store(opened, range(n * 1000, 10), { prefillMs: 60_000 });
      expect(holds(opened, range(0, 10))).toBe(true);
      expect(await bench.entries()).toBeLessThan(5);
      await opened.close();
    }
  });

  it('runs one save after the other, in order, with the tokens of the call', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    const acts: string[] = [];
    const growing = range(0, 10);
    const saves = [growing, range(100, 10), range(200, 10)].map((tokens, index) =>
      vault.save(tokens, 5000, 'a', false, async (path) => {
        acts.push(`start ${index}`);
        await writeState(tokens)(path);
        acts.push(`end ${index}`);
      }),
    );
    growing.push(10);
    expect(await Promise.all(saves)).toEqual([true, true, true]);
    expect(acts).toEqual(['start 0', 'end 0', 'start 1', 'end 1', 'start 2', 'end 2']);
    expect(holds(vault, range(0, 10))).toBe(true);
  });

  it('stores nothing when the writer throws or writes nothing, and the next save works', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    const half = async (path: string) => {
      await writeState(range(0, 10))(path);
      throw new Error('ENOSPC');
    };
    expect(await vault.save(range(0, 10), 5000, 'a', false, half)).toBe(false);
    expect(await vault.save(range(0, 10), 5000, 'a', false, async () => {})).toBe(false);
    expect(await vault.save(range(0, 10), 5000, 'a', false, (path) => nodeFiles.writeText(path, ''))).toBe(false);
    expect(bench.lines).toHaveLength(3);
    expect(holds(vault, range(0, 10))).toBe(false);
    expect(await bench.list()).toEqual([]);
    expect(await store(vault, range(0, 10))).toBe(true);
  });

  it('leaves no file when the last step fails', async () => {
    await using bench = await createBench();
    const rename = (from: string, to: string) =>
      to.endsWith('.json') ? Promise.reject(new Error('EIO')) : nodeFiles.rename(from, to);
    const vault = await bench.open({ files: { ...nodeFiles, rename } });
    expect(await store(vault, range(0, 10))).toBe(false);
    expect(await bench.list()).toEqual([]);
  });

  it.each([
    ['no tokens', []],
    ['more than the context', range(0, 4097)],
    ['a negative token', [1, -1]],
    ['half a token', [1, 1.5]],
    ['a token beyond 32 bits', [2 ** 32]],
  ])('refuses %s before anything is written', async (_, tokens) => {
    await using bench = await createBench();
    const vault = await bench.open();
    expect(await store(vault, tokens)).toBe(false);
    expect(await bench.list()).toEqual([]);
    expect(bench.lines).toHaveLength(1);
  });

  it('makes the entry whole in its last step, after state and record are on the disk', async () => {
    await using bench = await createBench();
    const acts: string[] = [];
    const shortName = (path: string) => path.replace(/^.*\/[^/.]*/, '');
    const vault = await bench.open({
      files: {
        ...nodeFiles,
        sync(path) {
          acts.push(`sync ${shortName(path)}`);
          return nodeFiles.sync(path);
        },
        rename(from, to) {
          acts.push(`rename ${shortName(to)}`);
          return nodeFiles.rename(from, to);
        },
        writeText(path, text) {
          acts.push(`write and sync ${shortName(path)}`);
          return nodeFiles.writeText(path, text);
        },
      },
    });
    await store(vault, range(0, 10));
    expect(acts).toEqual(['sync .state.tmp', 'rename .state', 'write and sync .json.tmp', 'rename .json', 'sync ']);
  });
});

describe('the cap', () => {
  it('is held by evicting what saves least per byte', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 4000 });
    await store(vault, range(0, 10), { prefillMs: 9000 });
    await store(vault, range(100, 10), { prefillMs: 3000 });
    await store(vault, range(200, 10), { prefillMs: 6000 });
    await store(vault, range(300, 10), { prefillMs: 4000 });
    expect([0, 100, 200, 300].map((from) => holds(vault, range(from, 10)))).toEqual([true, false, true, true]);
    expect(await bench.entries()).toBe(3);
  });

  it('counts a use, also across a restart', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 4000 });
    await store(vault, range(0, 10), { prefillMs: 3000 });
    await store(vault, range(100, 10), { prefillMs: 4000 });
    await store(vault, range(200, 10), { prefillMs: 3000 });
    bench.clock.nowMs = Date.now() + 3 * dayMs;
    await load(vault, vault.find(range(0, 11), 'a')!.id);
    await store(vault, range(200, 10), { prefillMs: 3000 });
    const reopened = await bench.open({ capBytes: 4000 });
    await store(reopened, range(300, 10), { prefillMs: 3000 });
    expect([0, 100, 200, 300].map((from) => holds(reopened, range(from, 10)))).toEqual([true, false, true, true]);
  });

  it('does not keep for ever what was used while the clock was ahead', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 3000 });
    await store(vault, range(0, 10));
    bench.clock.nowMs = Date.now() + 9000 * dayMs;
    await load(vault, vault.find(range(0, 11), 'a')!.id);
    bench.clock.nowMs = Date.now();
    const reopened = await bench.open({ capBytes: 3000 });
    bench.clock.nowMs += 5 * dayMs;
    await store(reopened, range(100, 10), { prefillMs: 4000 });
    await store(reopened, range(200, 10), { prefillMs: 4000 });
    expect([0, 100, 200].map((from) => holds(reopened, range(from, 10)))).toEqual([false, true, true]);
  });

  it('refuses a state that is larger than all of it, and keeps what is there', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 4000 });
    await store(vault, range(0, 10));
    expect(await store(vault, range(100, 10), { bytes: 4000 })).toBe(false);
    expect(holds(vault, range(0, 10))).toBe(true);
    expect(await bench.entries()).toBe(1);
    expect(bench.lines).toHaveLength(1);
  });

  it('does not evict what is being loaded', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 1500 });
    await store(vault, range(0, 10));
    const restored = await vault.restore(vault.find(range(0, 11), 'a')!.id, async () => {
      expect(await store(vault, range(100, 10))).toBe(false);
    });
    expect(restored).toBe(true);
    expect(await store(vault, range(100, 10))).toBe(true);
    expect(holds(vault, range(0, 10))).toBe(false);
  });

  it('takes another entry where the cheapest is being loaded', async () => {
    await using bench = await createBench();
    const vault = await bench.open({ capBytes: 3000 });
    await store(vault, range(0, 10), { prefillMs: 1000 });
    await store(vault, range(100, 10), { prefillMs: 9000 });
    await vault.restore(vault.find(range(0, 11), 'a')!.id, async () => {
      expect(await store(vault, range(200, 10))).toBe(true);
    });
    expect([0, 100, 200].map((from) => holds(vault, range(from, 10)))).toEqual([true, false, true]);
  });

  it('still counts what could not be removed', async () => {
    await using bench = await createBench();
    let stuck = '';
    const remove = (path: string) => (path.endsWith(stuck) ? Promise.reject(new Error('EIO')) : nodeFiles.remove(path));
    const vault = await bench.open({ capBytes: 1500, files: { ...nodeFiles, remove } });
    await store(vault, range(0, 10));
    stuck = `${vault.find(range(0, 11), 'a')!.id}.state`;
    expect(await store(vault, range(100, 10))).toBe(false);
    expect(holds(vault, range(0, 10))).toBe(false);
    expect((await bench.list()).map((name) => name.slice(-stuck.length))).toEqual([stuck]);
    expect(await store(vault, range(200, 10))).toBe(false);
    // The next start finds a state without a record, and removes it.
    await bench.open();
    expect(await bench.list()).toEqual([]);
  });

  it('that is smaller after a restart drops the entries that save least', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    for (const [from, prefillMs] of [
      [0, 3000],
      [100, 9000],
      [200, 6000],
    ] as const) {
      await store(vault, range(from, 10), { prefillMs });
    }
    const reopened = await bench.open({ capBytes: 2600 });
    expect([0, 100, 200].map((from) => holds(reopened, range(from, 10)))).toEqual([false, true, true]);
    expect((await bench.list()).length).toBe(4);
  });

  it('is never exceeded on the disk, whatever is saved, used, pinned and restarted', async () => {
    const save = fc.record({
      act: fc.constant('save' as const),
      from: fc.nat(5),
      length: fc.integer({ min: 1, max: 40 }),
      bytes: fc.integer({ min: 200, max: 2500 }),
      prefillMs: fc.nat(9000),
      pinned: fc.boolean(),
      owner: fc.constantFrom('a', 'b'),
    });
    const other = fc.record({ act: fc.constantFrom('load' as const, 'restart' as const), from: fc.nat(5) });
    const capBytes = 5000;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 4, arbitrary: save }, other), { maxLength: 15 }), async (steps) => {
        await using bench = await createBench();
        let vault = await bench.open({ capBytes });
        for (const step of steps) {
          bench.clock.nowMs += dayMs / 3;
          if (step.act === 'save') await store(vault, range(step.from, step.length), step);
          else if (step.act === 'restart') vault = await bench.open({ capBytes });
          else {
            const found = vault.find(range(step.from, 41), 'a');
            if (found) expect(await load(vault, found.id)).not.toBeNull();
          }
          expect(await bench.bytes()).toBeLessThanOrEqual(capBytes);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('a closed vault', () => {
  it('has finished what was under way, and does nothing any more', async () => {
    await using bench = await createBench();
    const vault = await bench.open();
    await store(vault, range(0, 10));
    const { id } = vault.find(range(0, 11), 'a')!;
    const saving = store(vault, range(100, 10));
    await vault.close();
    expect(holds(await bench.open(), range(100, 10))).toBe(true);
    expect(await saving).toBe(true);
    expect(vault.find(range(0, 11), 'a')).toBeNull();
    expect(await load(vault, id)).toBeNull();
    expect(await store(vault, range(200, 10))).toBe(false);
    expect(vault.note(range(0, 512), 5000, 'a')).toBe(0);
  });
});
