import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../../core/errors.ts';
import { decodeUtf8, parseJsonObject, parseManyRequests } from '../fields/json.ts';

/** Headers that say something of the body to a provider of its dialect; credentials never. */
const passingHeaders = ['anthropic-version', 'anthropic-beta', 'openai-beta', 'x-claude-code-session-id'] as const;

/** Replaces Fastify's body parsers by one that takes JSON objects in UTF-8 and nothing else. */
export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();

  addJsonType(app, 'application/json');
}

/** Takes bodies that say they are of this type as JSON objects. */
export function addJsonType(app: FastifyInstance, type: string): void {
  app.addContentTypeParser(type, { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done: Done) => {
    const charset = charsetOf(request.headers['content-type'] ?? '');
    if (charset !== null && charset !== 'utf-8' && charset !== 'utf8') {
      throw new AppError('unsupported_media_type', 'JSON must be UTF-8.', {
        fix: 'Send "Content-Type: application/json".',
      });
    }
    readJson(request, body, done);
  });
}

/** Takes bodies that say nothing of their type as JSON objects; those of other types are refused as ever. */
export function addUntypedJson(app: FastifyInstance): void {
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done: Done) => {
    if (request.headers['content-type'] !== undefined) throw notJson();
    readJson(request, body, done);
  });
}

/** The body is of a type that is not read here. */
export const notJson = () =>
  new AppError('unsupported_media_type', 'The body must be JSON.', { fix: 'Send "Content-Type: application/json".' });

type Done = (error: Error | null, body?: unknown) => void;

/** What it throws is the failure of the request. */
function readJson(request: FastifyRequest, body: Buffer, done: Done): void {
  if (body.length === 0 && mayBeEmpty(request)) done(null);
  else if (request.routeOptions.config.holdsRequests)
    parseManyRequests(body).then((parsed) => done(null, parsed), done);
  else {
    const parsed = parseJsonObject(decodeUtf8(body));
    keepOriginal(request, body, parsed);
    done(null, parsed);
  }
}

/** Where a request may pass as it came, what came is kept beside what a schema makes of it. */
function keepOriginal(request: FastifyRequest, bytes: Buffer, body: object): void {
  const { relays } = request.routeOptions.config;
  if (relays === undefined) return;
  const headers: Record<string, string> = {};
  for (const name of passingHeaders) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = typeof value === 'string' ? value : value.join(',');
  }
  request.original = { ...relays, bytes, body: body as Readonly<Record<string, unknown>>, headers };
}

/** Clients put the content type on everything they send, a `DELETE` included. */
function mayBeEmpty({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.allowsEmptyBody === true || routeOptions.schema?.body === undefined;
}

function charsetOf(contentType: string): string | null {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? null;
}
