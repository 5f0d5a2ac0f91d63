import type { PullWish } from '../core/pull.ts';
import type { ChatClient } from './chat/chat.ts';
import type { ModelClient } from './model-api.ts';
import type { OperationsClient } from './operations-api.ts';
import type { PlanAnswer, PlanWish } from './plan-answer.ts';

/** A pull as the commands show it. */
export interface PullView {
  id: string;
  model: string;
  repository: string;
  state: string;
  totalBytes: number;
  receivedBytes: number;
  bytesPerSecond: number | null;
  /** What the header says of the memory that the model needs. */
  planMessage: string | null;
  notes: string[];
  error: { message: string; fix: string | null } | null;
}

/** A model as `hearth list` shows it. */
export interface ModelView {
  /** `name:quantization`. */
  model: string;
  sizeBytes: number;
  /** `loaded`, `unloaded`, `invalid: …` and the like. */
  state: string;
  /** Other names that lead to it. */
  names: string[];
}

/** The models on disk, and what lies there beside them, in sentences. */
export interface ModelList {
  models: ModelView[];
  leftOut: readonly string[];
}

/** A model of the catalogue as `hearth list --available` shows it. */
export interface AvailableView {
  name: string;
  aliases: string[];
  title: string;
  kind: string;
  machineGb: number;
  contextTokens: number;
  licence: string;
  quantizations: { quantization: string; sizeBytes: number | null; onDisk: boolean }[];
  /** What this processor is faster with; null: nothing that is known of. */
  advice: { message: string } | null;
  onDisk: boolean;
}

/** A question as the native API takes it. */
export type DecideQuestion =
  | { type: 'yes_no'; question: string }
  | { type: 'choice'; question: string; options: string[] }
  | { type: 'score'; question: string; levels: string[] };

/** The answer to one question as `hearth decide` shows it. */
export interface DecisionView {
  type: string;
  /** Of each option; of a yes or no the yes alone. Empty: it was refused. */
  probabilities: { label: string; probability: number }[];
  score: number | null;
  confidence: number | null;
  labelMass: number;
  /** Why it was refused; null: it was not. */
  reason: string | null;
}

/** A source of answers as `hearth provider list` shows it. */
export interface ProviderView {
  id: string;
  type: string;
  enabled: boolean;
  status: string;
  modelsCount: number;
  defaultModel: string | null;
}

/** What came of asking one whether it would answer. */
export interface ProviderTest {
  id: string;
  /** Whether it answered now; `status` is how it did over the last minutes. */
  answered: boolean;
  status: string;
  latencyMs: number | null;
  /** Null: nothing is wrong. */
  error: string | null;
}

/** A new key as the native API takes it. */
export interface NewKey {
  name: string;
  scopes?: ('inference' | 'admin')[];
  expires_at?: string;
  models?: string[];
  cloud?: boolean;
  /** USD. */
  budget?: { daily?: string; weekly?: string; monthly?: string };
  rate_limits?: { requests_per_minute?: number; tokens_per_minute?: number; requests_per_day?: number };
}

/** A key as the native API shows it. */
export interface KeyView {
  id: string | null;
  name: string;
  from: string;
  ending: string | null;
  scopes: string[];
  expires_at: string | null;
  revoked_at: string | null;
  models: string[] | null;
  cloud: boolean;
  /** USD; null: as all keys. */
  budget: { daily: string | null; weekly: string | null; monthly: string | null } | null;
  /** Null: as all keys. */
  rate_limits: {
    requests_per_minute: number | null;
    tokens_per_minute: number | null;
    requests_per_day: number | null;
  } | null;
}

/** A batch as `/v1/batches` shows it; times in seconds since 1970. */
export interface BatchView {
  id: string;
  status: string;
  endpoint: string;
  created_at: number;
  expires_at: number | null;
  request_counts: { total: number; completed: number; failed: number };
  output_file_id: string | null;
  error_file_id: string | null;
  /** What is wrong with its input; null: nothing is. */
  errors: { data: { line: number | null; message: string; param: string | null }[] } | null;
  [more: string]: unknown;
}

/** What keeps a batch, and what of it is elsewhere. */
export interface BatchProgress {
  /** Why no requests of it are begun now, as a word of the server; null: nothing is in the way. */
  paused: string | null;
  /** Its requests that are in batches of providers, and the most that they may cost in USD; null: none are. */
  cloud: { requests: number; most_usd: number | null } | null;
}

/** A batch that is to be made. */
export interface NewBatch {
  fileId: string;
  endpoint: string;
  window: string;
  metadata: Record<string, string> | null;
  /** The same again gives the same batch; null: each gives a new one. */
  idempotencyKey: string | null;
  /** Who is told of its end; left out: whoever the server always tells. */
  webhookUrl?: string;
}

/** What commands ask of Hearth, whether a server answers or this process does the work. Failures are `AppError`s. */
export interface HearthClient extends OperationsClient, ChatClient, ModelClient {
  /** Whether pulls go on when this process ends. */
  outlivesUs: boolean;
  /** Answers closed questions about a text, in their order; `model`: null for the default one. */
  decide(input: string, questions: readonly DecideQuestion[], model: string | null): Promise<DecisionView[]>;
  /** How a model would be loaded, or what is missing. */
  plan(name: string, wish: PlanWish): Promise<PlanAnswer>;
  pull(wish: PullWish): Promise<PullView>;
  /** The pull now, whenever it changes, and last when it has ended. */
  follow(id: string): AsyncIterable<PullView>;
  pulls(): Promise<PullView[]>;
  cancel(id: string, discard: boolean): Promise<PullView>;
  models(): Promise<ModelList>;
  /** What can be pulled by a plain name, the smallest machine first. */
  available(): Promise<AvailableView[]>;
  remove(name: string): Promise<{ model: string; sizeBytes: number; freedBytes: number }[]>;
  /** Takes in a file that this process can read. */
  importFile(filePath: string): Promise<{ model: string; sizeBytes: number }>;
  /** This machine first. */
  providers(): Promise<ProviderView[]>;
  testProvider(id: string): Promise<ProviderTest>;
  /** Makes a key; `key` is told this once. */
  createKey(wish: NewKey): Promise<KeyView & { key: string }>;
  keys(): Promise<KeyView[]>;
  revokeKey(idOrName: string): Promise<KeyView>;
  /** Sends a file, and tells its id. */
  sendFile(filePath: string, purpose: 'batch'): Promise<string>;
  /** The lines of a file of the server. */
  fileLines(fileId: string): AsyncIterable<string>;
  removeFile(fileId: string): Promise<void>;
  createBatch(wish: NewBatch): Promise<BatchView>;
  /** The newest first. */
  batches(): Promise<BatchView[]>;
  batch(id: string): Promise<BatchView>;
  batchProgress(id: string): Promise<BatchProgress>;
  cancelBatch(id: string): Promise<BatchView>;
  close(): Promise<void>;
}
