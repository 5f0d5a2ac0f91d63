import type { Capacity } from './capacity.ts';
import type { EntryFolder } from './entry-folder.ts';
import { entryId } from './entry-record.ts';
import type { EntryTable, TableEntry } from './entry-table.ts';
import type { VaultFiles } from './files.ts';

/** What is to be stored. */
interface NewEntry {
  owner: string;
  tokens: Uint32Array<ArrayBuffer>;
  prefillMs: number;
  pinned: boolean;
}

/**
 * Stores the state that `write` puts into a file, or marks as used what is stored already; a pin that is new to a stored
 * state is noted in its record. Rejects when it could not; nothing of the state is left then. Not to be called before
 * the call before is done.
 */
type SaveEntry = (entry: NewEntry, write: (path: string) => Promise<void>) => Promise<void>;

/** `key`: of the fingerprint. */
export function createSaving(deps: {
  key: string;
  table: EntryTable;
  capacity: Capacity;
  folder: EntryFolder;
  files: VaultFiles;
  now: () => number;
}): SaveEntry {
  const { table, capacity, folder, files, now } = deps;

  /** Writes a state and makes it an entry, or leaves nothing of it. */
  const writeNew = async (entry: NewEntry, id: string, write: (path: string) => Promise<void>) => {
    let bytes = 0;
    try {
      await folder.prepare();
      await write(folder.temporaryPath(id));
      const { bytes: stateBytes, sha256 } = await files.checksum(folder.temporaryPath(id));
      if (stateBytes === 0) throw new Error('the state is empty');
      const record = { ...entry, stateBytes, sha256 };
      const text = folder.recordText(record);
      bytes = stateBytes + Buffer.byteLength(text);
      await capacity.makeRoom(bytes, entry.pinned);
      await folder.commit(id, text);
      table.add({ ...record, id, bytes, lastUsedMs: now() });
    } catch (error) {
      await capacity.discard(id, bytes);
      throw error;
    }
  };

  const pin = async (known: TableEntry, entry: NewEntry) => {
    const { id, stateBytes, sha256, prefillMs } = known;
    const text = folder.recordText({ ...entry, stateBytes, sha256, prefillMs });
    await folder.rewriteRecord(id, text);
    known.bytes = stateBytes + Buffer.byteLength(text);
    known.pinned = true;
  };

  return async (entry, write) => {
    const id = entryId(deps.key, entry.owner, entry.tokens);
    const known = table.get(id);
    if (known === null) {
      if (capacity.isRemoving(id)) throw new Error('its old files are being removed');
      await writeNew(entry, id, write);
      return;
    }
    known.lastUsedMs = now();
    if (entry.pinned && !known.pinned) await pin(known, entry);
    await folder.touch(known);
  };
}
