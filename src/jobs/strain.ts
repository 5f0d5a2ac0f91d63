import type { Clock, Timer } from '../core/clock.ts';
import type { PowerState } from '../core/machine.ts';
import type { Logger } from '../observe/logger.ts';

/** Why the machine has nothing left for what nobody waits for. `ups`: it, or its server, says so. */
export type StrainReason = 'memory' | 'temperature' | 'battery' | 'ups';

export interface StrainSettings {
  /** Hotter than this nothing is begun; null: however hot it is. */
  pauseAboveCelsius: number | null;
  /** Whether things are begun on battery; with one that is nearly empty none is. */
  runOnBattery: boolean;
}

/** The machine as it is now; null: it does not tell. None rejects. */
export interface StrainReaders {
  isMemoryShort(): boolean;
  processorCelsius(): Promise<number | null>;
  /** By batteries of its own. */
  power(): Promise<PowerState | null>;
  /** By a UPS beside it. */
  ups(): Promise<PowerState | null>;
}

/** Watches the machine. */
export interface Strain {
  /** Null: there is none. */
  reason(): StrainReason | null;
  stop(): void;
}

const everyMs = 10_000;
/** It must have cooled down by so much before anything is begun again, or it would begin and pause by turns. */
const coolerBy = 5;

/** Looks at once, and then every ten seconds. What changes is logged once; of memory others tell. */
export function createStrain(deps: {
  settings: () => StrainSettings;
  readers: StrainReaders;
  clock: Pick<Clock, 'every'>;
  log: Pick<Logger, 'warn' | 'info'>;
}): Strain {
  const { settings, readers, clock, log } = deps;
  let isHot = false;
  let current: Exclude<StrainReason, 'memory'> | null = null;

  const look = async () => {
    const { pauseAboveCelsius: limit, runOnBattery } = settings();
    const [celsius, power, ups] = await Promise.all([
      limit === null ? null : readers.processorCelsius(),
      readers.power(),
      readers.ups(),
    ]);
    isHot = limit !== null && celsius !== null && celsius > (isHot ? limit - coolerBy : limit);
    const isBad = (state: PowerState | null) => state === 'low' || (state === 'battery' && !runOnBattery);
    const before = current;
    current = isBad(ups) ? 'ups' : isBad(power) ? 'battery' : isHot ? 'temperature' : null;
    if (current === before) return;
    const facts = { reason: current ?? before, celsius, power, ups };
    if (current === null) log.info(facts, 'requests of batches are begun again');
    else log.warn(facts, 'no requests of batches are begun');
  };
  void look();
  const timer: Timer = clock.every(everyMs, () => void look());
  return {
    reason: () => current ?? (readers.isMemoryShort() ? 'memory' : null),
    stop: () => timer.cancel(),
  };
}
