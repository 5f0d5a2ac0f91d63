import { AppError } from '../../../core/errors.ts';
import type { BodyBlock, BodyContent } from './body.ts';

/** Types of blocks of the service's own tools, which a conversation brings along when it moves here. */
export const serverBlock = /^(server_tool_use|mcp_tool_use|[a-z_]+_tool_result)$/;

/** Content as blocks; an empty text is none. */
export function blocksOf(content: BodyContent): BodyBlock[] {
  if (typeof content !== 'string') return content;
  return content === '' ? [] : [{ type: 'text', text: content }];
}

/** A text of a block. Throws `invalid_request` that names it where it is missing. */
export function requiredText(block: object, name: string, field: string): string {
  const value = (block as Record<string, unknown>)[name];
  if (typeof value === 'string') return value;
  throw invalid(`${field}.${name}`, value === undefined ? 'is required' : 'must be a text');
}

/** A text of a block, or null where there is none. */
export function optionalText(block: object, name: string): string | null {
  const value = (block as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : null;
}

/** An object of a block, or null where there is none. */
export function objectAt(block: object, name: string): Record<string, unknown> | null {
  const value = (block as Record<string, unknown>)[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** A block that cannot be taken, and why. */
export function unknownType(block: BodyBlock, field: string, problem: string): AppError {
  return new AppError('invalid_request', `"${field}" is of type "${block.type}"; ${problem}.`, { field });
}

export function invalid(field: string, problem: string): AppError {
  return new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
