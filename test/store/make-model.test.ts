import { createHash } from 'node:crypto';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHub, startFakeHub } from '../support/fake-hub.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { type TestStore, testStore } from '../support/test-store.ts';

let hub: FakeHub;
let test: TestStore;
beforeAll(async () => {
  hub = await startFakeHub([]);
});
afterAll(() => hub.close());
beforeEach(async () => {
  test = await testStore(hub);
  await mkdir(test.folder, { recursive: true });
  await writeFile(join(test.folder, 'Tiny-Q8_0.gguf'), modelBytes(10_000));
  await test.catalog.refresh();
  return () => test.close();
});

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
async function* chunks(bytes: Buffer) {
  for (let start = 0; start < bytes.length; start += 4_096) yield bytes.subarray(start, start + 4_096);
}
const fromTiny = (name: string, preset = {}) => ({ name, from: { type: 'model' as const, name: 'tiny' }, preset });

describe('a name that is made of a model', () => {
  it('leads to it, with what it adds', async () => {
    const made = await test.store.make(fromTiny('mine:latest', { system: 'Be short.' }));
    expect(made).toMatchObject({ name: 'mine', from: 'Tiny', preset: { system: 'Be short.' }, ownsFile: false });
    const found = test.catalog.resolve('MINE');
    expect(found.model.name).toBe('Tiny');
    expect(found.preset).toEqual({ system: 'Be short.' });
    expect(test.catalog.resolve('tiny').preset).toBeUndefined();
    expect(test.store.findMade('mine:latest')).toEqual(made);
  });

  it('takes over what its own source adds, and changes it', async () => {
    await test.store.make(fromTiny('one', { system: 'A', sampling: { temperature: 0, topK: 5 } }));
    const two = await test.store.make({
      name: 'two',
      from: { type: 'model', name: 'one:latest' },
      preset: { system: 'B', sampling: { temperature: 1 } },
    });
    expect(two).toMatchObject({ from: 'Tiny', preset: { system: 'B', sampling: { temperature: 1, topK: 5 } } });
  });

  it('keeps the quantization that was named', async () => {
    const made = await test.store.make({ name: 'mine', from: { type: 'model', name: 'tiny:q8_0' }, preset: {} });
    expect(made.from).toBe('Tiny:q8_0');
  });

  it.each(['Tiny', 'tiny:q8_0', 'Tiny-Q8_0'])('is not %s, which a file has', async (name) => {
    await expect(test.store.make(fromTiny(name))).rejects.toMatchObject({ code: 'invalid_request', field: 'name' });
    expect(test.store.madeModels()).toEqual([]);
  });

  it('is made again in place of the earlier one', async () => {
    await test.store.make(fromTiny('mine', { system: 'A' }));
    await test.store.make(fromTiny('mine', { system: 'B' }));
    expect(test.store.madeModels()).toMatchObject([{ name: 'mine', preset: { system: 'B' } }]);
  });

  it('is not made of a model that is not here', async () => {
    const wish = { name: 'mine', from: { type: 'model' as const, name: 'nope' }, preset: {} };
    await expect(test.store.make(wish)).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('is deleted alone, and keeps the model until then', async () => {
    await test.store.make(fromTiny('mine'));
    await expect(test.store.remove('tiny')).rejects.toMatchObject({ code: 'model_protected' });
    expect(await test.store.remove('mine')).toEqual([{ model: 'mine', files: [], sizeBytes: 0, freedBytes: 0 }]);
    expect(await readdir(test.folder)).toEqual(['Tiny-Q8_0.gguf']);
    expect(() => test.catalog.resolve('mine')).toThrow();
    await test.store.remove('tiny');
    expect(await readdir(test.folder)).toEqual([]);
  });

  it('is there again after a restart', async () => {
    await test.store.make(fromTiny('mine', { system: 'A' }));
    const again = test.restarted();
    expect(again.store.madeModels()).toMatchObject([{ name: 'mine', from: 'Tiny', preset: { system: 'A' } }]);
  });
});

describe('a model that is made of a blob', () => {
  const bytes = modelBytes(20_000);
  const digest = digestOf(bytes);
  const wish = (name: string, preset = {}) => ({ name, from: { type: 'blob' as const, digest }, preset });

  it('lies in the model folder under its name, and goes with it', async () => {
    expect(await test.store.hasBlob(digest)).toBe(false);
    await test.store.saveBlob(digest, chunks(bytes), bytes.length);
    expect(await test.store.hasBlob(digest)).toBe(true);
    expect(test.catalog.models()).toHaveLength(1);
    const made = await test.store.make(wish('me/new model', { system: 'A' }));
    expect(made.ownsFile).toBe(true);
    expect((await readdir(test.folder)).sort()).toEqual(['.blobs', 'Tiny-Q8_0.gguf', 'me-new-model.gguf']);
    const { model, preset } = test.catalog.resolve('me/new model');
    expect([model.variants[0]!.files, preset]).toEqual([['me-new-model.gguf'], { system: 'A' }]);
    await test.store.remove('me/new model:latest');
    expect((await readdir(test.folder)).sort()).toEqual(['.blobs', 'Tiny-Q8_0.gguf']);
  });

  it('does not take the name of another file', async () => {
    await test.store.saveBlob(digest, chunks(bytes), null);
    await test.store.make(wish('Tiny-Q8_0+'));
    expect(await readdir(test.folder)).toContain(`Tiny-Q8_0-${digest.slice(7, 15)}.gguf`);
  });

  it('needs bytes with the digest of the address', async () => {
    const other = `sha256:${'0'.repeat(64)}`;
    const error = { code: 'invalid_request', field: 'digest' };
    await expect(test.store.saveBlob(other, chunks(bytes), null)).rejects.toMatchObject(error);
    expect(await readdir(join(test.folder, '.blobs'))).toEqual([]);
  });

  it.each(['sha256:x', '../../etc/passwd', `sha256:${'A'.repeat(64)}`, `md5:${'0'.repeat(64)}`])(
    'has no digest like %s',
    async (text) => {
      await expect(test.store.hasBlob(text)).rejects.toMatchObject({ code: 'invalid_request' });
      await expect(test.store.saveBlob(text, chunks(bytes), null)).rejects.toMatchObject({ code: 'invalid_request' });
    },
  );

  it('leaves nothing of an upload that breaks off', async () => {
    const broken = (async function* () {
      yield bytes.subarray(0, 100);
      throw new Error('gone');
    })();
    await expect(test.store.saveBlob(digest, broken, null)).rejects.toThrow('gone');
    expect(await readdir(join(test.folder, '.blobs'))).toEqual([]);
  });

  it('is a model', async () => {
    const text = Buffer.from('no model');
    await test.store.saveBlob(digestOf(text), chunks(text), null);
    const made = test.store.make({ name: 'x', from: { type: 'blob', digest: digestOf(text) }, preset: {} });
    await expect(made).rejects.toMatchObject({ code: 'invalid_model_file' });
    expect(test.store.madeModels()).toEqual([]);
  });

  it('is not waited for longer than a day', async () => {
    await test.store.saveBlob(digest, chunks(bytes), null);
    const old = join(test.folder, '.blobs', `sha256-${digest.slice(7)}`);
    const longAgo = new Date(test.clock.now().getTime() - 25 * 3_600_000);
    await utimes(old, longAgo, longAgo);
    const other = Buffer.from('other');
    await test.store.saveBlob(digestOf(other), chunks(other), null);
    expect(await test.store.hasBlob(digest)).toBe(false);
  });
});

describe('the header of a model', () => {
  it('says what stands in its file', async () => {
    const header = await test.store.header('tiny');
    expect(header.metadata['general.architecture']).toBe('llama');
    expect(header.tensors.length).toBeGreaterThan(0);
    expect(header.tensors[0]).toEqual({ name: expect.any(String), type: expect.any(String), shape: expect.any(Array) });
  });
});
