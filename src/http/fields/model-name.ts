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

/** A model name in a body. */
export const modelNameField = z
  .string()
  .superRefine((name, context) => {
    const problem = modelNameProblem(name);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ description: 'Name or alias of a model; "name:quantization" asks for one variant.', examples: ['default'] });

/** A model name in a path as a schema describes it; `checkModelName` looks at it. */
export const modelNameInPath = z.string().meta({ description: 'Name or alias; a slash in it is written %2F.' });

/** A model name in a path: the same rule, said of the field `model`. */
export function checkModelName(name: string): string {
  const problem = modelNameProblem(name);
  if (problem !== null) {
    throw new AppError('invalid_request', `"model" is not valid: ${problem}.`, { field: 'model' });
  }
  return name;
}
