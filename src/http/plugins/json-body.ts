import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../../core/errors.ts';
import { decodeUtf8, parseJsonObject } from '../fields/json.ts';

/** Replaces Fastify's body parsers by one that takes JSON objects in UTF-8 and nothing else. */
export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();

  addJsonType(app, 'application/json');
}

/** Takes bodies that say they are of this type as JSON objects. */
export function addJsonType(app: FastifyInstance, type: string): void {
  app.addContentTypeParser(type, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    const charset = charsetOf(request.headers['content-type'] ?? '');
    if (charset !== null && charset !== 'utf-8' && charset !== 'utf8') {
      throw new AppError('unsupported_media_type', 'JSON must be UTF-8.', {
        fix: 'Send "Content-Type: application/json".',
      });
    }
    if (body.length === 0 && mayBeEmpty(request)) return undefined;
    return parseJsonObject(decodeUtf8(body));
  });
}

/** Clients put the content type on everything they send, a `DELETE` included. */
function mayBeEmpty({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.allowsEmptyBody === true || routeOptions.schema?.body === undefined;
}

function charsetOf(contentType: string): string | null {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? null;
}
