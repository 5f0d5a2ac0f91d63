import { z } from 'zod';
import { cachePromptField } from '../../fields/cache-prompt.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../../fields/sampling.ts';
import { extraSamplingFields } from '../../fields/sampling-extras.ts';
import { responseFormatField } from './response-format.ts';

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
  logit_bias: extraSamplingFields.logit_bias.nullish(),
  ignore_eos: extraSamplingFields.ignore_eos.nullish(),
  min_tokens: extraSamplingFields.min_tokens.nullish(),
  xtc_probability: extraSamplingFields.xtc_probability.nullish(),
  xtc_threshold: extraSamplingFields.xtc_threshold.nullish(),
  dry_multiplier: extraSamplingFields.dry_multiplier.nullish(),
  dry_base: extraSamplingFields.dry_base.nullish(),
  dry_allowed_length: extraSamplingFields.dry_allowed_length.nullish(),
  dry_penalty_last_n: extraSamplingFields.dry_penalty_last_n.nullish(),
  dry_sequence_breakers: extraSamplingFields.dry_sequence_breakers.nullish(),
  max_tokens: maxTokensField.nullish(),
  stop: stopField.nullish(),
  n: z.int().min(1).max(8).nullish().meta({ description: 'How many answers; the prompt is computed once.' }),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  keep_alive: keepAliveField.nullish(),
  cache_prompt: cachePromptField.nullish(),
};

const templateOptions = z
  .record(z.string().max(64), z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]))
  .refine((options) => Object.keys(options).length <= 16, { error: 'has more than 16 entries' })
  .meta({ description: "Switches of the model's own chat template, such as enable_thinking." });

export const chatBody = z
  .object({
    ...common,
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

export const completionBody = z
  .object({
    ...common,
    prompt: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(65_536)]).meta({
      description: 'Text to continue, as a string or an array of one string. Token arrays: not supported yet.',
    }),
    max_tokens: maxTokensField.nullish().meta({ description: 'At most this many tokens; 16 when left out.' }),
    echo: z.boolean().nullish().meta({ description: 'Not supported.' }),
    suffix: z.string().nullish().meta({ description: 'Not supported.' }),
    best_of: z.int().min(1).max(128).nullish().meta({ description: 'Only the same as n.' }),
    logprobs: z
      .int()
      .min(0)
      .max(5)
      .nullish()
      .meta({ description: 'Log probabilities of the tokens, and so many of the likeliest at each place.' }),
  })
  .meta({ id: 'CompletionRequest', examples: [{ model: 'default', prompt: 'Once upon a time', max_tokens: 32 }] });

export type CompletionBody = z.infer<typeof completionBody>;

export const modelPath = z.object({
  model: z.string().meta({ description: 'Name or alias; a slash in it is written %2F.' }),
});
