import { chooseEvictions } from './evict.ts';
import { messageOf, type StoredEntry, type VaultFolder } from './folder.ts';
import { createPrefixIndex, type PrefixIndex } from './prefix-index.ts';

/** An entry in use or ready for it. */
export interface ShelfEntry extends StoredEntry {
  /** Restores under way: the files must stay. */
  readers: number;
}

/** The whole entries of a vault: by name, by owner and tokens, and under a cap. */
export interface Shelf {
  readonly size: number;
  /** Entries that had to make room so far. */
  readonly evictions: number;
  /** Of all entries, and of files that could not be removed. */
  bytes(): number;
  get(id: string): ShelfEntry | null;
  /** The entry of `owner` that shares the most of the first `limit` tokens; see `PrefixIndex`. */
  longest(owner: string, tokens: readonly number[], limit: number): { entry: ShelfEntry; length: number } | null;
  add(entry: StoredEntry): void;
  /** Takes an entry off the list at once, and its files off the disk; one that is off already is left alone. */
  drop(entry: ShelfEntry): Promise<void>;
  /** Removes the files of what never became an entry; `bytes` is what they hold at most. */
  discard(id: string, bytes: number): Promise<void>;
  /** Whether the files of that name are being removed just now. */
  isRemoving(id: string): boolean;
  /** Evicts until `bytes` more fit. Throws when they cannot. */
  makeRoom(bytes: number, pinned: boolean): Promise<void>;
}

/** `canCut`: whether an entry of that many tokens is of use when only its beginning matches. */
export function createShelf(deps: {
  folder: VaultFolder;
  capBytes: number;
  canCut: (entryTokens: number) => boolean;
  now: () => number;
  log: (line: string) => void;
}): Shelf {
  const { folder, capBytes } = deps;
  const entries = new Map<string, ShelfEntry>();
  /** One index per owner: no search can even look at another's entries. */
  const indexes = new Map<string, PrefixIndex<ShelfEntry>>();
  const removing = new Set<string>();
  /** Of files that could not be removed: they still take room. */
  let strandedBytes = 0;
  let evictions = 0;

  const bytes = () => entries.values().reduce((sum, entry) => sum + entry.bytes, strandedBytes);

  const discard = async (id: string, atMostBytes: number) => {
    removing.add(id);
    try {
      await folder.remove(id);
    } catch (error) {
      strandedBytes += atMostBytes;
      deps.log(`prefix vault: could not remove ${id}: ${messageOf(error)}`);
    } finally {
      removing.delete(id);
    }
  };

  const drop = async (entry: ShelfEntry) => {
    // Two restores of one damaged entry both get here.
    if (entries.get(entry.id) !== entry) return;
    entries.delete(entry.id);
    const index = indexes.get(entry.owner)!;
    index.remove(entry);
    if (index.size === 0) indexes.delete(entry.owner);
    await discard(entry.id, entry.bytes);
  };

  return {
    get size() {
      return entries.size;
    },
    get evictions() {
      return evictions;
    },
    bytes,
    discard,
    drop,
    get: (id) => entries.get(id) ?? null,
    isRemoving: (id) => removing.has(id),
    longest: (owner, tokens, limit) => indexes.get(owner)?.longest(tokens, limit, deps.canCut) ?? null,
    add(stored) {
      const entry = { ...stored, readers: 0 };
      const index = indexes.get(entry.owner) ?? createPrefixIndex<ShelfEntry>();
      indexes.set(entry.owner, index);
      index.add(entry);
      entries.set(entry.id, entry);
    },
    async makeRoom(neededBytes, pinned) {
      const chosen = chooseEvictions({
        entries: [...entries.values()].filter(({ readers }) => readers === 0),
        usedBytes: bytes(),
        newcomer: { bytes: neededBytes, pinned },
        capBytes,
        nowMs: deps.now(),
      });
      if (chosen === null) throw new Error(`no room for ${neededBytes} bytes under the cap of ${capBytes}`);
      for (const entry of chosen) {
        // A restore may have started while another entry was being removed; what it reads stays.
        if (entry.readers > 0) continue;
        evictions++;
        await drop(entry);
      }
      if (bytes() + neededBytes > capBytes) throw new Error('what had to make room is in use or could not be removed');
    },
  };
}
