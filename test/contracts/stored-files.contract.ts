import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import { type FileDetails, type StoredFiles, storedFileId } from '../../src/core/stored-files.ts';
import { collect } from '../support/collect.ts';
import type { ManualClock } from '../support/manual-clock.ts';

/** Files under test that nobody else keeps. */
export interface StoredFilesUnderTest {
  files: StoredFiles & { close(): Promise<void> };
  clock: ManualClock;
  /** Ids under which bytes lie, drafts included. */
  bytesOf(): Promise<string[]>;
  /** The same place as the next process finds it. */
  again(): Promise<StoredFiles & { close(): Promise<void> }>;
  dispose(): Promise<void>;
}

/** What the tests below are run with. */
export const contractLimits = { maxFileBytes: 3 * 1024 ** 2, maxTotalBytes: 5 * 1024 ** 2 };

const mine: FileDetails = { owner: 'me', name: 'a.jsonl', purpose: 'batch', expiresAfterMs: null };

async function* inPieces(bytes: Uint8Array, pieceBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
/** Bytes whose place can be told. */
const bytesOfLength = (length: number) => Buffer.from(Uint32Array.from({ length: length / 4 }, (_, at) => at).buffer);
const keepText = async (files: StoredFiles, text: string, details: Partial<FileDetails> = {}) =>
  (await files.receive(inPieces(Buffer.from(text)))).keep({ ...mine, ...details });
async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await collect(bytes)).toString();
}
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

