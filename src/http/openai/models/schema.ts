import { z } from 'zod';
import { anthropicModel, anthropicModelList } from '../../anthropic/models/models.ts';
import { count } from '../../fields/answer-values.ts';
import { modelNameInPath } from '../../fields/model-name.ts';

export const modelPath = z.object({ model: modelNameInPath });

const openaiModel = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: count,
    owned_by: z.string().meta({ description: 'hearth: a model of this machine; else the provider that has it.' }),
    output_modalities: z
      .array(z.enum(['text', 'decisions', 'embeddings', 'rerank']))
      .meta({ description: 'What comes of asking it; decisions: see /v1/decisions.' }),
  })
  .meta({ id: 'OpenAiModel' });

/** One model, in OpenAI's shape or in Anthropic's. */
export const modelAnswer = z.union([openaiModel, anthropicModel]);

/** Models, in OpenAI's shape or in Anthropic's. */
export const modelListAnswer = z.union([
  z
    .object({
      object: z.literal('list'),
      data: z.array(openaiModel),
      models: z.array(z.looseObject({ slug: z.string() })).meta({ description: 'The same for Codex, in its shape.' }),
    })
    .meta({ id: 'OpenAiModelList' }),
  anthropicModelList,
]);
