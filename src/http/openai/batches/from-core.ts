import type { z } from 'zod';
import type { Batch, ItemResult } from '../../../jobs/jobs.ts';
import type { LineError } from './requests.ts';
import type { batchAnswer } from './schema.ts';

type BatchAnswer = z.infer<typeof batchAnswer>;

/** What only this dialect knows of a batch. */
export interface BatchNotes {
  input_file_id: string;
  completion_window: string;
  metadata: Record<string, string> | null;
  /** Of the files with its results; null: they stay. */
  output_expires_after_ms: number | null;
  /** Ids that its files will have. */
  output_file_id: string;
  error_file_id: string;
  /** What is wrong with its input: then none of it was asked for. */
  errors: LineError[] | null;
}

export const notesOf = ({ notes }: Batch): BatchNotes => notes as unknown as BatchNotes;

/** A batch as OpenAI's API shows it. */
export function toBatchAnswer(batch: Batch): BatchAnswer {
  const notes = notesOf(batch);
  const { counts, usage, models, closing, finishedAt } = batch;
  const status = statusOf(batch, notes);
  const when = (state: BatchAnswer['status'], time: Date | null) => (status === state ? toSeconds(time) : null);
  // Of what is closed early, what was not asked for is told in the file of errors.
  const inErrors = counts.errored + counts.canceled + counts.expired;
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.path,
    model: models.length === 1 ? models[0]! : null,
    errors: notes.errors && { object: 'list', data: notes.errors },
    input_file_id: notes.input_file_id,
    completion_window: notes.completion_window,
    status,
    output_file_id: finishedAt && counts.succeeded > 0 ? notes.output_file_id : null,
    error_file_id: finishedAt && inErrors > 0 ? notes.error_file_id : null,
    created_at: toSeconds(batch.createdAt)!,
    in_progress_at: notes.errors ? null : toSeconds(batch.createdAt),
    expires_at: toSeconds(batch.expiresAt),
    finalizing_at: notes.errors ? null : toSeconds(batch.endedAt),
    completed_at: when('completed', finishedAt),
    failed_at: when('failed', batch.endedAt),
    expired_at: when('expired', finishedAt),
    cancelling_at: closing === 'canceled' ? toSeconds(batch.cancelledAt) : null,
    cancelled_at: when('cancelled', finishedAt),
    request_counts: { total: counts.total, completed: counts.succeeded, failed: counts.errored },
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
    metadata: notes.metadata,
  };
}

function statusOf({ state, closing, finishedAt }: Batch, { errors }: BatchNotes): BatchAnswer['status'] {
  if (errors !== null) return 'failed';
  // Until its files are written it is not over, whatever ended it.
  if (state !== 'ended' || finishedAt === null) {
    if (closing === 'canceled') return 'cancelling';
    return closing === 'expired' || state === 'ended' ? 'finalizing' : 'in_progress';
  }
  if (closing === 'canceled') return 'cancelled';
  return closing === 'expired' ? 'expired' : 'completed';
}

function toSeconds(time: Date | null): number | null {
  return time && Math.floor(time.getTime() / 1_000);
}

const notAsked = {
  canceled: { code: 'batch_cancelled', message: 'The batch was cancelled before this request was begun.' },
  expired: { code: 'batch_expired', message: 'The completion window ended before this request was begun.' },
};

/**
 * What came of one request, as a line of the file of results or of errors, with its end. What its route has answered stands
 * in it byte for byte.
 */
export function toResultLine(batchId: string, { position, customId, state, answer }: ItemResult): string {
  const id = `batch_req_${batchId.replace(/^batch_/, '')}${position.toString(16).padStart(6, '0')}`;
  const head = `{"id":"${id}","custom_id":${JSON.stringify(customId)}`;
  if (state === 'canceled' || state === 'expired') {
    return `${head},"response":null,"error":${JSON.stringify(notAsked[state])}}\n`;
  }
  const { status, requestId, body } = answer!;
  return `${head},"response":{"status_code":${status},"request_id":${JSON.stringify(requestId)},"body":${body}},"error":null}\n`;
}
