import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { modelFields, needsName, streamField } from '../objects/names.ts';
import { optionsField } from '../objects/options.ts';

/** A name to pull may be an address, so it is no model name yet. */
const pullName = z.string().max(1_000).nullish();

export const pullBody = z
  .object({ model: pullName, name: pullName, stream: streamField, insecure: z.boolean().nullish() })
  .meta({ id: 'OllamaPullRequest', examples: [{ model: 'qwen-7b-chat', stream: false }], override: needsName });

export const progressLine = z
  .object({
    status: z.string(),
    digest: z.string().optional(),
    total: count.optional(),
    completed: count.optional(),
  })
  .meta({ id: 'OllamaProgress' });

export const deleteBody = z.object(modelFields).meta({ id: 'OllamaDeleteRequest', override: needsName });

export const copyBody = z
  .object({ source: modelNameField, destination: modelNameField })
  .meta({ id: 'OllamaCopyRequest', examples: [{ source: 'default', destination: 'mine' }] });

/** What is made is kept, and all of it is written with each change. */
const maxSystemCharacters = 64 * 1_024;

const digestPattern = '^sha256[:-][0-9a-f]{64}$';

const noFiles = { anyOf: [{ type: 'null' as const }, { type: 'object' as const, maxProperties: 0 }] };
const oneFile = {
  required: ['files'],
  properties: {
    files: { type: 'object' as const, minProperties: 1, maxProperties: 1 },
    from: { type: 'null' as const },
  },
};

export const createBody = z
  .object({
    ...modelFields,
    from: modelNameField.nullish().meta({ description: 'A model that is here, by any of its names.' }),
    files: z
      .record(
        z.string().max(1_024),
        z
          .string()
          .max(128)
          .meta({ override: { pattern: digestPattern } }),
      )
      .nullish()
      .meta({ description: 'One GGUF file: its name, and the digest by which it was sent to /api/blobs.' }),
    system: z.string().max(maxSystemCharacters).nullish(),
    template: z.string().nullish().meta({ description: 'A chat template in Jinja.' }),
    parameters: optionsField,
    stream: streamField,
    license: z.union([z.string(), z.array(z.string())]).nullish(),
    messages: z
      .array(z.unknown())
      .nullish()
      .meta({ override: { maxItems: 0 } }),
    adapters: z
      .record(z.string(), z.string())
      .nullish()
      .meta({ override: { maxProperties: 0 } }),
    quantize: z
      .string()
      .nullish()
      .meta({ override: { maxLength: 0 } }),
    modelfile: z
      .string()
      .nullish()
      .meta({ override: { maxLength: 0 } }),
  })
  .meta({
    id: 'OllamaCreateRequest',
    examples: [{ model: 'mario', from: 'default', system: 'You are Mario.', stream: false }],
    override: {
      allOf: [
        needsName,
        { oneOf: [{ required: ['from'], properties: { from: { type: 'string' }, files: noFiles } }, oneFile] },
      ],
    },
  });

export type CreateBody = z.infer<typeof createBody>;

export const blobPath = z.object({ digest: z.string().meta({ override: { pattern: digestPattern } }) });
