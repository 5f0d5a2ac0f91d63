import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { replaceFileSync } from '../files/files.ts';
import type { Logger } from '../observe/logger.ts';

/** Texts that clients hold for us: they cannot read them, and one that we did not make is told from ours. */
export interface Seal {
  /** `purpose` and `owner`: only a call with the same ones opens it again. */
  seal(text: string, purpose: string, owner: string): string;
  /** Null: it is none of ours, was changed, or was made for something or someone else. */
  open(sealed: string, purpose: string, owner: string): string | null;
}

/** What every sealed text begins with; the number is that of its form. */
export const sealPrefix = 'hearth1.';

const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;

/** Seals with AES-256-GCM. `key`: 32 bytes. */
export function createSeal(key: Uint8Array): Seal {
  const forWhat = (purpose: string, owner: string) => Buffer.from(JSON.stringify([purpose, owner]));
  return {
    seal(text, purpose, owner) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(forWhat(purpose, owner));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return sealPrefix + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(sealed, purpose, owner) {
      if (!sealed.startsWith(sealPrefix)) return null;
      const bytes = Buffer.from(sealed.slice(sealPrefix.length), 'base64url');
      if (bytes.length < ivBytes + tagBytes) return null;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
          .setAAD(forWhat(purpose, owner))
          .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
        return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8');
      } catch {
        // Forged, cut, or of another key.
        return null;
      }
    },
  };
}

/** The key that a configured secret stands for. */
export function sealKeyOf(secret: string): Uint8Array {
  return createHash('sha256').update(`seal of hearth ${secret}`).digest();
}

/**
 * The key of this server, made on the first call and kept in a file that its owner alone may read. Where it cannot be kept,
 * `warn` is told and the key is good until the process ends.
 */
export function readSealKey(path: string, warn: (error: unknown) => void): Buffer {
  try {
    const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
    if (key.length === keyBytes) return key;
  } catch {
    // Not there yet.
  }
  const key = randomBytes(keyBytes);
  try {
    replaceFileSync(path, `${key.toString('base64')}\n`, `${path}.${process.pid}.tmp`);
    chmodSync(path, 0o600);
  } catch (error) {
    warn(error);
  }
  return key;
}

/** The key that texts are sealed with, 32 bytes: the configured one, else that of the data folder. */
export function sealKeyFor(
  { storage, dataFolder }: Pick<Config, 'storage' | 'dataFolder'>,
  { isShared, log }: { isShared: boolean; log: Pick<Logger, 'warn'> },
): Uint8Array {
  if (storage.sealKey !== null) return sealKeyOf(storage.sealKey.reveal());
  if (isShared) {
    log.warn({}, 'storage.seal_key is not set: what this replica seals, such as reasoning, no other one can read');
  }
  return readSealKey(join(dataFolder, 'seal.key'), (err) =>
    log.warn({ err }, 'the key for sealed texts cannot be kept; those of this run are worth nothing after it'),
  );
}
