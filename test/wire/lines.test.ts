import { describe, expect, it } from 'vitest';
import { linesOf } from '../../src/wire/lines.ts';
import { collect } from '../support/collect.ts';

async function* inPieces(text: string, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
const read = async (text: string, pieceBytes = 3, maxLineBytes = 100) =>
  (await collect(linesOf(inPieces(text, pieceBytes), maxLineBytes))).map(({ number, bytes }) => [
    number,
    bytes && Buffer.from(bytes).toString(),
  ]);

describe('lines of a file', () => {
  it.each([1, 2, 3, 7, 1_000])('come whole, however they are cut (by %i bytes)', async (pieceBytes) => {
    expect(await read('eins\nzwei é\r\n\n  \t\ndrei', pieceBytes)).toEqual([
      [1, 'eins'],
      [2, 'zwei é'],
      [5, 'drei'],
    ]);
  });

  it.each([
    ['', []],
    ['\n', []],
    ['\r\n\r\n', []],
    ['a', [[1, 'a']]],
    ['a\n', [[1, 'a']]],
    ['\na', [[2, 'a']]],
  ])('of %j are known', async (text, lines) => {
    expect(await read(text)).toEqual(lines);
  });

  it('that are too long are told without their bytes, and those behind them are read', async () => {
    expect(await read(`${'x'.repeat(100)}\n${'y'.repeat(101)}\nz`)).toEqual([
      [1, 'x'.repeat(100)],
      [2, null],
      [3, 'z'],
    ]);
  });
});
