import { createAdmission } from './admission.ts';
import { nodeFiles, type VaultFiles } from './files.ts';
import { createVaultFolder, messageOf } from './folder.ts';
import { createShelf } from './shelf.ts';
import { entryId, type Fingerprint, fingerprintKey } from './sidecar.ts';

export type { Fingerprint, VaultFiles };

/** A stored state that begins like a prompt. */
export interface VaultMatch {
  id: string;
  /** Leading tokens of the prompt that it saves; at least one token of the prompt is always left to evaluate. */
  length: number;
  /** Tokens of the stored state; where that is more than `length`, the state is cut after loading. */
  entryTokens: number;
  /** Estimate of the prefill time saved, to weigh against reading `bytes` from the disk. */
  savedMs: number;
  bytes: number;
}

/** Counters since the start; `entries` and `bytes` (sidecars included) are of now. */
export interface VaultStats {
  entries: number;
  bytes: number;
  /** States that were loaded. */
  hits: number;
  /** Prompts for which nothing was stored. */
  misses: number;
  saves: number;
  evictions: number;
  /** Entries found damaged or not loadable, and saves that failed or did not fit. */
  rejected: number;
}

/** States of prompt prefixes on disk. It is a cache: a failure is logged and counted, and nothing in it throws. */
export interface Vault {
  /** The stored state of `owner` that saves the most of a prompt; null when there is none. */
  find(tokens: readonly number[], owner: string): VaultMatch | null;
  /**
   * Loads a state after its size and checksum have been compared. False when it is gone, damaged or `load` threw; it is
   * deleted then. `load` may check what it got (the tokens, say) and throw.
   */
  restore(id: string, load: (path: string) => Promise<void>): Promise<boolean>;
  /**
   * Notes a prompt that was read, and returns how many of its leading tokens are worth a `save`: seen before, and
   * costly enough as far as they are not stored yet. 0 when there is nothing to do.
   * `prefillMs`: cost of reading all of `tokens` without reuse; 0 when not known (the largest cost noted for a prefix
   * counts).
   */
  note(tokens: readonly number[], prefillMs: number, owner: string): number;
  /**
   * Stores the state of `tokens`, which `write` puts into a file; true when it is stored (or was already). Saves run one
   * after the other, so `write` may be called late: it throws if the state is no longer that of exactly these tokens.
   */
  save(
    tokens: readonly number[],
    prefillMs: number,
    owner: string,
    pinned: boolean,
    write: (path: string) => Promise<void>,
  ): Promise<boolean>;
  /** How the state of exactly these tokens is stored; null: it is not. */
  holds(tokens: readonly number[], owner: string): 'pinned' | 'plain' | null;
  /** Waits for what is under way; afterwards nothing is found, loaded or stored any more. */
  close(): Promise<void>;
  stats(): VaultStats;
}

export interface VaultDeps {
  /** Of this model alone, and of one process at a time; made when it is missing. */
  folder: string;
  fingerprint: Fingerprint;
  /** Room for all entries with their sidecars. A state that is being written counts when it is whole. */
  capBytes: number;
  /** Prefixes that are read faster than this are not worth a file. */
  minSavedMs?: number;
  /** False on recurrent and hybrid models, whose state cannot be cut: an entry is then used as a whole or not at all. */
  cuttable?: boolean;
  /** Wall time in milliseconds. */
  now: () => number;
  files?: VaultFiles;
  /** Takes a line for the operator; it holds no text and no owner. */
  log: (line: string) => void;
}

