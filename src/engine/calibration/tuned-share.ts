import type { ThreadArbiter, ThreadShare } from '../threads/threads.ts';
import type { Calibration } from './run-calibration.ts';

/** A model's share of the cores, told to its worker as two counts: one for decoding, one for reading prompts. */
export interface TunedShare extends ThreadShare {
  /** Keeps within what calibration found, from now on. */
  tune(calibration: Pick<Calibration, 'decodeThreads' | 'prefillThreads'>): void;
  /** Tells the counts again, to a worker that was not there yet. */
  announce(): void;
}

/** `maxThreads`: what the model may use at most, calibrated or not. `apply`: gets every change of the two counts. */
export function addTunedShare(
  arbiter: Pick<ThreadArbiter, 'add'>,
  maxThreads: number,
  apply: (threads: number, prefillThreads: number) => void,
): TunedShare {
  let decodeLimit = maxThreads;
  let granted = 1;
  const announce = () => apply(Math.min(granted, decodeLimit), granted);
  // Reading never uses fewer threads than decoding, so its count is the share.
  const share = arbiter.add(maxThreads, (threads) => {
    granted = threads;
    announce();
  });
  return {
    get threads() {
      return share.threads;
    },
    setBusy: share.setBusy,
    setLimit: share.setLimit,
    remove: share.remove,
    tune({ decodeThreads, prefillThreads }) {
      decodeLimit = decodeThreads;
      share.setLimit(Math.min(maxThreads, Math.max(decodeThreads, prefillThreads)));
      announce();
    },
    announce,
  };
}
