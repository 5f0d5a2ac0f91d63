import { z } from 'zod';
import { cachePromptField } from '../../fields/cache-prompt.ts';
import { isGiven } from '../../fields/exclusions.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../../fields/sampling.ts';
import { moreSamplingFields } from '../objects/common-fields.ts';

/** Items are checked in `items.ts`, each by the schema of its type, where an error can name it. */
const item = z.looseObject({ type: z.string().max(64).nullish() }).meta({
  description: 'A message, a call, the output of a call, reasoning, a compaction or a reference to an item.',
});

const inputField = z.union([z.string(), z.array(item).max(4096)]);

/** Kinds that are not run here are refused in `tools.ts`, by name. */
const tool = z.looseObject({ type: z.string().max(64) }).meta({ id: 'ResponseTool' });

const toolChoice = z.union([z.enum(['auto', 'none', 'required']), z.looseObject({ type: z.string().max(64) })]);

export const textFormat = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  name: z.string().max(256).nullish(),
  description: z.string().nullish(),
  schema: z.unknown().optional(),
  strict: z.boolean().nullish(),
});

export const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;

export const reasoningField = z.looseObject({
  effort: z
    .enum(efforts)
    .nullish()
    .meta({ description: 'none: no reasoning; all others: reasoning, as much as the model likes.' }),
  summary: z
    .enum(['auto', 'concise', 'detailed', 'none'])
    .nullish()
    .meta({ description: 'Given: the reasoning comes as a summary, whole; else as reasoning text.' }),
});

export const textField = z.looseObject({
  format: textFormat.nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
});

/** Fields that are checked and change nothing; they are named in `x-hearth-ignored`. */
export const ignoredFields = [
  'max_tool_calls',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'user',
  'stream_options',
  'moderation',
  'access_programs',
  'image',
  'background_options',
] as const;

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((labels) => Object.keys(labels).length <= 16, { error: 'has more than 16 entries' });

const templateOptions = z
  .record(z.string().max(64), z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]))
  .refine((options) => Object.keys(options).length <= 16, { error: 'has more than 16 entries' })
  .meta({ description: "Switches of the model's own chat template, such as enable_thinking." });

/** What decides the prompt: the body of `/responses/input_tokens`, and part of that of `/responses`. */
const promptFields = {
  model: modelNameField.nullish(),
  instructions: z
    .string()
    .nullish()
    .meta({ description: 'Stands before everything else; not taken over by the next response.' }),
  previous_response_id: z
    .string()
    .max(256)
    .nullish()
    .meta({ description: 'Its input and its output come before this input.' }),
  tools: z.array(tool).max(128).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: reasoningField.nullish(),
  text: textField.nullish(),
  truncation: z
    .enum(['auto', 'disabled'])
    .nullish()
    .meta({ description: 'auto: the oldest turns are left out where the context has no room for them.' }),
  chat_template_kwargs: templateOptions.nullish(),
  conversation: z
    .unknown()
    .optional()
    .meta({ description: 'There are no conversations: refused.', override: { type: 'null' } }),
};

export const inputTokensBody = z
  .object({ ...promptFields, input: inputField.nullish() })
  .meta({ id: 'ResponseInputTokensRequest' });

export const compactBody = z
  .object({
    model: modelNameField.nullish(),
    input: inputField.nullish(),
    instructions: promptFields.instructions,
    previous_response_id: promptFields.previous_response_id,
    prompt_cache_key: z.string().nullish(),
    prompt_cache_options: z.looseObject({}).nullish(),
    prompt_cache_retention: z.string().nullish(),
    service_tier: z.string().nullish(),
    image: z.looseObject({}).nullish(),
  })
  .meta({
    id: 'ResponseCompactRequest',
    override: { anyOf: [isGiven('input', []), isGiven('previous_response_id', '')] },
  });

export const responseBody = z
  .object({
    ...promptFields,
    input: inputField,
    max_output_tokens: maxTokensField.nullish().meta({ description: 'Reasoning counts.' }),
    temperature: samplingFields.temperature.nullish(),
    top_p: samplingFields.top_p.nullish(),
    top_logprobs: z
      .int()
      .min(0)
      .max(20)
      .nullish()
      .meta({ description: 'With include of message.output_text.logprobs.' }),
    include: z.array(z.string().max(128)).max(32).nullish().meta({
      description: '"reasoning.encrypted_content" and "message.output_text.logprobs"; others change nothing.',
    }),
    store: z
      .boolean()
      .nullish()
      .meta({ description: 'true is the default: the response can be asked for again, and be gone on from.' }),
    background: z.boolean().nullish().meta({
      description: 'Answers at once with the status queued; ask for the response again, or follow its stream.',
    }),
    metadata: metadata.nullish(),
    stream: z.boolean().nullish(),
    prompt: z
      .unknown()
      .optional()
      .meta({ description: 'Stored prompts: refused.', override: { type: 'null' } }),
    context_management: z
      .unknown()
      .optional()
      .meta({
        description: 'Refused: see truncation, and /responses/compact.',
        override: { anyOf: [{ type: 'null' }, { type: 'array', maxItems: 0 }] },
      }),
    max_tool_calls: z.int().min(1).nullish(),
    prompt_cache_key: z.string().nullish(),
    prompt_cache_options: z.looseObject({}).nullish(),
    prompt_cache_retention: z.string().nullish(),
    safety_identifier: z.string().nullish(),
    service_tier: z.string().nullish(),
    user: z.string().nullish(),
    stream_options: z.looseObject({}).nullish(),
    moderation: z.looseObject({}).nullish(),
    access_programs: z.looseObject({}).nullish(),
    image: z.looseObject({}).nullish(),
    background_options: z.looseObject({}).nullish(),
    ...moreSamplingFields,
    stop: stopField.nullish(),
    keep_alive: keepAliveField.nullish(),
    cache_prompt: cachePromptField.nullish(),
  })
  .meta({
    id: 'ResponseRequest',
    examples: [{ model: 'default', input: 'What is Hearth?', temperature: 0 }],
  });

export type ResponseRequest = z.infer<typeof responseBody>;
export type CompactRequest = z.infer<typeof compactBody>;
/** What decides the prompt, of whichever body. */
export type PromptRequest = Omit<z.infer<typeof inputTokensBody>, 'input'>;
export type InputItem = z.infer<typeof item>;
export type BodyTool = z.infer<typeof tool>;
