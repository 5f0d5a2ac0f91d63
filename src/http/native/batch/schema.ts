import { z } from 'zod';
import { generateAnswer, promptFields } from '../generate/generate.ts';
import type { NativeMount } from '../mounts/mounts.ts';

/** As many as one completion request takes. */
const maxRequests = 256;

/** One request of a batch: a generation that is not streamed. */
export const batchItem = z.strictObject(promptFields);

/** The items are looked at one by one in `batch.ts`: what is wrong with one is its own result. */
export const batchBody = z
  .strictObject({
    requests: z
      .array(z.unknown())
      .min(1)
      .max(maxRequests)
      .meta({
        description: `At most ${maxRequests}; each has the fields of GenerateRequest but "stream".`,
        override: {
          items: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' } } },
        },
      }),
  })
  .meta({
    id: 'BatchRequest',
    examples: [{ requests: [{ prompt: 'Question 1', max_tokens: 100 }, { prompt: 'Question 2' }] }],
  });

/** Results in the order of the requests; one that failed is the error that it alone would have had. */
export function batchAnswer({ errorSchema }: NativeMount) {
  return z.object({ results: z.array(z.union([generateAnswer, errorSchema])) });
}
