import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';

const header = 'x-hearth-ignored';
/** A header is read by people; a body may have thousands of fields. */
const mostNames = 32;
const longestName = 64;

/**
 * A `preValidation` hook that names, in the header `x-hearth-ignored`, the fields at the top of a body that change
 * nothing here: those that the schema does not know and is about to drop, and `ignored`, which it knows and checks. A field
 * that is null counts as absent.
 */
export function namesIgnored(schema: z.ZodObject, ignored: readonly string[] = []) {
  const known = new Set(Object.keys(schema.shape).filter((name) => !ignored.includes(name)));
  return async ({ body }: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
    addIgnored(
      reply,
      Object.entries(body).flatMap(([name, value]) => (known.has(name) || value === null ? [] : [name])),
    );
  };
}

/** Adds names to the header, such as those of fields further down (`tools.cache_control`), each once. */
export function addIgnored(reply: FastifyReply, names: readonly string[]): void {
  const before = reply.getHeader(header);
  const all = new Set(typeof before === 'string' ? before.split(', ') : []);
  for (const name of names) {
    if (all.size < mostNames) all.add(printed(name));
  }
  if (all.size > 0) reply.header(header, [...all].join(', '));
}

/** A name as a list in a header can hold it. */
function printed(name: string): string {
  return name
    .slice(0, longestName)
    .toWellFormed()
    .replace(/[^\x21-\x2b\x2d-\x7e]/gu, encodeURIComponent);
}
