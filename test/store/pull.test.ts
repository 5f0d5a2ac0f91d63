import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { LoadRefusal } from '../../src/engine/memory/plan.ts';
import { type FakeHub, fakeRepository, sha256, startFakeHub } from '../support/fake-hub.ts';
import { manualClock } from '../support/manual-clock.ts';
import { modelBytes, splitModel } from '../support/model-bytes.ts';
import { prefersQ40 } from '../support/quantization-advice.ts';
import { never, pullUntil, type TestStore, testStore } from '../support/test-store.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function setUp(
  files = [{ path: 'Tiny-Q4_0.gguf', bytes: modelBytes(300_000) }],
  changes: Parameters<typeof testStore>[1] = {},
  options: Parameters<typeof startFakeHub>[1] = {},
): Promise<{ hub: FakeHub } & TestStore> {
  const hub = await startFakeHub(files, options);
  const test = await testStore(hub, changes);
  open.push(hub, test);
  return { hub, ...test };
}

const wish = { name: `hf.co/${fakeRepository}:q4_0` };
const nextTurn = () => new Promise<false>((resolve) => setImmediate(resolve, false));
const caught = (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error)),
  );

describe('a pull', () => {
  it('brings the file into the model folder, checked, named and listed at once', async () => {
    const { hub, store, folder, catalog, events } = await setUp();
    const pull = await store.pull(wish, never);
    expect(pull).toMatchObject({
      model: 'Tiny:q4_0',
      repository: fakeRepository,
      revision: hub.commit,
      quantization: 'q4_0',
    });
    const done = await pullUntil(store, pull.id, 'done');
    expect(done).toMatchObject({ state: 'done', error: null, receivedBytes: hub.files[0]!.bytes.length });
    const path = join(folder, 'maker/tiny-GGUF/Tiny-Q4_0.gguf');
    expect((await readFile(path)).equals(hub.files[0]!.bytes)).toBe(true);
    expect(await readdir(join(folder, 'maker/tiny-GGUF'))).toEqual(['Tiny-Q4_0.gguf']);
    expect(catalog.resolve('tiny:q4_0').variant).toMatchObject({ filePath: path, invalidReason: null });
    expect(events.at(-2)).toEqual({ type: 'pull-ended', id: pull.id, model: 'Tiny:q4_0', result: 'done' });
    const size = hub.files[0]!.bytes.length;
    expect(events.at(-1)).toEqual({
      type: 'pull-changed',
      id: pull.id,
      model: 'Tiny:q4_0',
      state: 'done',
      receivedBytes: size,
      totalBytes: size,
    });
    // The header was read before the body.
    const receivedBytes = events.reduce((sum, event) => sum + (event.type === 'pull-received' ? event.bytes : 0), 0);
    expect(receivedBytes).toBe(2 * size);
  });

  it('reads the header and tells the plan before the body is asked for', async () => {
    const { hub, store } = await setUp([{ path: 'Tiny-Q4_0.gguf', bytes: modelBytes(3_000_000) }]);
    const pull = await store.pull(wish, never);
    expect(pull.plan).toMatchObject({ fits: true, availableBytes: 4e9 });
    expect(pull.plan?.message).toMatch(/^Fits: 0\.\d GB of 4\.0 GB, with 512 tokens for one request at a time\.$/);
    await pullUntil(store, pull.id, 'done');
    expect(hub.served.map(({ startBytes, endBytes }) => [startBytes, endBytes])).toEqual([
      [0, 2 ** 20],
      [0, hub.files[0]!.bytes.length],
    ]);
  });

  it('with auto brings the one of about that size that this processor is faster with, and says so', async () => {
    const files = [
      { path: 'Tiny-Q4_K_M.gguf', bytes: modelBytes(320_000) },
      { path: 'Tiny-Q4_0.gguf', bytes: modelBytes(300_000) },
    ];
    const { store, catalog } = await setUp(files, { deps: { advise: prefersQ40 } });
    const automatic = { name: `hf.co/${fakeRepository}`, quantization: 'auto' };
    const pull = await store.pull(automatic, never);
    expect(pull).toMatchObject({ model: 'Tiny:q4_0', notes: ['auto chose q4_0: Q4_0 is faster'] });
    // Who asks once more gets the same pull.
    expect((await store.pull(automatic, never)).id).toBe(pull.id);
    await pullUntil(store, pull.id, 'done');
    expect(catalog.models().flatMap(({ variants }) => variants.map(({ quantization }) => quantization))).toEqual([
      'q4_0',
    ]);
  });

  it('without it brings what is usual, and says that another one is faster', async () => {
    const files = ['Q4_K_M', 'Q4_0'].map((label) => ({ path: `Tiny-${label}.gguf`, bytes: modelBytes(300_000) }));
    const { store } = await setUp(files, { deps: { advise: prefersQ40 } });
    const name = `hf.co/${fakeRepository}`;
    const pull = await store.pull({ name: `${name}:q4_k_m` }, never);
    expect(pull).toMatchObject({ model: 'Tiny:q4_k_m', notes: [`Q4_0 is faster: hearth pull ${name}:Q4_0`] });
    const byAddress = await store.pull({ name: `https://huggingface.co/${fakeRepository}` }, never).catch(() => null);
    expect(byAddress?.notes ?? pull.notes).toEqual(pull.notes);
  });

  it('with auto and no figures brings what is usual', async () => {
    const files = ['Q4_K_M', 'Q4_0'].map((label) => ({ path: `Tiny-${label}.gguf`, bytes: modelBytes(300_000) }));
    const { store } = await setUp(files);
    const pull = await store.pull({ name: `hf.co/${fakeRepository}:auto` }, never);
    expect(pull).toMatchObject({ model: 'Tiny:q4_k_m', notes: [] });
  });

  it('refuses with numbers what can never fit, before its body is asked for, unless it is forced', async () => {
    const refusal: LoadRefusal = {
      type: 'refusal',
      neededBytes: 9e9,
      availableBytes: 4e9,
      shortfallBytes: 5e9,
      nearest: null,
      message: 'needs 9.0 GB, 4.0 GB are available.',
    };
    const { hub, store } = await setUp(undefined, { deps: { plan: () => refusal } });
    const error = await caught(store.pull(wish, never));
    expect(error).toMatchObject({ code: 'insufficient_memory', details: { needed_bytes: 9e9, available_bytes: 4e9 } });
    expect(error.message).toBe('Tiny:q4_0 can never be loaded here: needs 9.0 GB, 4.0 GB are available.');
    expect(store.pulls()).toEqual([]);
    expect(hub.served).toHaveLength(1);
    const pull = await store.pull({ ...wish, force: true }, never);
    expect(pull.notes).toEqual(['Does not fit: needs 9.0 GB, 4.0 GB are available.']);
    expect((await pullUntil(store, pull.id, 'done')).state).toBe('done');
  });

  it('refuses before the body what would fill the disk, with the numbers', async () => {
    const { hub, store } = await setUp(undefined, {
      settings: { reserveBytes: 50_000 },
      deps: { readFreeBytes: async () => 340_000 },
    });
    const error = await caught(store.pull(wish, never));
    expect(error).toMatchObject({
      code: 'storage_unavailable',
      details: { reason: 'full', needed_bytes: hub.files[0]!.bytes.length, free_bytes: 340_000, reserve_bytes: 50_000 },
    });
    expect(hub.served).toHaveLength(1);
  });

  it('refuses a file that is no model by its header, without downloading it', async () => {
    const { hub, store } = await setUp([{ path: 'Tiny-Q4_0.gguf', bytes: Buffer.alloc(5_000_000, 'no model') }]);
    expect(await caught(store.pull(wish, never))).toMatchObject({ code: 'invalid_model_file' });
    expect(hub.served.map(({ endBytes }) => endBytes)).toEqual([2 ** 20]);
  });

  it('names a split model only when all of its parts are there', async () => {
    const parts = splitModel('Big-Q4_0', 3, 100_000);
    const { hub, store, folder, catalog } = await setUp(parts);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    hub.faults.onBody = async (response, bytes, served) => {
      if (served.path === parts[2]!.path && hub.served.length > 3) {
        reached.resolve();
        await goOn.promise;
      }
      response.end(bytes);
    };
    const pull = await store.pull(wish, never);
    expect(pull.files.map(({ path }) => path)).toEqual(parts.map(({ path }) => path));
    await reached.promise;
    expect((await readdir(join(folder, fakeRepository))).filter((name) => name.endsWith('.gguf'))).toEqual([]);
    goOn.resolve();
    expect((await pullUntil(store, pull.id, 'done')).error).toBeNull();
    expect(catalog.resolve('Big:q4_0').variant).toMatchObject({ invalidReason: null, files: { length: 3 } });
  });

  it('checks files that are small enough for git by their git checksum', async () => {
    const { store } = await setUp([{ path: 'Tiny-Q4_0.gguf', bytes: modelBytes(50_000), inGit: true }] as never);
    const pull = await store.pull(wish, never);
    expect((await pullUntil(store, pull.id, 'done')).error).toBeNull();
  });

  it('of the same files joins the one that runs', async () => {
    const { hub, store } = await setUp();
    const goOn = Promise.withResolvers<void>();
    hub.faults.onBody = async (response, bytes, served) => {
      if (served.endBytes === hub.files[0]!.bytes.length && hub.served.length > 1) await goOn.promise;
      response.end(bytes);
    };
    const first = await store.pull(wish, never);
    const second = await store.pull({ name: `${fakeRepository}/Tiny-Q4_0.gguf` }, never);
    expect(second.id).toBe(first.id);
    goOn.resolve();
    await pullUntil(store, first.id, 'done');
    expect(hub.served).toHaveLength(2);
  });

  it('of files that are there already compares them and downloads nothing', async () => {
    const { hub, store } = await setUp();
    await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    const before = hub.served.length;
    const again = await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    expect(again).toMatchObject({ state: 'done', receivedBytes: hub.files[0]!.bytes.length });
    // The header was read for the plan; the body was not.
    expect(hub.served.slice(before).map(({ endBytes }) => endBytes)).toEqual([hub.files[0]!.bytes.length]);
    expect(hub.requests.filter(({ path }) => path.startsWith('/store/'))).toHaveLength(3);
  });

  it('clears away what a run left that was killed between the name of the file and the end of its sidecar', async () => {
    const { hub, store, folder } = await setUp();
    await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    const path = join(folder, fakeRepository, 'Tiny-Q4_0.gguf');
    const bytes = hub.files[0]!.bytes;
    const sidecar = (digest: string) => ({
      version: 1,
      repository: fakeRepository,
      revision: 'main',
      path: 'Tiny-Q4_0.gguf',
      etag: null,
      hash: { algorithm: 'sha256', digest },
      sizeBytes: bytes.length,
      durableBytes: bytes.length,
    });
    await writeFile(`${path}.part.json`, JSON.stringify(sidecar(sha256(bytes))));
    await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    expect(await readdir(dirname(path))).toEqual(['Tiny-Q4_0.gguf']);

    // That of another download is its own.
    await writeFile(`${path}.part.json`, JSON.stringify(sidecar('0'.repeat(64))));
    await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    expect(await readdir(dirname(path))).toEqual(['Tiny-Q4_0.gguf', 'Tiny-Q4_0.gguf.part.json']);
  });

  it('reads lists of many pages and chooses by quantization', async () => {
    const files = ['Q2_K', 'Q4_K_M', 'Q8_0'].map((label, index) => ({
      path: `Tiny-${label}.gguf`,
      bytes: modelBytes(20_000 + index),
    }));
    const { store } = await setUp(
      [...files, { path: 'mmproj-Q4_0.gguf', bytes: Buffer.alloc(9) }],
      {},
      { pageSize: 2 },
    );
    expect((await store.pull({ name: fakeRepository }, never)).model).toBe('Tiny:q4_k_m');
    expect((await store.pull({ name: fakeRepository, quantization: 'Q8_0' }, never)).model).toBe('Tiny:q8_0');
    expect(await caught(store.pull(wish, never))).toMatchObject({
      code: 'model_not_found',
      field: 'quantization',
      fix: 'It has q2_k, q4_k_m, q8_0.',
    });
  });

  it('keeps to the rate', async () => {
    const { hub, store, clock } = await setUp(undefined, { settings: { bytesPerSecond: 100_000 } });
    const pull = await store.pull(wish, never);
    const size = hub.files[0]!.bytes.length;
    // Every wait of the transfer is on this clock: it ends only because the clock is moved.
    let movedMs = 0;
    const ended = pullUntil(store, pull.id, 'done');
    const isDone = ended.then(() => true);
    while (!(await Promise.race([isDone, nextTurn()]))) {
      clock.advance(10);
      movedMs += 10;
    }
    expect((await ended).state).toBe('done');
    expect(movedMs).toBeGreaterThanOrEqual(Math.floor(((size - 65_536) / 100_000) * 1000));
  });

  it('waits outside the hours, says so, and goes on when they begin', async () => {
    const { hub, store, clock } = await setUp(undefined, { settings: { hours: aheadOf(manualClock().now()) } });
    const pull = await store.pull(wish, never);
    const waiting = await pullUntil(store, pull.id, 'waiting');
    expect(waiting.notes).toEqual(['pulls run only within the configured hours']);
    expect(hub.served).toHaveLength(1);
    const isDone = pullUntil(store, pull.id, 'done').then(({ state }) => state);
    while (!(await Promise.race([isDone, nextTurn()])))
      if (store.getPull(pull.id).state === 'waiting') clock.advance(60_000);
    expect(await isDone).toBe('done');
    expect(clock.now().getTime() - manualClock().now().getTime()).toBe(2 * 3_600_000);
  });
});

