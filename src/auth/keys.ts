import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../core/errors.ts';

/** Every value of the headers that may carry a key, in the order in which they were sent. */
export interface KeyHeaders {
  authorization: readonly string[];
  apiKey: readonly string[];
  /** Keys among the subprotocols of a WebSocket's handshake. */
  subprotocol?: readonly string[];
}

/**
 * Checks the key of a request against the configured ones and tells who asks: the same short text for the same key, or
 * null when no key is configured (an empty list) and everyone is the same.
 * Throws `invalid_request` when the headers carry different keys (a proxy and a client that disagree are a mistake, not
 * a choice for the server to make) and `unauthorized` when the key is missing or wrong.
 */
export function checkKey(headers: KeyHeaders, configuredKeys: readonly string[]): string | null {
  if (configuredKeys.length === 0) return null;
  const given = readKey(headers);
  if (given === null) {
    throw new AppError('unauthorized', 'This server asks for an API key.', {
      fix: 'Send it as "Authorization: Bearer KEY" or "X-API-Key: KEY".',
    });
  }
  // All are compared, so that the time does not tell which one it was.
  const matches = configuredKeys.filter((key) => equalKeys(given, key));
  if (matches.length === 0) throw new AppError('unauthorized', 'The API key is not valid.');
  return ownerOf(given);
}

/** 64 bits that stand for a key where the key itself must not be: in messages to workers and in file names. */
function ownerOf(key: string): string {
  return createHash('sha256').update(`owner of what was kept for ${key}`).digest('hex').slice(0, 16);
}

/** The one key that the headers carry, or null. A scheme other than Bearer carries none. */
function readKey(headers: KeyHeaders): string | null {
  const bearers = headers.authorization.map((value) => /^bearer +(\S+) *$/i.exec(value)?.[1] ?? '');
  const all = [...bearers, ...headers.apiKey, ...(headers.subprotocol ?? [])];
  const [first, ...others] = all.filter((key) => key !== '');
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
