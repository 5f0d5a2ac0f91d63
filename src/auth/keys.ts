import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/errors.ts';

/** The two headers that may carry a key, as Node gives them. */
export interface KeyHeaders {
  authorization?: string | undefined;
  'x-api-key'?: string | string[] | undefined;
}

/**
 * Checks the key of a request against the configured one. `configuredKey` null: no key is asked for.
 * Throws `invalid_request` when both headers carry different keys (a proxy and a client that disagree are a mistake,
 * not a choice for the server to make) and `unauthorized` when the key is missing or wrong.
 */
export function checkKey(headers: KeyHeaders, configuredKey: string | null): void {
  if (configuredKey === null) return;
  const given = readKey(headers);
  if (given === null) {
    throw new AppError('unauthorized', 'This server asks for an API key.', {
      fix: 'Send it as "Authorization: Bearer KEY" or "X-API-Key: KEY".',
    });
  }
  if (!equalKeys(given, configuredKey)) throw new AppError('unauthorized', 'The API key is not valid.');
}

/** The key that the headers carry, or null. A scheme other than Bearer carries none. */
function readKey(headers: KeyHeaders): string | null {
  const bearer = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
  const header = headers['x-api-key'];
  const plain = typeof header === 'string' && header !== '' ? header : null;
  if (bearer !== null && plain !== null && !equalKeys(bearer, plain)) {
    throw new AppError('invalid_request', 'Authorization and X-API-Key carry different keys.', { fix: 'Send one.' });
  }
  return bearer ?? plain;
}

/** Equality in time that depends on neither key: hashes have one length, and are compared in constant time. */
function equalKeys(left: string, right: string): boolean {
  const digest = (key: string) => createHash('sha256').update(key).digest();
  return timingSafeEqual(digest(left), digest(right));
}
