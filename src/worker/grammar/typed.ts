import { convertArray } from './arrays.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import type { OpenCondition } from './flatten.ts';
import type { Atom } from './gbnf/gbnf.ts';
import { limits, type Refuse, step } from './gbnf/gbnf.ts';
import { asObject, createReader } from './keywords.ts';
import { oneOfValues } from './literals.ts';
import { commonMultiple, multiplesInRange } from './multiples.ts';
import { numberInRange } from './numbers.ts';
import { convertObject } from './objects.ts';
import { convertString } from './strings.ts';

const typeNames = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
type TypeName = (typeof typeNames)[number];

/** Keywords that say which type is meant where `type` is missing. */
const typeOfKeyword: Readonly<Record<string, TypeName>> = {
  properties: 'object',
  required: 'object',
  additionalProperties: 'object',
  patternProperties: 'object',
  propertyNames: 'object',
  minProperties: 'object',
  maxProperties: 'object',
  items: 'array',
  prefixItems: 'array',
  minItems: 'array',
  uniqueItems: 'array',
  maxItems: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
};

/** A schema without combinations: its values, or its types one after the other. `open`: conditions beside it. */
export function convertTyped(
  schema: SchemaObject,
  open: readonly OpenCondition[],
  place: Place,
  conversion: Conversion,
): Atom {
  const { rules } = conversion;
  const types = typesOf(schema, place, conversion.refuse);
  if ('enum' in schema || 'const' in schema) return values(schema, open, place, conversion);
  const isText = types?.length === 1 && types[0] === 'string';
  const excluded = isText ? open.filter(excludesTexts) : [];
  for (const { keyword, place: at } of open)
    if (!excluded.some((own) => own.keyword === keyword && own.place === at)) conversion.leaveOpen(at, keyword);
  if (isText)
    return convertString(
      schema,
      excluded.map(({ value }) => value),
      place,
      conversion,
    );
  const atoms = (types ?? []).map((type) => {
    const hint = types!.length === 1 ? place.hint : `${place.hint}-${type}`;
    return ofType(type, schema, { ...place, hint }, conversion);
  });
  return atoms.length === 0 ? rules.shared('value') : rules.choose(place.hint, atoms);
}

function typesOf(schema: SchemaObject, place: Place, refuse: Refuse): readonly TypeName[] | null {
  const { type } = schema;
  const list = type === undefined ? [] : Array.isArray(type) ? type : [type];
  if (list.some((name) => !typeNames.includes(name)) || (type !== undefined && list.length === 0)) {
    refuse(step(place.path, 'type'), `"type" must be one or more of ${typeNames.join(', ')}.`);
  }
  const meant = Object.keys(schema).map((keyword) =>
    Object.hasOwn(typeOfKeyword, keyword) ? typeOfKeyword[keyword] : undefined,
  );
  const types = new Set<TypeName>(list.length > 0 ? list : meant.filter((name) => name !== undefined));
  if (types.size === 0) return null;
  if (types.has('number')) types.delete('integer');
  return [...types];
}

/** The given values that keep to all that stands beside them. */
function values(schema: SchemaObject, open: readonly OpenCondition[], place: Place, conversion: Conversion): Atom {
  const { rules, refuse } = conversion;
  const read = createReader(schema, place, conversion);
  const listed = read.list('enum');
  if (listed !== null && listed.length > limits.enumValues) {
    return refuse(step(place.path, 'enum'), `"enum" has over ${limits.enumValues} values.`);
  }
  const fixed = schema['const'];
  const allowed = (listed ?? [fixed]).filter(
    (value) =>
      conversion.isValid(schema, place, value) &&
      open.every((condition) => conversion.isValid({ [condition.keyword]: condition.value }, condition.place, value)),
  );
  if (allowed.length === 0) return refuse(place.path, 'none of its values keeps to what stands beside them.');
  const atom = oneOfValues(allowed, place.hint, rules);
  if (atom === null) return refuse(place.path, `a value is nested over ${limits.depth} deep.`);
  return rules.describe(atom, { type: 'constants', texts: new Set(allowed.map((value) => JSON.stringify(value))) });
}

function ofType(type: TypeName, schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules } = conversion;
  switch (type) {
    case 'object':
      return isPlain(schema, 'object') ? rules.shared('object') : convertObject(schema, place, conversion);
    case 'array':
      return isPlain(schema, 'array') ? rules.shared('array') : convertArray(schema, place, conversion);
    case 'string':
      return convertString(schema, [], place, conversion);
    case 'number':
    case 'integer':
      return ranged(type, schema, place, conversion);
    case 'boolean':
    case 'null':
      return rules.shared(type);
  }
}

function ranged(type: 'number' | 'integer', schema: SchemaObject, place: Place, conversion: Conversion): Atom {
  const { rules, refuse } = conversion;
  const factor = createReader(schema, place, conversion).number('multipleOf');
  if (factor !== null && factor <= 0) refuse(step(place.path, 'multipleOf'), '"multipleOf" must be above 0.');
  const low = bound('minimum', 'exclusiveMinimum');
  const high = bound('maximum', 'exclusiveMaximum');
  const unit = factor === null ? null : type === 'integer' ? commonMultiple([factor, 1]) : factor;
  const isWhole = type === 'integer' || (unit !== null && Number.isInteger(unit));
  if (unit !== null && unit !== 1) {
    const atom = multiplesInRange(rules, place.hint, unit, { low, high }, isWhole);
    if (atom === 'none') refuse(place.path, 'no number between its bounds is a multiple of "multipleOf".');
    if (atom !== 'large') return atom;
    conversion.leaveOpen(place, 'multipleOf');
  }
  if (low === null && high === null) return rules.shared(isWhole ? 'integer' : type);
  const atom = numberInRange(rules, place.hint, { low, high }, isWhole);
  return atom ?? refuse(place.path, 'no number can be generated between its bounds.', 'Use bounds below 10^16.');

  function bound(inclusive: string, exclusive: string) {
    const read = createReader(schema, place, conversion);
    const value = read.number(inclusive);
    // Draft 4 wrote a boolean beside the bound.
    if (typeof schema[exclusive] === 'boolean') return value === null ? null : { value, exclusive: schema[exclusive] };
    const beyond = read.number(exclusive);
    if (beyond === null) return value === null ? null : { value, exclusive: false };
    const isTighter = value === null || (exclusive === 'exclusiveMinimum' ? beyond >= value : beyond <= value);
    return isTighter ? { value: beyond, exclusive: true } : { value, exclusive: false };
  }
}

/** Whether a condition is a `not` of texts: given ones, or those of a pattern. */
function excludesTexts({ keyword, value }: OpenCondition): boolean {
  const object = keyword === 'not' ? asObject(value) : null;
  if (object === null) return false;
  const { type, title, description, ...said } = object;
  const keywords = Object.keys(said);
  return (
    (type === undefined || type === 'string') &&
    keywords.length === 1 &&
    (typeof said['pattern'] === 'string' ||
      typeof said['const'] === 'string' ||
      (Array.isArray(said['enum']) && said['enum'].every((item) => typeof item === 'string')))
  );
}

/** Whether nothing is said about values of a type but the type. */
function isPlain(schema: SchemaObject, type: TypeName): boolean {
  return Object.keys(schema).every(
    (keyword) => !Object.hasOwn(typeOfKeyword, keyword) || typeOfKeyword[keyword] !== type,
  );
}
