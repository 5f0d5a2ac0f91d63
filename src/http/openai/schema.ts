import { z } from 'zod';
import { keepAliveField } from '../keep-alive.ts';
import { modelNameField } from '../model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../sampling.ts';

/**
 * Bodies of the OpenAI dialect. Fields that we do not know are dropped, as compatible servers do, and null means
 * absent. What OpenAI has and we do not yet have is accepted here and refused by name in `to-core.ts`.
 */

/** Parts other than text are refused in `to-core.ts`, where the error can name the part. */
const contentPart = z
  .looseObject({ type: z.string().max(64), text: z.string().optional() })
  .meta({ description: 'Only {"type":"text","text":…}: local models read text.' });

const content = z.union([z.string(), z.array(contentPart).min(1).max(1024)]);

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'only letters, digits, _ and - are allowed, 1 to 64 of them' });

const toolCall = z.object({
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

/** Fields that both endpoints have. */
const common = {
  model: modelNameField.nullish(),
  temperature: samplingFields.temperature.nullish(),
  top_p: samplingFields.top_p.nullish(),
  top_k: samplingFields.top_k.nullish(),
  min_p: samplingFields.min_p.nullish(),
  seed: samplingFields.seed.nullish(),
  repeat_penalty: samplingFields.repeat_penalty.nullish(),
  frequency_penalty: samplingFields.frequency_penalty.nullish(),
  presence_penalty: samplingFields.presence_penalty.nullish(),
  max_tokens: maxTokensField.nullish(),
  stop: stopField.nullish(),
  n: z.int().min(1).max(128).nullish().meta({ description: 'Only 1.' }),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish().meta({ description: 'Not supported yet.' }),
  keep_alive: keepAliveField.nullish(),
};

export const chatBody = z
  .object({
    ...common,
    messages: z.array(message).min(1).max(4096),
    max_completion_tokens: maxTokensField.nullish(),
    tools: z.array(tool).max(128).nullish(),
    tool_choice: toolChoice.nullish(),
    response_format: z
      .looseObject({ type: z.string().max(64) })
      .nullish()
      .meta({ description: 'Only {"type":"text"}.' }),
    logprobs: z.boolean().nullish().meta({ description: 'Not supported yet.' }),
    top_logprobs: z.int().min(0).max(20).nullish().meta({ description: 'Not supported yet.' }),
  })
  .meta({
    id: 'ChatCompletionRequest',
    examples: [{ model: 'default', messages: [{ role: 'user', content: 'What is Hearth?' }], temperature: 0 }],
  });

export type ChatBody = z.infer<typeof chatBody>;
export type ChatBodyMessage = ChatBody['messages'][number];

export const completionBody = z
  .object({
    ...common,
    prompt: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(65_536)]).meta({
      description: 'Text to continue, as a string or an array of one string. Token arrays: not supported yet.',
    }),
    max_tokens: maxTokensField.nullish().meta({ description: 'At most this many tokens; 16 when left out.' }),
    echo: z.boolean().nullish().meta({ description: 'Not supported.' }),
    suffix: z.string().nullish().meta({ description: 'Not supported.' }),
    best_of: z.int().min(1).max(128).nullish().meta({ description: 'Only 1.' }),
    logprobs: z.int().min(0).max(5).nullish().meta({ description: 'Not supported yet.' }),
  })
  .meta({ id: 'CompletionRequest', examples: [{ model: 'default', prompt: 'Once upon a time', max_tokens: 32 }] });

export type CompletionBody = z.infer<typeof completionBody>;

export const modelPath = z.object({
  model: z.string().meta({ description: 'Name or alias; a slash in it is written %2F.' }),
});

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
        logprobs: z.null(),
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
        logprobs: z.null(),
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
      z.object({ index: count, text: z.string(), logprobs: z.null(), finish_reason: finishReason.nullable() }),
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
