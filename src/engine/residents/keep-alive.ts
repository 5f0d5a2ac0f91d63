import type { Clock } from '../../core/clock.ts';
import { type Entry, isIdle } from './resident.ts';

/** Ends models that nobody has used for their keep-alive time. */
export interface KeepAlive {
  /** Starts the idle time of an idle model anew; a busy, pinned or everlasting one has none. */
  arm(entry: Entry): void;
  disarm(entry: Entry): void;
}

export function createKeepAlive(deps: { clock: Clock; unload: (entry: Entry) => void }): KeepAlive {
  const { clock } = deps;
  const disarm = (entry: Entry) => {
    entry.idleTimer?.cancel();
    entry.idleTimer = null;
    entry.expiresAt = null;
  };
  return {
    disarm,
    arm(entry) {
      disarm(entry);
      if (!isIdle(entry) || entry.pinned || entry.keepAliveMs === Number.POSITIVE_INFINITY) return;
      entry.expiresAt = new Date(clock.now().getTime() + entry.keepAliveMs);
      entry.idleTimer = clock.after(entry.keepAliveMs, () => {
        if (isIdle(entry)) deps.unload(entry);
      });
    },
  };
}