/** Opens the vault of a model. Never rejects: with a folder that cannot be used, nothing is ever found. */
export async function createVault(deps: VaultDeps): Promise<Vault> {
  const { capBytes, fingerprint, now, log } = deps;
  const { files = nodeFiles, minSavedMs = 2000, cuttable = true } = deps;
  const { contextTokens, slidingWindow } = fingerprint;
  const key = fingerprintKey(fingerprint);
  const folder = createVaultFolder({ home: deps.folder, key, contextTokens, capBytes, now, files, log });
  const shelf = createShelf({
    folder,
    capBytes,
    // A state file holds no more than the window, so a longer one cannot be cut back.
    canCut: (entryTokens) => cuttable && (slidingWindow === null || entryTokens < slidingWindow),
    now,
    log,
  });
  const admission = createAdmission();
  const counts = { hits: 0, misses: 0, saves: 0, rejected: 0 };
  const running = new Set<Promise<unknown>>();
  let lastSave: Promise<unknown> = Promise.resolve();
  let closed = false;

  for (const entry of await folder.open()) shelf.add(entry);

  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    return work.finally(() => running.delete(work));
  };

  const reject = (what: string, error: unknown) => {
    counts.rejected++;
    log(`prefix vault: ${what}: ${messageOf(error)}`);
  };

  const restore = async (id: string, load: (path: string) => Promise<void>): Promise<boolean> => {
    const entry = shelf.get(id);
    if (entry === null) return false;
    entry.readers++;
    try {
      const path = folder.statePath(id);
      if ((await files.stat(path)).bytes !== entry.stateBytes) throw new Error('its size is not what was stored');
      if ((await files.checksum(path)).sha256 !== entry.sha256) throw new Error('its content is not what was stored');
      await load(path);
      counts.hits++;
      entry.lastUsedMs = now();
      await folder.touch(entry);
      return true;
    } catch (error) {
      reject(`dropped ${id}`, error);
      await shelf.drop(entry);
      return false;
    } finally {
      entry.readers--;
    }
  };

  /** Writes a state and makes it an entry, or leaves nothing of it. */
  const store = async (
    entry: { owner: string; tokens: Uint32Array<ArrayBuffer>; prefillMs: number; pinned: boolean },
    id: string,
    write: (path: string) => Promise<void>,
  ) => {
    let bytes = 0;
    try {
      await folder.prepare();
      await write(folder.temporaryPath(id));
      const { bytes: stateBytes, sha256 } = await files.checksum(folder.temporaryPath(id));
      if (stateBytes === 0) throw new Error('the state is empty');
      const sidecar = { ...entry, stateBytes, sha256 };
      const text = folder.sidecarText(sidecar);
      bytes = stateBytes + Buffer.byteLength(text);
      await shelf.makeRoom(bytes, entry.pinned);
      await folder.commit(id, text);
      shelf.add({ ...sidecar, id, bytes, lastUsedMs: now() });
    } catch (error) {
      await shelf.discard(id, bytes);
      throw error;
    }
  };

  /** Stores, or marks as used what is stored. */
  const saveNow = async (
    entry: { owner: string; tokens: Uint32Array<ArrayBuffer>; prefillMs: number; pinned: boolean },
    write: (path: string) => Promise<void>,
  ): Promise<boolean> => {
    const id = entryId(key, entry.owner, entry.tokens);
    const known = shelf.get(id);
    try {
      if (known === null) {
        if (shelf.isRemoving(id)) throw new Error('its old files are being removed');
        await store(entry, id, write);
        counts.saves++;
        return true;
      }
      known.lastUsedMs = now();
      if (entry.pinned && !known.pinned) {
        const { stateBytes, sha256, prefillMs } = known;
        const text = folder.sidecarText({ ...entry, stateBytes, sha256, prefillMs });
        await folder.rewriteSidecar(id, text);
        known.bytes = stateBytes + Buffer.byteLength(text);
        known.pinned = true;
      }
      await folder.touch(known);
      return true;
    } catch (error) {
      reject(`did not store ${entry.tokens.length} tokens`, error);
      return false;
    }
  };

  return {
    find(tokens, owner) {
      // One token is left: the model has to say something about it.
      const found = closed ? null : shelf.longest(owner, tokens, tokens.length - 1);
      if (found === null) {
        counts.misses++;
        return null;
      }
      const { entry, length } = found;
      const entryTokens = entry.tokens.length;
      const savedMs = (entry.prefillMs * length) / entryTokens;
      return { id: entry.id, length, entryTokens, savedMs, bytes: entry.bytes };
    },
    restore: async (id, load) => (closed ? false : track(restore(id, load))),
    note(tokens, prefillMs, owner) {
      const seen = closed ? null : admission.note(tokens, costOf(prefillMs), owner);
      if (seen === null) return 0;
      const storedTokens = shelf.longest(owner, tokens, seen.length)?.length ?? 0;
      const savedMs = seen.costMs * (1 - storedTokens / seen.length);
      return savedMs >= minSavedMs && savedMs > 0 ? seen.length : 0;
    },
    async save(list, prefillMs, owner, pinned, write) {
      if (closed) return false;
      // Taken now: the caller's array may grow while this save waits for its turn.
      const tokens = Uint32Array.from(list);
      if (tokens.length === 0 || tokens.length > contextTokens || tokens.some((token, i) => token !== list[i])) {
        reject(`did not store ${list.length} tokens`, new Error('not a token list that fits the context'));
        return false;
      }
      const work = lastSave.then(() => saveNow({ owner, tokens, prefillMs: costOf(prefillMs), pinned }, write));
      lastSave = work;
      return track(work);
    },
    holds(tokens, owner) {
      const entry = shelf.get(entryId(key, owner, Uint32Array.from(tokens)));
      return entry && (entry.pinned ? 'pinned' : 'plain');
    },
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
    stats: () => ({ entries: shelf.size, bytes: shelf.bytes(), evictions: shelf.evictions, ...counts }),
  };
}

/** What JSON can hold; a cost that makes no sense saves nothing. */
function costOf(prefillMs: number): number {
  return Number.isFinite(prefillMs) ? Math.max(0, prefillMs) : 0;
}
