import type { Clock } from '../core/clock.ts';
import { type DailyHours, dayOfHours, isWithinHours } from '../core/daily-hours.ts';
import type { Politeness } from './runner.ts';
import type { StrainReason } from './strain.ts';

/** Why no item is begun now: by a setting, or as the machine is. */
export type PauseReason = 'max_slots' | 'window' | StrainReason;

export const pauseReasons = [
  'max_slots',
  'window',
  'memory',
  'temperature',
  'battery',
  'ups',
] as const satisfies readonly PauseReason[];

/** When items may be begun. */
export interface PoliteSettings {
  /** Most items at a time. */
  maxSlots: number;
  /** Hours of the day in which they are begun; null: always. */
  hours: DailyHours | null;
  /** Most models of one window, or of one day where there is none; null: as many as are asked for. */
  modelsPerWindow: number | null;
}

/** Where there is no window, what counts in one counts in a day. */
const wholeDay: DailyHours = { startMinute: 0, endMinute: 1_440 };

/**
 * Keeps batches to their hours and models. `strain`: why the machine has nothing left for what nobody waits for; null: it has.
 */
export function createPoliteness(deps: {
  settings: () => PoliteSettings;
  clock: Pick<Clock, 'now'>;
  strain?: () => StrainReason | null;
}): Politeness & { pause(): PauseReason | null } {
  const { settings, clock, strain = () => null } = deps;
  /** Of the window that runs. */
  let used: { day: number; models: Set<string> } = { day: Number.NaN, models: new Set() };

  const usedNow = () => {
    const day = dayOfHours(settings().hours ?? wholeDay, clock.now()).getTime();
    if (used.day !== day) used = { day, models: new Set() };
    return used.models;
  };
  const pause = () => {
    const { hours, maxSlots } = settings();
    if (maxSlots === 0) return 'max_slots';
    return hours === null || isWithinHours(hours, clock.now()) ? strain() : 'window';
  };
  return {
    pause,
    slots: () => (pause() === null ? settings().maxSlots : 0),
    models() {
      const { modelsPerWindow } = settings();
      const models = usedNow();
      return modelsPerWindow === null || models.size < modelsPerWindow ? null : [...models];
    },
    began: (model) => void usedNow().add(model),
  };
}
