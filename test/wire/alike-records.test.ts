import { describe, expect, it } from 'vitest';
import { createAlikeRecords } from '../../src/wire/alike-records.ts';

const record = (content: string, rest = '') =>
  Buffer.from(`data: {"id":"ä","delta":{"content":${content}}${rest}}\n\n`);

function learned(content: string, rest = '') {
  const alike = createAlikeRecords();
  const bytes = record(content, rest);
  alike.learn(bytes, bytes.toString(), { key: 'content', value: JSON.parse(content) as string });
  return alike;
}

describe('records that are alike', () => {
  it.each(['"b"', '""', '"a \\"quote\\" and \\\\"', '"\\u00e4ö"', '"{\\"content\\":1}"'])(
    'differ in one text: %s',
    (content) => {
      expect(learned('"a"').textOf(record(content))).toBe(JSON.parse(content));
    },
  );

  it.each([
    ['another member', record('"b"', ',"n":1')],
    ['another head', Buffer.from('data: {"id":"o","delta":{"content":"b"}}\n\n')],
    ['another type', record('null')],
    ['more members within the text', record('"b","role":"x"')],
    ['a text that does not end', record('"b')],
    ['a control character in its text', record('"b\u0001"')],
    ['a backslash before the end of its text', record('"b\\"')],
    ['nothing', Buffer.from('\n\n')],
    ['its own beginning', record('"a"').subarray(0, 20)],
  ])('are not what has %s', (_title, other) => {
    expect(learned('"a"').textOf(other)).toBeNull();
  });

  it('are none where the text is not found for sure', () => {
    const twice = learned('"a"', ',"more":{"content":"a"}');
    expect(twice.textOf(record('"a"', ',"more":{"content":"a"}'))).toBeNull();
    const alike = createAlikeRecords();
    alike.learn(record('"a"'), record('"a"').toString(), { key: 'content', value: 'b' });
    expect(alike.textOf(record('"a"'))).toBeNull();
    const broken = Buffer.concat([
      Buffer.from('data: {"id":"'),
      Buffer.from([0xff]),
      Buffer.from('","content":"a"}\n\n'),
    ]);
    alike.learn(broken, broken.toString(), { key: 'content', value: 'a' });
    expect(alike.textOf(broken)).toBeNull();
  });

  it('are not looked for any more where no two were, until some are', () => {
    const alike = createAlikeRecords();
    for (let index = 0; index < 9; index++) {
      const bytes = record('"a"', `,"n":${index}`);
      alike.learn(bytes, bytes.toString(), { key: 'content', value: 'a' });
    }
    expect(alike.textOf(record('"b"', ',"n":8'))).toBeNull();
  });
});
