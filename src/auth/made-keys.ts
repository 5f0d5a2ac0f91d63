import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../config/config-error.ts';
import type { Budget, KeyRights } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { replaceFile } from '../files/files.ts';
import { digestOf } from './keys.ts';

/** What is asked for of a new key. */
export interface KeyWish extends KeyRights {
  /** For people; `[^\s,]{1,64}`, another than that of every key that still opens something. */
  name: string;
  /** Null: never. */
  expiresAt: Date | null;
}

/** A key that was made here. The key itself is nowhere but with whoever asked for it. */
export interface MadeKey extends KeyWish {
  id: string;
  /** Its SHA-256. */
  digest: string;
  /** Its last characters, by which people tell keys apart. */
  ending: string;
  createdAt: Date;
  /** Null: it was not revoked. */
  revokedAt: Date | null;
}

/** Keys that are made by command or API: in one file of the data folder, or in the database that replicas share. */
export interface MadeKeys {
  /** Whether any was ever made, and so a key is asked for. It stays so when the last one was revoked. */
  exist(): boolean;
  find(digest: string): MadeKey | null;
  /** Oldest first, revoked ones too. */
  list(): readonly MadeKey[];
  /**
   * Makes a key and returns it, for the only time. Throws `invalid_request` for a name that is taken or a time that is over,
   * `storage_unavailable`.
   */
  create(wish: KeyWish): Promise<{ key: string; made: MadeKey }>;
  /** By id, or by name of one that still opens something. Throws `not_found`, `storage_unavailable`. */
  revoke(idOrName: string): Promise<MadeKey>;
}

/** Clients of OpenAI's API look for `sk-`. */
const keyPrefix = 'sk-hearth-';
/** A file that another process changed is seen after so long. */
const lookMs = 1_000;
const mostKeys = 10_000;

const amount = z
  .string()
  .regex(/^\d{1,30}$/)
  .transform(BigInt)
  .nullable();
const limit = z.int().min(1).nullable();
const date = z.iso.datetime().transform((text) => new Date(text));

const rightsFields = {
  scopes: z.array(z.enum(['inference', 'admin'])).min(1),
  models: z.array(z.string()).nullable(),
  mayUseCloud: z.boolean(),
  budget: z.object({ daily: amount, weekly: amount, monthly: amount }).nullable(),
  rateLimits: z.object({ requestsPerMinute: limit, tokensPerMinute: limit, requestsPerDay: limit }).nullable(),
};

/** What a key may do, as it is kept; amounts are nano-USD. */
export const keptRights = z.object(rightsFields);

/** The file. */
const keyFile = z
  .object({
    version: z.literal(1),
    keys: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        digest: z.string().regex(/^[0-9a-f]{64}$/),
        ending: z.string(),
        createdAt: date,
        expiresAt: date.nullable(),
        revokedAt: date.nullable(),
        ...rightsFields,
      }),
    ),
  })
  .transform(({ keys }): MadeKey[] => keys);

/**
 * Reads the file. Throws `ConfigError` where it is there and cannot be used: without it everyone might be let in. What
 * becomes of it later is told to `warn`, and what was read last counts on.
 */
export function createMadeKeys(deps: {
  path: string;
  clock: Pick<Clock, 'monotonicMs' | 'now'>;
  warn: (error: unknown) => void;
}): MadeKeys {
  const { path, clock, warn } = deps;
  let keys: readonly MadeKey[] = [];
  let byDigest = new Map<string, MadeKey>();
  let exists = false;
  let stamp = '';
  let lookedMs = Number.NEGATIVE_INFINITY;
  let change: Promise<unknown> = Promise.resolve();

  const takeOver = (next: readonly MadeKey[]) => {
    keys = next;
    byDigest = new Map(next.map((key) => [key.digest, key]));
    exists = true;
  };
  const readAgain = () => {
    lookedMs = clock.monotonicMs();
    const found = stampOf(path);
    if (found === stamp) return;
    // One that was there and is not any more opens nothing: whoever wants that starts anew.
    if (found !== '') takeOver(readKeys(path));
    stamp = found;
  };
  const refresh = () => {
    if (clock.monotonicMs() - lookedMs < lookMs) return;
    try {
      readAgain();
    } catch (error) {
      warn(error);
    }
  };
  /** One change at a time, of what the file has now. */
  const changed = <Result>(act: () => { next: readonly MadeKey[]; result: Result }): Promise<Result> => {
    const done = change.then(async () => {
      readAgain();
      const { next, result } = act();
      await writeKeys(path, next);
      takeOver(next);
      stamp = stampOf(path);
      return result;
    });
    change = done.catch(() => {});
    return done;
  };

  readAgain();
  return {
    exist() {
      refresh();
      return exists;
    },
    find(digest) {
      refresh();
      return byDigest.get(digest) ?? null;
    },
    list() {
      refresh();
      return keys;
    },
    create: (wish) =>
      changed(() => {
        const result = makeKey(wish, keys, clock.now());
        return { next: [...keys, result.made], result };
      }),
    revoke: (idOrName) =>
      changed(() => {
        const revoked = revokedKey(idOrName, keys, clock.now());
        return { next: keys.map((key) => (key.id === revoked.id ? revoked : key)), result: revoked };
      }),
  };
}

