import { z } from 'zod';
import { needsTrue } from '../../fields/exclusions.ts';
import { commonFields, openMaxTokens } from '../objects/common-fields.ts';

/** What a part holds is looked at in `content.ts`, where the error can name it. */
const contentPart = z
  .looseObject({ type: z.string().max(64), text: z.string().optional() })
  .meta({ description: '{"type":"text","text":…}; images, audio and files are for models that read them.' });

const content = z.union([z.string(), z.array(contentPart).max(1024)]);

/** What can be read of the parts of others than the assistant; `to-core.ts` names the part that cannot. */
const readPart = contentPart.meta({
  override: { properties: { type: { const: 'text' }, text: { type: 'string' } }, required: ['type', 'text'] },
});
const readContent = z.union([z.string(), z.array(readPart).max(1024)]);

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'only letters, digits, _ and - are allowed, 1 to 64 of them' });

/** A call as answers hold it. */
export const toolCall = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.object({ name: toolName, arguments: z.string().meta({ description: 'A JSON object as text.' }) }),
});

/** What a call of an earlier turn was; some services send the arguments as an object, some without an id. */
const calledFunction = z.object({
  name: z.string(),
  arguments: z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .nullish()
    .meta({ description: 'As the model wrote them; what is no JSON object is shown to the model as it is.' }),
});

const earlierFunctionCall = z.object({
  id: z.string().nullish(),
  type: z.literal('function').nullish(),
  function: calledFunction,
});

const earlierCustomCall = z.object({
  id: z.string().nullish(),
  type: z.literal('custom'),
  custom: z.object({ name: z.string(), input: z.string() }),
});

/** A call without a type is one of a function. */
const earlierCall = z.union([earlierFunctionCall, earlierCustomCall]);

const participant = z.string().max(256).nullish().meta({ description: 'Ignored: templates have no place for it.' });

const message = z
  .discriminatedUnion(
    'role',
    [
      z.object({ role: z.literal('system'), content: readContent.nullable(), name: participant }),
      z.object({ role: z.literal('developer'), content: readContent.nullable(), name: participant }),
      z.object({ role: z.literal('user'), content: readContent.nullable(), name: participant }),
      z.object({
        role: z.literal('assistant'),
        content: content.nullish(),
        name: participant,
        refusal: z.string().nullish(),
        audio: z.unknown().optional().meta({ description: 'Ignored: what was said stands in content.' }),
        reasoning_content: z.string().nullish(),
        tool_calls: z.array(earlierCall).max(1024).nullish(),
        function_call: calledFunction.nullish(),
      }),
      z.object({
        role: z.literal('tool'),
        content: readContent.nullish(),
        tool_call_id: z.string().nullish(),
        name: z.string().nullish(),
      }),
      z.object({ role: z.literal('function'), content: readContent.nullish(), name: z.string().nullish() }),
    ],
    { error: 'role must be one of system, developer, user, assistant, tool, function' },
  )
  .meta({ id: 'ChatMessage' });

/** Where parameters say a type, it lets objects through. */
const objectType = { enum: ['object', ['object'], ['object', 'null'], ['null', 'object']] };

const functionDefinition = z.object({
  name: toolName,
  description: z.string().nullish(),
  parameters: z
    .record(z.string(), z.unknown())
    .nullish()
    .meta({ override: { properties: { type: objectType } } }),
  strict: z.boolean().nullish().meta({ description: 'Arguments keep to their schema, strict or not.' }),
});

const customTool = z.object({
  name: toolName,
  description: z.string().nullish(),
  format: z
    .object({
      type: z.enum(['text', 'grammar']),
      grammar: z.object({ syntax: z.enum(['regex', 'lark']), definition: z.string().min(1).max(65_536) }).optional(),
    })
    .nullish()
    .meta({ description: 'Any text, or one that a regular expression or a grammar in Lark describes.' }),
});

