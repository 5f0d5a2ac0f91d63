import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { finishReason, promptProgress, systemFingerprint, usage } from '../objects/answer-schema.ts';

const completionLogprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number()),
    top_logprobs: z.array(z.record(z.string(), z.number())),
    text_offset: z
      .array(count)
      .meta({ description: 'Where each token begins in the text of its choice, in characters.' }),
  })
  .meta({ id: 'CompletionLogprobs' });

export const completionAnswer = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: count,
    model: z.string(),
    system_fingerprint: systemFingerprint,
    choices: z.array(
      z.object({
        index: count,
        text: z.string(),
        logprobs: completionLogprobs.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usage.nullable().optional(),
    prompt_progress: promptProgress,
  })
  .meta({ id: 'Completion', description: 'The answer, and each item of its stream.' });
