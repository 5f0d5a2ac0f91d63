import { describe, expect, it } from 'vitest';
import { ndjsonFraming, sseFraming } from '../../../src/http/answer/framing.ts';

describe('framings', () => {
  it('of an event stream write objects as JSON and text as it stands, with the name of the event', () => {
    const { frame, contentType } = sseFraming();
    expect(contentType).toBe('text/event-stream');
    expect(frame({ data: { a: 1 } })).toBe('data: {"a":1}\n\n');
    expect(frame({ data: '[DONE]' })).toBe('data: [DONE]\n\n');
    expect(frame({ event: 'progress', data: {} })).toBe('event: progress\ndata: {}\n\n');
  });

  it('of an event stream ping with a comment, or with the record of a dialect that has its own', () => {
    expect(sseFraming().ping).toBe(': keep-alive\n\n');
    expect(sseFraming({ event: 'ping', data: { type: 'ping' } }).ping).toBe('event: ping\ndata: {"type":"ping"}\n\n');
  });

  it('of lines of JSON write one line for each object and never ping', () => {
    expect(ndjsonFraming).toMatchObject({ contentType: 'application/x-ndjson', ping: null });
    expect(ndjsonFraming.frame({ done: true })).toBe('{"done":true}\n');
  });
});
