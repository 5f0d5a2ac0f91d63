import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { convertSchema, createValueCheck } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';

const ajv = new Ajv2020({ strict: false, validateFormats: false, multipleOfPrecision: 6 });

const patterns = ['^a', 'b$', '^[a-c]{1,3}$', '^(?!b)', '(?=.*c)', '\\d', '^\\p{L}+$', '^(?:x-|y_)', '[^a]', '^$|c'];
const pattern = fc.constantFrom(...patterns);
const count = fc.nat(4);

/** Values that are found in the schemas below, and some that are not. */
const given = fc.constantFrom<unknown>(
  'a',
  'ab',
  'abc',
  'b',
  'x-1',
  '',
  'c9',
  0,
  1,
  2,
  10,
  2.5,
  -3,
  true,
  null,
  ['a'],
  {},
);

function textSchema(): fc.Arbitrary<object> {
  return fc.record(
    {
      type: fc.constant('string'),
      pattern,
      minLength: count,
      maxLength: count,
      not: fc.oneof(
        pattern.map((source) => ({ pattern: source })),
        given.map((value) => ({ const: value })),
      ),
      allOf: fc.array(
        pattern.map((source) => ({ pattern: source })),
        { minLength: 1, maxLength: 2 },
      ),
      format: fc.constantFrom('date', 'nothing'),
    },
    { requiredKeys: ['type'] },
  );
}

function numberSchema(): fc.Arbitrary<object> {
  return fc.record(
    {
      type: fc.constantFrom('number', 'integer'),
      multipleOf: fc.constantFrom(1, 2, 5, 7, 10, 60, 0.5, 0.25, 1.5),
      minimum: fc.integer({ min: -50, max: 50 }),
      exclusiveMaximum: fc.integer({ min: -20, max: 5000 }),
    },
    { requiredKeys: ['type'] },
  );
}

const listed = fc.record(
  {
    enum: fc.uniqueArray(given, { minLength: 1, maxLength: 6, selector: (value) => JSON.stringify(value) }),
    minLength: count,
    minimum: fc.nat(3),
    pattern,
    not: given.map((value) => ({ const: value })),
    type: fc.constantFrom<unknown>('string', 'integer', ['string', 'null']),
  },
  { requiredKeys: ['enum'] },
);

const { schema } = fc.letrec<{ schema: object; object: object; array: object; choice: object }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    textSchema(),
    numberSchema(),
    listed,
    tie('object'),
    tie('array'),
    tie('choice'),
  ),
  object: fc.record(
    {
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b', 'x-1'), tie('schema'), { maxKeys: 3, noNullPrototype: true }),
      required: fc.subarray(['a', 'b']),
      additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
      patternProperties: fc.dictionary(pattern, tie('schema'), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
      propertyNames: fc.oneof(
        pattern.map((source) => ({ pattern: source })),
        fc.constant({ maxLength: 2 }),
      ),
      minProperties: fc.nat(2),
      maxProperties: fc.nat(3),
      dependentRequired: fc.constant({ a: ['b'] }),
      if: fc.constant({ properties: { a: { const: 'a' } }, required: ['a'] }),
      else: fc.constant({ required: ['b'] }),
      oneOf: fc.constant([{ required: ['a'] }, { required: ['b'] }]),
    },
    { requiredKeys: ['type'] },
  ),
  array: fc.record(
    {
      type: fc.constant('array'),
      items: tie('schema'),
      minItems: fc.nat(2),
      maxItems: fc.nat(4),
      uniqueItems: fc.boolean(),
      contains: tie('schema'),
    },
    { requiredKeys: ['type'] },
  ),
  choice: fc.oneof(
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
    fc.tuple(tie('schema'), tie('schema')).map((allOf) => ({ allOf })),
  ),
}));

/** The schema's grammar, or null when it was refused by name. */
function converted(found: object): ReturnType<typeof convertSchema> | null {
  try {
    return convertSchema(found);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error).toMatchObject({ code: 'invalid_request', field: 'format', details: { schema_path: /^#/ } });
    return null;
  }
}

describe('schemas of any keywords', () => {
  it('write only values that an independent validator takes, but for the keywords that are left open', () => {
    let written = 0;
    let kept = 0;
    fc.assert(
      fc.property(schema, fc.integer(), (found, seed) => {
        const result = converted(found);
        if (result === null) return;
        written++;
        if (result.open.length === 0) kept++;
        const validate = ajv.compile(found);
        const grammar = readGbnf(result.gbnf);
        const check = createValueCheck(found, { countsBranches: true });
        const random = randomFrom(seed);
        for (let sample = 0; sample < 4; sample++) {
          const text = grammar.generate(random);
          const value: unknown = JSON.parse(text);
          const isValid = validate(value);
          if (result.open.length === 0) expect([text, validate.errors]).toEqual([text, null]);
          // What is left open shows when it is checked.
          else expect([text, check.whole(value) === null]).toEqual([text, isValid]);
        }
      }),
      { numRuns: 400 },
    );
    expect(written).toBeGreaterThan(100);
    expect(kept).toBeGreaterThan(60);
  });

  it('are checked as an independent validator checks them', () => {
    const anything = fc.oneof(
      given,
      fc.array(given, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'x-1', 'c'), given, { maxKeys: 3, noNullPrototype: true }),
    );
    fc.assert(
      fc.property(schema, anything, (found, value) => {
        const isValid = ajv.compile(found)(value);
        expect([found, value, createValueCheck(found, { countsBranches: true }).whole(value) === null]).toEqual([
          found,
          value,
          isValid,
        ]);
      }),
      { numRuns: 600 },
    );
  });
});
