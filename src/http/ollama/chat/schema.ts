import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';
import { logprobs, timings } from '../objects/answer-schema.ts';
import { commonFields, loneLogprobs } from '../objects/wishes.ts';

const call = z.object({
  id: z.string().nullish(),
  function: z.object({
    index: z.number().nullish(),
    name: z.string(),
    arguments: z.record(z.string(), z.unknown()).nullish(),
  }),
});

const message = z
  .object({
    role: z.enum(['system', 'user', 'assistant', 'tool'], { error: 'must be one of system, user, assistant, tool' }),
    content: z.string().nullish(),
    thinking: z.string().nullish(),
    images: z.array(z.string()).max(64).nullish().meta({ description: 'Base64; for models that read images.' }),
    tool_calls: z.array(call).max(1024).nullish(),
    tool_name: z.string().nullish(),
    tool_call_id: z.string().nullish(),
  })
  .meta({ id: 'OllamaMessage' });

const tool = z.object({
  type: z.literal('function', { error: 'only "function" is supported' }).nullish(),
  function: z.object({
    name: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'only letters, digits, _ and - are allowed, 1 to 64 of them' }),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
});

export const chatBody = z
  .object({
    ...commonFields,
    messages: z
      .array(message)
      .max(4096)
      .nullish()
      .meta({ description: 'None: the model is loaded, or unloaded with "keep_alive": 0.' }),
    tools: z.array(tool).max(128).nullish(),
  })
  .meta({
    id: 'OllamaChatRequest',
    override: loneLogprobs,
    examples: [{ model: 'default', messages: [{ role: 'user', content: 'What is Hearth?' }], stream: false }],
  });

export type ChatBody = z.infer<typeof chatBody>;
export type ChatBodyMessage = NonNullable<ChatBody['messages']>[number];

/** A line of the stream, or the whole answer. */
export const chatLine = z
  .object({
    model: z.string(),
    created_at: timestamp,
    message: z.object({
      role: z.literal('assistant'),
      content: z.string(),
      thinking: z.string().optional(),
      tool_calls: z
        .array(
          z.object({
            id: z.string(),
            function: z.object({ index: count, name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
          }),
        )
        .optional(),
    }),
    done: z.boolean(),
    done_reason: z.enum(['stop', 'length', 'load', 'unload']).optional(),
    logprobs: logprobs.optional(),
    ...timings,
  })
  .meta({ id: 'OllamaChatLine' });
