import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TimedChunk, timedRecords } from '../../../scripts/bench/sse.ts';

const chunk = (text: string, atMs: number): TimedChunk => ({ bytes: Buffer.from(text), atMs });

describe('timed records', () => {
  it('have the time of the chunk that completed them', () => {
    const chunks = [chunk('data: one\n\ndata: tw', 10), chunk('o\n', 20), chunk('\ndata: three\n\n', 30)];
    expect(timedRecords(chunks)).toEqual([
      { data: 'one', atMs: 10 },
      { data: 'two', atMs: 30 },
      { data: 'three', atMs: 30 },
    ]);
  });

  it.each([
    ['CRLF line ends', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['no space after the colon', 'data:a\n\n', ['a']],
    ['comments and other fields', ': keep alive\n\nevent: x\nid: 3\ndata: a\n\n', ['a']],
    ['several data lines', 'data: a\ndata: b\n\n', ['a\nb']],
    ['no empty line at the end', 'data: a\n\ndata: [DONE]', ['a', '[DONE]']],
    ['an empty body', '', []],
  ])('are read with %s', (_, body, expected) => {
    expect(timedRecords([chunk(body, 1)]).map(({ data }) => data)).toEqual(expected);
  });

  it('are the same wherever the network cuts the bytes, in the middle of a character too', () => {
    const texts = ['plain', 'größer', '日本語', '👩‍👩‍👧'];
    const body = Buffer.from(texts.map((text) => `data: ${text}\r\n\r\n`).join(''));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: body.length }), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.sort((left, right) => left - right), body.length];
        const chunks = edges.slice(1).map((end, index) => ({ bytes: body.subarray(edges[index], end), atMs: index }));
        expect(timedRecords(chunks).map(({ data }) => data)).toEqual(texts);
      }),
    );
  });
});
