import { z } from 'zod';
import { toolCall } from '../chat/schema.ts';

/** Answers, chunks and errors of the OpenAI dialect. */

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const usage = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: z.object({ cached_tokens: count }),
    completion_tokens_details: z.object({ reasoning_tokens: count }),
  })
  .meta({ id: 'CompletionUsage' });

const finishReason = z.enum(['stop', 'length', 'tool_calls']);

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

export const chatAnswer = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: count,
    model: z.string(),
    choices: z.array(
      z.object({
        index: count,
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).optional(),
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
        }),
        logprobs: chatLogprobs.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usage.nullable().optional(),
  })
  .meta({ id: 'ChatCompletionChunk' });

export const completionAnswer = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: count,
    model: z.string(),
    choices: z.array(
      z.object({
        index: count,
        text: z.string(),
        logprobs: completionLogprobs.nullable(),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usage.nullable().optional(),
  })
  .meta({ id: 'Completion', description: 'The answer, and each item of its stream.' });

export const openaiModel = z
  .object({ id: z.string(), object: z.literal('model'), created: count, owned_by: z.literal('hearth') })
  .meta({ id: 'OpenAiModel' });

export const openaiModelList = z
  .object({ object: z.literal('list'), data: z.array(openaiModel) })
  .meta({ id: 'OpenAiModelList' });

export const openaiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
    detail: z.string(),
  })
  .meta({ id: 'OpenAiError' });
