import { describe, expect, it } from 'vitest';
import { openMsBetween } from '../../src/core/daily-hours.ts';

const at = (day: number, hour: number, minute = 0) => new Date(2026, 0, day, hour, minute);
const hour = 3_600_000;

describe('the time between two times that lies within daily hours', () => {
  const night = { startMinute: 23 * 60, endMinute: 6 * 60 };
  const noon = { startMinute: 11 * 60, endMinute: 13 * 60 };
  it.each([
    ['all of it without hours', null, at(1, 0), at(2, 0), 24],
    ['a night from before it to after it', night, at(1, 20), at(2, 9), 7],
    ['the rest of a night that began the day before', night, at(1, 2), at(1, 12), 4],
    ['a part within one night', night, at(1, 23, 30), at(2, 0, 30), 1],
    ['none of a day', night, at(1, 7), at(1, 22), 0],
    ['two noons', noon, at(1, 0), at(3, 0), 4],
    ['the end of one noon and the beginning of the next', noon, at(1, 12), at(2, 12), 2],
    ['nothing of what is over', noon, at(2, 12), at(1, 12), 0],
    ['nothing of hours that are none', { startMinute: 60, endMinute: 60 }, at(1, 0), at(3, 0), 0],
  ] as const)('has %s', (_what, hours, from, to, hoursOpen) => {
    expect(openMsBetween(hours, from, to)).toBe(hoursOpen * hour);
  });
});
