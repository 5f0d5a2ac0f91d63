import { type Clock, delay } from '../../core/clock.ts';
import { type DailyHours, isWithinHours, minuteOf } from '../../core/daily-hours.ts';

/** The hours of the day in which pulls may run. */
export interface PullHours {
  isOpen(): boolean;
  /** Resolves when it is open; rejects with the signal's reason. */
  opened(signal: AbortSignal): Promise<void>;
}

/** The clock may be set, and a machine may sleep: a long wait is asked anew. */
const longestWaitMs = 60_000;

/** `hours` null: always open. */
export function createPullHours(clock: Clock, hours: DailyHours | null): PullHours {
  const isOpen = () => hours === null || isWithinHours(hours, clock.now());
  return {
    isOpen,
    async opened(signal) {
      while (hours !== null && !isOpen()) {
        const now = clock.now();
        const minutes = (hours.startMinute - minuteOf(now) + 1_440) % 1_440;
        const leftMs = minutes * 60_000 - now.getSeconds() * 1000 - now.getMilliseconds();
        await delay(clock, Math.min(Math.max(leftMs, 1), longestWaitMs), signal);
      }
    },
  };
}
