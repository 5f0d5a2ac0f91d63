import { describe, expect, it } from 'vitest';
import type { Crash } from '../../../src/engine/residents/crash-guard.ts';
import { memoryStateFile, testCrashGuard } from '../../support/crash-guard.ts';
import { manualClock } from '../../support/manual-clock.ts';

const crash = (during: Crash['during']): Crash => ({
  id: 'a:q4_0',
  filePath: '/models/a.gguf',
  during,
  reason: 'it ended with signal SIGABRT',
});
const refusal = (check: () => void) => {
  try {
    check();
  } catch (error) {
    return error;
  }
  return null;
};

describe('a model whose process crashes while it answers', () => {
  it('rests after the third crash within ten minutes, until the first is ten minutes ago', async () => {
    const clock = manualClock();
    const guard = testCrashGuard(clock);
    guard.record(crash('run'));
    await clock.advance(60_000);
    guard.record(crash('run'));
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
    guard.record(crash('run'));
    expect(refusal(() => guard.check('a:q4_0'))).toMatchObject({ code: 'model_quarantined', retryAfterSeconds: 540 });
    expect(guard.reasonFor('a:q4_0')).toBe('its process keeps crashing');
    expect(refusal(() => guard.check('b:q4_0'))).toBeNull();
    await clock.advance(540_000);
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
    expect(guard.reasonFor('a:q4_0')).toBeNull();
  });
});

describe('a file whose process dies while it is loaded', () => {
  it('is refused after the second time with the reason, however much time passes', async () => {
    const clock = manualClock();
    const guard = testCrashGuard(clock);
    guard.record(crash('load'));
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
    guard.record(crash('load'));
    await clock.advance(86_400_000);
    expect(refusal(() => guard.check('a:q4_0'))).toMatchObject({
      code: 'model_quarantined',
      message: expect.stringContaining('it ended with signal SIGABRT'),
      retryAfterSeconds: null,
      details: { reason: 'file', deaths: 2 },
    });
    expect(guard.reasonFor('a:q4_0')).toContain('it ended with signal SIGABRT');
  });

  it('stays refused after a restart of the server', () => {
    const stored = memoryStateFile();
    const guard = testCrashGuard(manualClock(), { stored });
    guard.record(crash('load'));
    guard.record(crash('load'));
    const next = testCrashGuard(manualClock(), { stored });
    expect(refusal(() => next.check('a:q4_0'))).toMatchObject({ code: 'model_quarantined' });
  });

  it('gets a new chance when it has changed, and the old deaths do not count for the new file', () => {
    const stamps = new Map([['/models/a.gguf', '1']]);
    const guard = testCrashGuard(manualClock(), { stamps });
    guard.record(crash('load'));
    guard.record(crash('load'));
    stamps.set('/models/a.gguf', '2');
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
    guard.record(crash('load'));
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
  });

  it('gets a new chance when an operator asks for it, also after a restart', () => {
    const stored = memoryStateFile();
    const guard = testCrashGuard(manualClock(), { stored });
    guard.record(crash('load'));
    guard.record(crash('load'));
    guard.forgive('a:q4_0');
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
    expect(refusal(() => testCrashGuard(manualClock(), { stored }).check('a:q4_0'))).toBeNull();
  });
});

describe('a file that is seen to be damaged', () => {
  it('is refused at once, also after a restart, until it changes', () => {
    const stored = memoryStateFile();
    const stamps = new Map<string, string>();
    testCrashGuard(manualClock(), { stored, stamps }).record(crash('damaged'));
    const guard = testCrashGuard(manualClock(), { stored, stamps });
    expect(refusal(() => guard.check('a:q4_0'))).toMatchObject({
      code: 'model_quarantined',
      message: 'it ended with signal SIGABRT',
      details: { reason: 'file' },
    });
    expect(guard.reasonFor('a:q4_0')).toBe('it ended with signal SIGABRT');
    stamps.set('/models/a.gguf', 'replaced');
    expect(refusal(() => guard.check('a:q4_0'))).toBeNull();
  });
});
