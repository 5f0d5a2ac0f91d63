import type { Conversion, Place, SchemaObject } from './context.ts';
import { type Refuse, step } from './gbnf/gbnf.ts';

/** Keywords that say nothing about a value, or nothing that a grammar must keep. */
const annotations = new Set([
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly', '$comment'],
  ...['$schema', '$id', 'id', '$anchor', '$defs', 'definitions', '$vocabulary', 'discriminator', 'xml', 'externalDocs'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema'],
]);

const assertions = new Set([
  ...['type', 'enum', 'const'],
  ...['properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
  ...['patternProperties', 'items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems'],
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
]);

const combiners = new Set(['allOf', 'anyOf', 'oneOf', '$ref']);

/**
 * Keywords that no grammar keeps as they are: `conditions.ts` says what is done about each. What is left of them is
 * checked once a value is written.
 */
const conditions = new Set([
  ...['not', 'if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'dependencies'],
  ...['contains', 'minContains', 'maxContains'],
]);

/** Refused whatever their value; the text says what to do about it. */
const refused: Readonly<Record<string, string>> = {
  $dynamicRef: 'Use "$ref" with a pointer into this schema.',
  $recursiveRef: 'Use "$ref" with a pointer into this schema.',
};

/** Refused unless the value asks for nothing: nothing but declared properties and items is generated then. */
const harmlessValues: Readonly<Record<string, readonly unknown[]>> = {
  unevaluatedProperties: [false, true],
  unevaluatedItems: [false, true],
};

/**
 * The keywords of a schema that count, and its conditions apart. Refuses by name what can neither be kept nor checked.
 * Names that JSON Schema does not know are annotations, as the standard has it.
 */
export function assertionsOf(
  schema: SchemaObject,
  path: string,
  refuse: Refuse,
): { kept: SchemaObject; conditions: SchemaObject } {
  const kept: [string, unknown][] = [];
  const apart: [string, unknown][] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (annotations.has(keyword) || value === undefined) continue;
    if (assertions.has(keyword) || combiners.has(keyword)) kept.push([keyword, value]);
    if (conditions.has(keyword)) apart.push([keyword, value]);
    if (Object.hasOwn(refused, keyword)) refuse(path, `the keyword "${keyword}" is not supported.`, refused[keyword]);
    const harmless = Object.hasOwn(harmlessValues, keyword) ? harmlessValues[keyword] : undefined;
    if (harmless !== undefined && !harmless.includes(value)) {
      refuse(path, `the keyword "${keyword}" is not supported.`, 'Leave it out, and check the value afterwards.');
    }
  }
  return { kept: Object.fromEntries(kept), conditions: Object.fromEntries(apart) };
}

/** A value as a JSON object, or null. */
export function asObject(value: unknown): SchemaObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as SchemaObject) : null;
}

/** Whether a schema matches nothing: `false`, or `{not: {}}` as some libraries write it. */
export function isNever(schema: unknown): boolean {
  if (schema === false) return true;
  const object = asObject(schema);
  const not = object === null ? undefined : object['not'];
  return not === true || (asObject(not) !== null && Object.keys(asObject(not)!).length === 0);
}

/** Reads keywords of one schema, refusing values of the wrong type by name. */
export function createReader(schema: SchemaObject, place: Place, { refuse }: Pick<Conversion, 'refuse'>) {
  const wrong = (keyword: string, expected: string): never =>
    refuse(step(place.path, keyword), `"${keyword}" must be ${expected}.`);
  return {
    has: (keyword: string): boolean => Object.hasOwn(schema, keyword),
    value: (keyword: string): unknown => schema[keyword],
    count(keyword: string): number | null {
      const value = schema[keyword];
      if (value === undefined) return null;
      return typeof value === 'number' && Number.isInteger(value) && value >= 0
        ? value
        : wrong(keyword, 'a whole number of at least 0');
    },
    number(keyword: string): number | null {
      const value = schema[keyword];
      if (value === undefined) return null;
      return typeof value === 'number' && Number.isFinite(value) ? value : wrong(keyword, 'a number');
    },
    text(keyword: string): string | null {
      const value = schema[keyword];
      if (value === undefined) return null;
      return typeof value === 'string' ? value : wrong(keyword, 'a string');
    },
    texts(keyword: string): readonly string[] {
      const value = schema[keyword] ?? [];
      const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
      return isList ? [...new Set(value as string[])] : wrong(keyword, 'a list of strings');
    },
    list(keyword: string): readonly unknown[] | null {
      const value = schema[keyword];
      if (value === undefined) return null;
      return Array.isArray(value) ? value : wrong(keyword, 'a list');
    },
    object(keyword: string): SchemaObject | null {
      const value = schema[keyword];
      return value === undefined ? null : (asObject(value) ?? wrong(keyword, 'an object'));
    },
  };
}
