import type { z } from 'zod';
import type { Batch, ItemResult } from '../../../jobs/jobs.ts';
import type { batchAnswer } from './schema.ts';

/** A batch as Anthropic's API shows it. `base`: address of this server, as its client reaches it. */
export function toMessageBatch(batch: Batch, base: string): z.infer<typeof batchAnswer> {
  const { id, state, counts, createdAt, expiresAt, endedAt, cancelledAt, archivedAt } = batch;
  const { total, succeeded, errored, canceled, expired } = counts;
  const hasEnded = state === 'ended';
  return {
    id,
    type: 'message_batch',
    processing_status: state,
    // Its results are not told before all of them are there.
    request_counts: hasEnded
      ? { processing: 0, succeeded, errored, canceled, expired }
      : { processing: total, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
    created_at: createdAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    ended_at: endedAt?.toISOString() ?? null,
    cancel_initiated_at: cancelledAt?.toISOString() ?? null,
    archived_at: archivedAt?.toISOString() ?? null,
    results_url: hasEnded && archivedAt === null ? `${base}/v1/messages/batches/${id}/results` : null,
  };
}

/** A result as a line of JSON, without its end. What a route has answered stands in it byte for byte. */
export function toResultLine({ customId, state, answer }: ItemResult): string {
  return `{"custom_id":${JSON.stringify(customId)},"result":${toResult(state, answer)}}`;
}

function toResult(state: ItemResult['state'], answer: ItemResult['answer']): string {
  switch (state) {
    case 'succeeded':
      return `{"type":"succeeded","message":${answer!.body}}`;
    case 'errored':
      return `{"type":"errored","error":${answer!.body}}`;
    case 'canceled':
    case 'expired':
      return `{"type":"${state}"}`;
  }
}
