import { describe, expect, it } from 'vitest';
import { anyJsonGrammar, schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { readGbnf } from '../../support/gbnf.ts';

/** What a schema's grammar says about each text. */
function verdicts(schema: unknown, texts: readonly string[]): Record<string, boolean> {
  const grammar = readGbnf(schemaToGrammar(schema));
  return Object.fromEntries(texts.map((text) => [text, grammar.accepts(text)]));
}

const all = (texts: readonly string[], verdict: boolean) => Object.fromEntries(texts.map((text) => [text, verdict]));

const person = { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'boolean' }, c: { type: 'null' } } };
const tree = {
  $ref: '#/$defs/node',
  $defs: {
    node: {
      type: 'object',
      properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
      required: ['name'],
    },
  },
};
/** `if`, `then` and `else`; an object with a `then` of its own would be taken for a promise. */
const conditional = (condition: object, met: object, unmet: object) =>
  Object.fromEntries([
    ['if', condition],
    ['then', met],
    ['else', unmet],
  ]);
const string = (more: object) => ({ type: 'string', ...more });

const cases: [name: string, schema: unknown, accepted: string[], rejected: string[]][] = [
  ['an empty schema', {}, ['1', '"x"', '{"a":[1,null]}', 'true', '-0.5e+10'], ['', '01', '{a:1}', '[1,]', 'NaN']],
  ['true', true, ['{}', 'null'], ['undefined']],
  ['a type', { type: 'boolean' }, ['true', 'false'], ['null', '"true"', 'True']],
  ['a list of types', { type: ['string', 'null'] }, ['"x"', 'null'], ['1']],
  ['number beside integer', { type: ['number', 'integer'] }, ['1', '1.5'], ['"1"']],
  ['nullable beside enum', { type: 'string', nullable: true, enum: ['a', null] }, ['"a"', 'null'], ['1']],
  ['nullable beside an enum without null', { type: 'string', nullable: true, enum: ['a'] }, ['"a"'], ['null']],
  ['a length beside an end', { pattern: '.*\\.$', maxLength: 3 }, ['"ab."', '"."'], ['"abc."', '"ab"']],
  ['nullable', { type: 'integer', nullable: true }, ['1', 'null'], ['"1"']],
  [
    'nullable beside a reference',
    { nullable: true, allOf: [{ $ref: '#/d' }], d: { const: 'x' } },
    ['"x"', 'null'],
    ['1'],
  ],
  [
    'optional properties: any subset in order, with right commas',
    person,
    ['{}', '{"a":1}', '{"b":true}', '{"a":1,"c":null}', '{"a": 1, "b": true, "c": null}', '{"b":true,"c":null}'],
    ['{"b":true,"a":1}', '{,"a":1}', '{"a":1,}', '{"a":1,"a":1}', '{"d":1}', '{"a":1 "b":true}', '{"a":"1"}'],
  ],
  [
    'a required property between optional ones',
    { ...person, required: ['b'] },
    ['{"b":true}', '{"a":1,"b":true}', '{"b":true,"c":null}', '{"a":1,"b":false,"c":null}'],
    ['{}', '{"a":1}', '{"a":1,"c":null}', '{"c":null}'],
  ],
  [
    'required properties',
    { ...person, required: ['a', 'b', 'c'], additionalProperties: false },
    ['{"a":1,"b":true,"c":null}', '{\n  "a": 1,\n  "b": true,\n  "c": null\n}'],
    ['{"a":1,"b":true}', '{"a":1,"b":true,"c":null,"d":1}'],
  ],
  ['a required name without a schema', { type: 'object', required: ['x'] }, ['{"x":[1]}'], ['{}', '{"x":1,"y":1}']],
  [
    'additional properties beside declared ones',
    { type: 'object', properties: { id: { type: 'integer' } }, additionalProperties: { type: 'string' } },
    ['{}', '{"id":1}', '{"id":1,"x":"y"}', '{"x":"y","z":""}', '{"i":"1"}', '{"idea":"1"}', '{"":""}'],
    ['{"id":"x"}', '{"x":1}', '{"i\\u0064":"x"}', '{"id":1,"id":"x"}'],
  ],
  ['a map', { type: 'object', additionalProperties: { type: 'integer' } }, ['{}', '{"a":1,"b":2}'], ['{"a":"1"}']],
  ['a map of at least one', { additionalProperties: { type: 'integer' }, minProperties: 1 }, ['{"a":1}'], ['{}']],
  [
    'a map of at most two',
    { additionalProperties: true, maxProperties: 2 },
    ['{}', '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}'],
  ],
  ['an object without members', { type: 'object', additionalProperties: false }, ['{}', '{ }'], ['{"a":1}', '{  }']],
  ['names by pattern', { propertyNames: { pattern: '^[a-z]+$' } }, ['{"ab":1}'], ['{"A":1}', '{"":1}']],
  [
    'names by list',
    { propertyNames: { enum: ['x', 'y'] }, additionalProperties: { type: 'integer' }, required: ['x'] },
    ['{"x":1}', '{"x":1,"y":2}'],
    ['{}', '{"y":2}', '{"z":1}'],
  ],
  ['a property that must not be', { properties: { a: false, b: true } }, ['{"b":1}', '{}'], ['{"a":1}']],
  ['any array', { type: 'array' }, ['[]', '[1,"a"]', '[ 1, 2 ]'], ['[1', '{}', '[1,]']],
  ['items', { items: { type: 'integer' } }, ['[]', '[1]', '[1,2,3]'], ['["a"]', '[1,"a"]']],
  [
    'minItems and maxItems',
    { type: 'array', minItems: 2, maxItems: 3 },
    ['[1,2]', '[1,2,3]'],
    ['[1]', '[]', '[1,2,3,4]'],
  ],
  ['maxItems 0', { type: 'array', maxItems: 0 }, ['[]'], ['[1]']],
  [
    'a tuple',
    { prefixItems: [{ type: 'string' }, { type: 'integer' }] },
    ['["a",1]'],
    ['[]', '["a"]', '["a",1,2]', '[1,"a"]'],
  ],
  [
    'a tuple that may be cut',
    { prefixItems: [{ type: 'string' }, { type: 'integer' }], items: { type: 'null' }, minItems: 0, maxItems: 3 },
    ['[]', '["a"]', '["a",1]', '["a",1,null]'],
    ['["a",null]', '["a",1,null,null]', '[1]'],
  ],
  [
    'a tuple of draft 7',
    { items: [{ const: 1 }], additionalItems: { const: 2 } },
    ['[1]', '[1,2,2]'],
    ['[2]', '[]', '[1,1]'],
  ],
  ['a closed tuple', { prefixItems: [{ const: 1 }], items: false }, ['[1]'], ['[1,1]', '[]']],
  [
    'const',
    { const: { a: [1, 'x'], b: null } },
    ['{"a":[1,"x"],"b":null}', '{"a": [1, "x"], "b": null}'],
    ['{"a":[1]}'],
  ],
  [
    'enum',
    { enum: ['red', 'rose', 'r', '', 'é"\\', 7, null, { k: 1 }] },
    ['"red"', '"rose"', '"r"', '""', '"é\\"\\\\"', '7', 'null', '{"k":1}'],
    ['"re"', '"roses"', '77', '{}', '"R"'],
  ],
  ['enum with a type', { type: ['string', 'null'], enum: ['a', 1, null] }, ['"a"', 'null'], ['1']],
  ['anyOf', { anyOf: [{ type: 'integer' }, { type: 'null' }] }, ['1', 'null'], ['"1"']],
  [
    'oneOf beside other keywords',
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    ['{"a":1}', '{"b":1}'],
    ['{}', '{"c":1}', '{"a":1,"b":2}'],
  ],
  [
    'allOf of objects',
    {
      allOf: [
        { $ref: '#/$defs/base' },
        { properties: { name: { minLength: 1 }, age: { type: 'integer', minimum: 0 } }, required: ['age'] },
      ],
      $defs: { base: { type: 'object', properties: { name: { type: 'string', maxLength: 3 } }, required: ['name'] } },
    },
    ['{"name":"ab","age":1}'],
    ['{"name":"ab"}', '{"name":"","age":1}', '{"name":"abcd","age":1}', '{"age":1}', '{"name":"ab","age":-1}'],
  ],
  [
    'allOf of ranges',
    {
      allOf: [
        { type: 'number', minimum: 3 },
        { type: 'integer', maximum: 5 },
      ],
    },
    ['3', '5'],
    ['2', '6', '3.5'],
  ],
  ['allOf of lists', { allOf: [{ enum: [1, 2, 3] }, { enum: [2, 3, 4] }] }, ['2', '3'], ['1', '4']],
  [
    'a name that one part of allOf does not allow',
    { allOf: [{ properties: { a: true }, additionalProperties: false }, { properties: { b: true } }] },
    ['{}', '{"a":1}'],
    ['{"b":1}'],
  ],
  [
    'recursion',
    tree,
    ['{"name":"a"}', '{"name":"a","children":[{"name":"b","children":[]}]}'],
    ['{"children":[]}', '{"name":"a","children":[{}]}'],
  ],
  [
    'references inside parts that have an $id',
    {
      anyOf: [
        { $id: 'one', items: { $ref: '#/$defs/x' }, minItems: 1, $defs: { x: { const: 1 } } },
        {
          $id: 'two',
          properties: { y: { $ref: '#' }, x: { $ref: '#/$defs/x' } },
          required: ['x'],
          $defs: { x: { const: 2 } },
        },
      ],
    },
    ['[1]', '{"x":2}', '{"y":{"x":2},"x":2}'],
    ['[2]', '{"x":1}', '{"y":[1],"x":2}'],
  ],
  ['a pointer with escapes', { $ref: '#/$defs/a~1b%20c', $defs: { 'a/b c': { const: 1 } } }, ['1'], ['2']],
  [
    'string',
    { type: 'string' },
    ['""', '"a\\n\\u00e9\\ud83d\\ude00"', '"😀"', '"\u007f"'],
    ['"a\nb"', '"\\x"', '"\\ud83d"', '"\\u12"', '"'],
  ],
  [
    'minLength and maxLength',
    string({ minLength: 1, maxLength: 2 }),
    ['"a"', '"\\n\\u0041"', '"😀😀"', '"\\ud83d\\ude00a"'],
    ['""', '"abc"'],
  ],
  [
    'a long maxLength',
    string({ maxLength: 2345 }),
    ['""', `"${'x'.repeat(2345)}"`, `"${'x'.repeat(2300)}"`],
    [`"${'x'.repeat(2346)}"`],
  ],
  [
    'a format',
    string({ format: 'date' }),
    ['"2024-02-29"', '"1999-12-31"'],
    ['"2023-02-29"', '"2024-04-31"', '"2024-1-1"', '"x"'],
  ],
  ['an unknown format', string({ format: 'colour' }), ['"anything"'], ['1']],
  ['a pattern', string({ pattern: '^[A-Z]{2}-\\d+$' }), ['"AB-1"', '"XY-123"'], ['"A-1"', '"AB-"', '"AB-1x"']],
  ['a pattern without anchors', string({ pattern: 'b+' }), ['"b"', '"abc"', '"\\nbb\\""'], ['"a"', '""']],
  [
    'a pattern with a length',
    string({ pattern: '^x[a-z]*$', minLength: 3, maxLength: 4 }),
    ['"xab"', '"xabc"'],
    ['"xa"', '"xabcd"'],
  ],
  ['integer', { type: 'integer' }, ['0', '-1', '9007199254740991'], ['1.0', '1e3', '00', '-']],
  [
    'integer bounds',
    { type: 'integer', minimum: -12, exclusiveMaximum: 105 },
    ['-12', '-9', '0', '99', '104'],
    ['-13', '105', '-0', '1000'],
  ],
  ['a lower bound only', { type: 'integer', minimum: 18 }, ['18', '99', '100', '1234567'], ['17', '9', '0', '-20']],
  ['an upper bound only', { type: 'integer', maximum: -3 }, ['-3', '-10'], ['-2', '0', '5']],
  [
    'number bounds',
    { type: 'number', minimum: 0, maximum: 1 },
    ['0', '1', '0.5', '1.0', '0.0'],
    ['1.01', '-0.1', '2', '1e0'],
  ],
  [
    'exclusive number bounds',
    { type: 'number', exclusiveMinimum: 0.25, exclusiveMaximum: 2 },
    ['0.26', '0.250001', '1.99', '1'],
    ['0.25', '0.2500', '2', '2.0', '0'],
  ],
  ['a draft 4 bound', { type: 'integer', minimum: 1, exclusiveMinimum: true }, ['2'], ['1']],
  // Keywords beside each other, which each narrow the other.
  ['an enum beside a length', { enum: ['kitchen', 'hall', ''], minLength: 1 }, ['"hall"'], ['""', '"attic"']],
  ['an enum beside bounds', { type: 'integer', enum: [1, 2, 3, 9], minimum: 2, maximum: 3 }, ['2', '3'], ['1', '9']],
  ['an enum beside a pattern', { enum: ['ab', 'cd'], pattern: '^a' }, ['"ab"'], ['"cd"']],
  ['an enum beside a format', { enum: ['2026-01-01', 'soon'], format: 'date' }, ['"2026-01-01"'], ['"later"']],
  ['an enum of objects beside required', { enum: [{ a: 1 }, { b: 1 }], required: ['a'] }, ['{"a":1}'], ['{"b":1}']],
  ['a const beside a type', { const: 'a', type: ['string', 'null'], maxLength: 1 }, ['"a"'], ['null']],
  ['an enum beside not', { enum: [1, 2], not: { const: 1 } }, ['2'], ['1']],
  ['two patterns', { allOf: [{ pattern: '^a' }, { pattern: 'b$' }] }, ['"ab"', '"axb"'], ['"a"', '"ba"']],
  [
    'a pattern beside a format',
    string({ format: 'date', pattern: '^2026-' }),
    ['"2026-02-28"'],
    ['"2026-02-29"', '"2026-"'],
  ],
  [
    'a pattern that its format excludes',
    string({ format: 'date', pattern: '^\\d\\d/\\d\\d$' }),
    ['"01/02"'],
    ['"2026-01-02"'],
  ],
  [
    'a pattern with a length in several parts',
    string({ pattern: '^(ab|c)*$', maxLength: 3 }),
    ['"abc"', '""'],
    ['"abab"'],
  ],
  [
    'a format with a length',
    string({ format: 'uri', minLength: 1, maxLength: 2083 }),
    ['"https://example.com/a?b=c#d"'],
    ['""', '"x"'],
  ],
  ['a format with a short length', string({ format: 'email', maxLength: 7 }), ['"a@b.org"'], ['"aa@b.org"']],
  [
    'a format of pydantic',
    string({ format: 'uuid4' }),
    ['"123e4567-e89b-42d3-a456-426614174000"'],
    ['"123e4567-e89b-12d3-a456-426614174000"'],
  ],
  ['the format hostname', string({ format: 'hostname' }), ['"a-b.example.com"', '"localhost"'], ['"-a"', '"a..b"']],
  ['look-ahead', string({ pattern: '^(?!\\s*$).+' }), ['"a"', '" a"'], ['""', '"  "']],
  [
    'the pattern of a decimal',
    { anyOf: [{ type: 'number' }, string({ pattern: '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$' })] },
    ['1.5', '"1.50"', '"-.5"'],
    ['"."', '""', '"+"'],
  ],
  [
    'several looks ahead',
    string({ pattern: '^(?=.*[A-Z])(?=.*\\d).{2,8}$' }),
    ['"A1"', '"a1B"'],
    ['"AA"', '"a1"', '"A"'],
  ],
  ['Unicode classes', string({ pattern: '^\\p{Lu}\\p{L}*$' }), ['"Änne"', '"Ж"'], ['"änne"', '"A1"']],
  ['texts that must not be', string({ not: { enum: ['a', ''] }, maxLength: 2 }), ['"b"', '"aa"'], ['"a"', '""']],
  ['multipleOf 1', { type: 'number', multipleOf: 1 }, ['3', '-2'], ['0.5']],
  ['multiples', { type: 'integer', multipleOf: 5 }, ['0', '-10', '12345'], ['12', '1']],
  [
    'multiples in a range',
    { type: 'integer', multipleOf: 7, minimum: 10, maximum: 100_000 },
    ['14', '99995'],
    ['7', '100002', '15'],
  ],
  ['cents', { type: 'number', multipleOf: 0.01, minimum: 0 }, ['12.34', '5', '0.07'], ['1.234', '-1']],
  ['steps of a quarter', { type: 'number', multipleOf: 0.25 }, ['0.25', '3', '-1.50'], ['0.3', '0.125']],
  [
    'multiples twice',
    { allOf: [{ multipleOf: 4 }, { multipleOf: 6 }], maximum: 30, minimum: 1 },
    ['12', '24'],
    ['4', '6', '36'],
  ],
  [
    'different items of a list',
    { items: { enum: ['a', 'b', 'c'] }, uniqueItems: true },
    ['[]', '["c","a"]', '["b","a","c"]'],
    ['["a","a"]', '["a","b","a"]'],
  ],
  [
    'different items behind a reference',
    { items: { $ref: '#/d' }, uniqueItems: true, minItems: 2, d: { type: ['boolean', 'null'] } },
    ['[true,null]'],
    ['[true]', '[null,null]'],
  ],
  [
    'many different items, in the order of the list',
    { items: { type: 'integer', minimum: 1, maximum: 49 }, uniqueItems: true, minItems: 2, maxItems: 3 },
    ['[1,2]', '[7,30,49]'],
    ['[1]', '[7,7]', '[1,2,3,4]'],
  ],
  ['one different item', { items: { type: 'string' }, uniqueItems: true, maxItems: 1 }, ['["a"]'], ['["a","b"]']],
  [
    'properties by pattern',
    {
      patternProperties: { '^n': { type: 'integer' }, '^t': { type: 'string' } },
      properties: { note: { maximum: 3 } },
      additionalProperties: false,
    },
    ['{}', '{"note":2,"nn":7,"t":"x"}'],
    ['{"note":5}', '{"n":"x"}', '{"t":1}', '{"x":1}', '{"nt":"1"}'],
  ],
  [
    'properties by pattern and any others',
    { patternProperties: { '^n': { type: 'integer' } }, additionalProperties: { type: 'null' } },
    ['{"n":1,"a":null}'],
    ['{"n":null}', '{"a":1}'],
  ],
  [
    'names limited beside properties',
    { properties: { a: true, abcd: true }, propertyNames: { maxLength: 3 }, additionalProperties: true },
    ['{"a":1,"abc":2}'],
    ['{"abcd":1}', '{"abcde":1}'],
  ],
  [
    'at least one of several',
    { ...person, minProperties: 1, additionalProperties: false },
    ['{"a":1}', '{"c":null}', '{"b":true,"c":null}'],
    ['{}'],
  ],
  [
    'exactly one of several',
    { ...person, minProperties: 1, maxProperties: 1, additionalProperties: false },
    ['{"a":1}', '{"c":null}'],
    ['{}', '{"a":1,"b":true}'],
  ],
  [
    'one that another needs',
    { ...person, dependentRequired: { a: ['b'] } },
    ['{}', '{"b":true}', '{"a":1,"b":true}'],
    ['{"a":1}', '{"a":1,"c":null}'],
  ],
  [
    'if, then and else',
    {
      type: 'object',
      properties: { kind: { enum: ['a', 'b'] }, x: { type: 'null' }, y: { type: 'null' } },
      required: ['kind'],
      ...conditional({ properties: { kind: { const: 'a' } } }, { required: ['x'] }, { required: ['y'] }),
    },
    ['{"kind":"a","x":null}', '{"kind":"b","y":null}'],
    ['{"kind":"a"}', '{"kind":"b","x":null}', '{"kind":"a","y":null}'],
  ],
  ['another type', { not: { type: ['string', 'object'] } }, ['1', '[]', 'null'], ['"a"', '{}']],
  ['a property that must not be there', { ...person, not: { required: ['a'] } }, ['{}', '{"b":true}'], ['{"a":1}']],
  [
    'one item of a kind, which comes first',
    { type: 'array', items: { type: ['integer', 'string'] }, contains: { type: 'integer' }, maxItems: 2 },
    ['[1]', '[1,"a"]', '[1,2]'],
    ['[]', '["a"]', '[1,1,1]'],
  ],
  [
    'a tuple beside items',
    { allOf: [{ prefixItems: [{ minimum: 3 }] }, { items: { type: 'integer' } }] },
    ['[3]', '[4,1]'],
    ['[2]', '[3,"a"]'],
  ],
  [
    'multiples with zeros at their end',
    { type: 'integer', multipleOf: 3600, maximum: 1_000_000 },
    ['0', '3600', '-7200', '997200'],
    ['360', '1000800', '00'],
  ],
  [
    'a branch that cannot be kept beside others',
    { anyOf: [{ type: 'integer' }, { pattern: '(a)\\1' }] },
    ['1'],
    ['"aa"'],
  ],
  [
    'a branch behind a reference that cannot be kept',
    {
      anyOf: [{ $ref: '#/d/x' }, { $ref: '#/d/y' }],
      d: { x: { properties: { a: { pattern: '(a)\\1' } }, required: ['a'] }, y: { type: 'integer' } },
    },
    ['1'],
    ['{"a":"aa"}', '{}'],
  ],
  [
    'branches that contradict what stands beside them',
    { type: 'integer', anyOf: [{ type: 'string' }, { minimum: 3, maximum: 4 }] },
    ['3'],
    ['"a"', '5'],
  ],
  [
    'oneOf told apart by a property that is not required',
    { oneOf: [{ properties: { k: { const: 'a' } } }, { properties: { k: { const: 'b' } } }] },
    ['{"k":"a"}', '{"k":"b"}'],
    ['{}'],
  ],
  [
    'references by address, relative address and anchor',
    {
      $id: 'https://example.com/room.json',
      prefixItems: [
        { $ref: 'https://example.com/room.json#/$defs/one' },
        { $ref: 'parts.json#two' },
        { $ref: '#three' },
      ],
      $defs: {
        one: { const: 1 },
        parts: { $id: 'parts.json', $defs: { x: { $anchor: 'two', const: 2 } } },
        three: { $anchor: 'three', const: 3 },
      },
    },
    ['[1,2,3]'],
    ['[1,2,2]', '[3,2,1]'],
  ],
  [
    'a reference of draft 4 by id',
    { items: { $ref: 'lamp' }, definitions: { l: { id: 'lamp', enum: ['on'] } } },
    ['["on"]'],
    ['["off"]'],
  ],
  [
    'nullable beside allOf of a reference',
    { properties: { a: { nullable: true, allOf: [{ $ref: '#/d' }] } }, d: { type: 'integer' } },
    ['{"a":1}', '{"a":null}'],
    ['{"a":"x"}'],
  ],
];

