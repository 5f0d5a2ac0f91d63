import { describe, expect, it } from 'vitest';
import { createAnswerWriter } from '../../../src/cli/chat/answer-writer.ts';
import type { Waiting } from '../../../src/cli/chat/chat-api.ts';
import { fitLine, type Screen, safeText } from '../../../src/cli/chat/screen.ts';
import { showWaiting, waitingWords } from '../../../src/cli/chat/wait-line.ts';
import { manualClock } from '../../support/manual-clock.ts';

function screen(changes: Partial<Screen> = {}) {
  const written = { text: '', notes: '' };
  const shown: Screen = {
    write: (text) => {
      written.text += text;
    },
    note: (text) => {
      written.notes += text;
    },
    isWatched: true,
    areNotesWatched: true,
    columns: () => 40,
    hasStyles: true,
    ...changes,
  };
  return { written, shown };
}

/** What comes of an answer with these pieces. */
function write(changes: Partial<Screen>, pieces: ['thinking' | 'text', string][], showsThinking = true): string {
  const { written, shown } = screen(changes);
  const writer = createAnswerWriter(shown, showsThinking);
  for (const [type, text] of pieces) writer[type](text);
  writer.end();
  return written.text;
}

describe("a model's text", () => {
  it.each([
    ['colours and titles', '\u001b[31mred\u001b]0;title\u0007', '[31mred]0;title'],
    ['eight-bit controls', 'a\u009b31mb', 'a31mb'],
    ['carriage returns and backspaces', 'safe\r\b\u007fx', 'safex'],
    ['line breaks and tabs, which stay', 'a\n\tb', 'a\n\tb'],
    ['letters of the world, which stay', 'Grüße, 你好, 👩‍👧', 'Grüße, 你好, 👩‍👧'],
  ])('reaches a terminal without %s', (_title, text, expected) => {
    expect(safeText(text)).toBe(expected);
    expect(write({}, [['text', text]])).toBe(`${expected}\n`);
  });

  it('cannot be put together to a control from two pieces', () => {
    expect(
      write({}, [
        ['text', '\u001b'],
        ['text', '[31m'],
      ]),
    ).toBe('[31m\n');
  });
});

describe('an answer', () => {
  const thought: ['thinking' | 'text', string][] = [
    ['thinking', '\nHm'],
    ['thinking', ', two.'],
    ['text', '\n\n2'],
    ['text', ' it is'],
  ];

  it.each<[string, Partial<Screen>, boolean, string]>([
    [
      'dims what is thought, each piece by itself',
      {},
      true,
      '\u001b[2mHm\u001b[22m\u001b[2m, two.\u001b[22m\n\n2 it is\n',
    ],
    ['names it where nothing may be dimmed', { hasStyles: false }, true, 'Thinking:\nHm, two.\n\nAnswer:\n2 it is\n'],
    ['hides it on request', {}, false, '2 it is\n'],
    ['is plain in a file', { isWatched: false, hasStyles: false }, true, '2 it is\n'],
  ])('%s', (_title, changes, showsThinking, expected) => {
    expect(write(changes, thought, showsThinking)).toBe(expected);
  });

  it('ends its line once, and none where nothing was said', () => {
    expect(write({}, [['text', 'a\n']])).toBe('a\n');
    expect(write({}, [])).toBe('');
  });
});

describe('the line of what is waited for', () => {
  const waiting = (changes: Partial<Waiting>): Waiting => ({
    stage: 'queued',
    place: null,
    estimateMs: null,
    promptShare: null,
    ...changes,
  });

  it.each<[Partial<Waiting>, string]>([
    [{ place: 2, estimateMs: 7_200 }, 'waiting for its turn, place 2, about 8 s'],
    [{}, 'waiting for its turn'],
    [{ stage: 'loading' }, 'loading the model, 3 s so far'],
    [{ stage: 'prompt', promptShare: 0.437 }, 'reading the prompt, 43 %'],
    [{ stage: 'retrying', estimateMs: 1_500 }, 'waiting for a provider, about 2 s'],
  ])('of %j is %s', (changes, words) => {
    expect(waitingWords(waiting(changes), 2_500)).toBe(words);
  });

  it('is no wider than the window, and goes when it is over', async () => {
    const { written, shown } = screen({ columns: () => 20 });
    const clock = manualClock();
    const line = showWaiting({ screen: shown, clock, ask: async () => waiting({ place: 3, estimateMs: 90_000 }) });
    clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(written.notes).toBe('\r\u001b[Kwaiting for its tu…');
    line.stop();
    expect(written.notes).toBe('\r\u001b[Kwaiting for its tu…\r\u001b[K');
    clock.advance(5_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(written.notes).toBe('\r\u001b[Kwaiting for its tu…\r\u001b[K');
  });

  it('is not there for a file, where nothing waits, or where nobody can tell', async () => {
    const clock = manualClock();
    const [file, calm, deaf] = [screen({ areNotesWatched: false }), screen(), screen()];
    const lines = [
      showWaiting({ screen: file.shown, clock, ask: async () => waiting({}) }),
      showWaiting({ screen: calm.shown, clock, ask: async () => null }),
      showWaiting({ screen: deaf.shown, clock, ask: () => Promise.reject(new Error('gone')) }),
    ];
    clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
    for (const line of lines) line.stop();
    expect([file, calm, deaf].map(({ written }) => written.notes)).toEqual(['', '', '']);
  });

  it('of any length fits into any window', () => {
    expect(fitLine('loading', 80)).toBe('loading');
    expect(fitLine('loading', 7)).toBe('loadi…');
    expect(fitLine('loading', 1)).toBe('…');
  });
});
