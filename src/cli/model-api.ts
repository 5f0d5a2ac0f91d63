import { z } from 'zod';

/** What commands read of what a server says of models. Unknown fields are left alone: the server may be a newer one. */

const bytes = z.number();

/** A model of `GET /models`, as far as it is printed; all of it is kept. */
export const modelRecord = z.looseObject({
  name: z.string(),
  aliases: z.array(z.string()),
  made_names: z.array(z.string()).default([]),
  quantization: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  size_bytes: bytes,
  architecture: z.string().nullable(),
  parameters: z.number().nullable(),
  context_length: z.number().nullable(),
  modified_at: z.string(),
  variants: z.array(
    z.looseObject({
      quantization: z.string(),
      size_bytes: bytes,
      bits_per_weight: z.number().nullable(),
      reason: z.string().nullable(),
      expected_memory_bytes: bytes.nullable(),
      fits: z.boolean().nullable(),
      files: z.array(z.string()).default([]),
    }),
  ),
  advice: z.looseObject({ message: z.string() }).nullable().default(null),
  memory_bytes: bytes.nullable(),
  planned_memory_bytes: bytes.nullable().default(null),
  context_length_loaded: z.number().nullable(),
  slots: z.number().nullable(),
  threads: z.number().nullable(),
  tokens_per_second: z.number().nullable().default(null),
  calibration: z.looseObject({ decode_tokens_per_second: z.number() }).nullable(),
  pinned: z.boolean(),
  gpu: z.string().nullable(),
  gpu_device: z.string().nullable(),
  gpu_layers: z.number().nullable(),
  gpu_memory_bytes: bytes.nullable(),
  gpu_reason: z.string().nullable(),
  notes: z.array(z.string()),
  load_ms: z.number().nullable(),
  expires_at: z.string().nullable(),
  active_requests: z.number().nullable(),
  queued_requests: z.number().nullable(),
});

export type ModelRecord = z.output<typeof modelRecord>;

/** A model of another provider. */
const cloudModel = z.looseObject({
  name: z.string(),
  provider: z.string(),
  aliases: z.array(z.string()),
  context_length: z.number().nullable(),
  max_output_tokens: z.number().nullable(),
});

export type CloudModel = z.output<typeof cloudModel>;

/** `GET /models`, whole. */
export const modelRecords = z.object({
  models: z.array(modelRecord),
  cloud_models: z.array(cloudModel).default([]),
});

export type ModelRecords = z.output<typeof modelRecords>;

/** `GET /catalog/suggestions`: models that suit the machine of the server, the smallest first. */
export const suggestedViews = z
  .object({ models: z.array(z.looseObject({ name: z.string(), size_bytes: bytes, tokens_per_second: z.number() })) })
  .transform(({ models }) => models);

export type SuggestedView = z.output<typeof suggestedViews>[number];

/** The model of another provider that is asked for by this name; null: there is none. */
export function cloudModelOf({ cloud_models }: ModelRecords, wanted: string): CloudModel | null {
  const isMeant = ({ name, provider, aliases }: CloudModel) =>
    [name, `${provider}/${name}`, ...aliases].includes(wanted);
  return cloud_models.find(isMeant) ?? null;
}

/** `POST /api/show`: what the file of a model says. */
export const modelHeader = z.looseObject({
  template: z.string().default(''),
  system: z.string().optional(),
  parameters: z.string().default(''),
  capabilities: z.array(z.string()).default([]),
  model_info: z.record(z.string(), z.unknown()).default({}),
});

export type ModelHeader = z.output<typeof modelHeader>;

/** `POST /models/{name}/load`. */
export const loadedModel = z.looseObject({
  model: modelRecord,
  plan: z
    .looseObject({
      context_length: z.number(),
      parallel: z.number(),
      notes: z.array(z.string()),
      expected_bytes: z.looseObject({ total: bytes }),
    })
    .nullable(),
  load_ms: z.number(),
});

export type LoadedModel = z.output<typeof loadedModel>;

/** `POST /models/{name}/unload`. */
export const unloadedModel = z.looseObject({ model: modelRecord });

/** Settings of a load, as the native API takes them. */
export interface LoadWish {
  quantization?: string;
  context_length?: number;
  parallel?: number;
  keep_alive?: string;
  pin?: boolean;
  prefer_gpu?: boolean;
  force?: boolean;
}

/** A model of the hub, with its files and whether they fit. */
export const foundModel = z.looseObject({
  name: z.string(),
  source: z.enum(['catalog', 'hub']),
  repository: z.string(),
  downloads: z.number().nullable(),
  likes: z.number().nullable(),
  gated: z.boolean(),
  quantizations: z.array(
    z.looseObject({
      quantization: z.string(),
      size_bytes: bytes.nullable(),
      fits: z.boolean().nullable(),
      on_disk: z.boolean(),
    }),
  ),
  advice: z.looseObject({ message: z.string() }).nullable().default(null),
});

export type FoundModel = z.output<typeof foundModel>;

/** `GET /models/search`. */
export const foundModels = z.object({
  models: z.array(foundModel),
  notes: z.array(z.string()).default([]),
  memory_bytes: bytes,
});

export type FoundModels = z.output<typeof foundModels>;

/** What commands ask about models, their files aside. Failures are `AppError`s. */
export interface ModelClient {
  /** Every model on disk, and those of other providers. */
  modelRecords(): Promise<ModelRecords>;
  /** Models of the catalogue that suit the machine, the smallest first. */
  suggestions(): Promise<SuggestedView[]>;
  modelRecord(name: string): Promise<ModelRecord>;
  modelHeader(name: string): Promise<ModelHeader>;
  /** Resolves when it is ready, however long that takes. An abort of `signal` rejects; the server goes on. */
  load(name: string, wish: LoadWish, signal: AbortSignal): Promise<LoadedModel>;
  /** Resolves when its memory is free. */
  unload(name: string, signal: AbortSignal): Promise<ModelRecord>;
  /** Sees that a model is ready to be asked, with no more rights than asking takes. */
  prepare(name: string, signal: AbortSignal): Promise<void>;
  /** Makes one more name for a model. */
  copy(source: string, destination: string): Promise<void>;
  /** Models of the hub and of the catalogue, those that fit first. */
  search(query: string, limit: number): Promise<FoundModels>;
}

export const modelPath = (name: string, act = '') => `/models/${encodeURIComponent(name)}${act}`;
export const showPath = '/api/show';
export const copyPath = '/api/copy';
export const searchPath = (query: string, limit: number) =>
  `/models/search?${new URLSearchParams({ query, limit: String(limit) })}`;
