import { convertArray } from './arrays.ts';
import type { Conversion, Place, SchemaObject } from './context.ts';
import { branchesOf, flatten } from './flatten.ts';
import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { limits, type Refuse, step } from './gbnf/gbnf.ts';
import { asObject, assertionsOf, createReader, isNever } from './keywords.ts';
import { oneOfValues } from './literals.ts';
import { numberInRange } from './numbers.ts';
import { convertObject } from './objects.ts';
import { resolveRef } from './refs.ts';
import { convertString } from './strings.ts';

const typeNames = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
type TypeName = (typeof typeNames)[number];

/** Keywords that say which type is meant where `type` is missing. */
const typeOfKeyword: Readonly<Record<string, TypeName>> = {
  properties: 'object',
  required: 'object',
  additionalProperties: 'object',
  propertyNames: 'object',
  minProperties: 'object',
  maxProperties: 'object',
  items: 'array',
  prefixItems: 'array',
  minItems: 'array',
  maxItems: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
};

/** Converts the whole schema and all it refers to. Returns the rule of its value. */
export function convertRoot(root: unknown, deps: { rules: RuleBook; refuse: Refuse }): Atom {
  const { rules, refuse } = deps;
  /** Rules by schema: `null` while a schema is being converted and nothing inside has referred to it yet. */
  const known = new Map<object, Atom | null>();
  /** Definitions met, yet to convert: not at once, so that a long chain of them is no deep recursion. */
  const waiting: { name: Atom; schema: unknown; place: Place }[] = [];
  const definitions = new Map<unknown, Atom>();
  const conversion: Conversion = { rules, refuse, convert };

  const result = convert(root, { root: { schema: root, path: '#' }, path: '#', hint: 'answer', depth: 0 });
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    rules.define(next.name, convert(next.schema, next.place));
  }
  return result;

  function convert(schema: unknown, place: Place): Atom {
    rules.tick();
    if (schema === true) return rules.shared('value');
    if (isNever(schema)) return refuse(place.path, 'no value can match it.');
    const object = asObject(schema);
    if (object === null) return refuse(place.path, 'a schema must be an object or a boolean.');
    if (place.depth > limits.depth) return refuse(place.path, `it is nested over ${limits.depth} deep.`);
    const before = known.get(object);
    if (typeof before === 'string') return before;
    if (before === null) {
      const name = rules.reserve(place.hint);
      known.set(object, name);
      return name;
    }
    known.set(object, null);
    // JSON Schema lets a part with an `$id` be a document of its own: its `#` is itself.
    const own = typeof object['$id'] === 'string' ? { schema: object, path: place.path } : place.root;
    const atom = convertObjectSchema(object, { ...place, root: own });
    const reserved = known.get(object) ?? null;
    if (reserved !== null) rules.define(reserved, atom);
    known.set(object, reserved ?? atom);
    return reserved ?? atom;
  }

  function convertObjectSchema(schema: SchemaObject, place: Place): Atom {
    // OpenAPI 3.0. Inside an `allOf` it is left out: the other parts would have to allow null too.
    if (schema['nullable'] === true) {
      const { nullable, ...rest } = schema;
      // An `enum` must list null itself; `nullable` only adds to the type.
      if ('enum' in rest)
        return convertObjectSchema({ ...rest, ...('type' in rest && { type: [rest['type'], 'null'].flat() }) }, place);
      return rules.choose(place.hint, [convertObjectSchema(rest, place), rules.shared('null')]);
    }
    const kept = assertionsOf(schema, place.path, refuse);
    const keywords = Object.keys(kept);
    if (keywords.length === 0) return rules.shared('value');
    if (keywords.length === 1) {
      if ('$ref' in kept) return definition(kept['$ref'], place);
      // A description beside a reference is written this way in some drafts.
      const { allOf } = kept;
      if (Array.isArray(allOf) && allOf.length === 1) return convert(allOf[0], deeper(place, 'allOf', 0));
    }
    const flat = flatten(kept, place, conversion);
    if (flat.groups.length === 0) return typed(flat.base, place);
    const branches = branchesOf(flat, place, conversion).filter((branch) => !isNever(branch));
    if (branches.length === 0) return refuse(place.path, 'no value can match it.');
    const keyword = 'oneOf' in kept ? 'oneOf' : 'anyOf';
    return rules.choose(
      place.hint,
      branches.map((branch, index) => convert(branch, deeper(place, keyword, index))),
    );
  }

  function definition(ref: unknown, place: Place): Atom {
    const target = resolveRef(ref, place, conversion);
    const before = definitions.get(target.schema);
    if (before !== undefined) return before;
    const name = rules.reserve(target.hint);
    definitions.set(target.schema, name);
    waiting.push({
      name,
      schema: target.schema,
      place: { root: place.root, path: target.path, hint: target.hint, depth: 0 },
    });
    return name;
  }

  /** A schema without combinations: its values, or its types one after the other. */
  function typed(schema: SchemaObject, place: Place): Atom {
    const types = typesOf(schema, place);
    if ('enum' in schema || 'const' in schema) return values(schema, types, place);
    const atoms = (types ?? []).map((type) => {
      const hint = types!.length === 1 ? place.hint : `${place.hint}-${type}`;
      return ofType(type, schema, { ...place, hint });
    });
    return atoms.length === 0 ? rules.shared('value') : rules.choose(place.hint, atoms);
  }

  function typesOf(schema: SchemaObject, place: Place): readonly TypeName[] | null {
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

  function values(schema: SchemaObject, types: readonly TypeName[] | null, place: Place): Atom {
    const read = createReader(schema, place, conversion);
    const listed = read.list('enum');
    if (listed !== null && listed.length > limits.enumValues) {
      return refuse(step(place.path, 'enum'), `"enum" has over ${limits.enumValues} values.`);
    }
    const beside = Object.keys(schema).find((keyword) => !['enum', 'const', 'type'].includes(keyword));
    if (beside !== undefined) return refuse(place.path, `"${beside}" is not supported beside "enum" or "const".`);
    const fixed = JSON.stringify(schema['const']);
    const allowed = (listed ?? [schema['const']]).filter(
      (value) =>
        (types === null || types.some((type) => isOfType(value, type))) &&
        (fixed === undefined || JSON.stringify(value) === fixed),
    );
    if (allowed.length === 0) return refuse(place.path, 'none of its values has the type it asks for.');
    const atom = oneOfValues(allowed, place.hint, rules);
    if (atom === null) return refuse(place.path, `a value is nested over ${limits.depth} deep.`);
    return rules.describe(atom, { type: 'constants', texts: new Set(allowed.map((value) => JSON.stringify(value))) });
  }

  function ofType(type: TypeName, schema: SchemaObject, place: Place): Atom {
    switch (type) {
      case 'object':
        return isPlain(schema, 'object') ? rules.shared('object') : convertObject(schema, place, conversion);
      case 'array':
        return isPlain(schema, 'array') ? rules.shared('array') : convertArray(schema, place, conversion);
      case 'string':
        return convertString(schema, place, conversion);
      case 'number':
      case 'integer':
        return ranged(type, schema, place);
      case 'boolean':
      case 'null':
        return rules.shared(type);
    }
  }

  function ranged(type: 'number' | 'integer', schema: SchemaObject, place: Place): Atom {
    const low = bound('minimum', 'exclusiveMinimum');
    const high = bound('maximum', 'exclusiveMaximum');
    if (low === null && high === null) return rules.shared(type);
    const atom = numberInRange(rules, place.hint, { low, high }, type === 'integer');
    return atom ?? refuse(place.path, 'no number can be generated between its bounds.', 'Use bounds below 10^16.');

    function bound(inclusive: string, exclusive: string) {
      const read = createReader(schema, place, conversion);
      const value = read.number(inclusive);
      // Draft 4 wrote a boolean beside the bound.
      if (typeof schema[exclusive] === 'boolean')
        return value === null ? null : { value, exclusive: schema[exclusive] };
      const beyond = read.number(exclusive);
      if (beyond === null) return value === null ? null : { value, exclusive: false };
      const isTighter = value === null || (exclusive === 'exclusiveMinimum' ? beyond >= value : beyond <= value);
      return isTighter ? { value: beyond, exclusive: true } : { value, exclusive: false };
    }
  }
}

/** Whether nothing is said about values of a type but the type. */
function isPlain(schema: SchemaObject, type: TypeName): boolean {
  return Object.keys(schema).every(
    (keyword) => !Object.hasOwn(typeOfKeyword, keyword) || typeOfKeyword[keyword] !== type,
  );
}

function isOfType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case 'object':
      return asObject(value) !== null;
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function deeper(place: Place, keyword: string, index: number): Place {
  return {
    root: place.root,
    path: step(step(place.path, keyword), index),
    hint: `${place.hint}-${index + 1}`,
    depth: place.depth + 1,
  };
}
