import type { Conversion, Place, Root } from './context.ts';
import { asObject } from './keywords.ts';
import { resolveRef } from './refs.ts';

/** What of a branch tells it apart from another. */
interface Outline {
  types: ReadonlySet<unknown> | null;
  /** All values that it can have, as JSON. */
  values: ReadonlySet<string> | null;
  /** Properties with given values. */
  given: ReadonlyMap<string, ReadonlySet<string>>;
  declared: ReadonlySet<string>;
  required: ReadonlySet<string>;
  isClosed: boolean;
}

/** More branches are compared with each other in no reasonable time. */
const mostBranches = 100;
const deepest = 8;

/**
 * The branches of a `oneOf`, so that no value of one fits another. A property with different given values in both tells
 * two apart once it is there, so it becomes required;
 * where each needs one that the other does not, each goes without it. `isSure`: whether all are told apart.
 */
export function exclusive(
  branches: readonly unknown[],
  place: Place,
  conversion: Pick<Conversion, 'refuse' | 'references'>,
): { branches: readonly unknown[]; isSure: boolean } {
  if (branches.length < 2) return { branches, isSure: true };
  if (branches.length > mostBranches) return { branches, isSure: false };
  const outlines = branches.map((branch) => outlineOf(branch, place.root, 0));
  const wanted = branches.map(() => new Set<string>());
  const unwanted = branches.map(() => new Set<string>());
  let isSure = true;
  for (const [index, a] of outlines.entries()) {
    for (const [offset, b] of outlines.slice(index + 1).entries()) {
      const other = index + 1 + offset;
      const apart = tellsApart(a, b);
      if (apart === '') continue;
      if (apart !== null) {
        for (const place of [index, other]) wanted[place]!.add(apart);
        continue;
      }
      // What only the other one needs is left out.
      const [onlyA] = a.required.difference(b.required);
      const [onlyB] = b.required.difference(a.required);
      if (onlyA === undefined || onlyB === undefined) isSure = false;
      else {
        unwanted[index]!.add(onlyB);
        unwanted[other]!.add(onlyA);
      }
    }
  }
  return {
    isSure,
    branches: branches.map((branch, index) => {
      const required = [...wanted[index]!].filter((name) => !outlines[index]!.required.has(name));
      const without = [...unwanted[index]!];
      if (required.length + without.length === 0) return branch;
      const properties = Object.fromEntries(without.map((name) => [name, false]));
      return { allOf: [branch, { type: 'object', required, ...(without.length > 0 && { properties }) }] };
    }),
  };

  function outlineOf(schema: unknown, root: Root, depth: number): Outline {
    const object = asObject(schema) ?? {};
    const own: Outline = {
      types: typesOf(object['type'], object),
      values: valuesOf(object),
      given: givenOf(asObject(object['properties']) ?? {}, root, depth),
      declared: new Set(Object.keys(asObject(object['properties']) ?? {})),
      required: new Set(Array.isArray(object['required']) ? object['required'].map(String) : []),
      isClosed: object['additionalProperties'] === false && object['patternProperties'] === undefined,
    };
    if (depth > deepest) return own;
    const parts = (Array.isArray(object['allOf']) ? object['allOf'] : []).map((part) =>
      outlineOf(part, root, depth + 1),
    );
    if (typeof object['$ref'] === 'string') {
      const target = resolveRef(object['$ref'], { ...place, root }, conversion);
      parts.push(outlineOf(target.schema, target.root, depth + 1));
    }
    return parts.reduce(joined, own);
  }

  function givenOf(properties: Readonly<Record<string, unknown>>, root: Root, depth: number): Map<string, Set<string>> {
    const given = new Map<string, Set<string>>();
    for (const [name, schema] of Object.entries(properties)) {
      const values = depth > deepest ? null : outlineOf(onlyGiven(schema), root, depth + 1).values;
      if (values !== null) given.set(name, new Set(values));
    }
    return given;
  }
}

/** A property's schema without properties of its own: they do not matter here. */
function onlyGiven(schema: unknown): unknown {
  const object = asObject(schema);
  if (object === null) return schema;
  const { properties, ...rest } = object;
  return rest;
}

function joined(a: Outline, b: Outline): Outline {
  return {
    types: a.types === null ? b.types : b.types === null ? a.types : a.types.intersection(b.types),
    values: a.values === null ? b.values : b.values === null ? a.values : a.values.intersection(b.values),
    given: new Map([...a.given, ...b.given]),
    declared: a.declared.union(b.declared),
    required: a.required.union(b.required),
    isClosed: a.isClosed || b.isClosed,
  };
}

/** Null when the two may share a value; else the property that has to be there for it, or nothing. */
function tellsApart(a: Outline, b: Outline): string | null {
  if (a.types?.isDisjointFrom(b.types ?? a.types) || a.values?.isDisjointFrom(b.values ?? a.values)) return '';
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (other.isClosed && [...one.required].some((name) => !other.declared.has(name))) return '';
  }
  for (const [name, values] of a.given) if (b.given.get(name)?.isDisjointFrom(values)) return name;
  return null;
}

function typesOf(type: unknown, { enum: listed, ...object }: Readonly<Record<string, unknown>>): Set<unknown> | null {
  const values = 'const' in object ? [object['const']] : Array.isArray(listed) ? listed : null;
  if (type === undefined && values !== null) return new Set(values.flatMap((value) => nameOf(value)));
  if (type === undefined) return 'properties' in object ? new Set(['object']) : null;
  const types: unknown[] = [type].flat();
  return new Set([
    ...types.flatMap((name) => (name === 'number' ? ['number', 'integer'] : [name])),
    ...(object['nullable'] === true ? ['null'] : []),
  ]);
}

function nameOf(value: unknown): string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  return typeof value === 'number' ? ['number', 'integer'] : [typeof value];
}

function valuesOf(schema: Readonly<Record<string, unknown>>): Set<string> | null {
  const values = 'const' in schema ? [schema['const']] : schema['enum'];
  return Array.isArray(values) ? new Set(values.map((value) => JSON.stringify(value))) : null;
}
