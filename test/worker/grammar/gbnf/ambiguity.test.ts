import { describe, expect, it } from 'vitest';
import { schemaToGrammar } from '../../../../src/worker/grammar/grammar.ts';

const self = { $ref: '#' };
const none = { type: 'null' };

function record(properties: Record<string, unknown>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

/** Unions whose branches cannot be told apart where the recursion begins. */
const doubling: [name: string, schema: object][] = [
  ['the same first property', { anyOf: [record({ a: self, b: none }), record({ a: self, c: none }), none] }],
  [
    'the word that tells them apart last',
    { anyOf: [record({ a: self, t: { const: 1 } }), record({ a: self, t: { const: 2 } }), none] },
  ],
  [
    'an equal property first',
    {
      anyOf: [record({ id: { type: 'string' }, a: self }), record({ id: { type: 'string' }, a: self, b: none }), none],
    },
  ],
  [
    'an optional word',
    { anyOf: [record({ t: { const: 1 }, a: self }, ['t']), record({ t: { const: 2 }, a: self }, ['t']), none] },
  ],
  [
    'two ways round',
    {
      anyOf: [record({ a: { $ref: '#/x' } }), record({ a: { $ref: '#/y' } })],
      x: record({ b: self }, ['b']),
      y: record({ b: self, c: none }, ['b']),
    },
  ],
  [
    'two arrays',
    {
      anyOf: [
        { type: 'array', items: self },
        { type: 'array', items: self, minItems: 2 },
      ],
    },
  ],
  [
    'two maps',
    {
      anyOf: [
        { type: 'object', additionalProperties: self },
        { type: 'object', additionalProperties: self, minProperties: 1 },
      ],
    },
  ],
  ['a map and a record', { anyOf: [{ type: 'object', additionalProperties: self }, record({ a: self })] }],
];

const distinct: [name: string, schema: object][] = [
  [
    'a word that tells them apart',
    { anyOf: [record({ t: { const: 1 }, a: self }), record({ t: { const: 2 }, a: self }), none] },
  ],
  [
    'different names',
    { anyOf: [record({ and: { type: 'array', items: self } }), record({ or: { type: 'array', items: self } }), none] },
  ],
  [
    'different names after an equal one',
    {
      anyOf: [
        record({ id: { type: 'string' }, left: self, right: self }),
        record({ id: { type: 'string' }, child: self }),
        none,
      ],
    },
  ],
  [
    'a scalar against an object',
    { anyOf: [record({ a: { type: 'string' }, b: self }), record({ a: record({ x: none }), b: self }), none] },
  ],
  ['recursion in one only', { anyOf: [record({ a: self, b: none }), record({ a: record({ x: none }) }), none] }],
  ['an array and an object', { anyOf: [{ type: 'array', items: self }, record({ a: self }), { type: 'string' }] }],
  ['any value beside a record', { anyOf: [{}, record({ a: self })] }],
  ['no union', record({ left: { anyOf: [self, none] }, right: { anyOf: [self, none] } })],
];

/** `levels` unions in each other, whose two branches begin alike. */
function tower(levels: number): object {
  let schema: object = none;
  for (let level = 0; level < levels; level++)
    schema = { anyOf: [record({ a: schema }), record({ a: schema, b: none })] };
  return schema;
}

describe('a union', () => {
  it.each(doubling)('is refused where its parses double with every level: %s', (_name, schema) => {
    expect(() => schemaToGrammar(schema)).toThrow('lead back to the same place');
  });

  it.each(distinct)('is converted where the recursion is in one parse: %s', (_name, schema) => {
    expect(schemaToGrammar(schema)).toContain('root ::= ');
  });

  it('may hold unions that begin alike, as long as the parses stay few', () => {
    expect(schemaToGrammar(tower(8))).toContain('root ::= ');
    expect(() => schemaToGrammar(tower(12))).toThrow('begin alike');
  });
});
