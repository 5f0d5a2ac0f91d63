import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/errors.ts';

/** Every value of the two headers that may carry a key, in the order in which they were sent. */
export interface KeyHeaders {
  authorization: readonly string[];
  apiKey: readonly string[];
}

/**
 * Checks the key of a request against the configured one. `configuredKey` null: no key is asked for.
 * Throws `invalid_request` when the headers carry different keys (a proxy and a client that disagree are a mistake, not
 * a choice for the server to make) and `unauthorized` when the key is missing or wrong.
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

/** The one key that the headers carry, or null. A scheme other than Bearer carries none. */
function readKey(headers: KeyHeaders): string | null {
  const bearers = headers.authorization.map((value) => /^bearer +(\S+) *$/i.exec(value)?.[1] ?? '');
  const [first, ...others] = [...bearers, ...headers.apiKey].filter((key) => key !== '');
  if (first === undefined) return null;
  if (others.some((key) => !equalKeys(key, first))) {
    throw new AppError('invalid_request', 'The headers carry different keys.', { fix: 'Send one.' });
  }
  return first;
}

/** Equality in time that depends on neither key: hashes have one length, and are compared in constant time. */
function equalKeys(left: string, right: string): boolean {
  const digest = (key: string) => createHash('sha256').update(key).digest();
  return timingSafeEqual(digest(left), digest(right));
}
