import { createHash } from 'node:crypto';

/**
 * What a state file depends on beside its tokens: llama.cpp rejects some of these when they differ, and takes others
 * without a word (weights of the same shape).
 */
export interface Fingerprint {
  /** Of the model file's content. */
  modelHash: string;
  /** Releases of node-llama-cpp and of its llama.cpp. */
  engineVersion: string;
  slots: number;
  contextTokens: number;
  /** Types of the key and value cache, with anything else that changes what is in it (LoRA set, full-size window). */
  kvTypes: string;
  flashAttention: boolean;
  /** Tokens of the sliding window; null on models without one. */
  slidingWindow: number | null;
}

/** What is known of one stored state; its file name follows from it. */
export interface EntryRecord {
  /** Who may use it: hash of an API key, or one name for all. */
  owner: string;
  /** The tokens whose state it is. */
  tokens: Uint32Array<ArrayBuffer>;
  /** Size of the state file. */
  stateBytes: number;
  /** Of the state file. */
  sha256: string;
  /** What it took to compute the state. */
  prefillMs: number;
  pinned: boolean;
}

/** Raised when the layout of the folder or of a record changes: what older releases wrote is then dropped. */
const layout = 1;

/** 128 bits as hex: enough for names that nobody can make collide by chance. */
const nameLength = 32;

/** Name of the folder that holds the states of one fingerprint. */
export function fingerprintKey(fingerprint: Fingerprint): string {
  const { modelHash, engineVersion, slots, contextTokens, kvTypes, flashAttention, slidingWindow } = fingerprint;
  const text = JSON.stringify([modelHash, engineVersion, slots, contextTokens, kvTypes, flashAttention, slidingWindow]);
  return `v${layout}-${createHash('sha256').update(text).digest('hex').slice(0, nameLength)}`;
}

/** Whether a folder was made by a vault of this or any other layout. */
export function isFingerprintKey(name: string): boolean {
  return /^v\d+-[0-9a-f]{32}$/.test(name);
}

/** Name of a stored state. It is a hash of what must never be mixed up, so a damaged record does not fit its name. */
export function entryId(key: string, owner: string, tokens: Uint32Array<ArrayBuffer>): string {
  const hash = createHash('sha256').update(`${JSON.stringify([key, owner])}\n`);
  return hash
    .update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex')
    .slice(0, nameLength);
}

/** Largest record that a context of this size can have; anything larger is not read. */
export function maxRecordBytes(contextTokens: number): number {
  return contextTokens * 6 + 4096;
}

/** The record as text; tokens go as base64 of 32-bit numbers, a fifth less than as decimals. */
export function formatRecord(key: string, record: EntryRecord): string {
  const { tokens, ...rest } = record;
  const raw = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  return `${JSON.stringify({ key, ...rest, tokens: raw.toString('base64') })}\n`;
}

/**
 * Reads a record back. Null when it is damaged, belongs to another fingerprint or does not fit the name `id`: owner
 * and tokens are then exactly those that were stored under that name. A wrong size or checksum in it would make the
 * state file fail its own check; a wrong cost or pin only changes what is evicted first.
 */
export function parseRecord(text: string, key: string, id: string): EntryRecord | null {
  const found = parseObject(text);
  if (found === null || found['key'] !== key) return null;
  const { owner, stateBytes, sha256, prefillMs, pinned } = found;
  if (typeof owner !== 'string' || typeof sha256 !== 'string' || typeof pinned !== 'boolean') return null;
  if (typeof stateBytes !== 'number' || !Number.isSafeInteger(stateBytes) || stateBytes < 1) return null;
  if (typeof prefillMs !== 'number' || !(prefillMs >= 0)) return null;
  const tokens = parseTokens(found['tokens']);
  if (tokens === null || entryId(key, owner, tokens) !== id) return null;
  return { owner, tokens, stateBytes, sha256, prefillMs, pinned };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // Not JSON: damaged like any other.
    return null;
  }
}

function parseTokens(value: unknown): Uint32Array<ArrayBuffer> | null {
  if (typeof value !== 'string') return null;
  const raw = Buffer.from(value, 'base64');
  if (raw.length === 0 || raw.length % 4 !== 0) return null;
  // A copy: a pooled buffer does not start where 32-bit numbers may.
  return new Uint32Array(new Uint8Array(raw).buffer);
}
