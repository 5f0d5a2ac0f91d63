import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';

export interface NamedSchema {
  name: string;
  schema: object;
}

/** Schemas as applications send them: files in the style of pydantic, zod and tool lists, and some that zod writes now. */
export function schemaCorpus(): NamedSchema[] {
  const folder = new URL('../fixtures/schemas/', import.meta.url);
  const files = readdirSync(folder)
    .sort()
    .map((name) => ({ name, schema: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as object }));
  const written = Object.entries(zodTypes()).flatMap(([name, type]) =>
    (['draft-2020-12', 'draft-7', 'draft-4', 'openapi-3.0'] as const).map((target) => ({
      name: `zod ${name}, ${target}`,
      schema: z.toJSONSchema(type, { target }) as object,
    })),
  );
  return [...files, ...written];
}

function zodTypes(): Record<string, z.ZodType> {
  const category = z.object({
    name: z.string(),
    get parts() {
      return z.array(category);
    },
  });
  return {
    strings: z.object({
      short: z.string().min(1).max(8),
      long: z.string().max(5_000),
      slug: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
      code: z
        .string()
        .regex(/^[A-Z]+$/)
        .min(2)
        .max(4),
      prefix: z.string().startsWith('ab'),
    }),
    formats: z.object({
      mail: z.email(),
      at: z.iso.datetime(),
      day: z.iso.date(),
      id: z.uuid(),
      link: z.url(),
      address: z.ipv4(),
      token: z.nanoid(),
    }),
    numbers: z.object({
      any: z.number(),
      share: z.number().min(0).max(1),
      whole: z.int(),
      small: z.int32().positive(),
    }),
    unions: z.union([
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('text'), text: z.string() }),
        z.object({ type: z.literal('image'), width: z.int().min(1).max(4096) }),
      ]),
      z.literal(['none', 0, null]),
    ]),
    records: z.object({
      free: z.record(z.string(), z.number()),
      listed: z.record(z.enum(['x', 'y']), z.boolean()),
      loose: z.looseObject({ id: z.int() }),
    }),
    tuples: z.object({ pair: z.tuple([z.string(), z.number()]), rest: z.tuple([z.boolean()], z.string()) }),
    optional: z.strictObject({
      a: z.string().optional(),
      b: z.int().nullable(),
      c: z.boolean().default(true),
      d: z.any(),
    }),
    recursive: category,
    refined: z.object({
      half: z.number().multipleOf(0.5),
      dozen: z.int().multipleOf(12).min(0),
      between: z.string().regex(/^a/).regex(/z$/).max(9),
      shout: z.string().includes('q').endsWith('!'),
      host: z.hostname().nullable(),
      phone: z.e164().optional(),
      version: z.templateLiteral(['v', z.number()]),
      either: z.xor([z.string(), z.int()]),
      some: z.partialRecord(z.enum(['p', 'q']), z.int()),
      slugs: z.record(z.string().regex(/^[a-z]+$/), z.int()),
      choice: z.enum(['x', 'y']).nullable(),
    }),
    intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  };
}
