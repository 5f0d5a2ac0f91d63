import type { WireError } from './errors.ts';

/**
 * Where a pull stands. `waiting`: for the hours in which pulls may run, or before another try; `resumable`: it was
 * interrupted, its parts are on disk and the same pull goes on from there.
 */
export type PullState =
  | 'queued'
  | 'waiting'
  | 'downloading'
  | 'verifying'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'resumable';

/** One file of a pull. */
export interface PullFile {
  /** Path in the repository. */
  path: string;
  sizeBytes: number;
  /** Bytes on disk, those of earlier tries included. */
  receivedBytes: number;
}

/** What the header of a model says of the memory that it will need, before its body is downloaded. */
export interface PullPlan {
  fits: boolean;
  neededBytes: number;
  /** What the server may use in all: a model that needs more can never be loaded here. */
  availableBytes: number;
  /** A sentence with the numbers. */
  message: string;
}

/** A pull as clients see it. */
export interface PullInfo {
  id: string;
  /** What was asked for. */
  name: string;
  /** Name under which the model can be asked for afterwards: `name:quantization`. */
  model: string;
  repository: string;
  /** Commit of the repository. */
  revision: string;
  quantization: string;
  state: PullState;
  files: PullFile[];
  totalBytes: number;
  receivedBytes: number;
  /** Over the last seconds; null while nothing arrives. */
  bytesPerSecond: number | null;
  plan: PullPlan | null;
  /** What a person should know, one sentence each; for example why it waits. */
  notes: string[];
  error: WireError | null;
  startedAt: Date;
  finishedAt: Date | null;
}

/** What a client may ask for. */
export interface PullWish {
  /** Name in Hearth's catalogue, `hf.co/org/repo:QUANT`, `hf:org/repo:QUANT`, `org/repo` or `org/repo/file.gguf`. */
  name: string;
  quantization?: string;
  /** Branch, tag or commit; left out: `main`. */
  revision?: string;
  /** Pull it although it can never fit into the memory. */
  force?: boolean;
}

/** Files that came to or left the model folder. */
export interface StoredModel {
  /** `name:quantization`. */
  model: string;
  /** Paths in the model folder. */
  files: string[];
  sizeBytes: number;
}

/** One quantization of a model that can be pulled. */
export interface AvailableQuantization {
  /** Lower-case label. */
  quantization: string;
  /** Of all its files; null where only the hub knows. */
  sizeBytes: number | null;
  onDisk: boolean;
}

/** A hand-picked model that can be pulled by a plain name. */
export interface AvailableModel {
  name: string;
  /** Other names that pull it. */
  aliases: string[];
  title: string;
  kind: 'chat' | 'embedding' | 'rerank';
  /** Memory in GB of the smallest machine on which the first quantization runs beside other services. */
  machineGb: number;
  parameters: number;
  /** Tokens that it was made for. */
  contextTokens: number;
  /** The hub's label of the licence. */
  licence: string;
  repository: string;
  /** What a person should know; null: nothing. */
  note: string | null;
  /** The first one is pulled when none is named; the hub may have more. */
  quantizations: AvailableQuantization[];
  /** Whether any quantization of it is on disk and usable, listed here or not. */
  onDisk: boolean;
}

/** Models that come and go: from a hub, from elsewhere on this machine, and off the disk. */
export interface ModelStore {
  /** What can be pulled by a plain name, the smallest machine first. Never rejects. */
  available(): Promise<AvailableModel[]>;
  /**
   * Finds the model, reads its header and plans it; resolves when the body begins to arrive, or at once with the pull
   * that is under way for the same files. Rejects with `invalid_request`, `model_not_found`, `hub_access_denied`,
   * `insufficient_memory` (unless forced), `storage_unavailable`, `hub_failed` or `hub_answer_invalid`.
   */
  pull(wish: PullWish, signal: AbortSignal): Promise<PullInfo>;
  /** Pulls of this run and those that an earlier run left, newest first. */
  pulls(): PullInfo[];
  /** Throws `not_found`. */
  getPull(id: string): PullInfo;
  /** The pull now, whenever it changes, and last when it has ended. Throws `not_found`. */
  watchPull(id: string, signal: AbortSignal): AsyncIterable<PullInfo>;
  /** Stops it and keeps what arrived; `discard` deletes that too and forgets the pull. Throws `not_found`. */
  cancelPull(id: string, options: { discard: boolean }): Promise<PullInfo>;
  /** Unloads a model and deletes its files: all variants, or the one that the name chooses. */
  remove(name: string): Promise<StoredModel[]>;
  /** Takes a file into the model folder, by a hard link where that is possible. */
  importFile(filePath: string, options: { anyFolder: boolean }): Promise<StoredModel>;
  /** Stops every pull at a point from which it can go on. */
  close(): Promise<void>;
}
