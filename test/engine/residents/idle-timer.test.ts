import { describe, expect, it } from 'vitest';
import { createIdleTimer } from '../../../src/engine/residents/idle-timer.ts';
import { manualClock } from '../../support/manual-clock.ts';

describe('the idle timer', () => {
  it('has an end that can be written, or none', () => {
    const clock = manualClock(new Date('2026-03-04T05:06:07.089Z'));
    const timer = createIdleTimer({ clock, onExpired: () => {} });
    timer.start(60_000);
    expect(timer.expiresAt?.toISOString()).toBe('2026-03-04T05:07:07.089Z');
    for (const delayMs of [9e15, 1e300, Number.POSITIVE_INFINITY]) {
      timer.start(delayMs);
      expect(timer.expiresAt).toBeNull();
    }
  });
});
