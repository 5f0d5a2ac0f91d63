import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { BatchDoor } from '../gateway/gateway.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';
import { type Away, createAway } from './away.ts';
import { type AwayShare, createAwayRows } from './away-rows.ts';
import type { BatchWish, Perform } from './batch.ts';
import { type Batches, createBatches } from './batches.ts';
import { createEndings, type Endings, type WhenEnded } from './ended.ts';
import { createItems, leaseOwner } from './items.ts';
import { lanesBy } from './lanes.ts';
import type { WebhookSettings } from './open-webhooks.ts';
import { createPoliteness, type PauseReason, type PoliteSettings } from './politeness.ts';
import { createRunner, type Runner } from './runner.ts';
import { createSpill } from './spill.ts';
import type { StrainReason } from './strain.ts';
import { type PostWebhook, webhookProblem } from './webhook-post.ts';
import { createWebhooks } from './webhooks.ts';

export type { AwayShare } from './away-rows.ts';
export type {
  Batch,
  BatchCounts,
  BatchUsage,
  BatchWish,
  ItemAnswer,
  ItemCall,
  ItemResult,
  NewItem,
  Perform,
} from './batch.ts';
export { leftMs, noUsage } from './batch.ts';
export type { BatchPage, BatchScope } from './batches.ts';
export type { WhenEnded } from './ended.ts';
export { openWebhooks } from './open-webhooks.ts';
export { type PauseReason, pauseReasons } from './politeness.ts';
export { createStrain } from './strain.ts';

/** Batches, and what answers their items while the server runs. */
export interface Jobs extends Batches {
  /** What an API does at the end of each of its batches; to be said before `start`. */
  onEnded(api: string, act: WhenEnded): void;
  /** Begins to answer items, those of earlier runs too. Once. */
  start(perform: Perform): void;
  /** What of a batch is at providers, or on its way there; null: nothing is. */
  shareOf(batchId: string): Promise<AwayShare | null>;
  /** How many items wait and run: in all processes that share the database, and how many run in this one. */
  state(): Promise<{ pending: number; running: number; here: number }>;
  /** Why no item is begun in this process now; null: nothing is in the way. */
  pause(): PauseReason | null;
  /** Begins nothing any more and gives up what is under way, which waits again. */
  stop(): Promise<void>;
}

export interface JobSettings extends PoliteSettings {
  /** How long results can be read after the end of their batch. */
  keepMs: number;
}

const tidyMs = 60_000;
/** Between two portions of what is forgotten. */
const breathMs = 50;

/** `settings`: as they are configured now. `instance`: name of this process among those that share the database. */
export function createJobs(deps: {
  database: Database;
  settings: () => JobSettings;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error' | 'debug'>;
  bus: Pick<Bus, 'publish'>;
  instance?: string;
  /** The batches of providers; left out: nothing goes there. */
  door?: BatchDoor;
  /** Left out: nobody is told of the end of a batch. */
  webhooks?: { settings: () => WebhookSettings; post: PostWebhook };
  /** Why the machine has nothing left for what nobody waits for; null, or left out: it has. */
  strain?: () => StrainReason | null;
}): Jobs {
  const { database, settings, clock, log } = deps;
  const owner = leaseOwner(deps.instance ?? randomUUID());
  const batches = createBatches({ database, owner, clock, ...(deps.door && { laneOf: lanesBy(deps.door) }) });
  const rows = createAwayRows({ database, owner, clock });
  const items = createItems({ database, owner, clock });
  const spill = createSpill({ database, hours: () => settings().hours, clock, log });
  const endings: Endings = createEndings({ database, owner, clock, log });
  const webhookSettings = deps.webhooks?.settings ?? (() => noWebhooks);
  const webhooks = createWebhooks({
    database,
    owner,
    secret: () => webhookSettings().secret,
    busyApis: endings.apis,
    post: deps.webhooks?.post ?? (() => Promise.reject(new Error('there are no webhooks'))),
    clock,
    log,
    bus: deps.bus,
  });
  /** A batch may have ended: its API does what it does then, and whoever wants to know is told after that. */
  const mayHaveEnded = () => {
    endings.wake();
    if (runner !== null) void endings.idle().then(webhooks.wake);
  };
  // Whatever is told of an item may have been the last of its batch.
  const bus: Pick<Bus, 'publish'> = {
    publish(event) {
      deps.bus.publish(event);
      mayHaveEnded();
    },
  };
  const polite = createPoliteness({ settings, clock, ...(deps.strain && { strain: deps.strain }) });
  let runner: Runner | null = null;
  let away: Away | null = null;
  let isStopped = false;

  let isTidying = false;
  const tidy = () => {
    if (isStopped || isTidying) return;
    isTidying = true;
    batches
      .tidy(settings().keepMs)
      .catch((err: unknown) => log.error({ err }, 'old batches cannot be removed'))
      .then(async (hasMore) => {
        if (deps.door)
          await spill.look().catch((err: unknown) => log.error({ err }, 'what will be late cannot be seen'));
        return hasMore;
      })
      .then((hasMore) => {
        isTidying = false;
        away?.wake();
        mayHaveEnded();
        if (hasMore) clock.after(breathMs, tidy);
      });
  };
  let timer: Timer | null = null;

  return {
    ...batches,
    async create(wish) {
      const made = await batches.create(withWebhook(wish, webhookSettings()));
      runner?.wake();
      away?.wake();
      if (made.batch.state === 'ended') mayHaveEnded();
      return made;
    },
    async cancel(id, scope) {
      const batch = await batches.cancel(id, scope);
      away?.wake();
      mayHaveEnded();
      return batch;
    },
    shareOf: rows.shareOf,
    onEnded: endings.add,
    start(perform) {
      runner = createRunner({ ...deps, bus, items, perform, polite });
      if (deps.door)
        away = createAway({ ...deps, door: deps.door, bus, rows, items, perform, wakeOthers: runner.wake });
      timer = clock.every(tidyMs, tidy);
      tidy();
    },
    pause: polite.pause,
    async state() {
      return { ...(await items.open()), here: runner?.running() ?? 0 };
    },
    async stop() {
      isStopped = true;
      timer?.cancel();
      await away?.stop();
      await runner?.stop();
      await endings.stop();
      await webhooks.stop();
    },
  };
}

const noWebhooks: WebhookSettings = { hosts: [], allowPrivate: false, secret: null, url: null };

/** Names who is to be told. Throws `invalid_request` where that is nobody who may be. */
function withWebhook({ webhook, ...wish }: BatchWish, { url, ...rules }: WebhookSettings): BatchWish {
  if (webhook === undefined) return url === null ? wish : { ...wish, webhook: { url, field: 'jobs.webhook_url' } };
  const refuse = (what: string, fix: string) =>
    new AppError('invalid_request', `"${webhook.field}" ${what}.`, { field: webhook.field, fix });
  if (rules.secret === null) {
    throw refuse(
      'is not possible here: webhooks are off',
      'Leave it out, or have jobs.webhook_hosts and its secret set.',
    );
  }
  const found = webhookProblem(webhook.url, rules);
  if (found !== null) throw refuse(found.problem, found.fix);
  return { ...wish, webhook };
}
