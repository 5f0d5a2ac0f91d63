/**
 * The tables of the database, as queries see them. Every number is a `bigint`, in SQLite as in PostgreSQL: money is in
 * nano-USD (1e-9 USD), times are milliseconds since 1970 in UTC, a truth is 0 or 1. Null is unknown, never 0.
 */
export interface Tables {
  ledger: LedgerTable;
  ledger_days: LedgerDaysTable;
  reservations: ReservationsTable;
  spending: SpendingTable;
  budget_alerts: BudgetAlertsTable;
  instances: InstancesTable;
  revisions: RevisionsTable;
  made_keys: MadeKeysTable;
  limit_takings: LimitTakingsTable;
  circuits: CircuitsTable;
  shared_texts: SharedTextsTable;
  files: FilesTable;
  file_parts: FilePartsTable;
  batches: BatchesTable;
  batch_items: BatchItemsTable;
  webhooks: WebhooksTable;
  provider_batches: ProviderBatchesTable;
  schema_migrations: SchemaMigrationsTable;
}

/** One row for each try at a provider. */
interface LedgerTable {
  attempt_id: string;
  request_id: string;
  /** When it began. */
  at: bigint;
  principal: string;
  provider: string;
  model: string;
  answered_model: string | null;
  operation: string;
  attempt_index: bigint;
  input_tokens: bigint | null;
  cache_read_tokens: bigint | null;
  cache_write_5m_tokens: bigint | null;
  cache_write_1h_tokens: bigint | null;
  output_tokens: bigint | null;
  reasoning_tokens: bigint | null;
  latency_ms: bigint;
  first_content_ms: bigint | null;
  served_tier: string | null;
  served_place: string | null;
  is_estimated: bigint;
  left_house: bigint;
  /** `answered`, `failed`, `cancelled`, or `lost`: the process ended while it ran. */
  outcome: string;
  error_code: string | null;
  cost: bigint | null;
  /** Of the key of `principal`, as it was called then; null: of a row from before names were kept. */
  key_name: string | null;
}

/** Sums of what was in the ledger, of days whose rows are gone. */
interface LedgerDaysTable {
  /** Days since 1970, in UTC. */
  day: bigint;
  principal: string;
  key_name: string | null;
  provider: string;
  model: string;
  left_house: bigint;
  /** Of those rows whose cost was known. */
  cost: bigint;
  unknown_costs: bigint;
  attempts: bigint;
  /** Caches included. */
  prompt_tokens: bigint;
  output_tokens: bigint;
}

/** What running tries may cost at most. */
interface ReservationsTable {
  attempt_id: string;
  /** The process that makes the try. */
  instance: string;
  at: bigint;
  request_id: string;
  principal: string;
  provider: string;
  model: string;
  operation: string;
  attempt_index: bigint;
  amount: bigint;
  key_name: string | null;
}

/** What was spent, and what is reserved, in each period: of all (`scope` is empty), and of each principal. */
interface SpendingTable {
  scope: string;
  /** `day`, `week` or `month`. */
  period: string;
  starts_at: bigint;
  spent: bigint;
  reserved: bigint;
}

/** When a budget was seen to be nearly, or wholly, spent. */
interface BudgetAlertsTable {
  scope: string;
  period: string;
  starts_at: bigint;
  /** `warning` or `exceeded`. */
  level: string;
  at: bigint;
}

/** Processes that use the database, and when each was last seen. */
interface InstancesTable {
  id: string;
  pid: bigint;
  seen_at: bigint;
}

/** Counts the changes of what replicas have a copy of, so that they need not read it again and again. */
interface RevisionsTable {
  /** What it counts: `keys`. */
  name: string;
  number: bigint;
}

/** Keys that were made by command or API, where replicas share them. */
interface MadeKeysTable {
  id: string;
  name: string;
  /** SHA-256 of the key in hexadecimal digits. */
  digest: string;
  ending: string;
  /** What it may do, as JSON. */
  rights: string;
  created_at: bigint;
  expires_at: bigint | null;
  revoked_at: bigint | null;
}

/** What was taken from the limits of a key, an address or a provider in a slice of time. */
interface LimitTakingsTable {
  subject: string;
  /** Length of the slice, in milliseconds: of the windows of a minute, or of those of a day. */
  slice_ms: bigint;
  starts_at: bigint;
  requests: bigint;
  tokens: bigint;
}

/** Circuits of which any replica has told. */
interface CircuitsTable {
  provider: string;
  model: string;
  /** `open` or `closed`. */
  state: string;
  /** From when on one call may try. */
  tries_at: bigint;
  /** Counts changes of the state. */
  revision: bigint;
  /** Who makes the call that tries, until when; null: nobody. */
  probe_instance: string | null;
  probe_until: bigint | null;
}

/** Texts that clients may ask any replica for. */
interface SharedTextsTable {
  id: string;
  owner: string;
  used_at: bigint;
  bytes: bigint;
  /** The process that works on it; null: none. */
  instance: string | null;
  text: string;
  log: string | null;
}

