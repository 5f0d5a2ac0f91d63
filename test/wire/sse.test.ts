import { describe, expect, it } from 'vitest';
import { sseComment, sseJson, sseRecord } from '../../src/wire/sse.ts';

describe('event stream framing', () => {
  it('ends a record with an empty line', () => {
    expect(sseRecord('[DONE]')).toBe('data: [DONE]\n\n');
  });

  it('puts the event name before the data', () => {
    expect(sseRecord('{}', 'ping')).toBe('event: ping\ndata: {}\n\n');
  });

  it.each(['a\nb', 'a\rb', 'a\r\nb'])('gives every line of the data its own field: %j', (data) => {
    expect(sseRecord(data)).toBe('data: a\ndata: b\n\n');
  });

  it('keeps line breaks inside JSON strings escaped, on one line', () => {
    expect(sseJson({ token: 'a\n\n"b"' })).toBe('data: {"token":"a\\n\\n\\"b\\""}\n\n');
  });

  it('keeps a comment on one line whatever it holds', () => {
    expect(sseComment('keep-alive')).toBe(': keep-alive\n\n');
    expect(sseComment('a\ndata: b')).toBe(': a data: b\n\n');
  });
});
