import { z } from 'zod';

/** `sizeBytes` as `size_bytes`. */
type SnakeKey<Key extends string> = Key extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${SnakeKey<Rest>}`
    : `_${Lowercase<First>}${SnakeKey<Rest>}`
  : Key;

/** A value of ours as it goes over the wire: names in snake case, times as text. */
type SnakeCase<Value> = Value extends Date
  ? string
  : Value extends readonly (infer Item)[]
    ? SnakeCase<Item>[]
    : Value extends object
      ? { [Key in keyof Value & string as SnakeKey<Key>]: SnakeCase<Value[Key]> }
      : Value;

/** The schema of such a value. */
type SnakeCaseSchema<Schema> =
  Schema extends z.ZodObject<infer Shape>
    ? z.ZodObject<{ [Key in keyof Shape & string as SnakeKey<Key>]: SnakeCaseSchema<Shape[Key]> }>
    : Schema extends z.ZodArray<infer Item extends z.ZodType>
      ? z.ZodArray<Extract<SnakeCaseSchema<Item>, z.ZodType>>
      : Schema extends z.ZodNullable<infer Inner extends z.ZodType>
        ? z.ZodNullable<Extract<SnakeCaseSchema<Inner>, z.ZodType>>
        : Schema extends z.ZodDate
          ? z.ZodString
          : Schema;

/**
 * Renames every property, in objects and lists however deep, and writes times in ISO 8601. Not for objects whose
 * keys are data: they would be renamed too.
 */
export function toSnakeCase<Value>(value: Value): SnakeCase<Value> {
  // The compiler cannot follow a renaming of keys; the types above say the same as this line does.
  return renamed(value) as SnakeCase<Value>;
}

/** The schema of what `toSnakeCase` makes of the values of `schema`, with the same descriptions. */
export function snakeCaseSchema<Schema extends z.ZodObject>(schema: Schema): SnakeCaseSchema<Schema> {
  return renamedSchema(schema) as SnakeCaseSchema<Schema>;
}

function renamed(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeKey(key), renamed(inner)]));
}

function renamedSchema(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.entries(schema.shape).map(([key, inner]) => [snakeKey(key), renamedSchema(inner)]);
    return described(z.object(Object.fromEntries(shape)), schema);
  }
  if (schema instanceof z.ZodArray) return described(z.array(renamedSchema(schema.element)), schema);
  if (schema instanceof z.ZodNullable) return described(z.nullable(renamedSchema(schema.unwrap())), schema);
  if (schema instanceof z.ZodDate) return described(z.string().meta({ description: 'ISO 8601, UTC' }), schema);
  return schema;
}

/** Names and descriptions stand beside a schema and do not come along by themselves. */
function described(schema: z.ZodType, original: z.ZodType): z.ZodType {
  const meta = original.meta();
  return meta === undefined ? schema : schema.meta(meta);
}

function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
