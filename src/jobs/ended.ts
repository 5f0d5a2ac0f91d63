import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import { type Database, isOtherProcess } from '../storage/storage.ts';
import type { Batch } from './batch.ts';
import { toBatch } from './rows.ts';

/**
 * What an API does when a batch of its has ended, such as writing a file of results. `owner`: id of the principal that made it.
 * Until it resolves the batch is not finished; after a failure or a kill it is done again.
 */
export type WhenEnded = (batch: Batch, owner: string) => Promise<void>;

/** Sees to it that what an API does at the end of a batch is done, by one process at a time. */
export interface Endings {
  add(api: string, act: WhenEnded): void;
  /** The APIs that do something. */
  apis(): readonly string[];
  /** A batch may have ended. */
  wake(): void;
  /** Resolves when nothing of this process is under way. */
  idle(): Promise<void>;
  /** Begins nothing any more, and waits for what is under way. */
  stop(): Promise<void>;
}

const leaseMs = 300_000;
const retryMs = 30_000;
const atOnce = 20;

/** `owner`: name of this process in leases. */
export function createEndings(deps: {
  database: Database;
  owner: string;
  clock: Pick<Clock, 'now'>;
  log: Pick<Logger, 'error'>;
}): Endings {
  const { database, owner, clock, log } = deps;
  const acts = new Map<string, WhenEnded>();
  const nowMs = () => BigInt(clock.now().getTime());
  let isStopped = false;

  /** Those that nobody works on. A process that is no more has told so by its number, where all are on this machine. */
  const open = async () => {
    const rows = await database.tables
      .selectFrom('batches')
      .selectAll()
      .where('state', '=', 'ended')
      .where('finished_at', 'is', null)
      .where('api', 'in', [...acts.keys()])
      .orderBy('ended_at')
      .limit(atOnce)
      .execute();
    const isFree = ({ lease_owner: by, lease_until: until }: (typeof rows)[number]) =>
      until === null || until <= nowMs() || (by !== null && by !== owner && !database.isShared && !isAlive(by));
    return rows.filter(isFree);
  };
  const lease = async ({ id, lease_owner: by }: { id: string; lease_owner: string | null }) => {
    const { numUpdatedRows } = await database.transaction((tables) =>
      tables
        .updateTable('batches')
        .set({ lease_owner: owner, lease_until: nowMs() + BigInt(leaseMs) })
        .where('id', '=', id)
        .where('finished_at', 'is', null)
        .where('lease_owner', by === null ? 'is' : '=', by)
        .executeTakeFirst(),
    );
    return numUpdatedRows > 0n;
  };
  const settle = (id: string, how: { finished_at: bigint | null; lease_until: bigint | null }) =>
    database.transaction((tables) =>
      tables
        .updateTable('batches')
        .set({ ...how, lease_owner: null })
        .where('id', '=', id)
        .where('lease_owner', '=', owner)
        .execute(),
    );
  const finish = async (row: Awaited<ReturnType<typeof open>>[number]) => {
    if (!(await lease(row))) return;
    try {
      await acts.get(row.api)!(toBatch(row), row.owner);
      await settle(row.id, { finished_at: nowMs(), lease_until: null });
    } catch (err) {
      log.error({ err, batch: row.id }, 'the results of a batch cannot be told; it is tried again');
      await settle(row.id, { finished_at: null, lease_until: nowMs() + BigInt(retryMs) });
    }
  };
  let isWoken = false;
  let running: Promise<void> | null = null;
  const run = async () => {
    while (isWoken && !isStopped) {
      isWoken = false;
      const rows = await open();
      for (const row of rows) if (!isStopped) await finish(row);
      if (rows.length === atOnce) isWoken = true;
    }
  };

  const idle = async () => {
    while (running !== null) await running;
  };

  return {
    add: (api, act) => void acts.set(api, act),
    apis: () => [...acts.keys()],
    wake() {
      if (acts.size === 0 || isStopped) return;
      isWoken = true;
      running ??= run()
        .catch((err: unknown) => log.error({ err }, 'batches that have ended cannot be finished'))
        .finally(() => {
          running = null;
        });
    },
    idle,
    async stop() {
      isStopped = true;
      await idle();
    },
  };
}

/** Whether the process of that name in leases runs. */
function isAlive(name: string): boolean {
  return isOtherProcess(Number.parseInt(name, 10));
}
