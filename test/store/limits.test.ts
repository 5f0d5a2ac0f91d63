import { describe, expect, it } from 'vitest';
import { assertSpace, freeBytes, storageError } from '../../src/store/disk/disk.ts';
import { createPullHours } from '../../src/store/pulls/pull-hours.ts';
import { createThrottle } from '../../src/store/pulls/throttle.ts';
import { manualClock } from '../support/manual-clock.ts';
import { never } from '../support/test-store.ts';

/** Whether a promise has resolved after all microtasks. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
}

describe('a rate', () => {
  it('holds all pulls together to it', async () => {
    const clock = manualClock();
    const throttle = createThrottle(clock, 1_000);
    const first = throttle.take(1_000, never);
    const second = throttle.take(500, never);
    clock.advance(999);
    expect(await isSettled(first)).toBe(false);
    clock.advance(1);
    expect(await isSettled(first)).toBe(true);
    expect(await isSettled(second)).toBe(false);
    clock.advance(500);
    expect(await isSettled(second)).toBe(true);
  });

  it('does not save up what was not used', async () => {
    const clock = manualClock();
    const throttle = createThrottle(clock, 1_000);
    clock.advance(60_000);
    const late = throttle.take(1_000, never);
    expect(await isSettled(late)).toBe(false);
    clock.advance(1_000);
    expect(await isSettled(late)).toBe(true);
  });

  it('that is not set lets everything pass', async () => {
    expect(await isSettled(createThrottle(manualClock(), null).take(1e12, never))).toBe(true);
  });

  it('lets go of a pull that is cancelled', async () => {
    const cancelled = new AbortController();
    const waiting = createThrottle(manualClock(), 1).take(1_000, cancelled.signal);
    cancelled.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
  });
});

describe('the hours for pulls', () => {
  /** A clock that shows so many minutes after local midnight. */
  const clockAt = (minute: number) => manualClock(new Date(2026, 0, 15, Math.floor(minute / 60), minute % 60));

  it.each([
    [60, 120, 59, false],
    [60, 120, 60, true],
    [60, 120, 119, true],
    [60, 120, 120, false],
    [1_320, 360, 1_319, false],
    [1_320, 360, 1_320, true],
    [1_320, 360, 0, true],
    [1_320, 360, 359, true],
    [1_320, 360, 360, false],
  ])('from minute %i to %i: minute %i is within: %s', (startMinute, endMinute, minute, expected) => {
    expect(createPullHours(clockAt(minute), { startMinute, endMinute }).isOpen()).toBe(expected);
  });

  it('are waited for to the minute, across midnight', async () => {
    const clock = clockAt(1_430);
    const opened = createPullHours(clock, { startMinute: 20, endMinute: 60 }).opened(never);
    for (let minute = 0; minute < 29; minute++) {
      clock.advance(60_000);
      expect(await isSettled(opened)).toBe(false);
    }
    clock.advance(59_999);
    expect(await isSettled(opened)).toBe(false);
    clock.advance(1);
    expect(await isSettled(opened)).toBe(true);
  });

  it('that are not set are always', async () => {
    expect(await isSettled(createPullHours(manualClock(), null).opened(never))).toBe(true);
  });
});

describe('the disk', () => {
  it('is asked for what an ordinary process may write', async () => {
    expect(await freeBytes('.')).toBeGreaterThan(0);
  });

  it('must have room for what is needed beside the reserve, to the byte', async () => {
    const sizes = { neededBytes: 900, reserveBytes: 100 };
    await expect(assertSpace('/models', sizes, async () => 1_000)).resolves.toBeUndefined();
    await expect(assertSpace('/models', sizes, async () => 999)).rejects.toMatchObject({
      code: 'storage_unavailable',
      details: { reason: 'full', free_bytes: 999 },
    });
  });

  it.each([
    ['ENOSPC', 'full', 'The disk of the model folder is full.'],
    ['EDQUOT', 'full', 'The disk of the model folder is full.'],
    ['EROFS', 'not_writable', 'The model folder cannot be written to (EROFS).'],
    ['EACCES', 'not_writable', 'The model folder cannot be written to (EACCES).'],
  ])('that says %s gives a typed error without a path', (code, reason, message) => {
    const error = storageError(Object.assign(new Error(`${code}: /secret/path`), { code }));
    expect(error).toMatchObject({ code: 'storage_unavailable', status: 507, message, details: { reason } });
    expect(JSON.stringify(error.toWire())).not.toContain('/secret');
  });
});
