import { z } from 'zod';
import { maxTokensField } from '../../fields/sampling.ts';
import { commonFields } from '../objects/common-fields.ts';
import { responseFormatField } from './response-format.ts';

/** Parts other than text are refused in `to-core.ts`, where the error can name the part. */
const contentPart = z
  .looseObject({ type: z.string().max(64), text: z.string().optional() })
  .meta({ description: 'Only {"type":"text","text":…}: local models read text.' });

const content = z.union([z.string(), z.array(contentPart).min(1).max(1024)]);

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'only letters, digits, _ and - are allowed, 1 to 64 of them' });

/** A call as requests and answers hold it. */
export const toolCall = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function', { error: 'only "function" is supported' }),
  function: z.object({ name: toolName, arguments: z.string().meta({ description: 'A JSON object as text.' }) }),
});

const message = z
  .discriminatedUnion(
    'role',
    [
      z.object({ role: z.literal('system'), content }),
      z.object({ role: z.literal('developer'), content }),
      z.object({ role: z.literal('user'), content }),
      z.object({
        role: z.literal('assistant'),
        content: content.nullish(),
        reasoning_content: z.string().nullish(),
        tool_calls: z.array(toolCall).max(128).nullish(),
      }),
      z.object({ role: z.literal('tool'), content, tool_call_id: z.string().min(1).max(256) }),
    ],
    { error: 'role must be one of system, developer, user, assistant, tool' },
  )
  .meta({ id: 'ChatMessage' });

const tool = z
  .object({
    type: z.literal('function', { error: 'only "function" is supported' }),
    function: z.object({
      name: toolName,
      description: z.string().nullish(),
      parameters: z.record(z.string(), z.unknown()).nullish(),
    }),
  })
  .meta({ id: 'ChatTool' });

const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: toolName }) }),
]);

const templateOptions = z
  .record(z.string().max(64), z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]))
  .refine((options) => Object.keys(options).length <= 16, { error: 'has more than 16 entries' })
  .meta({ description: "Switches of the model's own chat template, such as enable_thinking." });

export const chatBody = z
  .object({
    ...commonFields,
    messages: z.array(message).min(1).max(4096),
    max_completion_tokens: maxTokensField.nullish(),
    tools: z.array(tool).max(128).nullish(),
    tool_choice: toolChoice.nullish(),
    response_format: responseFormatField.nullish(),
    chat_template_kwargs: templateOptions.nullish(),
    logprobs: z.boolean().nullish().meta({ description: 'Log probabilities of the tokens of the answer.' }),
    top_logprobs: z
      .int()
      .min(0)
      .max(20)
      .nullish()
      .meta({ description: 'With logprobs: so many of the likeliest tokens at each place.' }),
  })
  .meta({
    id: 'ChatCompletionRequest',
    examples: [{ model: 'default', messages: [{ role: 'user', content: 'What is Hearth?' }], temperature: 0 }],
  });

export type ChatBody = z.infer<typeof chatBody>;
export type ChatBodyMessage = ChatBody['messages'][number];
