import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { anthropicError } from '../objects/answer-schema.ts';

const textBlock = z.object({ type: z.literal('text'), text: z.string(), citations: z.array(z.unknown()).nullable() });
const thinkingBlock = z.object({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: z.string().meta({ description: 'Opaque; those of this server begin with "hearth-".' }),
});
const redactedThinking = z.object({ type: z.literal('redacted_thinking'), data: z.string() });
const toolUse = z.object({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  caller: z.object({ type: z.literal('direct') }),
});
const otherBlock = z
  .looseObject({ type: z.string() })
  .meta({ description: "Blocks of Anthropic's own service, as they came." });
const block = z.union([textBlock, thinkingBlock, redactedThinking, toolUse, otherBlock]);

export type MessageBlock = z.infer<typeof block>;

const detailedOutput = z.object({ thinking_tokens: count });
const usage = z
  .object({
    input_tokens: count.meta({ description: 'Tokens of the prompt that were read, without those of both caches.' }),
    cache_creation_input_tokens: count,
    cache_read_input_tokens: count.meta({ description: 'Tokens of the prompt that did not have to be read again.' }),
    cache_creation: z.object({ ephemeral_5m_input_tokens: count, ephemeral_1h_input_tokens: count }),
    output_tokens: count,
    output_tokens_details: detailedOutput,
    server_tool_use: z.null(),
    service_tier: z.null(),
    speed: z.null(),
    inference_geo: z.null(),
  })
  .meta({ id: 'AnthropicUsage' });

const stopFields = {
  stop_reason: z
    .enum([
      'end_turn',
      'max_tokens',
      'stop_sequence',
      'tool_use',
      'pause_turn',
      'refusal',
      'model_context_window_exceeded',
    ])
    .nullable(),
  stop_sequence: z.string().nullable(),
  stop_details: z.object({ type: z.literal('refusal'), category: z.null(), explanation: z.null() }).nullable(),
};

const contextManagement = z
  .object({
    applied_edits: z.array(
      z.object({
        type: z.string(),
        cleared_tool_uses: count.optional(),
        cleared_thinking_turns: count.optional(),
        cleared_input_tokens: count,
      }),
    ),
  })
  .optional()
  .meta({ description: 'Where the request has it.' });

export const messageAnswer = z
  .object({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(block),
    ...stopFields,
    container: z.null(),
    diagnostics: z.null(),
    usage,
    context_management: contextManagement,
  })
  .meta({ id: 'AnthropicMessage' });

const delta = z.union([
  z.object({ type: z.literal('text_delta'), text: z.string() }),
  z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
  z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.object({ type: z.literal('signature_delta'), signature: z.string() }),
]);

/** Any event of the stream; the record's `event` is its `type`. */
export const messageEvent = z
  .union([
    z.object({ type: z.literal('message_start'), message: messageAnswer }),
    z.object({ type: z.literal('content_block_start'), index: count, content_block: block }),
    z.object({ type: z.literal('content_block_delta'), index: count, delta }),
    z.object({ type: z.literal('content_block_stop'), index: count }),
    z.object({
      type: z.literal('message_delta'),
      delta: z.object({ ...stopFields, container: z.null() }),
      usage: usage.pick({
        input_tokens: true,
        cache_creation_input_tokens: true,
        cache_read_input_tokens: true,
        output_tokens: true,
        output_tokens_details: true,
        server_tool_use: true,
      }),
      context_management: contextManagement,
    }),
    z.object({ type: z.literal('message_stop') }),
    z.object({ type: z.literal('ping') }),
    anthropicError,
  ])
  .meta({ id: 'AnthropicMessageEvent' });

/** What records are called: each as its `type`. */
export const messageEventName = z.enum([
  'message_start',
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
  'ping',
  'error',
]);