/** A new key beside those that are there. Throws as `MadeKeys.create`. */
export function makeKey(wish: KeyWish, keys: readonly MadeKey[], now: Date): { key: string; made: MadeKey } {
  const live = keys.filter((key) => opens(key, now));
  if (live.some(({ name }) => name === wish.name)) {
    throw new AppError('invalid_request', `There is a key called "${wish.name}" already.`, { field: 'name' });
  }
  if (live.length >= mostKeys) {
    throw new AppError('invalid_request', `There are ${live.length} keys already.`, { fix: 'Revoke some.' });
  }
  if (wish.expiresAt !== null && wish.expiresAt <= now) {
    throw new AppError('invalid_request', 'A key that has expired already would open nothing.', {
      field: 'expires_at',
      fix: 'Give a later time, or leave it out.',
    });
  }
  const key = keyPrefix + randomBytes(32).toString('base64url');
  const made: MadeKey = {
    ...wish,
    id: `key_${randomBytes(9).toString('hex')}`,
    digest: digestOf(key),
    ending: key.slice(-4),
    createdAt: now,
    revokedAt: null,
  };
  return { key, made };
}

/** The one that is meant, as it is once it is revoked. Throws as `MadeKeys.revoke`. */
export function revokedKey(idOrName: string, keys: readonly MadeKey[], now: Date): MadeKey {
  const found = keys.find(({ id }) => id === idOrName) ?? keys.find((key) => key.name === idOrName && opens(key, now));
  if (!found) {
    throw new AppError('not_found', 'There is no key of this id or name that could be revoked.', {
      fix: 'See which there are: the command "key list", or GET /api/v1/keys.',
    });
  }
  return { ...found, revokedAt: found.revokedAt ?? now };
}

/** What a key may do, as JSON can say it. */
export function plainRights({ scopes, models, mayUseCloud, budget, rateLimits }: KeyRights): object {
  return { scopes, models, mayUseCloud, budget: plainBudget(budget), rateLimits };
}

function plainBudget(budget: Budget | null): object | null {
  return (
    budget && Object.fromEntries(Object.entries(budget).map(([name, nanoUsd]) => [name, nanoUsd?.toString() ?? null]))
  );
}

/** Whether a key is good at a moment. */
export function opens({ expiresAt, revokedAt }: Pick<MadeKey, 'expiresAt' | 'revokedAt'>, now: Date): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now);
}

/** By which a file is known to have changed; empty: there is none. */
function stampOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.mtimeNs} ${stats.size}`;
}

/** Those of a file. Throws `ConfigError` where it cannot be read. */
export function readKeys(path: string): MadeKey[] {
  try {
    return keyFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new ConfigError(`${path}: the keys in this file cannot be read; mend it, or delete it with all its keys`, {
      cause: error,
    });
  }
}

async function writeKeys(path: string, keys: readonly MadeKey[]): Promise<void> {
  const file = { version: 1, keys: keys.map((key) => ({ ...key, budget: plainBudget(key.budget) })) };
  try {
    mkdirSync(dirname(path), { recursive: true });
    await replaceFile(path, `${JSON.stringify(file, null, 2)}\n`, `${path}.${process.pid}.tmp`);
  } catch (error) {
    throw new AppError('storage_unavailable', 'The keys cannot be written to the data folder.', { cause: error });
  }
}
