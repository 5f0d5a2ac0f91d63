import { createCapacity } from './capacity.ts';
import { createEntryFolder, messageOf } from './entry-folder.ts';
import { entryId, type Fingerprint, fingerprintKey } from './entry-record.ts';
import { createEntryTable } from './entry-table.ts';
import { nodeFiles, type VaultFiles } from './files.ts';
import { createPromptHistory } from './prompt-history.ts';
import { createSaving } from './saving.ts';

export type { Fingerprint };

/** A stored state that begins like a prompt. */
interface VaultMatch {
  id: string;
  /** Leading tokens of the prompt that it saves; at least one token of the prompt is always left to evaluate. */
  length: number;
  /** Tokens of the stored state; where that is more than `length`, the state is cut after loading. */
  entryTokens: number;
}

/** States of prompt prefixes on disk. It is a cache: a failure is logged, and nothing in it throws. */
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
}

interface VaultDeps {
  /** Of this model alone, and of one process at a time; made when it is missing. */
  folder: string;
  fingerprint: Fingerprint;
  /** Room for all entries with their records. A state that is being written counts when it is whole. */
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
  const folder = createEntryFolder({ home: deps.folder, key, contextTokens, capBytes, now, files, log });
  const table = createEntryTable({
    // A state file holds no more than the window, so a longer one cannot be cut back.
    canCut: (entryTokens) => cuttable && (slidingWindow === null || entryTokens < slidingWindow),
  });
  const capacity = createCapacity({ table, folder, capBytes, now, log });
  const saveEntry = createSaving({ key, table, capacity, folder, files, now });
  const history = createPromptHistory();
  const running = new Set<Promise<unknown>>();
  let lastSave: Promise<unknown> = Promise.resolve();
  let closed = false;

  const report = (what: string, error: unknown) => log(`prefix vault: ${what}: ${messageOf(error)}`);

  for (const entry of await folder.open()) table.add(entry);
  // The cap may be smaller than it was.
  await capacity.makeRoom(0, true).catch((error: unknown) => report('keeps more than it may', error));

  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    return work.finally(() => running.delete(work));
  };

  const restore = async (id: string, load: (path: string) => Promise<void>): Promise<boolean> => {
    const entry = table.get(id);
    if (entry === null) return false;
    entry.readers++;
    try {
      const path = folder.statePath(id);
      if ((await files.stat(path)).bytes !== entry.stateBytes) throw new Error('its size is not what was stored');
      if ((await files.checksum(path)).sha256 !== entry.sha256) throw new Error('its content is not what was stored');
      await load(path);
      entry.lastUsedMs = now();
      await folder.touch(entry);
      return true;
    } catch (error) {
      report(`dropped ${id}`, error);
      await capacity.drop(entry);
      return false;
    } finally {
      entry.readers--;
    }
  };

  return {
    find(tokens, owner) {
      // One token is left: the model has to say something about it.
      const found = closed ? null : table.longest(owner, tokens, tokens.length - 1);
      return found && { id: found.entry.id, length: found.length, entryTokens: found.entry.tokens.length };
    },
    restore: async (id, load) => (closed ? false : track(restore(id, load))),
    note(tokens, prefillMs, owner) {
      const seen = closed ? null : history.note(tokens, costOf(prefillMs), owner);
      if (seen === null) return 0;
      const storedTokens = table.longest(owner, tokens, seen.length)?.length ?? 0;
      const savedMs = seen.costMs * (1 - storedTokens / seen.length);
      return savedMs >= minSavedMs && savedMs > 0 ? seen.length : 0;
    },
    async save(list, prefillMs, owner, pinned, write) {
      if (closed) return false;
      const failed = (error: unknown) => {
        report(`did not store ${list.length} tokens`, error);
        return false;
      };
      // Taken now: the caller's array may grow while this save waits for its turn.
      const tokens = Uint32Array.from(list);
      if (tokens.length === 0 || tokens.length > contextTokens || tokens.some((token, i) => token !== list[i])) {
        return failed(new Error('not a token list that fits the context'));
      }
      const entry = { owner, tokens, prefillMs: costOf(prefillMs), pinned };
      const work = lastSave.then(() => saveEntry(entry, write)).then(() => true, failed);
      lastSave = work;
      return track(work);
    },
    holds(tokens, owner) {
      const entry = table.get(entryId(key, owner, Uint32Array.from(tokens)));
      return entry && (entry.pinned ? 'pinned' : 'plain');
    },
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}

/** What JSON can hold; a cost that makes no sense saves nothing. */
function costOf(prefillMs: number): number {
  return Number.isFinite(prefillMs) ? Math.max(0, prefillMs) : 0;
}
