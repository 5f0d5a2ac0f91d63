import { z } from 'zod';
import type { Preset } from './preset.ts';
import { quantizationAdvice } from './quantization-advice.ts';

/** Bytes, counts. */
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/**
 * Where a pull stands. `waiting`: for the hours in which pulls may run, or before another try; `resumable`: it was
 * interrupted, its parts are on disk and the same pull goes on from there.
 */
const pullState = z.enum(['queued', 'waiting', 'downloading', 'verifying', 'done', 'failed', 'cancelled', 'resumable']);

export type PullState = z.output<typeof pullState>;

/** One file of a pull. */
export const pullFile = z.object({
  /** Path in the repository. */
  path: z.string(),
  sizeBytes: count,
  /** Bytes on disk, those of earlier tries included. */
  receivedBytes: count,
});

/** What the header of a model says of the memory that it will need, before its body is downloaded. */
const pullPlan = z.object({
  fits: z.boolean(),
  neededBytes: count,
  /** What the server may use in all: a model that needs more can never be loaded here. */
  availableBytes: count,
  /** A sentence with the numbers. */
  message: z.string(),
});

export type PullPlan = z.output<typeof pullPlan>;

/** Why a pull failed; `code` and `details` are those of the error catalogue. */
const pullFailure = z.object({
  code: z.string(),
  message: z.string(),
  fix: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});

export type PullFailure = z.output<typeof pullFailure>;

/** A pull as clients see it. The file of unfinished pulls and the answers over HTTP derive from this. */
export const pullInfo = z.object({
  id: z.string(),
  name: z.string().meta({ description: 'What was asked for.' }),
  /** `name:quantization`. */
  model: z.string().meta({ description: 'Name to ask for afterwards.' }),
  repository: z.string(),
  revision: z.string().meta({ description: 'Commit of the repository.' }),
  quantization: z.string(),
  state: pullState,
  files: z.array(pullFile),
  totalBytes: count,
  receivedBytes: count,
  /** Over the last seconds; null while nothing arrives. */
  bytesPerSecond: count.nullable(),
  plan: pullPlan.nullable().meta({ description: 'What the header of the model says of the memory that it needs.' }),
  /** What a person should know, one sentence each. */
  notes: z.array(z.string()).meta({ description: 'For example why it waits.' }),
  error: pullFailure.nullable(),
  startedAt: z.date(),
  finishedAt: z.date().nullable(),
});

export type PullInfo = z.output<typeof pullInfo>;

/** What a client may ask for. */
export const pullWish = z.strictObject({
  name: z.string().min(1).max(1_000).meta({
    description:
      'A name of the catalogue, hf.co/org/repo:q4_k_m, hf:org/repo:q4_k_m, org/repo, org/repo/file.gguf, or the address of its page or download.',
  }),
  quantization: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/, { error: 'not a quantization label such as q4_0, or auto' })
    .optional()
    .meta({
      description:
        'A label such as `q4_k_m`, or `auto`: the usual one that fits, or one of its size that is faster here.',
    }),
  revision: z.string().min(1).max(128).optional().meta({ description: 'Branch, tag or commit; left out: main.' }),
  force: z.boolean().optional().meta({ description: 'Pull it although it can never fit into the memory.' }),
});

export type PullWish = z.output<typeof pullWish>;

/** Files that came to or left the model folder. */
export const storedModel = z.object({
  /** `name:quantization`. */
  model: z.string(),
  /** Paths in the model folder. */
  files: z.array(z.string()),
  sizeBytes: count,
});

export type StoredModel = z.output<typeof storedModel>;

/** Files that left the model folder, and what that gave back to the disk. */
export const removedModel = storedModel.extend({
  freedBytes: count.meta({
    description: 'Less than the size where a file has another name (a hard link) or was a link.',
  }),
});

export type RemovedModel = z.output<typeof removedModel>;

/** A hand-picked model that can be pulled by a plain name. */
export const availableModel = z.object({
  name: z.string().meta({ description: 'What to pull, and to ask for afterwards.' }),
  /** Other names that pull it. */
  aliases: z.array(z.string()),
  title: z.string(),
  kind: z.enum(['chat', 'embedding', 'rerank']),
  /** In GB; the first quantization runs on it beside other services. */
  machineGb: count.meta({ description: 'Memory of the smallest machine that it is meant for.' }),
  parameters: count,
  activeParameters: count.nullable().meta({
    description: 'Of a mixture of experts: those that a token is multiplied with, which its speed follows; else null.',
  }),
  /** Tokens that it was made for. */
  contextTokens: count,
  /** The hub's label of the licence. */
  licence: z.string(),
  repository: z.string(),
  /** What a person should know; null: nothing. */
  note: z.string().nullable(),
  quantizations: z
    .array(
      z.object({
        /** Lower-case label. */
        quantization: z.string(),
        /** Of all its files. */
        sizeBytes: count.nullable().meta({ description: 'Null where only the hub knows.' }),
        onDisk: z.boolean(),
      }),
    )
    .meta({ description: 'The first is pulled when none is named; the hub may have more.' }),
  advice: quantizationAdvice.nullable().meta({
    description: 'A quantization that this processor is faster with than with the usual one, at about its size.',
  }),
  /** Usable ones count, listed here or not. */
  onDisk: z.boolean().meta({ description: 'Whether any quantization is on disk.' }),
});

