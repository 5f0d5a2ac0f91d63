import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { modelNameInPath } from '../../fields/model-name.ts';

export const modelPath = z.object({ model: modelNameInPath });

/** What is read of the query. Only Anthropic's list has pages, and only there the values are looked at. */
export const pageQuery = z.object({
  limit: z.string().optional().meta({ description: "At most so many, 1 to 1000; only in Anthropic's shape." }),
  after_id: z.string().optional().meta({ description: "Only models after this one; only in Anthropic's shape." }),
  before_id: z.string().optional().meta({ description: "Only models before this one; only in Anthropic's shape." }),
});

export type PageQuery = z.infer<typeof pageQuery>;

export const strictPageQuery = pageQuery.extend({
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, { error: 'must be a whole number from 1 to 1000' })
    .transform(Number)
    .optional(),
});

/** A model that can be asked for, as far as a list tells of it. */
export interface ListedModel {
  id: string;
  createdAt: Date;
}

const openaiModel = z
  .object({ id: z.string(), object: z.literal('model'), created: count, owned_by: z.literal('hearth') })
  .meta({ id: 'OpenAiModel' });

const anthropicModel = z
  .object({
    type: z.literal('model'),
    id: z.string(),
    display_name: z.string(),
    created_at: z.string().meta({ description: 'ISO 8601, UTC' }),
  })
  .meta({ id: 'AnthropicModel' });

/** One model, in OpenAI's shape or in Anthropic's. */
export const modelAnswer = z.union([openaiModel, anthropicModel]);

/** Models, in OpenAI's shape or in Anthropic's. */
export const modelListAnswer = z.union([
  z.object({ object: z.literal('list'), data: z.array(openaiModel) }).meta({ id: 'OpenAiModelList' }),
  z
    .object({
      data: z.array(anthropicModel),
      has_more: z.boolean(),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
    })
    .meta({ id: 'AnthropicModelList' }),
]);
