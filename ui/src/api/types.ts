/**
 * What the server sends, as far as the page uses it. `test/ui/types.test.ts` sees that the server's own schemas still say
 * so. Names and units are the server's.
 */

export interface Pace {
  tokens_per_second: number;
  prompt_tokens_per_second: number;
  first_token_ms: number | null;
}

export type ModelState = 'unloaded' | 'loading' | 'loaded' | 'unloading' | 'quarantined' | 'invalid';

/** One quantization of a model on disk. */
export interface Variant {
  quantization: string;
  size_bytes: number;
  bits_per_weight: number | null;
  reason: string | null;
  expected_memory_bytes: number | null;
  fits: boolean | null;
}

/** What to have in the place of a quantization that is slow on the server's processor. */
export interface Advice {
  quantization: string;
  message: string;
}

/** `GET /api/v1/models` has a list of them. */
export interface Model {
  name: string;
  aliases: string[];
  size_bytes: number;
  quantization: string;
  loaded: boolean;
  state: ModelState;
  reason: string | null;
  /** Measured. */
  memory_bytes: number | null;
  /** What the plan of its load expected. */
  planned_memory_bytes?: number | null;
  architecture: string | null;
  parameters: number | null;
  context_length: number | null;
  variants: Variant[];
  /** A quantization of about that size that the server's processor is faster with. */
  advice?: Advice | null;
  modified_at: string;
  context_length_loaded: number | null;
  slots: number | null;
  threads: number | null;
  calibration: { decode_tokens_per_second: number; prefill_tokens_per_second: number | null } | null;
  pinned: boolean;
  gpu: string | null;
  gpu_device: string | null;
  gpu_layers: number | null;
  gpu_memory_bytes: number | null;
  gpu_reason: string | null;
  notes: string[];
  loaded_at: string | null;
  load_ms: number | null;
  expires_at: string | null;
  ends_next: boolean;
  active_requests: number | null;
  queued_requests: number | null;
}

export type LiveModel = Model & Pace;

/** A model that a provider elsewhere has. */
export interface CloudModel {
  name: string;
  provider: string;
  display_name: string;
  context_length: number | null;
  operations: ('generate' | 'decide' | 'embed' | 'rank')[];
}

export interface ModelList {
  models: Model[];
  cloud_models: CloudModel[];
  left_out: string[];
}

/** What a model takes, in bytes, by part. */
export interface ExpectedBytes {
  mapped_weights: number;
  weights: number;
  repacked_weights: number;
  kv_cache: number;
  compute: number;
  vocabulary: number;
  process: number;
  correction: number;
  at_load: number;
  total: number;
}

/** Settings of a load, as planned. */
export interface Plan {
  context_length: number;
  parallel: number;
  batch_size: number;
  threads: number;
  gpu_layers: number;
  gpu_memory_bytes: number;
  mmap: boolean;
  kv_cache_type: string;
  expected_bytes: ExpectedBytes;
  notes: string[];
}

/** Why a model does not fit. */
export interface Shortage {
  needed_bytes: number;
  available_bytes: number;
  shortfall_bytes: number;
  nearest: { context_length: number; parallel: number; needed_bytes: number } | null;
  message: string;
}

/** `GET /api/v1/models/{name}/plan`. */
export interface PlanAnswer {
  model: string;
  quantization: string;
  fits: boolean;
  plan: Plan | null;
  shortage: Shortage | null;
  budget: { total_bytes: number; available_bytes: number; reclaimable_bytes: number; source: string };
}

export interface MemoryParts {
  total_bytes: number;
  source: string;
  reserve_bytes: number;
  free_bytes: number;
  others_bytes: number;
  server_bytes: number;
  models: { model: string; total_bytes: number; weights_bytes: number; cache_bytes: number; work_bytes: number }[];
  gpus: { name: string; backend: string; total_bytes: number; free_bytes: number }[];
}

/** A request that runs or waits. */
export interface LiveRequest {
  request_id: string;
  key: string;
  operation: 'generate' | 'embed' | 'rank' | 'decide';
  model: string;
  provider: string | null;
  status: 'queued' | 'running';
  created_at: string;
  elapsed_ms: number;
  stage: 'queued' | 'loading' | 'prompt' | 'retrying' | null;
  place: number | null;
  estimate_ms: number | null;
  prompt_progress: number | null;
  prompt_tokens: number | null;
  output_tokens: number | null;
}

export type PullState =
  | 'queued'
  | 'waiting'
  | 'downloading'
  | 'verifying'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'resumable';

export interface Pull {
  id: string;
  name: string;
  model: string;
  repository: string;
  quantization: string;
  state: PullState;
  total_bytes: number;
  received_bytes: number;
  bytes_per_second: number | null;
  percent: number;
  eta_seconds: number | null;
  plan: { fits: boolean; needed_bytes: number; available_bytes: number; message: string } | null;
  notes: string[];
  error: { code: string; message: string; fix: string | null; details: Record<string, unknown> } | null;
}

export interface ProviderLight {
  id: string;
  display_name: string;
  type: 'local' | 'anthropic' | 'bedrock' | 'openai-compatible';
  enabled: boolean;
  /** `request`: switched by hand, against the configuration. */
  enabled_by: 'configuration' | 'request';
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unknown' | 'disabled';
  error: string | null;
  latency_ms: number | null;
  open_circuits: string[];
}

export interface Today {
  date: string;
  cost_usd: number;
  unknown_cost_count: number;
  here: number;
  left: number;
  budgets: { period: 'day' | 'week' | 'month'; limit_usd: number; spent_usd: number }[];
}

