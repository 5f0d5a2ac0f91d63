import type { Conversion, Place, SchemaObject } from './context.ts';
import { step } from './gbnf/gbnf.ts';
import { asObject } from './keywords.ts';

/** What is done about the conditions of one schema. */
export interface Conditions {
  /** Choices of schemas that keep to them, as `anyOf` would list them. */
  groups: readonly (readonly unknown[])[];
  /** Those that no choice of schemas keeps: the value is checked. */
  open: readonly string[];
}

/** Each dependent name doubles the alternatives. */
const mostDependent = 4;

/** Items of a kind that are written out in front. */
const mostContained = 64;

const types = ['object', 'array', 'string', 'number', 'boolean', 'null'];

/** Reads `not`, `if`, the dependent ones and `contains`: each becomes alternatives without it where that can be said. */
export function readConditions(
  conditions: SchemaObject,
  schema: SchemaObject,
  place: Place,
  { refuse }: Pick<Conversion, 'refuse'>,
): Conditions {
  const groups: (readonly unknown[])[] = [];
  const open: string[] = [];
  const at = (keyword: string) => step(place.path, keyword);

  for (const [keyword, value] of Object.entries(conditions)) {
    switch (keyword) {
      case 'not': {
        const opposite = oppositeOf(value, schema);
        if (opposite === null) open.push(keyword);
        else groups.push([opposite]);
        break;
      }
      case 'if': {
        const { then: whenTrue = true, else: whenFalse = true } = conditions;
        const opposite = oppositeOf(value, schema);
        // Without its opposite the second way may still meet the condition.
        groups.push([both(value, whenTrue), opposite === null ? whenFalse : both(opposite, whenFalse)]);
        if (opposite === null) open.push(keyword);
        break;
      }
      case 'dependentRequired':
      case 'dependentSchemas':
      case 'dependencies':
        if (Object.keys(asObject(value) ?? {}).length > mostDependent) {
          open.push(keyword);
          break;
        }
        for (const [name, demand] of Object.entries(
          asObject(value) ?? refuse(at(keyword), `"${keyword}" must be an object.`),
        )) {
          const wanted = Array.isArray(demand) ? { type: 'object', required: demand } : demand;
          groups.push([
            { type: 'object', properties: { [name]: false } },
            both({ type: 'object', required: [name] }, wanted),
          ]);
        }
        break;
      case 'contains':
        // As many as are wanted come first.
        if (schema['prefixItems'] === undefined && !Array.isArray(schema['items']) && !('maxContains' in conditions)) {
          const { minContains: least = 1 } = conditions;
          if (typeof least === 'number' && least <= mostContained) {
            const prefixItems = Array.from({ length: least }, () => value);
            groups.push([{ type: 'array', prefixItems, items: true, minItems: least }]);
            break;
          }
        }
        open.push(keyword);
        break;
    }
  }
  return { groups, open };
}

function both(a: unknown, b: unknown): unknown {
  return b === true ? a : a === true ? b : { allOf: [a, b] };
}

/** A schema of values that do not match another, not always all of them; null when that cannot be said. */
function oppositeOf(schema: unknown, around: SchemaObject): unknown {
  if (schema === true) return false;
  if (schema === false) return true;
  const object = asObject(schema);
  if (object === null) return null;
  const { title, description, ...said } = object;
  const keywords = Object.keys(said);
  const isObject = around['type'] === 'object' || 'properties' in around;
  const { type, required, properties } = said;
  if (keywords.length === 0) return false;
  if (keywords.length === 1 && type !== undefined) {
    const excluded = Array.isArray(type) ? type : [type];
    if (excluded.includes('integer')) return null;
    return { type: types.filter((name) => !excluded.includes(name)) };
  }
  // One missing name is enough; of several, each is a way.
  if (isObject && keywords.length === 1 && Array.isArray(required) && required.length > 0) {
    const ways = required.map((name: unknown) => ({ type: 'object', properties: { [String(name)]: false } }));
    return ways.length === 1 ? ways[0] : { anyOf: ways };
  }
  const declared = asObject(properties);
  const isOnlyProperties = keywords.every((keyword) => ['type', 'required', 'properties'].includes(keyword));
  if (!isObject || declared === null || !isOnlyProperties || (type !== undefined && type !== 'object')) return null;
  const ways = Object.entries(declared).map(([name, part]) => ({
    type: 'object',
    properties: { [name]: asObject(part) === null ? false : { not: part } },
    required: [name],
  }));
  const missing = Array.isArray(required)
    ? required.map((name: unknown) => ({ type: 'object', properties: { [String(name)]: false } }))
    : [];
  return ways.length + missing.length === 0 ? null : { anyOf: [...missing, ...ways] };
}
