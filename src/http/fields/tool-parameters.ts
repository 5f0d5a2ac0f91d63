import { AppError } from '../../core/errors.ts';

/**
 * Throws `invalid_request` that names `field` where the parameters of a tool let no object through, as a call has nothing
 * else. Without a type it may be said elsewhere, behind a `$ref` or in an `allOf`.
 */
export function assertTakesObject(parameters: Readonly<Record<string, unknown>>, field: string): void {
  const { type } = parameters;
  if (type === undefined || [type].flat().includes('object')) return;
  throw new AppError('invalid_request', `"${field}" must be a JSON Schema of type object.`, { field });
}
