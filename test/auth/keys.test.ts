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
  it.each<[string, Partial<KeyHeaders>, string | null, string]>([
    ['asks for nothing when no key is configured', {}, null, 'accepted'],
    ['ignores a key that nobody asked for', { authorization: ['Bearer any'] }, null, 'accepted'],
    ['accepts a bearer key', { authorization: ['Bearer secret-1'] }, 'secret-1', 'accepted'],
    ['accepts the scheme in any case', { authorization: ['bearer secret-1'] }, 'secret-1', 'accepted'],
    ['accepts the header of the native dialect', { apiKey: ['secret-1'] }, 'secret-1', 'accepted'],
    ['accepts both headers when they agree', both('Bearer secret-1', 'secret-1'), 'secret-1', 'accepted'],
    ['refuses two keys that differ', both('Bearer secret-1', 'secret-2'), 'secret-1', 'invalid_request'],
    ['refuses two bearers', { authorization: ['Bearer secret-1', 'Bearer x'] }, 'secret-1', 'invalid_request'],
    ['refuses a doubled header', { apiKey: ['x', 'secret-1'] }, 'secret-1', 'invalid_request'],
    ['refuses a request without a key', {}, 'secret-1', 'unauthorized'],
    ['refuses a wrong key', { authorization: ['Bearer secret-2'] }, 'secret-1', 'unauthorized'],
    ['refuses a prefix of the key', { apiKey: ['secret'] }, 'secret-1', 'unauthorized'],
    ['refuses an empty key', { apiKey: [''] }, 'secret-1', 'unauthorized'],
    ['does not take another scheme for a key', { authorization: ['Basic secret-1'] }, 'secret-1', 'unauthorized'],
  ])('%s', (_title, headers, key, expected) => {
    expect(outcome({ authorization: [], apiKey: [], ...headers }, key)).toBe(expected);
  });
});

function both(authorization: string, apiKey: string): KeyHeaders {
  return { authorization: [authorization], apiKey: [apiKey] };
}
