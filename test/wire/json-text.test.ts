import { describe, expect, it } from 'vitest';
import { removeKeys, replaceValues } from '../../src/wire/json-text.ts';

describe('values of a JSON text', () => {
  it.each([
    ['{"model":"a","x":1}', { model: 'b' }, '{"model":"b","x":1}'],
    ['{"x": {"model": "a"}, "model" : "a" }', { model: 'b' }, '{"x": {"model": "a"}, "model" : "b" }'],
    ['{"a":"}\\"{","model":null}', { model: 'b' }, '{"a":"}\\"{","model":"b"}'],
    ['{"n":12345678901234567890.10,"model":"a"}', { model: 'b' }, '{"n":12345678901234567890.10,"model":"b"}'],
    ['{"2":0,"1":0,"model":"a"}', { model: 'b' }, '{"2":0,"1":0,"model":"b"}'],
    ['{"model":"a","model":"c"}', { model: 'b' }, '{"model":"b","model":"b"}'],
    ['{"mod\\u0065l":"a"}', { model: 'b' }, '{"mod\\u0065l":"b"}'],
    ['{"stream":false,"model":"a"}', { stream: true, model: 'b' }, '{"stream":true,"model":"b"}'],
    ['{"a":[1,{"stream":2}]}', { stream: true }, '{"a":[1,{"stream":2}],"stream":true}'],
    ['{"a":1 }', { b: [1], c: null }, '{"a":1 ,"b":[1],"c":null}'],
    [' { } ', { a: 'x' }, ' { "a":"x"} '],
    ['{"a":1}', {}, '{"a":1}'],
    ['{\n  "a": "x",\n  "b": 2\n}\n', { a: 'y' }, '{\n  "a": "y",\n  "b": 2\n}\n'],
    ['{"a":true,"b":[]}', { b: {} }, '{"a":true,"b":{}}'],
  ])('%s with %j', (text, values, expected) => {
    expect(replaceValues(text, values)).toBe(expected);
  });
});

describe('keys that are left out of a JSON text', () => {
  it.each([
    ['{"model":"a","x":1.0}', '{"x":1.0}'],
    ['{"x":1, "model":"a"}', '{"x":1}'],
    ['{ "x": 1,\n  "stream" : true,\n  "y": {"model": "b"} }', '{ "x": 1,\n  "y": {"model": "b"} }'],
    ['{"model":"a","stream":false}', '{}'],
    ['{"model":"a","n":12345678901234567890,"stream":false,"b":"}\\""}', '{"n":12345678901234567890,"b":"}\\""}'],
    ['{"mod\\u0065l":"a"}', '{}'],
    ['{}', '{}'],
    ['{"a":[{"model":1}]}', '{"a":[{"model":1}]}'],
  ])('%s becomes %s', (text, expected) => {
    expect(removeKeys(text, ['model', 'stream'])).toBe(expected);
    expect(() => JSON.parse(expected)).not.toThrow();
  });
});