/** What `StoredFiles` promises, asked of every place where bytes can lie. */
export function runStoredFilesContract(name: string, open: () => Promise<StoredFilesUnderTest>): void {
  describe(`files kept ${name}`, () => {
    let test: StoredFilesUnderTest;
    let files: StoredFilesUnderTest['files'];
    beforeEach(async () => {
      test = await open();
      files = test.files;
    });
    afterEach(() => test.dispose());
    const all = { purpose: null, after: null, limit: 100, order: 'asc' as const };

    it('come back whole, and in parts, also from the next process', async () => {
      const bytes = bytesOfLength(2_500_000);
      const file = await (await files.receive(inPieces(bytes))).keep(mine);
      expect(file).toMatchObject({
        owner: 'me',
        name: 'a.jsonl',
        purpose: 'batch',
        sizeBytes: 2_500_000,
        expiresAt: null,
      });
      expect(file.id).toMatch(storedFileId);
      expect(file.createdAt).toEqual(test.clock.now());
      const next = await test.again();
      expect(await next.get('me', file.id)).toEqual(file);
      expect(Buffer.concat(await collect(next.read(file))).equals(bytes)).toBe(true);
      for (const [first, last] of [
        [0, 0],
        [1_048_570, 1_048_580],
        [1_048_576, 2_097_151],
        [2_499_999, 2_499_999],
      ] as const) {
        const part = Buffer.concat(await collect(next.read(file, { first, last })));
        expect(part.equals(bytes.subarray(first, last + 1))).toBe(true);
      }
    });

    it('may be empty', async () => {
      const file = await keepText(files, '');
      expect(file.sizeBytes).toBe(0);
      expect(await textOf(files.read(file))).toBe('');
    });

    it('are of one owner: to all others they do not exist', async () => {
      const { id } = await keepText(files, 'x');
      expect(await files.get('you', id)).toBeNull();
      expect(await files.remove('you', id)).toBe(false);
      expect((await files.list('you', all)).files).toEqual([]);
      expect(await files.get('me', id)).not.toBeNull();
    });

    it('are listed by age, in pages, by purpose, and on from one that is gone', async () => {
      const kept = [];
      for (const [index, purpose] of ['batch', 'user_data', 'batch', 'batch'].entries()) {
        kept.push(await keepText(files, String(index), { purpose }));
      }
      const ids = kept.map(({ id }) => id);
      const page = async (wanted: Partial<typeof all> | object) => {
        const { files: found, hasMore } = await files.list('me', { ...all, ...wanted });
        return [found.map(({ id }) => ids.indexOf(id)), hasMore];
      };
      expect(await page({})).toEqual([[0, 1, 2, 3], false]);
      expect(await page({ order: 'desc' })).toEqual([[3, 2, 1, 0], false]);
      expect(await page({ purpose: 'batch', limit: 2 })).toEqual([[0, 2], true]);
      await files.remove('me', ids[1]!);
      expect(await page({ after: ids[1]!, limit: 2 })).toEqual([[2, 3], false]);
      expect(await page({ after: ids[2]!, order: 'desc' })).toEqual([[0], false]);
      expect(await page({ after: ids[3]! })).toEqual([[], false]);
    });

    it('are gone with their bytes when they are deleted', async () => {
      const file = await keepText(files, 'x');
      expect(await files.remove('me', file.id)).toBe(true);
      expect(await files.remove('me', file.id)).toBe(false);
      expect(await files.get('me', file.id)).toBeNull();
      expect(await test.bytesOf()).toEqual([]);
      expect(await failureOf(textOf(files.read(file)))).toMatchObject({ code: 'not_found' });
    });

    it('are gone when they expire, and their bytes soon after', async () => {
      const file = await keepText(files, 'x', { expiresAfterMs: 3_600_000 });
      const other = await keepText(files, 'y');
      expect(file.expiresAt?.getTime()).toBe(file.createdAt.getTime() + 3_600_000);
      test.clock.advance(3_599_999);
      expect(await files.get('me', file.id)).not.toBeNull();
      test.clock.advance(1);
      expect(await files.get('me', file.id)).toBeNull();
      expect((await files.list('me', all)).files.map(({ id }) => id)).toEqual([other.id]);
      expect(await files.remove('me', file.id)).toBe(false);
      await keepText(files, 'z', { expiresAfterMs: 1 });
      test.clock.advance(3_600_000);
      await files.close();
      expect(await test.bytesOf()).toEqual([other.id]);
    });

    it('leave nothing when they are larger than one may be', async () => {
      const error = await failureOf(files.receive(inPieces(bytesOfLength(contractLimits.maxFileBytes + 4))));
      expect(error).toMatchObject({ code: 'payload_too_large', field: 'file', fix: expect.any(String) });
      expect(await test.bytesOf()).toEqual([]);
      const { sizeBytes } = await files.receive(inPieces(bytesOfLength(contractLimits.maxFileBytes)));
      expect(sizeBytes).toBe(contractLimits.maxFileBytes);
    });

    it('find no room when all together are too large, and find it again where some are deleted', async () => {
      const large = bytesOfLength(contractLimits.maxFileBytes);
      const first = await (await files.receive(inPieces(large))).keep(mine);
      const refused = await failureOf(files.receive(inPieces(large)));
      expect(refused).toMatchObject({ code: 'storage_unavailable', details: { reason: 'quota' } });
      expect(await test.bytesOf()).toEqual([first.id]);
      await files.remove('me', first.id);
      await expect(files.receive(inPieces(large))).resolves.toMatchObject({ sizeBytes: large.length });
    });

    it('count while they arrive, and no more when they are discarded', async () => {
      const large = bytesOfLength(contractLimits.maxFileBytes);
      const arrived = await files.receive(inPieces(large));
      expect(await failureOf(files.receive(inPieces(large)))).toMatchObject({ code: 'storage_unavailable' });
      await arrived.discard();
      expect(await test.bytesOf()).toEqual([]);
      await expect(files.receive(inPieces(large))).resolves.toMatchObject({ sizeBytes: large.length });
    });

    it('count a little even where they are empty', async () => {
      const { maxFileBytes, maxTotalBytes } = contractLimits;
      const emptyBytes = 4_096;
      for (const size of [maxFileBytes, maxTotalBytes - maxFileBytes - 5 * emptyBytes]) {
        await (await files.receive(inPieces(bytesOfLength(size)))).keep(mine);
      }
      for (let count = 0; count < 3; count++) await keepText(files, '');
      expect(await failureOf(keepText(files, ''))).toMatchObject({ details: { reason: 'quota' } });
    });

    it('leave nothing when their sender fails, whose failure is told as it is', async () => {
      const failure = new AppError('invalid_request', 'broken form');
      async function* broken() {
        yield bytesOfLength(2_000_000);
        throw failure;
      }
      expect(await failureOf(files.receive(broken()))).toBe(failure);
      expect(await test.bytesOf()).toEqual([]);
      expect((await files.list('me', all)).files).toEqual([]);
    });

    it('are kept once under an id that was given, however often it is tried', async () => {
      const id = files.newFileId();
      const first = await keepText(files, 'first', { id });
      const second = await keepText(files, 'second', { id, name: 'other' });
      expect(second).toEqual(first);
      expect(await textOf(files.read(second))).toBe('first');
      expect(await test.bytesOf()).toEqual([id]);
    });
  });
}
