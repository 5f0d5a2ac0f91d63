import type { StoredEntry } from './entry-folder.ts';
import { createPrefixIndex, type PrefixIndex } from './prefix-index.ts';

/** A cache entry in use or ready for it. */
export interface TableEntry extends StoredEntry {
  /** Restores under way: the files must stay. */
  readers: number;
}

/** The whole entries of a vault in memory: by name, and by owner and tokens. */
export interface EntryTable {
  values(): Iterable<TableEntry>;
  /** Of all entries. */
  bytes(): number;
  get(id: string): TableEntry | null;
  /** The entry of `owner` that shares the most of the first `limit` tokens; see `PrefixIndex`. */
  longest(owner: string, tokens: readonly number[], limit: number): { entry: TableEntry; length: number } | null;
  add(entry: StoredEntry): void;
  /** False for an entry that is off the table already. */
  remove(entry: TableEntry): boolean;
}

/** `canCut`: whether an entry of that many tokens is of use when only its beginning matches. */
export function createEntryTable(deps: { canCut: (entryTokens: number) => boolean }): EntryTable {
  const entries = new Map<string, TableEntry>();
  /** One index per owner: no search can even look at another's entries. */
  const indexes = new Map<string, PrefixIndex<TableEntry>>();
  return {
    values: () => entries.values(),
    bytes: () => entries.values().reduce((sum, entry) => sum + entry.bytes, 0),
    get: (id) => entries.get(id) ?? null,
    longest: (owner, tokens, limit) => indexes.get(owner)?.longest(tokens, limit, deps.canCut) ?? null,
    add(stored) {
      const entry = { ...stored, readers: 0 };
      const index = indexes.get(entry.owner) ?? createPrefixIndex<TableEntry>();
      indexes.set(entry.owner, index);
      index.add(entry);
      entries.set(entry.id, entry);
    },
    remove(entry) {
      if (entries.get(entry.id) !== entry) return false;
      entries.delete(entry.id);
      const index = indexes.get(entry.owner)!;
      index.remove(entry);
      if (index.size === 0) indexes.delete(entry.owner);
      return true;
    },
  };
}
