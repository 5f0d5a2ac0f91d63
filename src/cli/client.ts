import type { PullWish } from '../core/pull.ts';
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
}

/** The models on disk, and what lies there beside them, in sentences. */
export interface ModelList {
  models: ModelView[];
  leftOut: readonly string[];
}

/** A model of the catalogue as `hearth list --available` shows it. */
export interface AvailableView {
  name: string;
  title: string;
  kind: string;
  machineGb: number;
  contextTokens: number;
  licence: string;
  quantizations: { quantization: string; sizeBytes: number | null; onDisk: boolean }[];
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

/** What commands ask of Hearth, whether a server answers or this process does the work. Failures are `AppError`s. */
export interface HearthClient {
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
  close(): Promise<void>;
}
