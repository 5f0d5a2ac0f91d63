import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';

const lifecycle = z.union([z.string(), z.array(z.string())]).optional();

/** What is read of the query. Only Anthropic's list has pages, and only there the values are looked at. */
export const pageQuery = z.object({
  limit: z.string().optional().meta({ description: "At most so many, 1 to 1000; only in Anthropic's shape." }),
  after_id: z.string().optional().meta({ description: "Only models after this one; only in Anthropic's shape." }),
  before_id: z.string().optional().meta({ description: "Only models before this one; only in Anthropic's shape." }),
  'lifecycle[]': lifecycle.meta({
    description: "Only models of these states; only in Anthropic's shape. All of this server are active.",
  }),
});

export type PageQuery = z.infer<typeof pageQuery>;

export const strictPageQuery = pageQuery.extend({
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, { error: 'must be a whole number from 1 to 1000' })
    .transform(Number)
    .optional(),
});

const supported = z.object({ supported: z.boolean() });

export const anthropicModel = z
  .object({
    type: z.literal('model'),
    id: z.string(),
    display_name: z.string(),
    provider: z.string().meta({ description: 'local: this machine.' }),
    created_at: z.string().meta({ description: 'ISO 8601, UTC' }),
    max_input_tokens: count.nullable(),
    max_tokens: count.nullable(),
    lifecycle: z.literal('active'),
    line: z.null(),
    deprecated_at: z.null(),
    retires_at: z.null(),
    capabilities: z
      .object({
        batch: supported,
        citations: supported,
        code_execution: supported,
        context_management: supported.extend({
          clear_thinking_20251015: supported,
          clear_tool_uses_20250919: supported,
          compact_20260112: supported,
        }),
        effort: supported.extend({
          low: supported,
          medium: supported,
          high: supported,
          xhigh: supported,
          max: supported,
        }),
        image_input: supported,
        pdf_input: supported,
        server_tools: supported.extend({ code_execution: supported, web_search: supported }),
        structured_outputs: supported,
        thinking: supported.extend({
          types: z.object({
            adaptive: supported,
            between_tools: supported,
            disabled: supported,
            enabled: supported,
          }),
        }),
      })
      .nullable(),
  })
  .meta({ id: 'AnthropicModel' });

export const anthropicModelList = z
  .object({
    data: z.array(anthropicModel),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  })
  .meta({ id: 'AnthropicModelList' });
