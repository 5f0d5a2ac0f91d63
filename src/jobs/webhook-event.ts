import { createHmac } from 'node:crypto';
import type { Batch } from './batch.ts';

/** What a webhook sends: names and shape of OpenAI's events, for the batches of every API. */
export interface WebhookEvent {
  /** The same, however often it is sent. */
  id: string;
  object: 'event';
  type: 'batch.completed' | 'batch.failed' | 'batch.expired' | 'batch.cancelled';
  /** When the batch ended, in seconds since 1970. */
  created_at: number;
  data: {
    id: string;
    request_counts: { total: number; succeeded: number; errored: number; canceled: number; expired: number };
  };
}

/** What is to be told of a batch that has ended. Tells nothing of its requests and their answers. */
export function toWebhookEvent(id: string, batch: Batch): WebhookEvent {
  const { processing: _, ...counts } = batch.counts;
  return {
    id,
    object: 'event',
    type: typeOf(batch),
    created_at: Math.floor((batch.endedAt ?? batch.createdAt).getTime() / 1_000),
    data: { id: batch.id, request_counts: counts },
  };
}

function typeOf({ counts, closing }: Batch): WebhookEvent['type'] {
  // Nothing was asked for: its API found something wrong with what it was made of.
  if (counts.total === 0) return 'batch.failed';
  if (closing === null) return 'batch.completed';
  return closing === 'expired' ? 'batch.expired' : 'batch.cancelled';
}

/**
 * The headers of Standard Webhooks (standardwebhooks.com) for a body. `secret`: `whsec_` and the key in Base64. `at`: when it is
 * sent, by which a receiver refuses what somebody else has kept.
 */
export function signWebhook(
  body: string,
  { id, at, secret }: { id: string; at: Date; secret: string },
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
