import { describe, expect, it } from 'vitest';
import { createEventReader } from '../../../src/providers/anthropic/event-reader.ts';

const record = (event: { type: string }) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const piece = (delta: object, index = 0) => ({ type: 'content_block_delta', index, delta });
const text = (value: string, index = 0) => piece({ type: 'text_delta', text: value }, index);

const events = [
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  text('a'),
  text(' b'),
  text(''),
  text('"c" \\ {"text":1}\n'),
  text('ä\u2028'),
  piece({ type: 'citations_delta', citation: { cited_text: 'x' } }),
  text('d'),
  text('e', 1),
  text('f', 1),
  piece({ type: 'thinking_delta', thinking: 'text' }, 2),
  text('g', 1),
  { type: 'content_block_stop', index: 0 },
];

describe('the events of a stream', () => {
  it('are what their records say, also of records that differ in their text alone', () => {
    const reader = createEventReader('claude');
    const records = events.map(record);
    const read = records.flatMap((one) => reader.push(Buffer.from(one)));
    expect(read.map(({ event }) => event)).toEqual(events);
    expect(read.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(records);
  });

  it('are refused where a record that begins and ends as others is no JSON', () => {
    const reader = createEventReader('claude');
    for (const event of [text('a'), text('b')]) reader.push(Buffer.from(record(event)));
    expect(() => reader.push(Buffer.from(record(text('c')).replace('"c"', '"c" "d"')))).toThrow(
      expect.objectContaining({ code: 'upstream_unavailable' }),
    );
  });
});
