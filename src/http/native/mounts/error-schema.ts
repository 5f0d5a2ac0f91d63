import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';

export const nativeError = z
  .object({
    error: z.object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) }),
  })
  .meta({ id: 'Error' });

export const apiError = z
  .object({
    error: z.string(),
    detail: z.string(),
    status_code: count,
    request_id: z.string(),
    timestamp,
    code: z.string(),
    field: z.string().optional(),
    retry_after: count.optional(),
    provider: z.string().optional(),
    remaining: z.record(z.string(), z.unknown()).optional(),
    providers_tried: z.array(z.string()).optional(),
    errors: z.record(z.string(), z.string()).optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ApiError' });
