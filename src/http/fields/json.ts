import { AppError } from '../../core/errors.ts';
import { fieldOf } from './field.ts';

/** Deeper values crash or stall whatever walks them later; no honest request comes near. */
const maxDepth = 64;
const maxKeys = 10_000;
/** Of lists in lists: each is bounded by its schema, which reports what is wrong with every item, and not all together. */
const maxInnerItems = 20_000;
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
  if (text.trim() === '') throw new AppError('invalid_request', 'The body is empty; a JSON object is expected.');
  refuseExcess(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_request', 'The body is not valid JSON.', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', 'The body must be a JSON object.');
  }
  refuseUnsafe(value, []);
  return value as Record<string, unknown>;
}

/** Counts brackets, colons and commas outside strings. Text that is not JSON at all gets its answer from the parser. */
function refuseExcess(text: string): void {
  let depth = 0;
  let keys = 0;
  let innerItems = 0;
  let inString = false;
  const isList: boolean[] = [];
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (inString) {
      if (char === 0x5c) index++;
      else if (char === 0x22) inString = false;
      continue;
    }
    if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      isList[++depth] = char === 0x5b;
      if (depth > maxDepth) {
        throw new AppError('invalid_request', `The body is nested deeper than ${maxDepth} levels.`);
      }
    } else if (char === 0x5d || char === 0x7d) depth--;
    else if (char === 0x3a) {
      keys++;
      if (keys > maxKeys) throw new AppError('invalid_request', `The body has more than ${maxKeys} keys.`);
    } else if (char === 0x2c && depth >= innerDepth && isList[depth] && ++innerItems > maxInnerItems) {
      throw new AppError('invalid_request', `The body has more than ${maxInnerItems} items in lists of lists.`);
    }
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
