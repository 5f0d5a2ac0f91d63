import { describe, expect, it } from 'vitest';
import { endOf, type Period, periods, startOf, startsOf } from '../../src/accounting/periods.ts';

describe('a period', () => {
  it.each<[Period, string, string, string]>([
    ['day', '2026-11-29T23:59:59.999Z', '2026-11-29', '2026-11-30'],
    ['day', '2026-11-30T00:00:00Z', '2026-11-30', '2026-12-01'],
    // A Sunday belongs to the week that began on Monday.
    ['week', '2026-11-29T12:00:00Z', '2026-11-23', '2026-11-30'],
    ['week', '2026-11-30T00:00:00Z', '2026-11-30', '2026-12-07'],
    ['week', '2027-01-01T00:00:00Z', '2026-12-28', '2027-01-04'],
    ['month', '2026-12-31T23:59:59Z', '2026-12-01', '2027-01-01'],
    ['month', '2028-02-29T00:00:00Z', '2028-02-01', '2028-03-01'],
    ['month', '0020-02-29T00:00:00Z', '0020-02-01', '0020-03-01'],
  ])('of a %s: %s lies between %s and %s', (period, at, start, end) => {
    expect(startOf(period, new Date(at)).toISOString()).toBe(`${start}T00:00:00.000Z`);
    expect(endOf(period, new Date(at)).toISOString()).toBe(`${end}T00:00:00.000Z`);
  });

  it.each(['2026-11-29T23:59:59.999Z', '2026-11-30T00:00:00Z', '2026-11-29T00:00:00Z', '2027-01-01T12:00:00Z'])(
    'is one of those that run at %s',
    (text) => {
      const at = new Date(text);
      expect(startsOf(at)).toEqual(periods.map((period) => ({ period, startsAt: startOf(period, at) })));
    },
  );
});
