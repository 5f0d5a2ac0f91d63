import { join } from 'node:path';
import { type EntryRecord, formatRecord, isFingerprintKey, maxRecordBytes, parseRecord } from './entry-record.ts';
import type { VaultFiles } from './files.ts';

/** A whole entry on disk, as found or as just written. */
export interface StoredEntry extends EntryRecord {
  readonly id: string;
  /** On disk, its record included. */
  bytes: number;
  /** Wall time of the last save or restore. */
  lastUsedMs: number;
}

/** The folder of one fingerprint: per entry a state file and a record, plus temporary files while one is written. */
export interface EntryFolder {
  statePath(id: string): string;
  /** Where a state is written before it is whole. */
  temporaryPath(id: string): string;
  /** Removes all that a stopped process left half done or that belongs to others; returns what is whole and fits. */
  open(): Promise<StoredEntry[]>;
  prepare(): Promise<void>;
  /** Turns the state at `temporaryPath` into a whole entry; the last step makes it one. */
  commit(id: string, recordText: string): Promise<void>;
  /** Replaces the record of a whole entry. */
  rewriteRecord(id: string, recordText: string): Promise<void>;
  /** Stores when an entry was last used; after a restart the order of eviction depends on it, and nothing else. */
  touch(entry: StoredEntry): Promise<void>;
  /** Removes an entry, whole or not. Throws when something of it stays. */
  remove(id: string): Promise<void>;
  recordText(record: EntryRecord): string;
}

const entryFile = /^(?<id>[0-9a-f]{32})\.(?<part>state|json)$/;
const temporaryFile = /^[0-9a-f]{32}\.(?:state|json)\.tmp$/;

/** `home`: the folder of the model; `key`: of the fingerprint, the one folder in it that is kept. */
export function createEntryFolder(deps: {
  home: string;
  key: string;
  contextTokens: number;
  capBytes: number;
  now: () => number;
  files: VaultFiles;
  log: (line: string) => void;
}): EntryFolder {
  const { files, key } = deps;
  const folder = join(deps.home, key);
  const statePath = (id: string) => join(folder, `${id}.state`);
  const recordPath = (id: string) => join(folder, `${id}.json`);
  const temporaryPath = (id: string) => join(folder, `${id}.state.tmp`);

  /** For clean-up: what cannot be removed now is found again at the next start. */
  const tryTo = async (what: string, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      deps.log(`prefix vault: could not ${what}: ${messageOf(error)}`);
    }
  };

  const writeRecord = async (id: string, text: string) => {
    await files.writeText(`${recordPath(id)}.tmp`, text);
    await files.rename(`${recordPath(id)}.tmp`, recordPath(id));
    // The entry is whole already; only a power cut in the next seconds could still take it away.
    await tryTo('sync the folder', () => files.sync(folder));
  };

  const remove = async (id: string) => {
    const failures: unknown[] = [];
    // The record first: a state without one is never listed. One part that stays is no reason to leave the others.
    for (const path of [recordPath(id), statePath(id), `${recordPath(id)}.tmp`, temporaryPath(id)]) {
      await files.remove(path).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };

  /** The entry if it is whole, else null; a checksum is only compared when the state is used. */
  const readEntry = async (id: string): Promise<StoredEntry | null> => {
    const state = await files.stat(statePath(id));
    const record = await files.stat(recordPath(id));
    const bytes = state.bytes + record.bytes;
    if (record.bytes > maxRecordBytes(deps.contextTokens) || bytes > deps.capBytes) return null;
    const found = parseRecord(await files.readText(recordPath(id)), key, id);
    if (found === null || found.stateBytes !== state.bytes || found.tokens.length > deps.contextTokens) return null;
    // A clock that was ahead once must not keep an entry for ever.
    return { ...found, id, bytes, lastUsedMs: Math.min(record.modifiedMs, deps.now()) };
  };

  const removeOtherFingerprints = async () => {
    for (const { name, isFolder } of await files.list(deps.home)) {
      if (!isFolder || name === key || !isFingerprintKey(name)) continue;
      await tryTo('remove the states of another model or engine', () => files.removeFolder(join(deps.home, name)));
    }
  };

  /** Names by entry, after temporary files are gone; files that are not ours are left alone. */
  const listParts = async (): Promise<Map<string, Set<string>>> => {
    const parts = new Map<string, Set<string>>();
    for (const { name } of await files.list(folder)) {
      if (temporaryFile.test(name)) {
        await tryTo('remove a half-written file', () => files.remove(join(folder, name)));
        continue;
      }
      const match = entryFile.exec(name)?.groups;
      if (!match) continue;
      const known = parts.get(match['id']!) ?? new Set();
      parts.set(match['id']!, known.add(match['part']!));
    }
    return parts;
  };

  return {
    statePath,
    temporaryPath,
    remove,
    recordText: (record) => formatRecord(key, record),
    prepare: () => files.makeFolder(folder),
    async open() {
      const entries: StoredEntry[] = [];
      await tryTo('read its folder', async () => {
        await files.makeFolder(folder);
        await removeOtherFingerprints();
        for (const [id, parts] of await listParts()) {
          // Unreadable counts as damaged: what cannot be read saves nobody anything.
          const entry = parts.size === 2 ? await readEntry(id).catch(() => null) : null;
          if (entry !== null) entries.push(entry);
          else await tryTo('remove a damaged entry', () => remove(id));
        }
      });
      return entries;
    },
    async commit(id, recordText) {
      await files.sync(temporaryPath(id));
      await files.rename(temporaryPath(id), statePath(id));
      await writeRecord(id, recordText);
    },
    rewriteRecord: writeRecord,
    touch: ({ id, lastUsedMs }) => tryTo(`mark ${id} as used`, () => files.touch(recordPath(id), lastUsedMs)),
  };
}

/** What went wrong, without stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
