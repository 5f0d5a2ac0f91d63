import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convertSchema } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';
import { schemaCorpus } from '../../support/schemas.ts';

/** Bounds of OpenAPI 3.0 and its `nullable`, in the words of 2020-12. */
function withoutDraft4(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const { nullable, exclusiveMinimum, ...rest } = part as Record<string, unknown>;
    const exclusive =
      typeof exclusiveMinimum === 'boolean' ? { exclusiveMinimum: rest['minimum'] } : { exclusiveMinimum };
    const bounded = exclusiveMinimum === undefined || exclusiveMinimum === false ? rest : { ...rest, ...exclusive };
    return nullable === true ? { anyOf: [bounded, { type: 'null' }] } : bounded;
  }) as object;
}

describe('the schemas of real applications', () => {
  // ajv's class for 2020-12 takes tuples and exclusive bounds as older drafts wrote them for something else.
  const corpus = schemaCorpus().filter(
    ({ name, schema }) =>
      !/(?:draft-[47]|openapi-3\.0)$/.test(name) && name !== 'zod-tree.json' && convertSchema(schema).open.length === 0,
  );

  it('are all converted', () => {
    const all = schemaCorpus();
    expect(all.length).toBeGreaterThanOrEqual(20);
    for (const { schema } of all) expect(convertSchema(schema).gbnf).toContain('root ::= ');
  });

  it.each(corpus)('write only values that an independent validator takes: $name', ({ schema }) => {
    const validate = new Ajv2020({
      strict: false,
      validateFormats: false,
      discriminator: false,
      multipleOfPrecision: 6,
    }).compile(withoutDraft4(schema));
    const grammar = readGbnf(convertSchema(schema).gbnf);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const text = grammar.generate(randomFrom(seed));
        validate(JSON.parse(text));
        expect([text, validate.errors]).toEqual([text, null]);
      }),
      { numRuns: 30 },
    );
  });
});