describe('the grammar of a schema', () => {
  it.each(cases)('keeps to %s', (_name, schema, accepted, rejected) => {
    const found = verdicts(schema, [...accepted, ...rejected]);
    expect(found).toEqual({ ...all(accepted, true), ...all(rejected, false) });
  });

  it('follows a recursion through allOf as deep as a text goes', () => {
    const schema = {
      type: 'object',
      properties: { child: { allOf: [{ $ref: '#' }, { required: ['leaf'] }] }, leaf: { type: 'integer' } },
    };
    const nested = '{"child":{"child":{"leaf":3},"leaf":2},"leaf":1}';
    expect(verdicts(schema, [nested, '{"child":{"child":{},"leaf":2}}'])).toEqual({
      [nested]: true,
      '{"child":{"child":{},"leaf":2}}': false,
    });
  });

  it('lets white space be a blank, or a line with an indent, never more', () => {
    const accepted = ['{"a":1,"b":true}', '{"a": 1, "b": true}', '{ "a": 1 }', '{\n\t"a": 1\n}', '{\n    "a": 1\n}'];
    const rejected = [' {"a":1}', '{"a":1} ', '{"a" :1}', '{"a":  1}', '{\n\n"a":1}', `{\n${' '.repeat(21)}"a":1}`];
    expect(verdicts(person, [...accepted, ...rejected])).toEqual({ ...all(accepted, true), ...all(rejected, false) });
  });

  it('is the same for the same schema, and one rule for equal parts', () => {
    const part = { type: 'object', properties: { x: { type: 'integer', minimum: 1 } }, required: ['x'] };
    const text = schemaToGrammar({ type: 'array', items: { anyOf: [part, structuredClone(part)] } });
    expect(schemaToGrammar({ type: 'array', items: { anyOf: [part, structuredClone(part)] } })).toBe(text);
    expect(text.match(/\\"x\\"/g)).toHaveLength(1);
  });

  it('does not write the alternatives of many optional properties out', () => {
    const properties = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`p${index}`, { type: 'null' }]));
    const text = schemaToGrammar({ type: 'object', properties });
    expect(text.length).toBeLessThan(60_000);
    const sparse = readGbnf(text);
    expect(sparse.accepts('{"p7":null,"p299":null}')).toBe(true);
    expect(sparse.accepts('{"p299":null,"p7":null}')).toBe(false);
  });
});

describe('the grammar of any JSON object', () => {
  it('takes objects of any shape and nothing else', () => {
    const grammar = readGbnf(anyJsonGrammar());
    for (const text of ['{}', '{"a":{"b":[1,{"c":null}]}}', '{"": -1.5e-7}']) expect(grammar.accepts(text)).toBe(true);
    for (const text of ['[]', '1', '"a"', '{"a"}', '{"a":1', '{}{}']) expect(grammar.accepts(text)).toBe(false);
  });
});
