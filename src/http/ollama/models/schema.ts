import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';
import { modelFields, needsName } from '../objects/names.ts';

const details = z.object({
  parent_model: z.string(),
  format: z.literal('gguf'),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: z.string(),
  context_length: count.optional(),
  embedding_length: count.optional(),
});

const capability = z.enum(['completion', 'tools', 'thinking', 'embedding']);

const listed = z.object({
  name: z.string(),
  model: z.string(),
  modified_at: timestamp,
  size: count,
  digest: z
    .string()
    .meta({ description: 'Tells versions of a model apart; it is not that of the bytes of its files.' }),
  details,
  capabilities: z.array(capability),
});

export const tagList = z.object({ models: z.array(listed) }).meta({ id: 'OllamaTagList' });

export const runningList = z
  .object({
    models: z.array(
      listed
        .omit({ modified_at: true, capabilities: true })
        .extend({ expires_at: timestamp, size_vram: count, context_length: count }),
    ),
  })
  .meta({ id: 'OllamaRunningList' });

export const showBody = z
  .object({ ...modelFields, verbose: z.boolean().nullish(), system: z.string().nullish() })
  .meta({ id: 'OllamaShowRequest', examples: [{ model: 'default' }], override: needsName });

export const showAnswer = z
  .object({
    modelfile: z.string(),
    parameters: z.string(),
    template: z.string(),
    system: z.string().optional(),
    details,
    model_info: z.record(z.string(), z.unknown()),
    capabilities: z.array(capability),
    modified_at: timestamp,
    tensors: z.array(z.object({ name: z.string(), type: z.string(), shape: z.array(count) })).optional(),
  })
  .meta({ id: 'OllamaShowAnswer' });

export const versionAnswer = z
  .object({
    version: z.string().meta({ description: 'Of Ollama, whose API this follows: clients compare it.' }),
    hearth_version: z.string(),
  })
  .meta({ id: 'OllamaVersion' });

export const statusAnswer = z
  .object({ cloud: z.object({ disabled: z.boolean(), source: z.string() }) })
  .meta({ id: 'OllamaStatus' });
