import { describe, expect, it } from 'vitest';
import { checkKey, type KeyHeaders } from '../../src/auth/keys.ts';
import { AppError } from '../../src/core/errors.ts';

function outcome(headers: KeyHeaders, key: string | null): string {
  try {
    checkKey(headers, key === null ? [] : [key]);
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

describe('several keys', () => {
  const keys = ['secret-1', 'secret-2'];
  const ownerOf = (key: string) => checkKey({ authorization: [], apiKey: [key] }, keys);

  it('are all accepted, and each stands for an owner of its own', () => {
    expect(ownerOf('secret-1')).toMatch(/^[0-9a-f]{16}$/);
    expect(ownerOf('secret-1')).toBe(checkKey({ authorization: ['Bearer secret-1'], apiKey: [] }, keys));
    expect(ownerOf('secret-2')).not.toBe(ownerOf('secret-1'));
    expect(() => ownerOf('secret-3')).toThrow('The API key is not valid.');
  });

  it('keep their owners when other keys come or go', () => {
    expect(checkKey({ authorization: [], apiKey: ['secret-2'] }, ['secret-2'])).toBe(ownerOf('secret-2'));
  });

  it('that nobody configured have no owner', () => {
    expect(checkKey({ authorization: [], apiKey: ['secret-1'] }, [])).toBeNull();
  });
});
