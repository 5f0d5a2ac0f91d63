import { z } from 'zod';
import type { OutputFormat, SchemaLabels } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';

/**
 * What the text of an answer must be. `schema` beside json_object is llama.cpp's way to say it; to drop it in silence
 * would give an answer that does not keep to it.
 */
const responseFormatField = z
  .object({
    type: z.enum(['text', 'json_object', 'json_schema']),
    json_schema: z
      .object({
        name: z.string().max(256).nullish(),
        description: z.string().nullish(),
        schema: z.unknown().optional(),
        strict: z.boolean().nullish(),
      })
      .nullish(),
    schema: z.unknown().optional(),
  })
  .meta({
    id: 'ResponseFormat',
    description: 'json_schema holds the answer to `json_schema.schema`, strict or not; what cannot be kept is refused.',
    examples: [{ type: 'json_object' }],
  });

/** What binds the text of an answer, under OpenAI's name and under llama.cpp's. */
export const formatFields = {
  response_format: responseFormatField.nullish(),
  json_schema: z
    .record(z.string(), z.unknown())
    .nullish()
    .meta({ description: 'A JSON Schema that the answer keeps to, as llama.cpp has it.' }),
  grammar: z
    .string()
    .nullish()
    .meta({ description: "A grammar in llama.cpp's GBNF, with a rule root, that the answer keeps to." }),
};

type FormatValues = z.infer<z.ZodObject<typeof formatFields>>;

/**
 * The format that a body asks for, in the words of the core, and the field that does; null: none. Throws `invalid_request`
 * where several do, or where there is no schema that could be kept.
 */
export function formatOf(body: FormatValues): { format: OutputFormat; field: string } | null {
  const wishes = [
    ...(body.response_format ? [{ format: toFormat(body.response_format), field: 'response_format' }] : []),
    ...(body.json_schema
      ? [{ format: { type: 'json-schema' as const, schema: body.json_schema }, field: 'json_schema' }]
      : []),
    ...(body.grammar ? [{ format: { type: 'grammar' as const, gbnf: body.grammar }, field: 'grammar' }] : []),
  ].filter(({ format }) => format.type !== 'text');
  const [wish = null, other] = wishes;
  if (wish === null || !other) return wish;
  throw new AppError('invalid_request', `"${wish.field}" and "${other.field}" both say what the answer must be.`, {
    field: other.field,
    fix: 'Send one.',
  });
}

/** The format in the words of the core. Throws `invalid_request` where there is no schema that could be kept. */
function toFormat(format: z.infer<typeof responseFormatField>): OutputFormat {
  if (format.type === 'text') return { type: 'text' };
  if (format.type === 'json_schema') {
    const schema = checkSchema(format.json_schema?.schema, 'json_schema.schema');
    return { type: 'json-schema', schema, ...labelsOf(format.json_schema ?? {}) };
  }
  if (format.schema === undefined || format.schema === null) return { type: 'json' };
  return { type: 'json-schema', schema: checkSchema(format.schema, 'schema') };
}

/** What a body calls its schema, in the words of the core. */
export function labelsOf(given: {
  name?: string | null | undefined;
  description?: string | null | undefined;
  strict?: boolean | null | undefined;
}): SchemaLabels {
  const { name, description, strict } = given;
  return {
    ...(name && { name }),
    ...(description && { description }),
    ...(typeof strict === 'boolean' && { strict }),
  };
}

function checkSchema(schema: unknown, name: string): object {
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema;
  const field = `response_format.${name}`;
  const problem = schema === undefined ? 'is required' : 'must be a JSON Schema, as an object';
  throw new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
