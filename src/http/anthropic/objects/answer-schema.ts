import { z } from 'zod';
import { workErrorAnswers as sharedWorkErrors } from '../../mount/describe.ts';

export const anthropicError = z
  .object({
    type: z.literal('error'),
    error: z.object({
      type: z.string().meta({ examples: ['invalid_request_error'] }),
      message: z.string(),
      details: z.looseObject({ error_code: z.string(), field: z.string().optional() }),
    }),
    request_id: z.string().nullable(),
  })
  .meta({ id: 'AnthropicError' });

/** As for all dialects, but what passes by itself is a 529 here. */
export function workErrorAnswers<Schema extends z.ZodType>(schema: Schema) {
  const { 503: notNow, ...others } = sharedWorkErrors(schema);
  return { ...others, 529: notNow };
}
