import type { ToolDefinition } from '../../core/chat.ts';
import { isObject } from './json-text.ts';

const mostSteps = 16;

/**
 * The tool with the schema of an object at the root of its parameters: some converters put it behind a `$ref`, where no
 * template looks for it.
 */
export function withObjectSchema(tool: ToolDefinition): ToolDefinition {
  let { parameters } = tool;
  for (let steps = 0; steps < mostSteps && typeof parameters?.['$ref'] === 'string'; steps++) {
    const target = targetOf(parameters['$ref'], parameters);
    if (target === null) break;
    const { $ref, ...rest } = parameters;
    parameters = { ...rest, ...target };
  }
  return parameters === tool.parameters || parameters === undefined ? tool : { ...tool, parameters };
}

function targetOf(ref: string, root: unknown): Record<string, unknown> | null {
  if (!ref.startsWith('#/')) return null;
  let target: unknown = root;
  for (const step of ref.slice(2).split('/')) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    target = isObject(target) && Object.hasOwn(target, key) ? target[key] : null;
  }
  return isObject(target) ? target : null;
}
