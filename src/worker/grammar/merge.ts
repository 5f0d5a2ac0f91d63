import type { SchemaObject } from './context.ts';
import { asObject, isNever } from './keywords.ts';
import { commonMultiple } from './multiples.ts';
import { several } from './several.ts';

/** Two schemas contradict each other, or need what a grammar cannot say. `keyword`: where. */
export class MergeError extends Error {
  readonly keyword: string;

  constructor(keyword: string) {
    super(keyword);
    this.keyword = keyword;
  }
}

type Combine = (a: unknown, b: unknown) => unknown;

const larger: Combine = (a, b) => (typeof a === 'number' && typeof b === 'number' ? Math.max(a, b) : both(a, b));
const smaller: Combine = (a, b) => (typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : both(a, b));
const same: Combine = (a, b) => {
  if (equal(a, b)) return a;
  throw new MergeError('');
};
const both: Combine = (a, b) => {
  if (equal(a, b)) return a;
  return isNever(a) || isNever(b) ? false : { allOf: [a, b] };
};
const union: Combine = (a, b) => (Array.isArray(a) && Array.isArray(b) ? [...new Set([...a, ...b])] : same(a, b));
const intersection: Combine = (a, b) => {
  if (!Array.isArray(a) || !Array.isArray(b)) return same(a, b);
  // As text: a thousand values against a thousand are a million comparisons otherwise.
  const others = new Set(b.map((value) => JSON.stringify(value)));
  return a.filter((value) => others.has(JSON.stringify(value)));
};

const combiners: Readonly<Record<string, Combine>> = {
  type: (a, b) => commonTypes(listOf(a), listOf(b)),
  enum: intersection,
  pattern: several,
  format: several,
  uniqueItems: (a, b) => a === true || b === true,
  multipleOf: (a, b) => (isFactor(a) && isFactor(b) ? commonMultiple([a, b]) : same(a, b)),
  required: union,
  propertyNames: both,
  items: both,
  additionalItems: both,
  minProperties: larger,
  minItems: larger,
  minLength: larger,
  minimum: larger,
  exclusiveMinimum: larger,
  maxProperties: smaller,
  maxItems: smaller,
  maxLength: smaller,
  maximum: smaller,
  exclusiveMaximum: smaller,
};

/**
 * One schema for what both allow. Neither has `$ref`, `allOf`, `anyOf` or `oneOf` itself; where a property or item has
 * a schema in both, the result holds an `allOf` of the two. Throws `MergeError`.
 */
export function mergeSchemas(a: SchemaObject, b: SchemaObject): SchemaObject {
  const merged = new Map<string, unknown>(Object.entries(a));
  for (const [keyword, value] of Object.entries(b)) {
    if (keyword === 'properties' || keyword === 'additionalProperties' || keyword === 'patternProperties') continue;
    if (!merged.has(keyword)) merged.set(keyword, value);
    else merged.set(keyword, combine(keyword, merged.get(keyword), value));
  }
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    // Which of the other's names a pattern takes would have to be known.
    if ('patternProperties' in one && 'additionalProperties' in one && 'properties' in other)
      throw new MergeError('patternProperties');
  }
  const properties = mergeProperties(a, b);
  if (properties !== null) merged.set('properties', properties);
  const patterns = mergeByName(asObject(a['patternProperties']), asObject(b['patternProperties']));
  if (patterns !== null) merged.set('patternProperties', patterns);
  const additional: unknown[] = [a, b]
    .map((schema) => schema['additionalProperties'])
    .filter((value) => value !== undefined);
  if (additional.length > 0)
    merged.set(
      'additionalProperties',
      additional.reduce((a, b) => both(a, b)),
    );
  const prefix = mergePrefix(a, b) ?? mergePrefix(b, a);
  if (prefix !== null) merged.set('prefixItems', prefix);
  return Object.fromEntries(merged);
}

/** The places of a tuple, where the other side says something about all items. */
function mergePrefix(tuple: SchemaObject, list: SchemaObject): unknown[] | null {
  const { prefixItems } = tuple;
  if (prefixItems === undefined || 'prefixItems' in list || !('items' in list)) return null;
  if (!Array.isArray(prefixItems) || Array.isArray(list['items'])) throw new MergeError('prefixItems');
  return prefixItems.map((item) => both(item, list['items']));
}

function combine(keyword: string, a: unknown, b: unknown): unknown {
  try {
    const result = (combiners[keyword] ?? same)(a, b);
    if ((keyword === 'type' || keyword === 'enum') && Array.isArray(result) && result.length === 0)
      throw new MergeError('');
    return result;
  } catch (error) {
    throw error instanceof MergeError ? new MergeError(keyword) : error;
  }
}

/** Each side's rule for a name that only the other declares is its `additionalProperties`. */
function mergeProperties(a: SchemaObject, b: SchemaObject): SchemaObject | null {
  const [fromA, fromB] = [asObject(a['properties']), asObject(b['properties'])];
  if (fromA === null && fromB === null) return null;
  const names = new Set([...Object.keys(fromA ?? {}), ...Object.keys(fromB ?? {})]);
  const ruleFor = (own: SchemaObject | null, additional: unknown, name: string): unknown =>
    own !== null && Object.hasOwn(own, name) ? own[name] : additional;
  return Object.fromEntries(
    [...names].map((name) => {
      const rules = [ruleFor(fromA, a['additionalProperties'], name), ruleFor(fromB, b['additionalProperties'], name)];
      const given = rules.filter((rule) => rule !== undefined && rule !== true);
      return [name, given.length === 0 ? true : given.reduce((a, b) => both(a, b))];
    }),
  );
}

/** The schemas of both sides; where a name is in both, both schemas. */
function mergeByName(a: SchemaObject | null, b: SchemaObject | null): SchemaObject | null {
  if (a === null || b === null) return a ?? b;
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const ofName = (name: string): unknown =>
    !Object.hasOwn(a, name) ? b[name] : !Object.hasOwn(b, name) ? a[name] : both(a[name], b[name]);
  return Object.fromEntries(names.map((name) => [name, ofName(name)]));
}

function commonTypes(a: readonly unknown[], b: readonly unknown[]): unknown[] {
  const widened = (types: readonly unknown[]) => (types.includes('number') ? [...types, 'integer'] : types);
  const common = widened(a).filter((type) => widened(b).includes(type));
  // Numbers include the integers.
  return [...new Set(common)].filter((type) => type !== 'integer' || !common.includes('number'));
}

function isFactor(value: unknown): value is number {
  return typeof value === 'number' && value > 0;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function equal(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
