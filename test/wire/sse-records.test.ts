import { describe, expect, it } from 'vitest';
import { createSseRecords } from '../../src/wire/sse-records.ts';

const records = [
  'event: a\ndata: 1\n\n',
  ': note\n\n',
  'data: ä🌦\r\n\r\n',
  'data: x\rdata: y\r\r',
  'data: 2\n\r\n',
  '\n',
];
const bytes = Buffer.from(records.join(''));

/** What comes out when the bytes come in pieces of a size. */
function cutInPieces(size: number): string[] {
  const splitter = createSseRecords(1_000);
  const out: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += size) out.push(...splitter.push(bytes.subarray(from, from + size)));
  return [...out, splitter.rest()].map((piece) => Buffer.from(piece).toString());
}

describe('the records of an event stream', () => {
  it.each([1, 2, 3, 5, 7, 1_000])('are whole and lose no byte, in pieces of %d bytes', (size) => {
    const pieces = cutInPieces(size);
    expect(pieces.at(-1)).toBe('');
    expect(pieces.slice(0, -1)).toEqual(records);
  });

  it('keep what is not whole', () => {
    const splitter = createSseRecords(1_000);
    expect(splitter.push(Buffer.from('data: 1\n'))).toEqual([]);
    expect(Buffer.from(splitter.rest()).toString()).toBe('data: 1\n');
    expect(splitter.push(Buffer.from('\nda')).map(String)).toHaveLength(1);
    expect(Buffer.from(splitter.rest()).toString()).toBe('da');
  });

  it('do not keep the buffer that they were handed', () => {
    const splitter = createSseRecords(1_000);
    const buffer = Buffer.from('data: 1');
    splitter.push(buffer);
    buffer.fill(0);
    const [record] = splitter.push(Buffer.from('\n\n'));
    expect(Buffer.from(record!).toString()).toBe('data: 1\n\n');
  });

  it('are bounded', () => {
    const splitter = createSseRecords(10);
    splitter.push(Buffer.from('data: 1234'));
    expect(() => splitter.push(Buffer.from('5'))).toThrow(RangeError);
  });
});
