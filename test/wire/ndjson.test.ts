import { describe, expect, it } from 'vitest';
import { ndjsonLine } from '../../src/wire/ndjson.ts';

describe('newline-delimited JSON', () => {
  it('ends a value with a line break', () => {
    expect(ndjsonLine({ done: false })).toBe('{"done":false}\n');
  });

  it('keeps a value on one line whatever its texts hold', () => {
    const value = { response: 'a\nb\r\nc\u2028d', list: [{ deep: '\n' }] };
    const line = ndjsonLine(value);
    expect(line.match(/[\r\n]/g)).toEqual(['\n']);
    expect(JSON.parse(line)).toEqual(value);
  });
});
