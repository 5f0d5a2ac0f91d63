import type { FastifyReply, FastifyRequest } from 'fastify';
import { atOnce } from '../plugins/hooks.ts';

const header = 'x-hearth-ignored';
/** A header is read by people; a body may have thousands of fields. */
const mostNames = 32;
const longestName = 64;

/**
 * A `preHandler` hook that names, in the header `x-hearth-ignored`, those of the fields `ignored` that a body has: fields
 * that the schema knows and checks, and that change nothing here. A field that is null counts as absent. What a schema does
 * not know is named by `plugins/dropped-fields.ts`.
 */
export function namesIgnored(ignored: readonly string[]) {
  return atOnce(({ body }: FastifyRequest, reply: FastifyReply): void => {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
    addIgnored(
      reply,
      ignored.filter((name) => (Reflect.get(body, name) ?? null) !== null),
    );
  });
}

/** Adds names to the header, such as those of fields further down (`tools.cache_control`), each once. */
export function addIgnored(reply: FastifyReply, names: readonly string[]): void {
  if (names.length === 0) return;
  const before = reply.getHeader(header);
  const all = new Set(typeof before === 'string' ? before.split(', ') : []);
  for (const name of names) {
    if (all.size < mostNames) all.add(printed(name));
  }
  if (all.size > 0) reply.header(header, [...all].join(', '));
}

/** Takes the header back. */
export function dropIgnored(reply: FastifyReply): void {
  reply.removeHeader(header);
}

/** A name as a list in a header can hold it. */
function printed(name: string): string {
  return name
    .slice(0, longestName)
    .toWellFormed()
    .replace(/[^\x21-\x2b\x2d-\x7e]/gu, encodeURIComponent);
}
