import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../core/errors.ts';
import { modelNameProblem } from './model-name.ts';

/**
 * The model of a request of the native dialect: what the body says, else the header `X-Model` of the second seed
 * specification, else the default one. Throws `invalid_request` for a header that names no model.
 */
export function modelOf(body: { model?: string | undefined }, headers: IncomingHttpHeaders): string {
  if (body.model !== undefined) return body.model;
  const name = [headers['x-model'] ?? []].flat().join(', ');
  if (name === '') return 'default';
  const problem = modelNameProblem(name);
  if (problem === null) return name;
  throw new AppError('invalid_request', `The header "X-Model" is not valid: ${problem}.`, { field: 'X-Model' });
}
