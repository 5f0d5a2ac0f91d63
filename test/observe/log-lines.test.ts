import { describe, expect, it } from 'vitest';
import { createLogLines, type LogLine } from '../../src/observe/log-lines.ts';
import { createLogger } from '../../src/observe/logger.ts';

function logger(level = 'debug') {
  const written: string[] = [];
  const lines = createLogLines();
  const log = createLogger(level, { write: (text: string) => void written.push(text) }, lines);
  return { log, lines, written };
}

const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message);

describe('the last lines of the log', () => {
  it('are those that were written, and are written all the same', () => {
    const { log, lines, written } = logger();
    log.info({ model: 'tiny', requestId: 'req_1' }, 'model loaded');
    log.debug('finer');
    expect(written).toHaveLength(2);
    expect(lines.recent({}, 10)).toEqual([
      {
        sequence: 1,
        time: expect.any(Date),
        level: 'info',
        message: 'model loaded',
        requestId: 'req_1',
        fields: { model: 'tiny' },
      },
      { sequence: 2, time: expect.any(Date), level: 'debug', message: 'finer', requestId: null, fields: {} },
    ]);
  });

  it('are filtered by level, request and place, and the newest are taken', () => {
    const { log, lines } = logger();
    log.info({ requestId: 'a' }, 'one');
    log.warn({ requestId: 'b' }, 'two');
    log.error({ requestId: 'a' }, 'three');
    expect(messages(lines.recent({ level: 'warn' }, 10))).toEqual(['two', 'three']);
    expect(messages(lines.recent({ requestId: 'a' }, 10))).toEqual(['one', 'three']);
    expect(messages(lines.recent({ afterSequence: 2 }, 10))).toEqual(['three']);
    expect(messages(lines.recent({}, 2))).toEqual(['two', 'three']);
  });

  it('show no secret, known or not, in messages, fields and causes', () => {
    const { log, lines } = logger();
    lines.hide(['correct-horse-battery']);
    log.error({ err: new Error('refused correct-horse-battery'), url: 'http://a:bcdefgh@host/' }, 'sk-12345678 failed');
    const shown = JSON.stringify(lines.recent({}, 1));
    expect(shown).toContain('[redacted]');
    expect(shown).not.toMatch(/correct-horse|bcdefgh|12345678/);
  });

  it('are bounded in number and size; the oldest go', () => {
    const { log, lines } = logger();
    for (let index = 0; index < 2_100; index++) log.info(`line ${index}`);
    const kept = lines.recent({}, 10_000);
    expect([kept.length, kept[0]?.message]).toEqual([2_000, 'line 100']);
    const text = 'x'.repeat(20_000);
    for (let index = 0; index < 200; index++) log.info({ text }, 'long');
    const long = lines.recent({}, 10_000);
    expect(JSON.stringify(long).length).toBeLessThan(1.2 * 1024 * 1024);
    expect(String(long.at(-1)?.fields['text']).length).toBeLessThan(9_000);
  });

  it('are followed: those that are there, then each as it comes, until the reader or the log ends', async () => {
    const { log, lines } = logger();
    log.info('before');
    const leaves = new AbortController();
    const reader = lines.follow({ level: 'info' }, leaves.signal);
    const other = lines.follow({}, new AbortController().signal);
    expect((await reader.next()).value?.message).toBe('before');
    const next = reader.next();
    log.debug('not this one');
    log.info('after');
    expect((await next).value?.message).toBe('after');
    const last = reader.next();
    leaves.abort();
    expect(await last).toEqual({ done: true, value: undefined });
    for (const _ of [1, 2, 3]) await other.next();
    const end = other.next();
    lines.end();
    expect((await end).done).toBe(true);
  });
});
