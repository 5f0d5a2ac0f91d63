const minutesOfDay = 1_440;

/** Minutes of the day, local time; `endMinute` may be before `startMinute`, over midnight. */
export interface DailyHours {
  startMinute: number;
  endMinute: number;
}

/** Whether a time lies within the hours of its day. */
export function isWithinHours({ startMinute, endMinute }: DailyHours, at: Date): boolean {
  const minute = minuteOf(at);
  if (startMinute <= endMinute) return minute >= startMinute && minute < endMinute;
  return minute >= startMinute || minute < endMinute;
}

/** The day on which the hours began that a time lies in: midnight of it, local time. */
export function dayOfHours({ startMinute, endMinute }: DailyHours, at: Date): Date {
  const isAfterMidnight = startMinute > endMinute && minuteOf(at) < endMinute;
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() - (isAfterMidnight ? 1 : 0));
}

/** Milliseconds between two times that lie within the hours; null: all do. */
export function openMsBetween(hours: DailyHours | null, from: Date, to: Date): number {
  if (to <= from) return 0;
  if (hours === null) return to.getTime() - from.getTime();
  const { startMinute, endMinute } = hours;
  const lastMinute = startMinute <= endMinute ? endMinute : endMinute + minutesOfDay;
  let sum = 0;
  // From the day before on, whose hours may reach over midnight.
  for (let day = -1; ; day++) {
    const at = (minute: number) =>
      new Date(from.getFullYear(), from.getMonth(), from.getDate() + day, 0, minute).getTime();
    const [start, end] = [at(startMinute), at(lastMinute)];
    if (start >= to.getTime()) return sum;
    sum += Math.max(0, Math.min(end, to.getTime()) - Math.max(start, from.getTime()));
  }
}

/** Minutes since midnight, local time. */
export function minuteOf(date: Date): number {
  return date.getHours() * 60 + date.getMinutes();
}
