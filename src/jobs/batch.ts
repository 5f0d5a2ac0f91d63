import type { BatchedCall, Principal, RoutingWish } from '../core/call.ts';
import type { WireError } from '../core/errors.ts';

/** Many requests of one client, answered when nobody else needs the machine. */
export interface Batch {
  id: string;
  /** The API it belongs to: `anthropic`, `openai`. */
  api: string;
  /** Where each of its items would be sent to by itself: `/v1/messages`. */
  path: string;
  /** `canceling`: its owner wants no more of it, and some items still run. */
  state: 'in_progress' | 'canceling' | 'ended';
  /** What becomes of items that have not begun; null: they are asked for. */
  closing: 'canceled' | 'expired' | null;
  counts: BatchCounts;
  /** Of all its answers so far. */
  usage: BatchUsage;
  /** Names of the models that are asked for, each once. */
  models: readonly string[];
  /** What only its API understands. */
  notes: Readonly<Record<string, unknown>>;
  createdAt: Date;
  /** When its first item was begun; null: none was. */
  startedAt: Date | null;
  expiresAt: Date;
  cancelledAt: Date | null;
  endedAt: Date | null;
  /** When its API had done what it does at the end of a batch; null: it has not, or it does nothing. */
  finishedAt: Date | null;
  /** When its results were removed for their age. */
  archivedAt: Date | null;
}

/** They sum up to `total`. `processing`: pending or running. */
export interface BatchCounts {
  total: number;
  processing: number;
  succeeded: number;
  errored: number;
  canceled: number;
  expired: number;
}

/**
 * Milliseconds until a batch has ended, if it goes on as it did so far; null: it has ended, or nothing is known yet. A window
 * that is closed is not reckoned with.
 */
export function leftMs({ state, counts, startedAt }: Batch, now: Date): number | null {
  const done = counts.total - counts.processing;
  if (state === 'ended' || startedAt === null || done === 0) return null;
  return ((now.getTime() - startedAt.getTime()) / done) * counts.processing;
}

/** Tokens; those that were cached are part of the input, thoughts are part of the output. */
export interface BatchUsage {
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export const noUsage: BatchUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** A batch that is to be made, of requests that were looked at and can be answered. */
export interface BatchWish {
  /** Its id begins so: `msgbatch_`. */
  idPrefix: string;
  owner: Principal;
  api: string;
  path: string;
  /** What goes with each item, such as a version of the API; names in lower case, never credentials. */
  headers: Readonly<Record<string, string>>;
  /** In their order; read once. Where it throws, nothing of the batch stays. */
  items: Iterable<NewItem> | AsyncIterable<NewItem>;
  /** From now on; what has not begun by then is never asked for. */
  expiresInMs: number;
  notes: Readonly<Record<string, unknown>>;
  /** Who asks for the same with the same key gets the same batch; null: each request makes one. */
  idempotency: { key: string; fingerprint: string } | null;
  /** Who is told of its end, and the field that said so; left out: whoever is always told. */
  webhook?: { url: string; field: string };
}

/** One request of a batch. */
export interface NewItem {
  customId: string;
  model: string;
  /** The request as its route takes it, as JSON. */
  body: string;
  /** What its prompt begins with, such as a digest of its system prompt: those with the same come one after the other. */
  prefix: string;
  /** Where it may go, as far as it says itself; left out: it does not. */
  cloud?: RoutingWish['cloud'];
}

/**
 * How an item goes on its way. `here`: it is asked for as its route does it, when the machine has time. `either`: the same, or in
 * the cloud where that would be too late. `away`: with others in a batch of a provider's.
 */
export type Lane = 'here' | 'either' | 'away';

/** Where an item goes that is asked for by such headers. Never throws. */
export type LaneOf = (wish: Pick<BatchWish, 'owner' | 'headers'>, item: Pick<NewItem, 'model' | 'cloud'>) => Lane;

/** What came of one item. */
export interface ItemResult {
  position: number;
  customId: string;
  state: 'succeeded' | 'errored' | 'canceled' | 'expired';
  /** As its route answers; null: it was never asked for. */
  answer: { status: number; body: string; requestId: string } | null;
}

/** One item that is to be answered. */
export interface ItemCall {
  requestId: string;
  principal: Principal;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** It goes with others in a batch of a provider's; left out: by itself. */
  batched?: BatchedCall;
}

/** What its route answers. `failure`: why, where it is no success, before a dialect has worded it. */
export interface ItemAnswer {
  status: number;
  body: string;
  usage: BatchUsage;
  failure: (Pick<WireError, 'code' | 'retryAfterSeconds'> & { retryable: boolean }) | null;
}

/**
 * Answers one item exactly as its route would, at the lowest priority. Rejects when `signal` aborts, and with what is no
 * answer.
 */
export type Perform = (call: ItemCall, signal: AbortSignal) => Promise<ItemAnswer>;
