import { z } from 'zod';
import type { BatchView } from './client.ts';

/** What commands read of `/v1/files` and `/v1/batches`; all of a batch is kept for `--json`. */

export const batchesPath = '/v1/batches';
export const batchPath = (id: string) => `${batchesPath}/${encodeURIComponent(id)}`;
export const statusPath = (id: string) => `/status/${encodeURIComponent(id)}`;
export const filesPath = '/v1/files';
export const contentPath = (fileId: string) => `${filesPath}/${encodeURIComponent(fileId)}/content`;

export const sentFile = z.object({ id: z.string() });

const count = z.number();

export const batchView: z.ZodType<BatchView> = z.looseObject({
  id: z.string(),
  status: z.string(),
  endpoint: z.string(),
  created_at: count,
  expires_at: count.nullable(),
  request_counts: z.object({ total: count, completed: count, failed: count }),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  errors: z
    .object({
      data: z.array(z.object({ line: count.nullable(), message: z.string(), param: z.string().nullable() })),
    })
    .nullable(),
});

export const batchViews = z
  .object({ data: z.array(batchView), has_more: z.boolean(), last_id: z.string().nullable() })
  .transform(({ data, has_more, last_id }) => ({ batches: data, next: has_more ? last_id : null }));

/** Older servers leave some of it out. */
export const batchStatus = z.object({
  progress: z.looseObject({
    paused: z.string().nullable().default(null),
    cloud: z.object({ requests: count, most_usd: count.nullable() }).nullable().default(null),
  }),
});

/** A line of a file of results or of errors. */
export const resultLine = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: count, body: z.record(z.string(), z.unknown()) }).nullable(),
  error: z.object({ message: z.string() }).nullable(),
});

/** Why a request has no answer; null: it has one. */
export function failureOf({ response, error }: z.infer<typeof resultLine>): string | null {
  if (response === null) return error?.message ?? 'It was not answered.';
  if (response.status_code < 400) return null;
  const failure = z.object({ error: z.object({ message: z.string() }) }).safeParse(response.body);
  return failure.success ? failure.data.error.message : `It was answered with status ${response.status_code}.`;
}
