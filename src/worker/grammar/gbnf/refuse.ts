import { AppError } from '../../../core/errors.ts';

/** Reports a schema that cannot be turned into a grammar. `path`: JSON pointer of the schema at fault (`#/items`). */
export type Refuse = (path: string, problem: string, fix?: string) => never;

/**
 * Makes the `Refuse` of one conversion. `field`: request field that carried the schema, as the client wrote it;
 * `subject`: what the schema is called.
 */
export function createRefuse(field: string, subject = 'The JSON schema'): Refuse {
  return (path, problem, fix) => {
    throw new AppError('invalid_request', `${subject} at ${shorten(path)}: ${problem}`, {
      field,
      ...(fix !== undefined && { fix }),
      details: { schema_path: shorten(path) },
    });
  };
}

/** One step of a JSON pointer, escaped as RFC 6901 has it. */
export function step(path: string, key: string | number): string {
  return `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Client text in a message stays short: a property name may be a megabyte. */
function shorten(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 120)}…${text.slice(-60)}`;
}
