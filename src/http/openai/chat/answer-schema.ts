import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { finishReason, promptProgress, serviceTier, systemFingerprint, usage } from '../objects/answer-schema.ts';
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

const customCall = z.object({
  id: z.string(),
  type: z.literal('custom'),
  custom: z.object({ name: z.string(), input: z.string() }),
});

const urlCitation = z.object({
  type: z.literal('url_citation'),
  url_citation: z.object({ start_index: count, end_index: count, title: z.string(), url: z.string() }),
});

export const chatAnswer = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: count,
    model: z.string(),
    service_tier: serviceTier,
    system_fingerprint: systemFingerprint,
    choices: z.array(
      z.object({
        index: count,
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          annotations: z.array(urlCitation),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(z.union([toolCall, customCall])).optional(),
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
    service_tier: serviceTier,
    system_fingerprint: systemFingerprint,
    choices: z.array(
      z.object({
        index: count,
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          refusal: z.null().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z
            .array(
              z.object({
                index: count,
                id: z.string().optional(),
                type: z.enum(['function', 'custom']).optional(),
                function: z.object({ name: z.string().optional(), arguments: z.string() }).optional(),
                custom: z.object({ name: z.string().optional(), input: z.string() }).optional(),
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
