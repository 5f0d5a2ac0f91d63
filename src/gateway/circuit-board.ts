import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';

/** What a replica has told of a circuit. */
export interface ToldCircuit {
  provider: string;
  model: string;
  state: 'open' | 'closed';
  /** Of an open one: until one call may try. */
  leftMs: number;
}

/** Where replicas tell each other that their circuits open and close, and which of them makes the call that tries. */
export interface CircuitBoard {
  /** Tells the others; does not wait for them, nor for the database. `openMs`: until one call may try. */
  tell(provider: string, model: string, state: 'open' | 'closed', openMs: number): void;
  /**
   * Whether this replica makes the call that tries, which is then so until its end is told or `giveBack` is called, or it is no
   * more. True also where the database does not answer: it then stands alone.
   */
  claim(provider: string, model: string): Promise<boolean>;
  /** The call that tried said nothing. */
  giveBack(provider: string, model: string): void;
  /** Calls `listener` with each change that another one has told, and with what there was at the start. Resolves when it was called for that. */
  watch(listener: (circuit: ToldCircuit) => void): Promise<void>;
  /** Waits for what was told. */
  close(): Promise<void>;
}

/** What another replica told is heard after so long. */
const lookMs = 1_000;
/** A replica that tries says so again and again; one that was silent for so long does not any more. */
const probeMs = 10_000;

/** The board in the database, by whose clock all of it goes. `instance`: the name of this replica. */
export function createCircuitBoard(deps: {
  database: Database;
  instance: string;
  clock: Pick<Clock, 'every'>;
  log: Pick<Logger, 'warn'>;
}): CircuitBoard {
  const { database, instance, clock, log } = deps;
  const { nowMs } = database;
  /** The revision that was told or heard last, by circuit. */
  const known = new Map<string, bigint>();
  const claimed = new Set<string>();
  /** How many changes of a circuit are on their way to the others; what is read meanwhile is older. */
  const onTheWay = new Map<string, number>();
  const keyOf = (provider: string, model: string) => JSON.stringify([provider, model]);
  const probeUntil = sql<bigint>`${nowMs} + ${sql.lit(probeMs)}`;
  let telling: Promise<unknown> = Promise.resolve();
  let listener: (circuit: ToldCircuit) => void = () => {};
  let isLooking = false;

  /** One after the other, so that what was told last stands. */
  const inOrder = (act: () => Promise<void>) => {
    telling = telling
      .then(act)
      .catch((err: unknown) => log.warn({ err }, 'other replicas could not be told of a circuit'));
  };
  const write = async (provider: string, model: string, state: 'open' | 'closed', openMs: number) => {
    const row = {
      provider,
      model,
      state,
      tries_at: sql<bigint>`${nowMs} + ${sql.lit(Math.round(openMs))}`,
      revision: 1n,
      probe_instance: null,
      probe_until: null,
    };
    const { revision } = await database.tables
      .insertInto('circuits')
      .values(row)
      .onConflict((conflict) =>
        conflict.columns(['provider', 'model']).doUpdateSet((old) => ({
          state: old.ref('excluded.state'),
          tries_at: old.ref('excluded.tries_at'),
          revision: sql<bigint>`${old.ref('circuits.revision')} + 1`,
          probe_instance: null,
          probe_until: null,
        })),
      )
      .returning('revision')
      .executeTakeFirstOrThrow();
    known.set(keyOf(provider, model), revision);
  };
  const look = async () => {
    const rows = await database.tables
      .selectFrom('circuits')
      .select(['provider', 'model', 'state', 'revision', sql<bigint>`tries_at - ${nowMs}`.as('left_ms')])
      .execute();
    for (const { provider, model, state, revision, left_ms: leftMs } of rows) {
      const key = keyOf(provider, model);
      if (revision <= (known.get(key) ?? 0n) || onTheWay.has(key)) continue;
      known.set(key, revision);
      claimed.delete(key);
      listener({ provider, model, state: state === 'open' ? 'open' : 'closed', leftMs: Math.max(0, Number(leftMs)) });
    }
    if (claimed.size > 0) {
      await database.tables
        .updateTable('circuits')
        .set({ probe_until: probeUntil })
        .where('probe_instance', '=', instance)
        .execute();
    }
  };
  const timer = clock.every(lookMs, () => {
    if (isLooking) return;
    isLooking = true;
    look()
      // The pool says that the database is away.
      .catch(() => {})
      .finally(() => {
        isLooking = false;
      });
  });

  return {
    tell(provider, model, state, openMs) {
      const key = keyOf(provider, model);
      claimed.delete(key);
      onTheWay.set(key, (onTheWay.get(key) ?? 0) + 1);
      inOrder(() =>
        write(provider, model, state, openMs).finally(() => {
          const left = onTheWay.get(key)! - 1;
          if (left > 0) onTheWay.set(key, left);
          else onTheWay.delete(key);
        }),
      );
    },
    async claim(provider, model) {
      const mine = { probe_instance: instance, probe_until: probeUntil };
      try {
        const rows = await database.tables
          .insertInto('circuits')
          .values({ provider, model, state: 'open', tries_at: nowMs, revision: 1n, ...mine })
          .onConflict((conflict) =>
            conflict
              .columns(['provider', 'model'])
              .doUpdateSet(mine)
              .where(({ eb, or, not, and }) =>
                and([
                  // Somebody has tried since, and it was open still.
                  not(and([eb('circuits.state', '=', 'open'), eb('circuits.tries_at', '>', nowMs)])),
                  or([
                    eb('circuits.probe_instance', 'is', null),
                    eb('circuits.probe_instance', '=', instance),
                    eb('circuits.probe_until', '<', nowMs),
                  ]),
                ]),
              ),
          )
          .returning('provider')
          .execute();
        if (rows.length > 0) claimed.add(keyOf(provider, model));
        return rows.length > 0;
      } catch {
        return true;
      }
    },
    giveBack(provider, model) {
      claimed.delete(keyOf(provider, model));
      inOrder(async () => {
        await database.tables
          .updateTable('circuits')
          .set({ probe_instance: null, probe_until: null })
          .where('provider', '=', provider)
          .where('model', '=', model)
          .where('probe_instance', '=', instance)
          .execute();
      });
    },
    async watch(listen) {
      listener = listen;
      await look().catch((err: unknown) => log.warn({ err }, 'circuits of other replicas could not be read'));
    },
    async close() {
      timer.cancel();
      await telling;
    },
  };
}
