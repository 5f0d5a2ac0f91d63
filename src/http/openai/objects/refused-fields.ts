import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';

/** Fields that bind an answer and that we do not have, with what does the same here. */
const refused = {
  audio: 'Leave it out: answers are text.',
  web_search_options: 'Leave it out, or offer the search as a tool.',
  guided_json: 'Use "json_schema" or "response_format".',
  guided_grammar: 'Use "grammar".',
  guided_regex: 'Use "json_schema" with a "pattern", or "grammar".',
  guided_choice: 'Use "json_schema" with an "enum", or "grammar".',
  structured_outputs: 'Use "response_format".',
  regex: 'Use "json_schema" with a "pattern", or "grammar".',
  ebnf: 'Use "grammar".',
  format: 'Use "response_format".',
} as const;

const notSupported = z
  .unknown()
  .optional()
  .meta({ description: 'Not supported: refused.', override: { type: 'null' } });

/** Parts of a body's schema, so that these fields are seen at all: unknown ones are dropped. */
export const refusedFields = Object.fromEntries(Object.keys(refused).map((name) => [name, notSupported])) as Record<
  keyof typeof refused,
  typeof notSupported
>;

const fixes = Object.entries(refused);

/** Throws `invalid_request` for a field that an answer would have to keep to: to drop it would give a wrong one. */
export function refuseUnkept(body: Readonly<Record<string, unknown>>): void {
  for (const [field, fix] of fixes) {
    if ((body[field] ?? null) === null) continue;
    throw new AppError('invalid_request', `"${field}" is not supported.`, { field, fix });
  }
}
