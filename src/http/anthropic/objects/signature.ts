import { createHash } from 'node:crypto';
import { ownSignaturePrefix } from '../../../core/content.ts';

const provingPrefix = `${ownSignaturePrefix}1.`;
/** A signature that carries the thought itself, for clients that do not want to see it. */
const carryingPrefix = `${ownSignaturePrefix}text-1.`;

/** Opaque proof that a thought was one of this server's. */
export function signThought(text: string): string {
  return provingPrefix + createHash('sha256').update(text).digest('base64url');
}

/** The same for a thought that is not shown: it comes back with the signature. */
export function carryThought(text: string): string {
  return carryingPrefix + Buffer.from(text).toString('base64url');
}

/** Whether a signature was made by a Hearth. */
export function isOwnSignature(signature: string): boolean {
  return signature.startsWith(ownSignaturePrefix);
}

/** The thought that a signature carries, or null. */
export function carriedThought(signature: string): string | null {
  if (!signature.startsWith(carryingPrefix)) return null;
  return Buffer.from(signature.slice(carryingPrefix.length), 'base64url').toString('utf8').toWellFormed();
}