/** What `GET /api/v1/events` tells. */
export interface LiveState {
  server: { version: string; state: 'ready' | 'degraded' | 'unavailable'; reason: string | null };
  memory: MemoryParts;
  models: LiveModel[];
  pace: Pace & { running: number; queued: number };
  requests: LiveRequest[];
  pulls: Pull[];
  providers: ProviderLight[];
  today: Today | null;
  jobs: { pending: number; running: number } | null;
}

/** `GET /api/v1/catalog/suggestions` has a list of them. */
export interface SuggestedModel {
  name: string;
  title: string;
  parameters: number;
  licence: string;
  quantization: string;
  size_bytes: number;
  tokens_per_second: number;
}

/** What `GET /api/v1/models/search` found. */
export interface FoundModel {
  name: string;
  source: 'catalog' | 'hub';
  repository: string;
  downloads: number | null;
  gated: boolean;
  licence: string | null;
  quantizations: { quantization: string; size_bytes: number | null; fits: boolean | null; on_disk: boolean }[];
  advice?: Advice | null;
}

export interface FoundModels {
  models: FoundModel[];
  notes: string[];
  memory_bytes: number;
}

/** A model of the catalogue that comes with the server. */
export interface AvailableModel {
  name: string;
  aliases: string[];
  title: string;
  kind: 'chat' | 'embedding' | 'rerank';
  machine_gb: number;
  parameters: number;
  /** Of a mixture of experts: those of each token. */
  active_parameters: number | null;
  context_length: number;
  licence: string;
  note: string | null;
  quantizations: { quantization: string; size_bytes: number | null; on_disk: boolean }[];
  advice?: Advice | null;
  on_disk: boolean;
}

/** A row of the ledger: one try at somebody who answers, `GET /api/v1/costs/entries`. */
export interface CostEntry {
  provider: string;
  model: string;
  input_tokens: number | null;
  output_tokens: number | null;
  /** US dollars; null: nobody knows. */
  cost: number | null;
  timestamp: string;
  request_id: string;
  attempt_id: string;
  key: string;
  /** Null: nobody has it any more. */
  key_name: string | null;
  operation: string;
  outcome: string;
  error: string | null;
  latency_ms: number | null;
  first_content_ms: number | null;
  estimated: boolean;
  left_house: boolean;
}

export interface Counts {
  requests: number;
  input_tokens: number;
  output_tokens: number;
}

/** `GET /api/v1/privacy/daily` has a list of them, the latest first. */
export interface PrivacyDay {
  /** In UTC. */
  date: string;
  here: Counts;
  left: Counts;
  by_key: (Counts & { key: string; key_name: string | null; provider: string; model: string; left_house: boolean })[];
}

/** `GET /api/v1/costs/daily`: US dollars by day in UTC. */
export interface DailyCosts {
  daily_costs: Record<string, number>;
  total: number;
}

/** `GET /api/v1/costs/summary`: of this month. */
export interface CostSummary {
  total_cost: number;
  by_provider: Record<string, number>;
  by_model: Record<string, number>;
  request_count: number;
  unknown_cost_count: number;
}

/** `GET /api/v1/health/circuit-breakers`. */
export interface CircuitBreakers {
  circuit_breakers: Record<
    string,
    { state: 'closed' | 'open' | 'half_open'; failure_count: number; models: Record<string, string> }
  >;
}

interface Limit {
  limit: number;
  remaining: number;
  used: number;
  reset_at: string;
}

export interface LimitsOfProvider {
  requests_per_minute?: Limit | undefined;
  tokens_per_minute?: Limit | undefined;
  requests_per_day?: Limit | undefined;
}

/** `GET /api/v1/rate-limits`: what is left of the limits of each provider that has some. */
export interface RateLimits {
  limits: Record<string, LimitsOfProvider>;
}

/** `GET /api/v1/providers/failover-chains`. */
export interface Chains {
  chains: Record<string, { providers: string[]; description: string | null }>;
}

/** `POST /api/v1/providers/{id}/test`. */
export interface ProviderTest {
  answered: boolean;
  status: ProviderLight['status'];
  latency_ms: number | null;
  error: string | null;
}

/** `GET /api/v1/config/status`. */
export interface ConfigStatus {
  config_path: string | null;
  last_reload: string;
  validation_status: 'valid' | 'invalid';
  error: string | null;
  warnings: string[];
}

/** `POST /api/v1/config/reload`. */
export interface ConfigReload {
  message: string;
  changes: {
    providers_added: string[];
    providers_removed: string[];
    settings_changed: string[];
    restart_required: string[];
  };
}

/** `GET /api/v1/logs` has a list of them, oldest first. */
export interface LogLine {
  sequence: number;
  time: string;
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  message: string;
  request_id: string | null;
  fields: Record<string, unknown>;
}

/** One of `GET /api/v1/config/settings`. */
export interface Setting {
  name: string;
  value: unknown;
  /** A flag, a variable, `file:line:column`, or `default`. */
  origin: string;
}

/** `POST /api/v1/config/validate`. */
export interface ConfigFindings {
  valid: boolean;
  errors: string[];
  warnings: string[];
}

/** A batch of anybody, of `GET /api/v1/jobs`. */
export interface Job {
  id: string;
  api: string;
  state: 'in_progress' | 'canceling' | 'ended';
  models: string[];
  counts: {
    total: number;
    processing: number;
    succeeded: number;
    errored: number;
    canceled: number;
    expired: number;
  };
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  expires_at: string;
  left_seconds: number | null;
  /** Its requests that are in batches of providers; left out: none are. */
  cloud?: { requests: number; most_usd: number | null } | undefined;
}

export interface JobList {
  jobs: Job[];
  has_more: boolean;
  /** Why nothing is begun now. */
  paused: string | null;
}