const tool = z
  .discriminatedUnion(
    'type',
    [
      z.object({ type: z.literal('function'), function: functionDefinition }),
      z.object({ type: z.literal('custom'), custom: customTool }),
    ],
    { error: 'only "function" and "custom" are supported' },
  )
  .meta({ id: 'ChatTool' });

const allowedTool = z.union([
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
  z.looseObject({ type: z.literal('custom'), custom: z.looseObject({ name: z.string() }) }),
]);

const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: toolName }) }),
  z.object({ type: z.literal('custom'), custom: z.object({ name: toolName }) }),
  z.object({
    type: z.literal('allowed_tools'),
    allowed_tools: z.object({ mode: z.enum(['auto', 'required']), tools: z.array(allowedTool).min(1).max(128) }),
  }),
]);

/** Fields that change nothing here; their types are looked at, so that a typing mistake shows. */
const ignoredFields = {
  store: z.boolean().nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  safety_identifier: z.string().max(1024).nullish(),
  service_tier: z.string().max(64).nullish(),
  moderation: z.record(z.string(), z.unknown()).nullish(),
  prompt_cache_key: z.string().max(1024).nullish(),
  prompt_cache_options: z.record(z.string(), z.unknown()).nullish(),
  prompt_cache_retention: z.string().max(64).nullish(),
};

/** Names of the fields at the top of a body that are taken and change nothing. */
export const ignoredChatFields = [...Object.keys(ignoredFields), 'user'];

const templateOptions = z
  .record(z.string().max(64), z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]))
  .refine((options) => Object.keys(options).length <= 16, { error: 'has more than 16 entries' })
  .meta({ description: "Switches of the model's own chat template, such as enable_thinking." });

export const chatBody = z
  .object({
    ...commonFields,
    ...ignoredFields,
    messages: z.array(message).min(1).max(4096),
    max_completion_tokens: openMaxTokens,
    tools: z.array(tool).max(128).nullish(),
    tool_choice: toolChoice.nullish(),
    parallel_tool_calls: z
      .boolean()
      .nullish()
      .meta({ description: 'Whether an answer may hold several calls; false ends it with the first.' }),
    functions: z
      .array(functionDefinition)
      .max(128)
      .nullish()
      .meta({ description: "OpenAI's older form of tools; the answer then has function_call." }),
    function_call: z.union([z.enum(['auto', 'none']), z.object({ name: toolName })]).nullish(),
    continue_final_message: z
      .boolean()
      .nullish()
      .meta({ description: "The answer goes on where the last message, an assistant's, ends." }),
    add_generation_prompt: z.boolean().nullish().meta({ description: 'false: only with continue_final_message.' }),
    reasoning_effort: z
      .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
      .nullish()
      .meta({ description: 'none: no thinking; levels where the template of the model knows them.' }),
    verbosity: z
      .enum(['low', 'medium', 'high'])
      .nullish()
      .meta({ description: 'low, high: a sentence at the end of the instructions asks for it.' }),
    prediction: z
      .object({ type: z.literal('content'), content })
      .nullish()
      .meta({ description: 'Text that the answer will mostly repeat: makes it faster, never another one.' }),
    modalities: z
      // `to-core.ts` says what is wrong with others.
      .array(
        z
          .string()
          .max(64)
          .meta({ override: { const: 'text' } }),
      )
      .max(8)
      .nullish()
      .meta({ description: 'Answers are text: anything else is refused.' }),
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
    override: {
      allOf: [
        needsTrue('top_logprobs', [null, 0], 'logprobs'),
        needsTrue('add_generation_prompt', [null, true], 'continue_final_message'),
      ],
    },
    examples: [{ model: 'default', messages: [{ role: 'user', content: 'What is Hearth?' }], temperature: 0 }],
  });

export type ChatBody = z.infer<typeof chatBody>;
export type ChatBodyMessage = ChatBody['messages'][number];
