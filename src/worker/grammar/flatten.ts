import { readConditions } from './conditions.ts';
import type { Conversion, Place, Root, SchemaObject } from './context.ts';
import { exclusive } from './exclusive.ts';
import { limits, step } from './gbnf/gbnf.ts';
import { asObject, assertionsOf } from './keywords.ts';
import { MergeError, mergeSchemas } from './merge.ts';
import { resolveRef } from './refs.ts';

/** A schema without `allOf` and `$ref`: what holds in any case, and one branch of each group besides. */
interface Flat {
  base: SchemaObject;
  /** The branches of each `anyOf` and `oneOf`, and of the conditions that become alternatives. */
  groups: readonly (readonly unknown[])[];
  /** Conditions that only a finished value shows. */
  open: readonly OpenCondition[];
}

export interface OpenCondition {
  keyword: string;
  value: unknown;
  place: Place;
}

/** Merges `allOf` and a `$ref` that has neighbours into the schema around them. Refuses what contradicts itself. */
export function flatten(
  schema: SchemaObject,
  place: Place,
  conversion: Pick<Conversion, 'rules' | 'refuse' | 'references'>,
): Flat {
  return flattenOpen(schema, place, new Set());

  /** `open`: schemas being merged around this one; meeting one again is a loop. */
  function flattenOpen(current: unknown, at: Place, open: ReadonlySet<unknown>): Flat {
    const { refuse } = conversion;
    conversion.rules.tick();
    if (current === true) return { base: {}, groups: [], open: [] };
    const object = asObject(current);
    if (object === null) return refuse(at.path, '"allOf" needs schemas that something can match.');
    if (open.has(object)) return refuse(at.path, 'a "$ref" leads back to itself without a value on the way.');
    if (at.depth > limits.depth) return refuse(at.path, `it is nested over ${limits.depth} deep.`);

    const { kept, conditions } = assertionsOf(object, at.path, refuse);
    const { allOf, anyOf, oneOf, $ref, ...own } = kept;
    const root = conversion.references.rootAt(object) ?? at.root;
    const inside = new Set([...open, object]);
    const parts: { schema: unknown; path: string; root: Root }[] = listOf(allOf, 'allOf', at, conversion).map(
      (part, index) => ({
        schema: part,
        path: step(step(at.path, 'allOf'), index),
        root,
      }),
    );
    if ($ref !== undefined) parts.unshift(resolveRef($ref, { ...at, root }, conversion));

    let base: SchemaObject = own;
    const read = readConditions(conditions, object, at, conversion);
    const alone = exclusive(listOf(oneOf, 'oneOf', at, conversion), { ...at, root }, conversion);
    const groups = [listOf(anyOf, 'anyOf', at, conversion), alone.branches, ...read.groups].filter(
      (branches) => branches.length > 0,
    );
    const left: OpenCondition[] = [...read.open, ...(alone.isSure ? [] : ['oneOf'])].map((keyword) => ({
      keyword,
      value: object[keyword],
      place: { ...at, root },
    }));
    for (const part of parts) {
      const flat = flattenOpen(part.schema, { ...at, root: part.root, path: part.path, depth: at.depth + 1 }, inside);
      groups.push(...flat.groups);
      left.push(...flat.open);
      base = merge(base, flat.base, part.path);
    }
    return { base, groups, open: left };
  }

  function merge(a: SchemaObject, b: SchemaObject, path: string): SchemaObject {
    try {
      return mergeSchemas(a, b);
    } catch (error) {
      if (!(error instanceof MergeError)) throw error;
      return conversion.refuse(path, `"${error.keyword}" here and in the schema around it cannot be combined.`);
    }
  }
}

/**
 * One schema for each way to choose a branch of every group, merged with the base. A lone group without a base gives
 * its branches as they are, so that a `$ref` among them stays one.
 */
export function branchesOf(
  { base, groups }: Omit<Flat, 'open'>,
  place: Place,
  { refuse }: Pick<Conversion, 'refuse'>,
): readonly unknown[] {
  const isFree = Object.keys(base).length === 0;
  let combined: unknown[][] = [isFree ? [] : [base]];
  for (const group of groups) {
    if (combined.length * group.length > limits.alternatives) {
      return refuse(place.path, `it has over ${limits.alternatives} alternatives.`);
    }
    combined = combined.flatMap((parts) => group.map((branch) => [...parts, branch]));
  }
  return combined.map((parts) => (parts.length === 1 ? parts[0] : { allOf: parts }));
}

function listOf(
  value: unknown,
  keyword: string,
  place: Place,
  { refuse }: Pick<Conversion, 'refuse'>,
): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length > 0) return value;
  return refuse(place.path, `"${keyword}" must be a list of at least one schema.`);
}
