import type { ToolDefinition } from '../../core/chat.ts';
import { isObject, parseJson } from './json-text.ts';

/** JSON types that a value may have; null when the schema does not say. */
export type ArgumentTypes = ReadonlySet<string> | null;

/** The schema of a tool's parameter, or undefined when the tool does not declare it. References into `$defs` are followed. */
export function parameterSchema(tool: ToolDefinition | undefined, key: string): unknown {
  const properties = tool?.parameters?.['properties'];
  return isObject(properties) ? properties[key] : undefined;
}

/** The types that a schema allows, as far as `type`, `enum`, `const`, `anyOf`, `oneOf` and local references say. */
export function typesOf(schema: unknown, root: unknown, depth = 0): ArgumentTypes {
  if (!isObject(schema) || depth > 8) return null;
  const { type } = schema;
  const named = typeof type === 'string' ? [type] : Array.isArray(type) ? type.map(String) : null;
  if (named) {
    const types = named.map((name) => (name === 'integer' ? 'number' : name));
    return new Set(schema['nullable'] === true ? [...types, 'null'] : types);
  }
  const values = Array.isArray(schema['enum']) ? schema['enum'] : 'const' in schema ? [schema['const']] : null;
  if (values) return new Set(values.map(typeName));
  const branches = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(branches)) {
    const all = branches.map((branch) => typesOf(branch, root, depth + 1));
    return all.some((types) => types === null) ? null : new Set(all.flatMap((types) => [...(types ?? [])]));
  }
  const reference = schema['$ref'];
  if (typeof reference === 'string' && reference.startsWith('#/')) {
    let target: unknown = root;
    for (const step of reference.slice(2).split('/')) {
      target = isObject(target) ? target[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }
    return typesOf(target, root, depth + 1);
  }
  return null;
}

/**
 * JSON text of a value that a model wrote bare: strings stand without quotes, other values as JSON, or as Python
 * writes them. A text that is none of the allowed types is a string.
 */
export function bareValueToJson(text: string, types: ArgumentTypes): string {
  if (isOnlyString(types)) return JSON.stringify(text);
  const trimmed = text.trim();
  const python: Record<string, string> = { True: 'true', False: 'false', None: 'null' };
  const json = Object.hasOwn(python, trimmed) ? python[trimmed]! : trimmed;
  const value = parseJson(json);
  const fits = value !== undefined && (types === null ? typeof value !== 'string' : types.has(typeName(value)));
  return fits ? json : JSON.stringify(text);
}

export const isOnlyString = (types: ArgumentTypes) => types !== null && types.size === 1 && types.has('string');

/** The JSON type of a value of JSON. */
export function typeName(value: unknown): 'string' | 'number' | 'boolean' | 'array' | 'object' | 'null' {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : (typeof value as 'string' | 'number' | 'boolean' | 'object');
}
