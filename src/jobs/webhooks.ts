import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../core/clock.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database, Queries, Tables } from '../storage/storage.ts';
import { toBatch } from './rows.ts';
import { signWebhook, toWebhookEvent } from './webhook-event.ts';
import type { PostWebhook } from './webhook-post.ts';

/** Tells the receivers of webhooks that batches have ended: at least once, by one process at a time. */
export interface Webhooks {
  /** A batch may have ended, and what its API does then may be done. */
  wake(): void;
  /** Resolves when nothing of this process is under way. */
  idle(): Promise<void>;
  /** Begins nothing any more, and gives up what is under way: it is sent again. */
  stop(): Promise<void>;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Before each try but the first, as Standard Webhooks proposes: three days in all. */
const waitsMs = [5_000, 5 * minuteMs, 30 * minuteMs, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * hourMs)];
/** More than a try may take. */
const leaseMs = minuteMs;
const atOnce = 4;
/** Whoever has this on its side wants no more of them. */
const gone = 410;

type Row = Tables['webhooks'];

/** Notes in the transaction that makes a batch where its end is to be told. */
export async function addWebhook(tables: Queries, batchId: string, url: string): Promise<void> {
  const id = `evt_${randomBytes(16).toString('hex')}`;
  const row: Row = { id, batch_id: batchId, url, attempts: 0n, not_before: 0n, lease_owner: null, lease_until: null };
  await tables.insertInto('webhooks').values(row).execute();
}

/**
 * `owner`: name of this process in leases. `secret`: what is sent is signed with; null: nothing is sent. `busyApis`: those that do
 * something at the end of their batches, which is to be done before anybody is told.
 */
export function createWebhooks(deps: {
  database: Database;
  owner: string;
  secret: () => string | null;
  busyApis: () => readonly string[];
  post: PostWebhook;
  clock: Pick<Clock, 'now' | 'after'>;
  log: Pick<Logger, 'warn' | 'error'>;
  bus: Pick<Bus, 'publish'>;
}): Webhooks {
  const { database, owner, clock, log } = deps;
  const stopped = new AbortController();
  const nowMs = () => BigInt(clock.now().getTime());

  /** Of batches that are over, those that nobody else sends. Where the database is our own, so is what another one left. */
  const ready = () => {
    const busy = deps.busyApis();
    return database.tables.selectFrom('webhooks').where('batch_id', 'in', (batches) => {
      const ended = batches.selectFrom('batches').select('id').where('state', '=', 'ended');
      if (busy.length === 0) return ended;
      return ended.where((batch) => batch.or([batch('finished_at', 'is not', null), batch('api', 'not in', busy)]));
    });
  };
  const due = () =>
    ready()
      .selectAll()
      .where('not_before', '<=', nowMs())
      .where((row) =>
        row.or([
          row('lease_until', 'is', null),
          row('lease_until', '<=', nowMs()),
          ...(database.isShared ? [] : [row('lease_owner', '!=', owner)]),
        ]),
      )
      .orderBy('not_before')
      .limit(atOnce)
      .execute();
  const lease = async ({ id, lease_owner: by }: Row) => {
    const { numUpdatedRows } = await database.transaction((tables) =>
      tables
        .updateTable('webhooks')
        .set({ lease_owner: owner, lease_until: nowMs() + BigInt(leaseMs) })
        .where('id', '=', id)
        .where('lease_owner', by === null ? 'is' : '=', by)
        .executeTakeFirst(),
    );
    return numUpdatedRows > 0n;
  };
  const settle = (id: string, next: Pick<Row, 'attempts' | 'not_before'> | null) =>
    database.transaction<unknown>((tables) =>
      next === null
        ? tables.deleteFrom('webhooks').where('id', '=', id).where('lease_owner', '=', owner).execute()
        : tables
            .updateTable('webhooks')
            .set({ ...next, lease_owner: null, lease_until: null })
            .where('id', '=', id)
            .where('lease_owner', '=', owner)
            .execute(),
    );

  /** Null: it was taken; else why not. `isGone`: it never will be. */
  const send = async (row: Row, secret: string): Promise<{ why: string; isGone: boolean } | null> => {
    const found = database.tables.selectFrom('batches').selectAll().where('id', '=', row.batch_id);
    const batch = await found.executeTakeFirst();
    // Whoever has deleted it knows that it had ended.
    if (batch === undefined) return null;
    const body = JSON.stringify(toWebhookEvent(row.id, toBatch(batch)));
    try {
      const headers = signWebhook(body, { id: row.id, at: clock.now(), secret });
      const status = await deps.post(row.url, { headers, body }, stopped.signal);
      if (status >= 200 && status < 300) return null;
      return { why: `it answered with status ${status}`, isGone: status === gone };
    } catch (error) {
      return { why: reasonOf(error), isGone: false };
    }
  };
  const deliver = async (row: Row, secret: string) => {
    if (!(await lease(row))) return;
    const failure = await send(row, secret);
    const told = (outcome: 'delivered' | 'failed' | 'given-up') => deps.bus.publish({ type: 'webhook-sent', outcome });
    if (failure === null) {
      await settle(row.id, null);
      return told('delivered');
    }
    const { attempts, not_before } = row;
    if (stopped.signal.aborted) return void (await settle(row.id, { attempts, not_before }));
    const facts = { batch: row.batch_id, host: hostOf(row.url), reason: failure.why, tries: Number(attempts) + 1 };
    const waitMs = failure.isGone ? undefined : waitsMs[Number(attempts)];
    if (waitMs === undefined) {
      await settle(row.id, null);
      log.error(facts, 'a webhook is given up');
      return told('given-up');
    }
    await settle(row.id, { attempts: attempts + 1n, not_before: nowMs() + BigInt(waitMs) });
    log.warn({ ...facts, againInMs: waitMs }, 'a webhook was not taken; it is sent again');
    told('failed');
  };

  let timer: Timer | null = null;
  /** The next one that waits for its time. */
  const setTimer = async () => {
    timer?.cancel();
    const next = await ready()
      .select('not_before')
      .where('not_before', '>', nowMs())
      .orderBy('not_before')
      .limit(1)
      .executeTakeFirst();
    timer = next === undefined ? null : clock.after(Number(next.not_before - nowMs()), wake);
  };
  let isWoken = false;
  let running: Promise<void> | null = null;
  const run = async () => {
    while (isWoken && !stopped.signal.aborted) {
      isWoken = false;
      const secret = deps.secret();
      if (secret === null) return;
      const rows = await due();
      await Promise.all(rows.map((row) => deliver(row, secret)));
      if (rows.length === atOnce) isWoken = true;
      if (!isWoken && !stopped.signal.aborted) await setTimer();
    }
  };
  function wake() {
    if (stopped.signal.aborted) return;
    isWoken = true;
    running ??= run()
      .catch((err: unknown) => log.error({ err }, 'webhooks cannot be sent'))
      .finally(() => {
        running = null;
        // Said while the last look ended.
        if (isWoken) wake();
      });
  }
  const idle = async () => {
    while (running !== null) await running;
  };

  return {
    wake,
    idle,
    async stop() {
      stopped.abort(new Error('the server ends'));
      timer?.cancel();
      await idle();
    },
  };
}

/** Of an address alone its host is told: its path may hold a secret. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  return 'code' in error ? `the connection failed (${String(error.code)})` : error.message;
}
