import { z } from 'zod';

/** A JSON answer for a route's `schema.response`. */
export function jsonAnswer<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A record without a name is a "message" to whoever reads the stream. */
const unnamed = z.literal('message').optional();

/**
 * An event stream for the `content` of a route's answer. `data`: what the text of a record holds; docs.ts says of all but
 * plain words such as `[DONE]` that they stand there as JSON. `event`: the names of records, where they have
 * names.
 */
export function eventStream<Data extends z.ZodType>(data: Data, event: z.ZodType = unnamed) {
  return { 'text/event-stream': { schema: z.object({ event, data }) } };
}

/** The error answers that every route may give, in the dialect's shape, for a route's `schema.response`. */
export function errorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return { ...publicErrorAnswers(schema), 401: jsonAnswer(schema, 'The API key is missing or wrong') };
}

/** Those of a route that asks for no key. */
export function publicErrorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return {
    400: jsonAnswer(schema, 'The request is not valid; the error names the field'),
    403: jsonAnswer(schema, 'This host name or origin is not allowed'),
    500: jsonAnswer(schema, 'The server failed'),
  };
}

/** The error answers of a route that reads a body, or may be sent one, beside `errorAnswers`. */
export function bodyErrorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return {
    ...errorAnswers(schema),
    413: jsonAnswer(schema, 'The body is too large'),
    415: jsonAnswer(schema, 'The body is not JSON'),
  };
}

/** The error answers of routes that start work on a model, beside `bodyErrorAnswers`. */
export function workErrorAnswers<Schema extends z.ZodType>(schema: Schema) {
  return {
    ...bodyErrorAnswers(schema),
    404: jsonAnswer(schema, 'There is no such model'),
    409: jsonAnswer(
      schema,
      'The model is busy with something that excludes this, or the first request with this Idempotency-Key is still answered; see Retry-After',
    ),
    422: jsonAnswer(schema, 'The model cannot be loaded, or the Idempotency-Key was given with another request'),
    429: jsonAnswer(schema, 'Too many requests wait for this model; see Retry-After'),
    503: jsonAnswer(schema, 'Not now: shutting down, or the model crashed; see Retry-After'),
    507: jsonAnswer(schema, 'The model does not fit into memory'),
  };
}
