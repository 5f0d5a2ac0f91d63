import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from './database.ts';

/** How often the database is asked for its time. */
const lookMs = 10_000;
/** From here on the log says that the clock of this machine is wrong, or that of the database. */
const tellFromMs = 5_000;

/** A clock that somebody keeps right. */
export interface DatabaseClock extends Clock {
  /** It is kept right no more. */
  close(): void;
}

/**
 * The time by the clock of a database that is shared, so that replicas agree on what is over, whatever their own clocks say; that
 * of `clock` where nobody else uses the database. It goes on by itself while the database is away.
 */
export async function createDatabaseClock(deps: {
  database: Pick<Database, 'isShared' | 'nowMs' | 'tables'>;
  clock: Clock;
  log: Pick<Logger, 'warn'>;
}): Promise<DatabaseClock> {
  const { database, clock, log } = deps;
  if (!database.isShared) return { ...clock, close: () => {} };
  /** From our monotonic time to the time there: our wall time may be set at any moment. */
  let offsetMs = Number.NaN;
  let isTold = false;
  const nowMs = () => clock.monotonicMs() + offsetMs;
  const tell = () => {
    const behindMs = nowMs() - clock.now().getTime();
    const isWrong = Math.abs(behindMs) >= tellFromMs;
    if (isWrong && !isTold) {
      const secondsBehind = Math.round(behindMs / 1_000);
      log.warn({ secondsBehind }, 'the clock of this machine is not that of the database, which counts');
    }
    isTold = isWrong;
  };
  const look = async () => {
    const beganMs = clock.monotonicMs();
    const { rows } = await sql<{ now: bigint }>`SELECT ${database.nowMs} AS now`.execute(database.tables);
    const wayMs = (clock.monotonicMs() - beganMs) / 2;
    const seenMs = Number(rows[0]!.now) - beganMs - wayMs;
    // As near as the way there and back can tell: it does not jump for less.
    if (!(Math.abs(seenMs - offsetMs) <= wayMs)) offsetMs = seenMs;
    tell();
  };
  await look();
  // Where it does not answer, the pool says so.
  const timer = clock.every(lookMs, () => void look().catch(() => {}));
  return { ...clock, now: () => new Date(nowMs()), close: () => timer.cancel() };
}
