import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { readGbnf } from '../../support/gbnf.ts';

/** The error that a schema is refused with. */
function refusal(schema: unknown, options?: Parameters<typeof schemaToGrammar>[1]): AppError {
  try {
    schemaToGrammar(schema, options);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the schema was not refused');
}

/** A schema of `depth` arrays in each other. */
function nested(depth: number): unknown {
  let schema: unknown = { type: 'null' };
  for (let level = 0; level < depth; level++) schema = { type: 'array', items: schema };
  return schema;
}

const unsupported: [keyword: string, value: unknown][] = [
  ['not', { minLength: 3, maxLength: 4 }],
  ['uniqueItems', true],
  ['unevaluatedProperties', { type: 'string' }],
  ['unevaluatedItems', {}],
  ['$dynamicRef', '#x'],
];

/** Schemas with the place and a word of the message they are refused with. */
const refused: [name: string, schema: unknown, place: string, word: string][] = [
  ['no schema', 'text', '#', 'object or a boolean'],
  ['null', null, '#', 'object or a boolean'],
  ['false', false, '#', 'no value'],
  ['an unknown type', { type: 'str' }, '#/type', '"type"'],
  ['an empty enum', { enum: [] }, '#', 'none of its values'],
  ['an enum against its type', { type: 'integer', enum: ['a'] }, '#', 'none of its values'],
  ['an enum of which nothing is left', { enum: ['a'], minLength: 2 }, '#', 'beside them'],
  ['a bound that is text', { type: 'integer', minimum: '3' }, '#/minimum', '"minimum"'],
  ['an empty range', { type: 'integer', minimum: 3, maximum: 2 }, '#', 'no number'],
  ['a range without integers', { type: 'integer', exclusiveMinimum: 3, exclusiveMaximum: 4 }, '#', 'no number'],
  ['a negative length', { type: 'string', minLength: -1 }, '#/minLength', '"minLength"'],
  ['lengths that cross', { type: 'string', minLength: 3, maxLength: 2 }, '#', '"maxLength"'],
  ['items that cross', { type: 'array', minItems: 3, maxItems: 2 }, '#', 'items'],
  ['an endless minimum', { type: 'array', minItems: 1e9 }, '#', '"minItems"'],
  ['a huge minimum length', { type: 'string', minLength: 1e9 }, '#', '"minLength"'],
  ['more properties than there are', { properties: { a: true }, minProperties: 2 }, '#', 'as many properties'],
  ['a factor of nothing', { type: 'integer', multipleOf: 0 }, '#/multipleOf', '"multipleOf"'],
  ['no multiple in a range', { multipleOf: 10, minimum: 1, maximum: 9 }, '#', '"multipleOf"'],
  ['too few different items', { items: { type: 'boolean' }, minItems: 3, uniqueItems: true }, '#', '"minItems"'],
  ['texts of two kinds at once', { pattern: '^a', maxLength: 3, not: { pattern: 'a' } }, '#', 'no text'],
  ['only null left', { anyOf: [{ type: 'null' }, { pattern: '(a)\\1' }] }, '#/anyOf/1/pattern', 'back'],
  ['a required property that cannot be', { properties: { a: false }, required: ['a'] }, '#', '"a"'],
  ['a remote reference', { $ref: 'https://example.com/schema' }, '#/$ref', 'into this schema'],
  ['a reference by an anchor that is not there', { $ref: '#name' }, '#/$ref', 'into this schema'],
  ['a reference to nothing', { items: { $ref: '#/$defs/x' } }, '#/items/$ref', 'nothing'],
  ['a reference through a prototype', { $ref: '#/constructor' }, '#/$ref', 'nothing'],
  ['a reference to itself', { $ref: '#' }, '#', 'back to itself'],
  ['a reference to itself in anyOf', { anyOf: [{ $ref: '#' }, { type: 'null' }] }, '#', 'back to itself'],
  ['a ring of references', { $ref: '#/a', a: { $ref: '#/b' }, b: { $ref: '#/a' } }, '#', 'back to itself'],
  ['a reference to itself in allOf', { allOf: [{ $ref: '#' }, { type: 'object' }] }, '#', 'back to itself'],
  ['types that exclude each other', { allOf: [{ type: 'string' }, { type: 'integer' }] }, '#/allOf/1', '"type"'],
  ['two patterns that exclude each other', { allOf: [{ pattern: '^a$' }, { pattern: '^b$' }] }, '#', '"pattern"'],
  ['an anyOf that is no list', { anyOf: {} }, '#', '"anyOf"'],
  ['a pattern with a length it cannot have', { pattern: '^(ab|cd)*$', minLength: 3, maxLength: 3 }, '#', 'length'],
];

/** Patterns whose states double with each character that they count. */
const hostile = [
  '(a.{20}b)|(c.{19}d)(?=e)',
  '^(?!.*(a|b).{15}(c|d)).*x.{14}y',
  '(?<=a.{12})b(?<=c.{14})(?<!d.{9}e)',
  `^${Array.from({ length: 12 }, (_, index) => `(?=.*${String.fromCharCode(97 + index)}.{${index}}z)`).join('')}`,
];

describe('a schema that cannot be converted', () => {
  it.each(unsupported)('is refused for %s by name and place', (keyword, value) => {
    const error = refusal({ type: 'object', properties: { 'a/b': { [keyword]: value } } });
    expect(error).toMatchObject({ code: 'invalid_request', field: 'format' });
    expect(error.message).toContain(`"${keyword}"`);
    expect(error.message).toContain('#/properties/a~1b');
    expect(error.fix).not.toBeNull();
  });

  it.each(refused)('is refused for %s', (_name, schema, place, word) => {
    const error = refusal(schema, { field: 'tools.0.function.parameters' });
    expect(error).toMatchObject({ code: 'invalid_request', field: 'tools.0.function.parameters' });
    expect(error.details).toEqual({ schema_path: place });
    expect(error.message).toContain(word);
  });

  it('is refused for its nesting, its rules, its values or its text before the engine sees it', () => {
    const long = 'x'.repeat(3_000);
    expect(schemaToGrammar(nested(60))).toContain('root ::=');
    const tooMuch: unknown[] = [
      nested(70),
      nested(5_000),
      { enum: Array.from({ length: 1_001 }, (_, index) => index) },
      { enum: Array.from({ length: 100 }, (_, index) => `${index}${long}`) },
      {
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: 6_000 }, (_, index) => [`p${index}`, true])),
      },
      { prefixItems: Array.from({ length: 100 }, (_, index) => ({ type: 'string', minLength: 1_000 + index })) },
      { const: nested(5_000) },
      {
        allOf: Array.from({ length: 4 }, () => ({
          anyOf: Array.from({ length: 10 }, (_, index) => ({ const: index })),
        })),
      },
    ];
    for (const schema of tooMuch) expect(refusal(schema).code).toBe('invalid_request');
  });

  it('is refused when an allOf makes its own parts deeper for ever', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'object', allOf: [{ $ref: '#' }, { properties: { a: { required: ['b'] } } }] } },
    };
    expect(refusal(schema).message).toMatch(/deep|rules|cannot be combined/);
  });

  it('is refused once the time is over that no work takes', () => {
    let nowMs = 0;
    const error = refusal(nested(60), { now: () => (nowMs += 1_000) });
    expect(error.message).toContain('too much to convert');
  });

  it('is refused for the work that it takes', () => {
    const doubled = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => {
        const next = { $ref: `#/$defs/d${index + 1}` };
        return [`d${index}`, { allOf: [next, next] }];
      }),
    );
    const error = refusal({ $ref: '#/$defs/d0', $defs: { ...doubled, d30: { type: 'object' } } });
    expect(error.message).toContain('too much to convert');
  });

  it.each(hostile)('is refused for a pattern of too many states, and the others of a union count: %s', (pattern) => {
    const schema = { type: 'string', pattern, maxLength: 500 };
    expect(refusal(schema).message).toContain('its "pattern" takes too much to keep');
    expect(schemaToGrammar({ anyOf: [schema, { type: 'boolean' }] })).toContain('"true"');
  });

  it('is refused for many such patterns together', () => {
    const anyOf = Array.from({ length: 100 }, (_, index) => ({ pattern: `(?=a)(a.{20}b|c.{19}d)|${index}` }));
    expect(refusal({ anyOf: [...anyOf, { type: 'boolean' }] }).message).toContain('too much to convert');
  });

  it('is taken or refused alike, whatever was converted before', () => {
    const patterns = [...hostile, '^(?=.{1,253}$)[a-z](?:[a-z-]{0,61}[a-z])?(?:\\.[a-z](?:[a-z-]{0,61}[a-z])?)*$'];
    const lengths = [2_083, 500, 128, 32, 4];
    const schemas = patterns.flatMap((pattern) => lengths.map((maxLength) => ({ type: 'string', pattern, maxLength })));
    const answers = (all: readonly object[]) =>
      new Map(
        all.map((schema) => {
          try {
            return [schema, schemaToGrammar(schema)];
          } catch (error) {
            return [schema, String(error)];
          }
        }),
      );
    const first = answers(schemas);
    expect([...first.values()].some((answer) => answer.includes('root ::='))).toBe(true);
    const later = answers(schemas.toReversed());
    for (const [schema, answer] of first) expect(later.get(schema)).toBe(answer);
  });

  it('converts a chain of thousands of definitions without running out of stack', () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 1_500 }, (_, index) => [
        `d${index}`,
        { type: 'object', properties: { next: { $ref: `#/$defs/d${(index + 1) % 1_500}` } } },
      ]),
    );
    expect(readGbnf(schemaToGrammar({ $ref: '#/$defs/d0', $defs })).accepts('{"next":{"next":{}}}')).toBe(true);
  });

  it('takes a larger maximum than can be counted for the largest that can', () => {
    const text = schemaToGrammar({ type: 'array', items: { type: 'string', maxLength: 1e9 }, maxItems: 1e9 });
    expect(text.length).toBeLessThan(2_000);
    expect(readGbnf(text).accepts('["a","b"]')).toBe(true);
  });
});
