import { z } from 'zod';
import { modelNameField } from '../../fields/model-name.ts';

const cacheControl = z.object({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).nullish() }).meta({
  description: 'Needs no mark here: whatever was read before is found again. The usage tells how much it was.',
});

/** Blocks are looked at in `blocks.ts`, where an error can name the place. */
const block = z
  .looseObject({ type: z.string().max(64), cache_control: cacheControl.nullish() })
  .meta({ description: 'text, thinking, tool_use, tool_result, document and the other blocks of the API.' });

const content = z.union([z.string(), z.array(block)]);

const message = z
  .object({
    role: z.enum(['user', 'assistant', 'system'], { error: 'role must be one of user, assistant, system' }),
    content,
  })
  .meta({ id: 'AnthropicMessageParam' });

/** What kind of tool it is, and whether its name may be, is looked at in `tools.ts`. */
const tool = z
  .looseObject({
    type: z.string().max(64).nullish(),
    name: z.string().nullish(),
    description: z.string().nullish(),
    input_schema: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
    input_examples: z.array(z.record(z.string(), z.unknown())).max(32).nullish(),
    eager_input_streaming: z.boolean().nullish(),
    cache_control: cacheControl.nullish(),
  })
  .meta({ id: 'AnthropicTool' });

const parallel = { disable_parallel_tool_use: z.boolean().nullish() };
const toolChoice = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auto'), ...parallel }),
  z.object({ type: z.literal('any'), ...parallel }),
  z.object({ type: z.literal('tool'), name: z.string(), ...parallel }),
  z.object({ type: z.literal('none') }),
]);

const display = { display: z.enum(['summarized', 'omitted']).nullish() };
const thinking = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('enabled'),
      budget_tokens: z.int().min(1_024).meta({ description: 'The model is made to stop thinking here.' }),
      ...display,
    }),
    z.object({ type: z.literal('adaptive'), ...display }),
    z.object({ type: z.literal('between_tools') }),
    z.object({ type: z.literal('disabled') }),
  ])
  .meta({ description: 'Left out: as disabled.' });

const outputFormat = z
  .object({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })
  .meta({ description: 'The answer is held to the schema; what cannot be kept is refused.' });

const outputConfig = z.object({
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
  format: outputFormat.nullish(),
});

const count = z.int().min(0);
const inputTokens = z.object({ type: z.literal('input_tokens'), value: count });
const toolUses = z.object({ type: z.literal('tool_uses'), value: count });
const clearToolUses = z.object({
  type: z.literal('clear_tool_uses_20250919'),
  trigger: z.discriminatedUnion('type', [inputTokens, toolUses]).nullish(),
  keep: toolUses.nullish(),
  clear_at_least: inputTokens.nullish(),
  exclude_tools: z.array(z.string()).max(1_024).nullish(),
  clear_tool_inputs: z.union([z.boolean(), z.array(z.string()).max(1_024)]).nullish(),
});
const clearThinking = z.object({
  type: z.literal('clear_thinking_20251015'),
  keep: z
    .union([
      z.literal('all'),
      z.object({ type: z.literal('all') }),
      z.object({ type: z.literal('thinking_turns'), value: z.int().min(1) }),
    ])
    .nullish(),
});
const contextManagement = z.object({
  edits: z
    .array(
      z.discriminatedUnion('type', [clearToolUses, clearThinking], {
        error: 'only clear_tool_uses_20250919 and clear_thinking_20251015 are supported',
      }),
    )
    // Each is counted before and behind it.
    .max(4)
    .nullish(),
});

export type ContextEdit = NonNullable<z.infer<typeof contextManagement>['edits']>[number];

/** Fields of a conversation, in a request for an answer and in one for its size. */
export const conversationFields = {
  model: modelNameField,
  messages: z.array(message).min(1).max(10_000),
  system: content.nullish().meta({ description: 'Text, or blocks of text.' }),
  tools: z.array(tool).max(1_024).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: thinking.nullish(),
  output_config: outputConfig.nullish(),
  output_format: outputFormat.nullish().meta({ description: 'The older name of output_config.format.' }),
  context_management: contextManagement.nullish(),
  cache_control: cacheControl.nullish(),
};

export const conversationBody = z.object(conversationFields);

export type ConversationBody = z.infer<typeof conversationBody>;
export type BodyMessage = ConversationBody['messages'][number];
export type BodyContent = BodyMessage['content'];
export type BodyBlock = Exclude<BodyContent, string>[number];
export type BodyTool = NonNullable<ConversationBody['tools']>[number];
