import type { z } from 'zod';

/** A JSON answer for a route's `schema.response`. */
export function jsonAnswer<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** The error answers that every route may give, in the dialect's shape, for a route's `schema.response`. */
export function errorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return {
    400: jsonAnswer(schema, 'The request is not valid; the error names the field'),
    401: jsonAnswer(schema, 'The API key is missing or wrong'),
    403: jsonAnswer(schema, 'This host name or origin is not allowed'),
    500: jsonAnswer(schema, 'The server failed'),
  };
}

/** The error answers of routes that start work on a model, beside `errorAnswers`. */
export function workErrorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return {
    ...errorAnswers(schema),
    404: jsonAnswer(schema, 'There is no such model'),
    413: jsonAnswer(schema, 'The body is too large'),
    415: jsonAnswer(schema, 'The body is not JSON'),
    422: jsonAnswer(schema, 'The model cannot be loaded'),
    429: jsonAnswer(schema, 'Too many requests wait for this model; see Retry-After'),
    503: jsonAnswer(schema, 'Not now: shutting down, or the model crashed; see Retry-After'),
    507: jsonAnswer(schema, 'The model does not fit into memory'),
  };
}
