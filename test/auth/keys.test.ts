import { describe, expect, it } from 'vitest';
import { checkKey, type KeyHeaders } from '../../src/auth/keys.ts';
import { AppError } from '../../src/core/errors.ts';

function outcome(headers: KeyHeaders, key: string | null): string {
  try {
    checkKey(headers, key);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect(JSON.stringify((error as AppError).toWire())).not.toContain('secret');
    return (error as AppError).code;
  }
}

describe('checkKey', () => {
  it.each<[string, KeyHeaders, string | null, string]>([
    ['asks for nothing when no key is configured', {}, null, 'accepted'],
    ['ignores a key that nobody asked for', { authorization: 'Bearer any' }, null, 'accepted'],
    ['accepts a bearer key', { authorization: 'Bearer secret-1' }, 'secret-1', 'accepted'],
    ['accepts the scheme in any case', { authorization: 'bearer secret-1' }, 'secret-1', 'accepted'],
    ['accepts the header of the native dialect', { 'x-api-key': 'secret-1' }, 'secret-1', 'accepted'],
    [
      'accepts both headers when they agree',
      { authorization: 'Bearer secret-1', 'x-api-key': 'secret-1' },
      'secret-1',
      'accepted',
    ],
    [
      'refuses two keys that differ',
      { authorization: 'Bearer secret-1', 'x-api-key': 'secret-2' },
      'secret-1',
      'invalid_request',
    ],
    ['refuses a request without a key', {}, 'secret-1', 'unauthorized'],
    ['refuses a wrong key', { authorization: 'Bearer secret-2' }, 'secret-1', 'unauthorized'],
    ['refuses a prefix of the key', { 'x-api-key': 'secret' }, 'secret-1', 'unauthorized'],
    ['refuses an empty key', { 'x-api-key': '' }, 'secret-1', 'unauthorized'],
    ['does not take another scheme for a key', { authorization: 'Basic secret-1' }, 'secret-1', 'unauthorized'],
    ['does not take a doubled header for a key', { 'x-api-key': ['secret-1', 'x'] }, 'secret-1', 'unauthorized'],
  ])('%s', (_title, headers, key, expected) => {
    expect(outcome(headers, key)).toBe(expected);
  });
});
