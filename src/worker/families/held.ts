import { isObject } from './json-text.ts';

/** Keywords that say nothing that a call could break. */
const silent = new Set([
  ...['title', 'description', 'default', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'format'],
  ...['$schema', '$comment', '$id', 'id', '$defs', 'definitions', 'nullable'],
]);

/** Whether names and the schemas of the single parameters are all that a tool's schema asks for. */
export function isHeldByParts(root: Readonly<Record<string, unknown>>): boolean {
  const held = new Set(['type', 'properties', 'required', 'additionalProperties']);
  return Object.keys(root).every((keyword) => silent.has(keyword) || held.has(keyword));
}

/** Whether the JSON type is all that a schema asks for, in items too. */
export function isHeldByType(schema: unknown): boolean {
  if (schema === true) return true;
  if (!isObject(schema)) return false;
  const { type, items } = schema;
  const rest = Object.keys(schema).filter(
    (keyword) => !silent.has(keyword) && keyword !== 'type' && keyword !== 'items',
  );
  const isPlainType =
    type === undefined || typeof type === 'string' || (Array.isArray(type) && !type.includes('integer'));
  return rest.length === 0 && isPlainType && (items === undefined || isHeldByType(items));
}

/** JSON pointer to a parameter in a tool's schema. */
export function pointerTo(parameter: string): string {
  return `#/properties/${encodeURIComponent(parameter.replaceAll('~', '~0').replaceAll('/', '~1'))}`;
}