export type AvailableModel = z.output<typeof availableModel>;

/** A model of the catalogue that suits this machine. */
export const suggestedModel = z.object({
  name: z.string().meta({ description: 'What to pull, and to ask for afterwards.' }),
  title: z.string(),
  parameters: count,
  licence: z.string(),
  quantization: z.string(),
  /** Of all its files. */
  sizeBytes: count,
  tokensPerSecond: z
    .number()
    .meta({ description: 'Guessed from how fast this machine reads its memory; weak cores may be slower.' }),
});

export type SuggestedModel = z.output<typeof suggestedModel>;

/** A model that a search found, in the catalogue or at the hub. */
export const foundModel = z.object({
  name: z.string().meta({ description: 'What to pull.' }),
  source: z.enum(['catalog', 'hub']),
  repository: z.string(),
  /** Of the last month, as the hub counts; null: it was not asked. */
  downloads: count.nullable(),
  likes: count.nullable(),
  gated: z.boolean().meta({ description: 'Whether its maker has to agree before it can be pulled.' }),
  /** The hub's label of the licence. */
  licence: z.string().nullable(),
  quantizations: z.array(
    z.object({
      /** Lower-case label. */
      quantization: z.string(),
      /** Of all its files. */
      sizeBytes: count.nullable(),
      fits: z.boolean().nullable().meta({
        description: 'Whether it can be loaded here at all, guessed from its size; a pull reads its header and knows.',
      }),
      onDisk: z.boolean(),
    }),
  ),
  advice: quantizationAdvice.nullable().meta({
    description: 'A quantization that this processor is faster with than with the usual one, at about its size.',
  }),
});

export type FoundModel = z.output<typeof foundModel>;

/** What a search found. */
export const foundModels = z.object({
  models: z
    .array(foundModel)
    .meta({ description: 'Those that fit first, then the catalogue, then the most downloaded.' }),
  /** What a person should know, one sentence each. */
  notes: z.array(z.string()).meta({ description: 'For example that the hub could not be asked.' }),
  memoryBytes: count.meta({ description: 'What the server may use in all.' }),
});

export type FoundModels = z.output<typeof foundModels>;

/** A name that a client made for a model on disk, with what requests by it are given. */
export interface MadeModel {
  /** As the client wrote it, without `:latest`. */
  name: string;
  /** `name:quantization` of the model behind it, or its name where that was left open. */
  from: string;
  preset: Preset;
  /** The file was made for this name, and is deleted with it. */
  ownsFile: boolean;
  createdAt: Date;
}

/** What a new name is made of. */
export interface MakeWish {
  name: string;
  /** A model by any of its names, or a blob that was saved: `sha256:` and its digest. */
  from: { type: 'model'; name: string } | { type: 'blob'; digest: string };
  /** Added to that of a made model that it is from. */
  preset: Preset;
}

/** What the header of a model's file says, as it stands there. */
export interface ModelHeader {
  /** Long texts and lists of texts are null; the chat template is a field of its own. */
  metadata: Record<string, string | number | boolean | number[] | null>;
  template: string | null;
  tensors: { name: string; type: string; shape: number[] }[];
}

/** Models that come and go: from a hub, from elsewhere on this machine, and off the disk. */
export interface ModelStore {
  /** What can be pulled by a plain name, the smallest machine first. Never rejects. */
  available(): Promise<AvailableModel[]>;
  /** Up to three of them that suit this machine, which reads so many bytes of weights a second; the smallest first. */
  suggest(bytesPerSecond: number): Promise<SuggestedModel[]>;
  /**
   * Looks for models by words of their names. `limit`: at most so many of the hub. Rejects with `hub_failed`,
   * `hub_access_denied` or `hub_answer_invalid` where the hub cannot be asked and the catalogue has none.
   */
  search(query: string, limit: number, signal: AbortSignal): Promise<FoundModels>;
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
  remove(name: string): Promise<RemovedModel[]>;
  /** Takes a file into the model folder, by a hard link where that is possible. */
  importFile(filePath: string, options: { anyFolder: boolean }): Promise<StoredModel>;
  /** Names that clients made, by name. */
  madeModels(): readonly MadeModel[];
  /** As `madeModels` has it, by any way of writing the name; null: there is none. */
  findMade(name: string): MadeModel | null;
  /**
   * Makes a name for a model, in place of an earlier made one of that name. Rejects with `invalid_request` for a name that
   * a file or the configuration has, `model_not_found`, `invalid_model_file` for a blob that is none, `storage_unavailable`.
   */
  make(wish: MakeWish): Promise<MadeModel>;
  /** Reads the header of a model's file. Rejects with `model_not_found` or `invalid_model_file`. */
  header(name: string): Promise<ModelHeader>;
  /** Whether a blob of this digest (`sha256:…`) waits to become a model. Rejects with `invalid_request` for no digest. */
  hasBlob(digest: string): Promise<boolean>;
  /** Keeps a blob until a model is made of it. Rejects with `invalid_request` when its bytes have another digest. */
  saveBlob(digest: string, bytes: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<void>;
  /** Stops every pull at a point from which it can go on. */
  close(): Promise<void>;
}
