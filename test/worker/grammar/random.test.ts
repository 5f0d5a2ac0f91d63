import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';

/** A schema with a source of values that it allows, properties in the order of the schema. */
interface Described {
  schema: object;
  value: fc.Arbitrary<unknown>;
}

const text = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((value) => value.isWellFormed());
const name = fc.oneof(fc.constantFrom('id', 'ids', 'i', 'name', 'a"b', 'é', ''), text);

function leaf(): fc.Arbitrary<Described> {
  const bounds = fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(300));
  return fc.oneof(
    fc.constant<Described>({ schema: { type: 'string' }, value: text }),
    fc.tuple(fc.nat(2), fc.nat(4)).map(([min, more]): Described => {
      const lengthOf = (value: string) => Array.from(value).length;
      return {
        schema: { type: 'string', minLength: min, maxLength: min + more },
        value: fc.string({ minLength: min, maxLength: min + more, unit: 'binary' }).filter((value) => {
          return lengthOf(value) >= min && lengthOf(value) <= min + more;
        }),
      };
    }),
    bounds.map(
      ([low, more]): Described => ({
        schema: { type: 'integer', minimum: low, maximum: low + more },
        value: fc.integer({ min: low, max: low + more }),
      }),
    ),
    bounds.map(
      ([low, more]): Described => ({
        schema: { type: 'number', minimum: low / 10, exclusiveMaximum: (low + more + 1) / 10 },
        value: fc.integer({ min: low, max: low + more }).map((value) => value / 10),
      }),
    ),
    fc
      .uniqueArray(fc.oneof(text, fc.integer(), fc.constant(null), fc.boolean()), { minLength: 1, maxLength: 5 })
      .map((values): Described => ({ schema: { enum: values }, value: fc.constantFrom(...values) })),
    fc
      .jsonValue({ maxDepth: 2 })
      .filter(isComparable)
      .map((value): Described => ({ schema: { const: value }, value: fc.constant(value) })),
    fc.constant<Described>({ schema: { type: ['boolean', 'null'] }, value: fc.option(fc.boolean()) }),
    fc.constant<Described>({ schema: {}, value: fc.jsonValue({ maxDepth: 2, noUnicodeString: false }).map(bounded) }),
  );
}

/** Whether ajv can compare it: it calls `valueOf` and `toString` where a value has them as keys. */
function isComparable(value: unknown): boolean {
  return !/"(?:valueOf|toString|constructor)":/.test(JSON.stringify(value));
}

/** JSON numbers as they are generated without bounds: sixteen digits, an exponent of two. */
function bounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, item) => (typeof item === 'number' ? Math.trunc(item % 1e9) : item));
}

const described: fc.Arbitrary<Described> = fc.letrec<{ any: Described; object: Described; list: Described }>((tie) => ({
  any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf(), tie('object'), tie('list'), choice(tie('any'))),
  object: fc.tuple(members(tie('any')), fc.option(tie('any')), fc.boolean()).map(([parts, other, split]) => {
    return objectOf(parts, other, split);
  }),
  list: fc.tuple(tie('any'), fc.nat(2), fc.nat(3), fc.array(tie('any'), { maxLength: 2 })).map(arrayOf),
})).any;

type Part = { name: string; required: boolean; part: Described };

function members(any: fc.Arbitrary<Described>): fc.Arbitrary<Part[]> {
  const member = fc.record({ name, required: fc.boolean(), part: any });
  // JavaScript moves names that are array indices to the front.
  return fc.uniqueArray(member, { maxLength: 4, selector: (item) => item.name }).map((parts) => {
    return parts.filter((item) => !/^\d+$/.test(item.name) && item.name !== '__proto__');
  });
}

function choice(any: fc.Arbitrary<Described>): fc.Arbitrary<Described> {
  return fc.array(any, { minLength: 1, maxLength: 3 }).map((parts) => ({
    schema: { anyOf: parts.map((part) => part.schema) },
    value: fc.oneof(...parts.map((part) => part.value)),
  }));
}

/** `split`: the same object as two parts of an `allOf`. */
function objectOf(parts: readonly Part[], other: Described | null, split: boolean): Described {
  const schemaFor = (some: readonly Part[]) => ({
    type: 'object',
    properties: Object.fromEntries(some.map((item) => [item.name, item.part.schema])),
    required: some.filter((item) => item.required).map((item) => item.name),
  });
  const declared = fc.tuple(
    ...parts.map((item) =>
      item.required ? item.part.value.map((value) => [value]) : fc.option(item.part.value.map((value) => [value])),
    ),
  );
  const names = new Set(parts.map((item) => item.name));
  const plainName = fc.stringMatching(/^[a-z]{1,4}$/).filter((key) => !names.has(key));
  const further: fc.Arbitrary<Record<string, unknown>> =
    other === null ? fc.constant({}) : fc.dictionary(plainName, other.value, { maxKeys: 2 });
  const closed =
    other === null
      ? parts.length === 0
        ? { additionalProperties: false }
        : {}
      : { additionalProperties: other.schema };
  const half = Math.ceil(parts.length / 2);
  return {
    schema:
      split && other === null && parts.length > 1
        ? { allOf: [schemaFor(parts.slice(0, half)), schemaFor(parts.slice(half))] }
        : { ...schemaFor(parts), ...closed },
    value: fc.tuple(declared, further).map(([values, more]) => ({
      ...Object.fromEntries(values.flatMap((value, index) => (value === null ? [] : [[parts[index]!.name, value[0]]]))),
      ...more,
    })),
  };
}

function arrayOf([item, min, more, prefix]: [Described, number, number, Described[]]): Described {
  const size = { minItems: min + prefix.length, maxItems: min + more + prefix.length };
  const values = fc.array(item.value, { minLength: min, maxLength: min + more });
  return {
    schema: {
      type: 'array',
      items: item.schema,
      ...size,
      ...(prefix.length > 0 && { prefixItems: prefix.map((part) => part.schema) }),
    },
    value: fc.tuple(fc.tuple(...prefix.map((part) => part.value)), values).map(([first, rest]) => [...first, ...rest]),
  };
}

/** As Python prints JSON: a blank behind each comma and colon. Written here, as a replacement in text would hit strings. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`)
    .join(', ')}}`;
}

describe('random schemas', () => {
  it('accept every value that they allow, compact, spaced and indented', () => {
    const pairs = described.chain((found) => found.value.map((value) => ({ schema: found.schema, value })));
    fc.assert(
      fc.property(pairs, ({ schema, value }) => {
        const grammar = readGbnf(schemaToGrammar(schema));
        for (const form of [JSON.stringify(value), spaced(value), JSON.stringify(value, null, 1)]) {
          expect([form, grammar.accepts(form)]).toEqual([form, true]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('write only values that an independent validator takes', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    fc.assert(
      fc.property(described, fc.integer(), ({ schema }, seed) => {
        const grammar = readGbnf(schemaToGrammar(schema));
        const validate = ajv.compile(schema);
        const random = randomFrom(seed);
        for (let count = 0; count < 3; count++) {
          const form = grammar.generate(random);
          validate(JSON.parse(form));
          expect([form, validate.errors]).toEqual([form, null]);
        }
      }),
      { numRuns: 150 },
    );
  });
});
