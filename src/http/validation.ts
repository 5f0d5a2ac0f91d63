import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-zod-openapi';
import type { z } from 'zod';
import { AppError } from '../core/errors.ts';

type Issue = z.core.$ZodIssue;

/**
 * Validates by zod schemas. Fastify hands over null where a request has no body, which no optional schema would take;
 * a body that says null never comes so far, as the parser lets only objects through.
 */
export const requestValidator: FastifySchemaCompiler<z.ZodType> = (route) => {
  const validate = validatorCompiler(route);
  return (value) => validate(route.httpPart === 'body' && value === null ? undefined : value);
};

/**
 * Turns what a schema complains of into one error: the first complaint, with the field as the client wrote it.
 */
export function validationError(issues: readonly Issue[]): AppError {
  const issue = mostTelling(issues);
  if (issue === null) return new AppError('invalid_request', 'The request is not valid.');
  if (issue.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]].join('.');
    return new AppError('invalid_request', `Unknown field "${field}".`, {
      field,
      fix: 'Remove it, or check its spelling in /docs.',
    });
  }
  const field = issue.path.join('.');
  if (field === '' && isMissing(issue)) return new AppError('invalid_request', 'A body is required: a JSON object.');
  if (field === '') return new AppError('invalid_request', `The body is not valid: ${reason(issue)}.`);
  const message = isMissing(issue) ? `"${field}" is required.` : `"${field}" is not valid: ${reason(issue)}.`;
  return new AppError('invalid_request', message, { field });
}

/**
 * The issue that says most. A union reports one list per option; the option that the client meant is the one that
 * matched deepest into the value.
 */
function mostTelling(issues: readonly Issue[]): Issue | null {
  const first = issues[0];
  if (first === undefined) return null;
  if (first.code !== 'invalid_union') return first;
  const options = first.errors.map((errors) => mostTelling(errors)).filter((found) => found !== null);
  const deepest = options.reduce<Issue | null>(
    (best, found) => (best === null || rank(found) > rank(best) ? found : best),
    null,
  );
  if (deepest === null || rank(deepest) === 0) return first;
  return { ...deepest, path: [...first.path, ...deepest.path] };
}

/** A wrong type at the union's own level says nothing about which option was meant. */
function rank(issue: Issue): number {
  return issue.path.length + (issue.code === 'invalid_type' ? 0 : 0.5);
}

function isMissing(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
}

function reason(issue: Issue): string {
  const text = issue.message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  if (issue.code === 'invalid_union' && text === 'Invalid input') return 'none of the allowed forms';
  return text.charAt(0).toLowerCase() + text.slice(1);
}
