import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import { toldOnce } from '../observe/told-once.ts';
import { type Database, isOtherProcess, type Queries, type Tables } from '../storage/storage.ts';
import { move } from './budgets.ts';
import { ofBatches } from './holds.ts';
import { writeLost } from './ledger.ts';

/** How often a process says that it is there, and how long it may be silent; clocks of replicas differ by less. */
const beatMs = 10_000;
const leaseMs = 60_000;
/** The name of no process. */
const turn = '';

/** Says as long as it is held that this process is there, so that nobody gives back what it has reserved. */
export interface Lease {
  end(): Promise<void>;
}

/**
 * Takes a lease, and releases what was reserved by processes that are no more, at once and again and again. What they had under way is noted as lost, at a cost that nobody knows.
 */
export async function createLease(deps: {
  database: Database;
  instance: string;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error'>;
  /** Whether this process has anything reserved. */
  isBusy: () => boolean;
  /** Is told after something was released. */
  onReleased: () => void;
}): Promise<Lease> {
  const { database, instance, clock, log, isBusy, onReleased } = deps;
  const beat = async () => {
    const nowMs = clock.now().getTime();
    // Apart from the release, whose locks must not wait for those of another process that does the same.
    await database.transaction((tables) => sayAlive(tables, instance, nowMs), { durable: false });
    const count = await database.transaction(
      (tables) => releaseDead(tables, { instance, nowMs, isShared: database.isShared }),
      { durable: false },
    );
    if (count === 0) return;
    onReleased();
    log.warn({ count }, 'requests were lost with a process that ended; what they reserved is released');
  };
  await beat();
  const beatAgain = toldOnce(beat, (err) => log.error({ err }, 'the lease on what is reserved cannot be renewed'));
  const timer = clock.every(beatMs, () => {
    // An idle server lets the disk sleep.
    if (!database.isShared && !isBusy()) return;
    void beatAgain();
  });
  return {
    async end() {
      timer.cancel();
      await database.transaction(async (tables) => {
        await tables.deleteFrom('instances').where('id', '=', instance).execute();
      });
    },
  };
}

async function sayAlive(tables: Queries, id: string, nowMs: number): Promise<void> {
  await tables
    .insertInto('instances')
    .values({ id, pid: BigInt(process.pid), seen_at: BigInt(nowMs) })
    .onConflict((conflict) => conflict.column('id').doUpdateSet((row) => ({ seen_at: row.ref('excluded.seen_at') })))
    .execute();
}

/** Returns how many tries were lost. */
async function releaseDead(
  tables: Queries,
  { instance, nowMs, isShared }: { instance: string; nowMs: number; isShared: boolean },
): Promise<number> {
  // One process at a time: whoever has this row has the turn.
  await sayAlive(tables, turn, nowMs);
  const all = await tables.selectFrom('instances').selectAll().execute();
  const isDead = ({ id, pid, seen_at: seenAt }: Tables['instances']) =>
    id !== instance && id !== turn && (Number(seenAt) < nowMs - leaseMs || (!isShared && !isOtherProcess(Number(pid))));
  const dead = all.filter(isDead).map(({ id }) => id);
  const alive = all.filter((one) => !isDead(one)).map(({ id }) => id);
  if (dead.length > 0) await tables.deleteFrom('instances').where('id', 'in', dead).execute();
  // Also of those that have no lease any more.
  const kept = [...alive, ofBatches];
  const lost = await tables.deleteFrom('reservations').where('instance', 'not in', kept).returningAll().execute();
  if (lost.length === 0) return 0;
  await move(
    tables,
    lost.map(({ principal, at, amount }) => ({ principal, at: new Date(Number(at)), spent: 0n, reserved: -amount })),
  );
  await writeLost(tables, lost);
  return lost.length;
}
