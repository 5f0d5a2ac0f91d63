/** Times over which a budget runs, in UTC; a week begins on Monday. */
export type Period = 'day' | 'week' | 'month';

export const periods: readonly Period[] = ['day', 'week', 'month'];

/** When the period began that a time lies in. */
export function startOf(period: Period, at: Date): Date {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  switch (period) {
    case 'day':
      return dayOf(year, month, day);
    case 'week':
      return dayOf(year, month, day - ((at.getUTCDay() + 6) % 7));
    case 'month':
      return dayOf(year, month, 1);
    default:
      return period satisfies never;
  }
}

const dayMs = 86_400_000;
let latest: { day: number; starts: readonly PeriodStart[] } | null = null;

/** A period that runs, and when it began. */
export interface PeriodStart {
  period: Period;
  startsAt: Date;
}

/** The periods that a time lies in. All of a day lie in the same ones, so those of the last day that was asked for are kept. */
export function startsOf(at: Date): readonly PeriodStart[] {
  const day = Math.floor(at.getTime() / dayMs);
  if (latest?.day !== day)
    latest = { day, starts: periods.map((period) => ({ period, startsAt: startOf(period, at) })) };
  return latest.starts;
}

/** When the next one begins. */
export function endOf(period: Period, at: Date): Date {
  const start = startOf(period, at);
  if (period === 'month') return dayOf(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  return new Date(start.getTime() + (period === 'day' ? 1 : 7) * dayMs);
}

/** `Date.UTC` takes a year before 100 for one of the twentieth century. */
function dayOf(year: number, month: number, day: number): Date {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return date;
}
