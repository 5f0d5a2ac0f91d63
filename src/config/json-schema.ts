import { z } from 'zod';
import { allSettings, sectionsWithVariables } from './settings.ts';
import { settingsSchema } from './source.ts';

/** As much of JSON Schema as the schema of the file has. */
export interface JsonSchema {
  $schema?: string;
  $comment?: string;
  title?: string;
  description?: string;
  type?: string | readonly string[];
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: readonly JsonSchema[];
  oneOf?: readonly JsonSchema[];
  allOf?: readonly JsonSchema[];
  /** Holds a secret. */
  writeOnly?: boolean;
  pattern?: string;
  enum?: readonly unknown[];
}

/** A text in place of any value of the sections whose texts may name variables. */
const variable: JsonSchema = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' };

/**
 * The schema of the configuration file, for editors: every setting with its meaning and default, derived from the schemas
 * that read the file. It is no stricter than they are; what only they know (bounds of numbers, names that must fit
 * together) it does not say.
 */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...derived } = z.toJSONSchema(settingsSchema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
  }) as JsonSchema;
  const properties = derived.properties!;
  for (const name of sectionsWithVariables) properties[name] = withVariables(properties[name]!);
  for (const { path, setting } of allSettings) {
    const [name, key] = path;
    const place = key === undefined ? properties : properties[name]!.properties!;
    const last = key ?? name;
    place[last] = {
      description: describe(setting),
      ...place[last],
      ...(setting.default !== null && { default: setting.default }),
    };
  }
  return { $schema: $schema!, title: 'Configuration of Hearth', ...derived };
}

function describe({ help, unset }: { help: string; unset?: string }): string {
  const meaning = `${help[0]!.toUpperCase()}${help.slice(1)}.`;
  return unset === undefined ? meaning : `${meaning} Default: ${unset}.`;
}

/** Lets a variable stand wherever a value does. */
function withVariables(schema: JsonSchema): JsonSchema {
  if (schema.properties) {
    const properties = Object.entries(schema.properties).map(([key, item]) => [key, withVariables(item)] as const);
    return { ...schema, properties: Object.fromEntries(properties) };
  }
  if (typeof schema.additionalProperties === 'object') {
    return { ...schema, additionalProperties: withVariables(schema.additionalProperties) };
  }
  if (schema.items) return { ...schema, items: withVariables(schema.items) };
  if (schema.anyOf) return { ...schema, anyOf: [...schema.anyOf.map(withVariables), variable] };
  const takesAnyText =
    [schema.type ?? []].flat().includes('string') && schema.pattern === undefined && schema.enum === undefined;
  return takesAnyText ? schema : { anyOf: [schema, variable] };
}
