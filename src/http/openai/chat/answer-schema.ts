import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { finishReason, promptProgress, systemFingerprint, usage } from '../objects/answer-schema.ts';
import { toolCall } from './schema.ts';

const tokenChoice = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int().min(0).max(255)),
});

const chatLogprobs = z
  .object({
    content: z.array(tokenChoice.extend({ top_logprobs: z.array(tokenChoice) })),
    refusal: z.null(),
  })
  .meta({ id: 'ChatLogprobs' });

export const chatAnswer = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: count,
    model: z.string(),
    system_fingerprint: systemFingerprint,
    choices: z.array(
      z.object({
        index: count,
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).optional(),
          function_call: toolCall.shape.function.optional(),
        }),
        logprobs: chatLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
    usage: usage.nullable(),
  })
  .meta({ id: 'ChatCompletion' });

export const chatChunk = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: count,
    model: z.string(),
    system_fingerprint: systemFingerprint,
    choices: z.array(
      z.object({
        index: count,
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z
            .array(
              z.object({
                index: count,
                id: z.string().optional(),
                type: z.literal('function').optional(),
                function: z.object({ name: z.string().optional(), arguments: z.string() }),
              }),
            )
            .optional(),
          function_call: z.object({ name: z.string().optional(), arguments: z.string() }).optional(),
        }),
        logprobs: chatLogprobs.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usage.nullable().optional(),
    prompt_progress: promptProgress,
  })
  .meta({ id: 'ChatCompletionChunk' });
