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

/** When the next one begins. */
export function endOf(period: Period, at: Date): Date {
  const start = startOf(period, at);
  if (period === 'month') return dayOf(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  return new Date(start.getTime() + (period === 'day' ? 1 : 7) * 86_400_000);
}

/** `Date.UTC` takes a year before 100 for one of the twentieth century. */
function dayOf(year: number, month: number, day: number): Date {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return date;
}
