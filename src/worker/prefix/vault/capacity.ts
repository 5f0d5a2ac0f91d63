import { type EntryFolder, messageOf } from './entry-folder.ts';
import type { EntryTable, TableEntry } from './entry-table.ts';
import { chooseReplaced } from './replacement.ts';

/** The room that the entries of a vault have: takes entries off the table and the disk, and keeps the cap. */
export interface Capacity {
  /** Takes an entry off the table at once, and its files off the disk; one that is off already is left alone. */
  drop(entry: TableEntry): Promise<void>;
  /** Removes the files of what never became an entry; `bytes` is what they hold at most. */
  discard(id: string, bytes: number): Promise<void>;
  /** Whether the files of that name are being removed just now. */
  isRemoving(id: string): boolean;
  /** Makes room for `bytes` more. Throws when there cannot be so much. */
  makeRoom(bytes: number, pinned: boolean): Promise<void>;
}

export function createCapacity(deps: {
  table: EntryTable;
  folder: Pick<EntryFolder, 'remove'>;
  capBytes: number;
  now: () => number;
  log: (line: string) => void;
}): Capacity {
  const { table, capBytes } = deps;
  const removing = new Set<string>();
  /** Of files that could not be removed: they still take room. */
  let strandedBytes = 0;

  const usedBytes = () => table.bytes() + strandedBytes;

  const discard = async (id: string, atMostBytes: number) => {
    removing.add(id);
    try {
      await deps.folder.remove(id);
    } catch (error) {
      strandedBytes += atMostBytes;
      deps.log(`prefix vault: could not remove ${id}: ${messageOf(error)}`);
    } finally {
      removing.delete(id);
    }
  };

  const drop = async (entry: TableEntry) => {
    // Two restores of one damaged entry both get here.
    if (table.remove(entry)) await discard(entry.id, entry.bytes);
  };

  return {
    discard,
    drop,
    isRemoving: (id) => removing.has(id),
    async makeRoom(bytes, pinned) {
      const chosen = chooseReplaced({
        entries: [...table.values()].filter(({ readers }) => readers === 0),
        usedBytes: usedBytes(),
        newcomer: { bytes, pinned },
        capBytes,
        nowMs: deps.now(),
      });
      if (chosen === null) throw new Error(`no room for ${bytes} bytes under the cap of ${capBytes}`);
      for (const entry of chosen) {
        // A restore may have started while another entry was being removed; what it reads stays.
        if (entry.readers === 0) await drop(entry);
      }
      if (usedBytes() + bytes > capBytes) throw new Error('what had to make room is in use or could not be removed');
    },
  };
}
