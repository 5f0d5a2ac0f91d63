import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-zod-openapi';
import type { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { fieldOf } from './field.ts';

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
    const field = fieldOf([...issue.path, issue.keys[0]!]);
    return new AppError('invalid_request', `Unknown field "${field}".`, {
      field,
      fix: 'Remove it, or check its spelling in /docs.',
    });
  }
  const field = fieldOf(issue.path);
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
  if (deepest === null) return first;
  const telling = rank(deepest) === 0 ? ofAllTypes(options) : deepest;
  return { ...telling, path: [...first.path, ...deepest.path] };
}

/** No option fits even in its type: one complaint that names the types of them all. */
function ofAllTypes(options: readonly Issue[]): Issue {
  const first = options[0]!;
  const types = options.map((option) => (option.code === 'invalid_type' ? option.expected : null));
  const received = /, received \w+$/.exec(first.message)?.[0];
  if (types.includes(null) || received === undefined) return first;
  return { ...first, message: `Invalid input: expected ${[...new Set(types)].join(' or ')}${received}` };
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
  // Zod's sentences begin with a capital; an abbreviation keeps its own.
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