/** Files of clients. Their bytes lie in a folder, or in `file_parts` where the database is shared. */
interface FilesTable {
  id: string;
  /** Id of a principal. */
  owner: string;
  name: string;
  purpose: string;
  bytes: bigint;
  created_at: bigint;
  expires_at: bigint | null;
}

/** The bytes of a file, in portions of one size; the last may be shorter. */
interface FilePartsTable {
  file_id: string;
  /** From 0 on. */
  number: bigint;
  at: bigint;
  content: Uint8Array;
}

/** One row for each batch of requests. What is acknowledged of it is in its items before. */
interface BatchesTable {
  id: string;
  /** Id of the principal that made it. */
  owner: string;
  /** What that principal may do, as JSON: its items are asked for with these rights. */
  rights: string;
  /** The API it belongs to, which alone shows it: `anthropic`, `openai`. */
  api: string;
  /** Where each of its items would be sent to by itself: `/v1/messages`. */
  path: string;
  /** What goes with each of them, as JSON: names in lower case to texts. */
  headers: string;
  /** `storing`: not acknowledged yet; `in_progress`, `canceling`, `ended`; `deleted`: what is left of it is on its way out. */
  state: string;
  /** What its items become that have not begun: `canceled` or `expired`; null: they are asked for. */
  closing: string | null;
  total: bigint;
  succeeded: bigint;
  errored: bigint;
  canceled: bigint;
  expired: bigint;
  /** Of all its answers. */
  input_tokens: bigint;
  cached_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  /** Names of the models that are asked for, as a list in JSON. */
  models: string;
  /** What only its API understands, as JSON. */
  notes: string | null;
  created_at: bigint;
  /** When its first item was begun. */
  started_at: bigint | null;
  expires_at: bigint;
  cancelled_at: bigint | null;
  ended_at: bigint | null;
  /** When its API had done what it does at the end of a batch. */
  finished_at: bigint | null;
  /** When its items were removed for their age. */
  archived_at: bigint | null;
  idempotency_key: string | null;
  /** Of the request that made it. */
  fingerprint: string | null;
  /** The process that stores it, while it does. */
  lease_owner: string | null;
  lease_until: bigint | null;
}

/** One row for each request of a batch. */
interface BatchItemsTable {
  batch_id: string;
  /** From 0 on, as they came. */
  position: bigint;
  custom_id: string;
  /** The request, as JSON. */
  body: string;
  model: string;
  /** What it begins with, as a digest: those with the same come one after the other. */
  prefix: string;
  /** When its batch was made. */
  queued_at: bigint;
  /** Not asked for earlier. */
  not_before: bigint;
  /** How often it was begun and failed in a way that may pass. */
  attempts: bigint;
  /** `pending`, `running`, `succeeded`, `errored`, `canceled` or `expired`. */
  state: string;
  /** The process that has it running, and until when that is believed without another word. */
  lease_owner: string | null;
  lease_until: bigint | null;
  /** Of the request that was answered. */
  request_id: string | null;
  /** What came of it, as its route answers: status and body. */
  status: bigint | null;
  result: string | null;
  ended_at: bigint | null;
  /** `here`: asked for as its route does it; `either`: that, or in the cloud where this machine is too slow; `away`: with others in a batch of a provider's. */
  lane: string;
  /** 1: it was `either`, and is asked for in the cloud. */
  spilled: bigint;
  /** The batch of a provider's that it goes with, as we name it. */
  provider_batch: string | null;
}

/** One batch at a provider, for items of one batch of ours. */
interface ProviderBatchesTable {
  /** Ours; ids of its requests at the provider, and of their tries in the ledger, begin with it. */
  id: string;
  batch_id: string;
  /** `gathering`: its requests are worded; `sending`: it may be at the provider by now; `sent`: it is. */
  state: string;
  /** Null: while it is gathered. */
  provider: string | null;
  /** By the provider's own name. */
  model: string | null;
  /** The provider's id of it. */
  upstream_id: string | null;
  /** 0: it was found again by its size and its time, and may be another's. */
  is_certain: bigint;
  /** Ids of the provider's that turned out to be others', as JSON. */
  others: string;
  items: bigint;
  /** The most that all of it may cost, in nano-USD; null: nobody knows. */
  estimate: bigint | null;
  /** When its sending began. */
  sent_at: bigint | null;
  /** When the provider was told to leave it. */
  cancelled_at: bigint | null;
  /** How often it was looked at. */
  polls: bigint;
  /** When it is looked at next. */
  next_at: bigint;
  /** The process that works on it, and until when that is believed without another word. */
  lease_owner: string | null;
  lease_until: bigint | null;
}

/** Whoever is still to be told of the end of a batch. */
interface WebhooksTable {
  /** Of the message, which is the same however often it is sent. */
  id: string;
  batch_id: string;
  url: string;
  /** How often it was sent in vain. */
  attempts: bigint;
  /** Not sent earlier. */
  not_before: bigint;
  /** The process that sends it, and until when that is believed. */
  lease_owner: string | null;
  lease_until: bigint | null;
}

interface SchemaMigrationsTable {
  number: bigint;
  name: string;
  applied_at: bigint;
}
