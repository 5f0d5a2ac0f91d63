import { hash } from 'node:crypto';
import { AppError } from '../core/errors.ts';

/** Every value of the headers that may carry a key, in the order in which they were sent. */
export interface KeyHeaders {
  authorization: readonly string[];
  apiKey: readonly string[];
  /** Keys among the subprotocols of a WebSocket's handshake. */
  subprotocol?: readonly string[];
}

/**
 * The one key that the headers carry, or null. A scheme other than Bearer carries none. Throws `invalid_request` when they
 * carry different keys: a proxy and a client that disagree are a mistake, not a choice for the server to make.
 */
export function readKey(headers: KeyHeaders): string | null {
  const bearers = headers.authorization.map((value) => /^bearer +(\S+) *$/i.exec(value)?.[1] ?? '');
  const all = [...bearers, ...headers.apiKey, ...(headers.subprotocol ?? [])];
  const [first, ...others] = all.filter((key) => key !== '');
  if (first === undefined) return null;
  if (others.some((key) => key !== first)) {
    throw new AppError('invalid_request', 'The headers carry different keys.', { fix: 'Send one.' });
  }
  return first;
}

/**
 * SHA-256 of a key in hexadecimal digits. Keys are only ever compared by it: how long that takes tells of the digests, from
 * which no key can be found.
 */
export function digestOf(key: string): string {
  return hash('sha256', key);
}

/** 64 bits that stand for a key where the key itself must not be: in messages to workers, in file names and in the ledger. */
export function ownerOf(key: string): string {
  return ownerOfDigest(digestOf(key));
}

/** The same of a key of which only the digest is known. */
export function ownerOfDigest(digest: string): string {
  return hash('sha256', `owner of what was kept for ${digest}`).slice(0, 16);
}
