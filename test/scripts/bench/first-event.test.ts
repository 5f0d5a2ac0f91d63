import { describe, expect, it } from 'vitest';
import { earlyDialects, longestSilenceMs, matchMs } from '../../../scripts/bench/first-event-dialects.ts';
import type { TimedChunk } from '../../../scripts/bench/sse.ts';

const chunks = (...texts: string[]): TimedChunk[] =>
  texts.map((text, index) => ({ bytes: Buffer.from(text), atMs: 10 * (index + 1) }));
const named = (name: string) => earlyDialects.find((dialect) => dialect.name === name)!;

describe('the time of a match', () => {
  it('is that of the chunk that completes it', () => {
    expect(matchMs(chunks('a', 'bü', 'cd', 'ab'), /cd/)).toBe(30);
    expect(matchMs(chunks('event: pi', 'ng\n', '\n'), /^event: ping$/m)).toBe(20);
  });

  it('is null where there is none', () => {
    expect(matchMs(chunks('a', 'b'), /c/)).toBeNull();
  });
});

it('the longest silence counts the ends of its window', () => {
  const times = (...atMs: number[]) => atMs.map((at) => ({ bytes: Buffer.from('x'), atMs: at }));
  expect(longestSilenceMs(times(30, 40), { fromMs: 0, toMs: 50 })).toBe(30);
  expect(longestSilenceMs(times(5, 10), { fromMs: 0, toMs: 50 })).toBe(40);
  expect(longestSilenceMs(times(5, 60), { fromMs: 0, toMs: 50 })).toBe(45);
});

describe('the first token of a stream', () => {
  it.each([
    [
      'Anthropic messages',
      'data: {"type":"message_start","message":{"content":[]}}\n\n',
      'data: {"delta":{"type":"text_delta","text":"A"}}\n\n',
    ],
    [
      'OpenAI chat',
      'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
      'data: {"choices":[{"delta":{"content":"A"}}]}\n\n',
    ],
    [
      'Ollama chat',
      '{"message":{"role":"assistant","content":""}}\n',
      '{"message":{"role":"assistant","content":"A"}}\n',
    ],
    ['native /generate/stream', 'data: {"token":"","delta":""}\n\n', 'data: {"token":"A","delta":"A"}\n\n'],
    ['OpenAI responses', 'event: response.created\ndata: {}\n\n', 'event: response.output_text.delta\ndata: {}\n\n'],
  ])('is not what it begins with: %s', (name, begin, token) => {
    expect(matchMs(chunks(begin, token), named(name).token)).toBe(20);
  });

  it.each(['Anthropic messages', 'OpenAI chat'])('comes behind signs of life: %s', (name) => {
    const life = name === 'OpenAI chat' ? ': keep-alive\n\n' : 'event: ping\ndata: {"type":"ping"}\n\n';
    expect(matchMs(chunks('data: {}\n\n', life), named(name).ping)).toBe(20);
  });
});
