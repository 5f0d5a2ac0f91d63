import { describe, expect, it } from 'vitest';
import { createWholeObject, wholeObject } from '../../../src/http/anthropic/messages/whole-object.ts';

/** What is sent for a text that comes in these pieces and ends there. */
function sent(...pieces: string[]): string {
  const whole = createWholeObject();
  return pieces.map((piece) => whole.push(piece)).join('') + whole.end();
}

const rich =
  '{"path":"/tmp/a \\"b\\" \\u00e9\\\\","list":[1,-2.5e+3,true,false,null,{"x":{}},[]],"deep":{"a":{"b":"c"}},"n":0}';

describe('the text of an object', () => {
  it('is sent as it is, but for white space between its values', () => {
    expect(sent(rich)).toBe(rich);
    expect(sent(' {\n "a" : [ 1 , 2 ] ,\t"b" : "x y" } \n')).toBe('{"a":[1,2],"b":"x y"}');
  });

  it('is the same however it is cut into pieces', () => {
    expect(sent(...rich)).toBe(rich);
    expect(sent('😀', rich)).toBe('');
    expect(sent('{"a":"', '😀', '"}')).toBe('{"a":"😀"}');
  });

  it('is whole wherever it ends, and begins with what was sent', () => {
    for (let end = 0; end <= rich.length; end++) {
      const text = rich.slice(0, end);
      const whole = createWholeObject();
      const begun = whole.push(text);
      const all = begun + whole.end();
      if (all === '') expect(end).toBe(0);
      else expect(JSON.parse(all), text).toEqual(expect.any(Object));
      expect(rich.startsWith(begun), text).toBe(true);
    }
  });

  it('keeps a number of any length', () => {
    const text = `{"a":${'1'.repeat(500_000)}}`;
    expect(sent(...(text.match(/.{1,32}/g) ?? []))).toBe(text);
  });

  it.each([
    ['', {}],
    ['   ', {}],
    ['{', {}],
    ['{"a', {}],
    ['{"a":', {}],
    ['{"a":1,', { a: 1 }],
    ['{"a":1,"b', { a: 1 }],
    ['{"a":1,"b":', { a: 1 }],
    ['{"a":"x', { a: 'x' }],
    ['{"a":"x\\', { a: 'x' }],
    ['{"a":"x\\u00', { a: 'x' }],
    ['{"a":tr', { a: true }],
    ['{"a":-', { a: -0 }],
    ['{"a":1.', { a: 1 }],
    ['{"a":2e', { a: 2 }],
    ['{"a":2E-', { a: 2 }],
    ['{"a":-0.5e+1', { a: -5 }],
    ['{"a":[1,{"b":[', { a: [1, { b: [] }] }],
  ])('that ends in %j is %j', (text, value) => {
    expect(wholeObject(text)).toEqual(value);
  });

  it.each([
    ['no object', {}],
    ['[1]', {}],
    ['"a"', {}],
    ['{a:1}', {}],
    ['{"a":1,}', { a: 1 }],
    ['{"a":01}', { a: 0 }],
    ['{"a":1.e5}', { a: 1 }],
    ['{"a":1.5.5}', { a: 1.5 }],
    ['{"a":.5}', {}],
    ['{"a":+5}', {}],
    ['{"a":1 2}', { a: 1 }],
    ['{"a":trux,"b":1}', { a: true }],
    ['{"a":"x\ny"}', { a: 'x' }],
    ['{"a":"x\\q"}', { a: 'x' }],
    ['{"a":[1}', { a: [1] }],
    ['{"a":1} and more {"b":2}', { a: 1 }],
  ])('that is none: of %j stays %j', (text, value) => {
    expect(wholeObject(text)).toEqual(value);
    expect(sent(...text)).toBe(sent(text));
  });
});
