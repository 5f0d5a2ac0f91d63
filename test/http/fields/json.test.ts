import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { decodeUtf8, parseJsonObject, parseManyRequests } from '../../../src/http/fields/json.ts';

const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;

describe('parseJsonObject', () => {
  it('reads what JSON.parse reads', () => {
    const object = fc.dictionary(
      fc.string({ unit: 'grapheme' }),
      fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }),
    );
    fc.assert(
      fc.property(object, (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'));
        const text = JSON.stringify(value);
        expect(parseJsonObject(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('throws nothing but an error for the client, whatever the text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'a', '1') }),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        try {
          parseJsonObject(candidate);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).code).toBe('invalid_request');
        }
      }),
    );
  });

  it('counts depth and keys outside strings only', () => {
    const text = JSON.stringify({ text: `${'{['.repeat(1_000)}\\"${'":'.repeat(20_000)}` });
    expect(parseJsonObject(text)).toEqual(JSON.parse(text));
  });

  it('takes 64 levels and refuses 65', () => {
    expect(() => parseJsonObject(nested(64))).not.toThrow();
    expect(() => parseJsonObject(nested(65))).toThrow('nested deeper than 64');
  });

  it('takes 10,000 keys and refuses 10,001', () => {
    const keys = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(',')}}`;
    expect(() => parseJsonObject(keys(10_000))).not.toThrow();
    expect(() => parseJsonObject(keys(10_001))).toThrow('more than 10000 keys');
  });

  it('takes 20,000 items in lists of lists, and any number of tokens', () => {
    const ones = (count: number) => `[${Array.from({ length: count }, () => 1).join(',')}]`;
    const parts = (count: number) => `{"messages":[{"content":${ones(count)}},{"content":${ones(10_000)}}]}`;
    expect(() => parseJsonObject(parts(10_000))).not.toThrow();
    expect(() => parseJsonObject(parts(10_010))).toThrow('more than 20000 items in lists of lists');
    expect(() => parseJsonObject(`{"prompt":[${ones(100_000)},${ones(3)}]}`)).not.toThrow();
  });

  it.each([
    ['{"a":[1,{"b":1e999}]}', 'a.1.b'],
    ['{"a":{"__proto__":1}}', 'a.__proto__'],
    ['{"a":"\\ud800"}', 'a'],
    ['{"constructor":{"prototype":{}}}', 'constructor'],
  ])('names the field at fault in %s', (text, field) => {
    try {
      parseJsonObject(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_request', field });
    }
  });

  it('takes a key named constructor that reaches for no prototype', () => {
    expect(parseJsonObject('{"constructor":{"type":"string"}}')).toEqual({ constructor: { type: 'string' } });
  });
});

describe('decodeUtf8', () => {
  it('drops a byte order mark and keeps every character', () => {
    expect(decodeUtf8(Buffer.from('\ufeffаß👍'))).toBe('аß👍');
  });

  it.each([[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f]])('refuses the bytes %j', (...bytes) => {
    expect(() => decodeUtf8(Buffer.from(bytes))).toThrow('not valid UTF-8');
  });
});

describe('parseManyRequests', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it('reads what parseJsonObject reads, and more than one request may hold', async () => {
    const requests = Array.from({ length: 12_000 }, (_, n) => ({ custom_id: `a\\"${n}\\` }));
    const text = JSON.stringify({ requests });
    expect(() => parseJsonObject(text)).toThrow('more than 10000 keys');
    expect(await parseManyRequests(bytes(text))).toEqual({ requests });
  });

  it('lets others have their turn between its steps', async () => {
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await parseManyRequests(bytes('{"requests":[]}'));
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(4);
  });

  it.each([
    ['', 'is empty'],
    ['[]', 'must be a JSON object'],
    ['{"a":1e999}', '"a" is a number out of range'],
    ['{"a":"\\ud800"}', 'half of a surrogate pair'],
    ['{', 'is not valid JSON'],
    [nested(65), 'nested deeper than 64'],
  ])('refuses %s', async (text, problem) => {
    await expect(parseManyRequests(bytes(text))).rejects.toThrow(problem);
  });
});
