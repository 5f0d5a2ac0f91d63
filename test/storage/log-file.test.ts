import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDiskSync } from '../../src/storage/log-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-log-'));
  await writeFile(join(folder, 'log'), 'x');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes to the disk that end when the test says so. */
function slowDisk() {
  const writes: PromiseWithResolvers<void>[] = [];
  const disk = createDiskSync(join(folder, 'log'), () => {
    const write = Promise.withResolvers<void>();
    writes.push(write);
    return write.promise;
  });
  return { disk, writes };
}

describe('a file on its way to the disk', () => {
  it('is waited for by one write for all that ask while another runs, and not by the one that runs', async () => {
    const { disk, writes } = slowDisk();
    const done: string[] = [];
    const sync = (name: string) => disk.sync().then(() => void done.push(name));
    const first = sync('first');
    const later = [sync('second'), sync('third')];
    expect(writes).toHaveLength(1);
    writes[0]!.resolve();
    await first;
    expect(done).toEqual(['first']);
    await Promise.resolve();
    expect(writes).toHaveLength(2);
    writes[1]!.resolve();
    await Promise.all(later);
    expect(done).toEqual(['first', 'second', 'third']);
    const last = sync('last');
    expect(writes).toHaveLength(3);
    writes[2]!.resolve();
    await last;
    disk.close();
  });

  it('fails for those alone that waited for the write that failed', async () => {
    const { disk, writes } = slowDisk();
    const first = disk.sync();
    const second = disk.sync();
    writes[0]!.reject(new Error('I/O error'));
    await expect(first).rejects.toThrow('I/O error');
    await Promise.resolve();
    writes[1]!.resolve();
    await second;
    disk.close();
  });

  it('is written by the system', async () => {
    const disk = createDiskSync(join(folder, 'log'));
    await Promise.all([disk.sync(), disk.sync()]);
    disk.close();
    await expect(createDiskSync(join(folder, 'missing')).sync()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
