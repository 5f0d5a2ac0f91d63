import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { WorkerOptions } from '../../ipc/protocol.ts';
import type { Sequence } from '../sequence/sequence.ts';
import { createVault } from './vault/vault.ts';

/** States of prompts that outlive their slot, as the batch loop uses them. Nothing in it throws. */
export interface PrefixStore {
  /** The stored state of an owner that saves the most of a prompt, or null. */
  find(prompt: readonly number[], owner: string): StoredPrefix | null;
  /**
   * Notes a prompt that was evaluated; true when its state is worth a `save`. `prefillMs`: cost of all of it without
   * reuse, 0 when not known.
   */
  note(prompt: readonly number[], prefillMs: number, owner: string): boolean;
  /** How the state of exactly these tokens is stored; null: it is not. */
  holds(tokens: readonly number[], owner: string): 'pinned' | 'plain' | null;
  /** Stores what a sequence holds. Nothing may run on it meanwhile. */
  save(sequence: Sequence, entry: { prefillMs: number; owner: string; pinned: boolean }): Promise<void>;
  close(): Promise<void>;
}

export interface StoredPrefix {
  /** Leading tokens of the prompt that it holds. */
  length: number;
  /** Puts the state into a sequence; false when it could not be, and the sequence's state is unknown then. */
  load(sequence: Sequence): Promise<boolean>;
}

/** The owner of what all may share; those of keys are hexadecimal. */
export const sharedOwner = 'shared';

/** What of a runtime decides whether a state fits. */
export interface StateFormat {
  engineVersion: string;
  contextTokens: number;
  slots: number;
  /** How keys and values are kept. */
  kvType: string;
  flashAttention: boolean;
  slidingWindow: number | null;
  /** False where a state can only be used whole. */
  cuttable: boolean;
}

/** Opens the vault of one model. `log` takes lines for the operator. */
export async function openPrefixStore(
  options: NonNullable<WorkerOptions['vault']> & { modelPath: string },
  format: StateFormat,
  log: (line: string) => void,
): Promise<PrefixStore> {
  const vault = await createVault({
    folder: options.folder,
    fingerprint: {
      modelHash: await sampleHash(options.modelPath),
      engineVersion: format.engineVersion,
      slots: format.slots,
      contextTokens: format.contextTokens,
      kvTypes: format.kvType,
      flashAttention: format.flashAttention,
      slidingWindow: format.slidingWindow,
    },
    capBytes: options.capBytes,
    minSavedMs: options.minSavedMs,
    cuttable: format.cuttable,
    now: () => Date.now(),
    log,
  });
  return {
    find(prompt, owner) {
      const match = vault.find(prompt, owner);
      if (!match) return null;
      return {
        length: match.length,
        load: (sequence) =>
          vault.restore(match.id, async (path) => {
            await sequence.loadState(path);
            const held = sequence.tokens();
            if (
              held.length !== match.entryTokens ||
              held.slice(0, match.length).some((token, at) => token !== prompt[at])
            ) {
              throw new Error('the state holds other tokens than its entry says');
            }
          }),
      };
    },
    note: (prompt, prefillMs, owner) => vault.note(prompt, prefillMs, owner) > 0,
    holds: (tokens, owner) => vault.holds(tokens, owner),
    async save(sequence, { prefillMs, owner, pinned }) {
      const tokens = sequence.tokens();
      await vault.save(tokens, prefillMs, owner, pinned, async (path) => {
        const now = sequence.tokens();
        if (now.length !== tokens.length) throw new Error('the slot has gone on meanwhile');
        await sequence.saveState(path);
      });
    },
    close: () => vault.close(),
  };
}

const sampleBytes = 64 * 1024;
const samples = 64;

/**
 * Identity of a model file: SHA-256 over its size and 64 evenly spread pieces, the header among them. Reading all of a
 * file of many gigabytes would cost more than it protects against: weights of the same shape from another training
 * differ everywhere.
 */
async function sampleHash(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(String(size));
    const buffer = Buffer.alloc(sampleBytes);
    for (let sample = 0; sample < samples; sample++) {
      const position = Math.floor((Math.max(0, size - sampleBytes) * sample) / (samples - 1));
      const { bytesRead } = await file.read(buffer, 0, sampleBytes, position);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
