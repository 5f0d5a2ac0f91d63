import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../core/errors.ts';
import { fieldOf } from './field.ts';

/** Deeper values crash or stall whatever walks them later; no honest request comes near. */
const maxDepth = 64;
/** `innerItems`: of lists in lists, as each is bounded by its schema, which reports what is wrong with every item, and not all together. */
interface JsonLimits {
  keys: number;
  innerItems: number;
}

/** What one request may hold. */
const oneRequest: JsonLimits = { keys: 10_000, innerItems: 20_000 };
/** What a list of requests may hold, each of which is looked at again. */
const manyRequests: JsonLimits = { keys: 4_000_000, innerItems: 4_000_000 };
/** From this depth on a list is in an item of a list (`messages.0.content`), and no list of tokens. */
const innerDepth = 4;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Decodes a body; a byte order mark is dropped. Throws `invalid_request` on bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new AppError('invalid_request', 'The body is not valid UTF-8.', { cause });
  }
}

/**
 * Parses a JSON object from a client. Nesting over 64, more than 10,000 keys and more than 20,000 items in lists of lists
 * are refused before parsing; keys that reach for prototypes, lone surrogates and numbers beyond the range of a double after it.
 * Throws `invalid_request`, with the field where there is one.
 */
export function parseJsonObject(text: string): Record<string, unknown> {
  refuseEmpty(text);
  refuseExcess(text);
  const value = parseObject(text);
  refuseUnsafe(value, []);
  return value;
}

/** As `parseJsonObject`, of a list of requests: a body may be so large that others have their turns in between. */
export async function parseManyRequests(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const text = decodeUtf8(bytes);
  refuseEmpty(text);
  await nextTurn();
  refuseExcess(text, manyRequests);
  await nextTurn();
  const value = parseObject(text);
  await nextTurn();
  refuseUnsafe(value, []);
  await nextTurn();
  return value;
}

function refuseEmpty(text: string): void {
  if (text.trim() === '') throw new AppError('invalid_request', 'The body is empty; a JSON object is expected.');
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_request', 'The body is not valid JSON.', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', 'The body must be a JSON object.');
  }
  return value as Record<string, unknown>;
}

/**
 * Counts brackets, colons and commas outside strings. Text that is not JSON at all gets its answer from the parser. Throws
 * `invalid_request`.
 */
export function refuseExcess(text: string, limits: JsonLimits = oneRequest): void {
  let depth = 0;
  let keys = 0;
  let innerItems = 0;
  const isList: boolean[] = [];
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    // Most of a body is text: it is skipped as a whole.
    if (char === 0x22) index = endOfString(text, index);
    else if (char === 0x5b || char === 0x7b) {
      isList[++depth] = char === 0x5b;
      if (depth > maxDepth) {
        throw new AppError('invalid_request', `The body is nested deeper than ${maxDepth} levels.`);
      }
    } else if (char === 0x5d || char === 0x7d) depth--;
    else if (char === 0x3a) {
      keys++;
      if (keys > limits.keys) throw new AppError('invalid_request', `The body has more than ${limits.keys} keys.`);
    } else if (char === 0x2c && depth >= innerDepth && isList[depth] && ++innerItems > limits.innerItems) {
      throw new AppError('invalid_request', `The body has more than ${limits.innerItems} items in lists of lists.`);
    }
  }
}

/** Where the string ends that begins at `start`, both with their quotes; the end of the text where it has none. */
function endOfString(text: string, start: number): number {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

/** Walks a parsed value; the recursion is bounded by `maxDepth`. `path` leads to the value, and is restored. */
function refuseUnsafe(value: unknown, path: (string | number)[]): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) fail(path, 'holds half of a surrogate pair, which is not text');
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) fail(path, 'is a number out of range');
  } else if (typeof value === 'object' && value !== null) {
    const isArray = Array.isArray(value);
    for (const [key, item] of isArray ? value.entries() : Object.entries(value)) {
      path.push(key);
      if (typeof key === 'string') refuseUnsafeKey(key, item, path);
      refuseUnsafe(item, path);
      path.pop();
    }
  }
}

function refuseUnsafeKey(key: string, item: unknown, path: (string | number)[]): void {
  if (!key.isWellFormed()) fail(path.slice(0, -1), 'has a key with half of a surrogate pair');
  if (key === '__proto__') fail(path, 'is not allowed');
  if (key === 'constructor' && typeof item === 'object' && item !== null && Object.hasOwn(item, 'prototype')) {
    fail(path, 'is not allowed');
  }
}

function fail(path: (string | number)[], problem: string): never {
  const field = fieldOf(path);
  throw new AppError('invalid_request', `${field === '' ? 'The body' : `"${field}"`} ${problem}.`, {
    ...(field !== '' && { field }),
  });
}