/** Hours that begin two hours from now and last one. */
function aheadOf(now: Date): { startMinute: number; endMinute: number } {
  const minute = now.getHours() * 60 + now.getMinutes();
  return { startMinute: (minute + 120) % 1_440, endMinute: (minute + 180) % 1_440 };
}

describe('a token', () => {
  it('goes to the hub and to no other host', async () => {
    const { hub, store } = await setUp(undefined, { settings: { token: 'hf_secret' } });
    await pullUntil(store, (await store.pull(wish, never)).id, 'done');
    const ofHub = hub.requests.filter(({ path }) => !path.startsWith('/store/'));
    expect(ofHub.length).toBeGreaterThan(3);
    expect(new Set(ofHub.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer hf_secret']));
    expect(hub.served.map(({ authorization }) => authorization)).toEqual([null, null]);
    expect(hub.served.every(({ host }) => host.startsWith('localhost:'))).toBe(true);
  });
});

describe('the progress', () => {
  it('is told with every change of state, and last when it has ended', async () => {
    const { hub, store } = await setUp();
    const goOn = Promise.withResolvers<void>();
    hub.faults.onBody = async (response, bytes) => {
      if (hub.served.length > 1) await goOn.promise;
      response.end(bytes);
    };
    const pull = await store.pull(wish, never);
    const states: string[] = [];
    for await (const each of store.watchPull(pull.id, never)) {
      states.push(each.state);
      goOn.resolve();
    }
    expect([...new Set(states)].at(-1)).toBe('done');
    expect(states.filter((state) => state === 'done')).toHaveLength(1);
  });

  it('of a pull that does not exist is not found', async () => {
    const { store } = await setUp();
    expect(() => store.getPull('nothing')).toThrow(AppError);
  });
});
