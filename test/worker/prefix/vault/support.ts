import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFiles, type VaultFiles } from '../../../../src/worker/prefix/vault/files.ts';
import { createVault, type Fingerprint, type Vault } from '../../../../src/worker/prefix/vault/vault.ts';

export const fingerprint: Fingerprint = {
  modelHash: 'abc',
  engineVersion: '3.22.1/v0.5.0',
  slots: 2,
  contextTokens: 4096,
  kvTypes: 'f16/f16',
  flashAttention: true,
  slidingWindow: null,
};

export interface SetupOptions {
  fingerprint?: Partial<Fingerprint>;
  capBytes?: number;
  cuttable?: boolean;
  files?: VaultFiles;
}

/** A folder of its own that goes with `using`, and vaults over it that share one hand-set clock. */
export async function createBench() {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-vault-'));
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const lines: string[] = [];
  const open = (options: SetupOptions = {}): Promise<Vault> =>
    createVault({
      folder,
      fingerprint: { ...fingerprint, ...options.fingerprint },
      capBytes: options.capBytes ?? 1_000_000,
      minSavedMs: 2000,
      cuttable: options.cuttable ?? true,
      now: () => clock.nowMs,
      log: (line) => lines.push(line),
      files: options.files ?? nodeFiles,
    });
  return {
    folder,
    clock,
    lines,
    open,
    /** Paths of all files below the folder, relative to it, sorted. */
    async list(): Promise<string[]> {
      const found = await readdir(folder, { recursive: true, withFileTypes: true });
      return found
        .filter((item) => !item.isDirectory())
        .map((item) => join(item.parentPath, item.name).slice(folder.length + 1))
        .sort();
    },
    /** Stored entries: every state is a file. */
    async entries(): Promise<number> {
      return (await this.list()).filter((name) => name.endsWith('.state')).length;
    },
    /** Of all files below the folder. */
    async bytes(): Promise<number> {
      const sizes = await Promise.all((await this.list()).map((name) => stat(join(folder, name))));
      return sizes.reduce((sum, { size }) => sum + size, 0);
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Bench = Awaited<ReturnType<typeof createBench>>;

/** Tokens `from`, `from + 1`, … */
export const range = (from: number, length: number): number[] => Array.from({ length }, (_, index) => from + index);

/** What the state of these tokens is in these tests: text that names them, filled up to a size. */
export const stateOf = (tokens: readonly number[], bytes = 1000): string => `${tokens.join(' ')};`.padEnd(bytes, '.');

/** A `write` that puts the state of these tokens into the file. */
export const writeState =
  (tokens: readonly number[], bytes = 1000) =>
  (path: string): Promise<void> =>
    writeFile(path, stateOf(tokens, bytes));

/** Stores tokens with their state; cost and owner where a test does not care. */
export const store = (
  vault: Vault,
  tokens: readonly number[],
  options: { owner?: string; prefillMs?: number; pinned?: boolean; bytes?: number } = {},
): Promise<boolean> =>
  vault.save(
    tokens,
    options.prefillMs ?? 5000,
    options.owner ?? 'a',
    options.pinned ?? false,
    writeState(tokens, options.bytes),
  );

/** What a restore hands to the model: the content of the file, or null when nothing was loaded. */
export async function load(vault: Vault, id: string): Promise<string | null> {
  let loaded: string | null = null;
  const restored = await vault.restore(id, async (path) => {
    loaded = await readFile(path, 'utf8');
  });
  return restored ? loaded : null;
}

/** Whether exactly these tokens are stored: a prompt that goes on after them is saved all of them. */
export function holds(vault: Vault, tokens: readonly number[], owner = 'a'): boolean {
  const found = vault.find([...tokens, 999_999], owner);
  return found !== null && found.length === tokens.length && found.entryTokens === tokens.length;
}

/** The disk without its waits: a sweep cannot cut the power, so waiting for the disk would show nothing. */
export const quickFiles: VaultFiles = {
  ...nodeFiles,
  sync: async () => {},
  writeText: (path, text) => writeFile(path, text),
};

/** Thrown by a step that was made to fail. */
export class Fault extends Error {}

/**
 * Files that count their steps and fail from the step `at` (1-based) on: `once` only there, `always` also after it, as
 * a process that was stopped. A step that writes fails after half of it was done when `half` is set, else before it.
 */
export function faultyFiles(plan: { at: number; mode: 'once' | 'always'; half: boolean }) {
  let steps = 0;
  const gate = async (act: () => Promise<void>, halfWay: () => Promise<void> = act): Promise<void> => {
    steps++;
    const fails = plan.mode === 'once' ? steps === plan.at : steps >= plan.at;
    if (!fails) return act();
    if (plan.half && steps === plan.at) await halfWay();
    throw new Fault(`step ${steps} fails`);
  };
  const gated = async <T>(act: () => Promise<T>): Promise<T> => {
    let result: { value: T } | null = null;
    await gate(async () => {
      result = { value: await act() };
    });
    return result!.value;
  };
  const files: VaultFiles = {
    makeFolder: (path) => gate(() => quickFiles.makeFolder(path)),
    list: (path) => gated(() => quickFiles.list(path)),
    stat: (path) => gated(() => quickFiles.stat(path)),
    readText: (path) => gated(() => quickFiles.readText(path)),
    writeText: (path, text) =>
      gate(
        () => quickFiles.writeText(path, text),
        () => quickFiles.writeText(path, text.slice(0, text.length / 2)),
      ),
    checksum: (path) => gated(() => quickFiles.checksum(path)),
    sync: (path) => gate(() => quickFiles.sync(path)),
    rename: (from, to) => gate(() => quickFiles.rename(from, to)),
    remove: (path) => gate(() => quickFiles.remove(path)),
    removeFolder: (path) => gate(() => quickFiles.removeFolder(path)),
    touch: (path, modifiedMs) => gate(() => quickFiles.touch(path, modifiedMs)),
  };
  return {
    files,
    steps: () => steps,
    /** `writeState`, as a step like the others. */
    writeState: (tokens: readonly number[]) => (path: string) =>
      gate(
        () => writeState(tokens)(path),
        () => writeFile(path, stateOf(tokens).slice(0, 500)),
      ),
  };
}
