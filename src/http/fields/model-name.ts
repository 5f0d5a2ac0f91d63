import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { isPrintable } from '../../core/printable.ts';

/** Longer than what any name of a file can become. */
const maxLength = 1_024;

/**
 * What is wrong with a model name, or null. Refused is only what no model in any folder could be called; the engine looks
 * the name up afterwards, and no name ever becomes a path.
 */
export function modelNameProblem(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name.length > maxLength) return `it is longer than ${maxLength} characters`;
  if (!isPrintable(name)) return 'characters that do not show are not allowed; the list of models writes them as "%0A"';
  if (name !== name.trim()) return 'it begins or ends with a space';
  if (name.startsWith('/') || name.endsWith('/')) return 'it begins or ends with a slash';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'empty, "." and ".." parts are not allowed';
  }
  return null;
}

/**
 * Whether a field `model` that no schema has seen is left out, or a name that a model can have. A body that only its provider
 * understands may have anything else in it, but this stands in headers, in circuits and in the ledger.
 */
export function mayBeModel(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && modelNameProblem(value) === null);
}

/**
 * The same rule as a pattern for `/openapi.json`, in what all dialects of expressions have in common: the invisible
 * characters of the first plane one by one.
 */
const invisible =
  '\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u1680\\u180e' +
  '\\u2000-\\u200b\\u200e\\u200f\\u2028-\\u202f\\u205f-\\u2064\\u2066-\\u206f\\u3000\\ufeff\\ufff9-\\ufffb';
const modelNamePattern = {
  minLength: 1,
  maxLength,
  pattern: `^(?! )(?:(?!\\.{1,2}/)[^/${invisible}]+/)*(?!\\.{1,2}$)[^/${invisible}]*[^/ ${invisible}]$`,
};

/** A model name in a body. */
export const modelNameField = z
  .string()
  .superRefine((name, context) => {
    const problem = modelNameProblem(name);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({
    description: 'Name or alias of a model; "name:quantization" asks for one variant.',
    examples: ['default'],
    override: modelNamePattern,
  });

/** A model name in a path as a schema describes it; `checkModelName` looks at it. */
export const modelNameInPath = z
  .string()
  .meta({ description: 'Name or alias; a slash in it is written %2F.', override: modelNamePattern });

/** A model name in a path: the same rule, said of the field `model`. */
export function checkModelName(name: string): string {
  const problem = modelNameProblem(name);
  if (problem !== null) {
    throw new AppError('invalid_request', `"model" is not valid: ${problem}.`, { field: 'model' });
  }
  return name;
}
