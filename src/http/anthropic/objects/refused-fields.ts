import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';

/** Fields that would change what an answer is and that nothing here can keep, with what to do instead. */
const refused = {
  container: 'Leave it out: code runs at the client only.',
  mcp_servers: 'Give the tools of the servers as tools, and run them at the client.',
  thread: 'Send the whole conversation.',
  fallbacks: 'Name one model.',
  fallback_credit_token: 'Leave it out.',
  billing_policy: 'Leave it out.',
  compaction: 'Use "context_management", or shorten the conversation at the client.',
} as const;

const notSupported = z
  .unknown()
  .optional()
  .meta({
    description: 'Not supported: refused, unless it is null or an empty list.',
    override: { anyOf: [{ type: 'null' }, { type: 'array', maxItems: 0 }] },
  });

/** Parts of a body's schema, so that these fields are seen at all: unknown ones are dropped. */
export const refusedFields = Object.fromEntries(Object.keys(refused).map((name) => [name, notSupported])) as Record<
  keyof typeof refused,
  typeof notSupported
>;

/** Throws `invalid_request` for the first of them that says something. */
export function refuseUnkept(body: Readonly<Record<string, unknown>>): void {
  for (const [field, fix] of Object.entries(refused)) {
    const value = body[field] ?? null;
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const details = field === 'thread' ? { error_code: 'thread_unsupported_request' } : {};
    throw new AppError('invalid_request', `"${field}" is not supported here.`, { field, fix, details });
  }
}
