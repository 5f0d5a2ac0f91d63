import { startOf } from '../../../accounting/periods.ts';
import { within } from '../../../core/clock.ts';
import { toUsd } from '../../../core/money.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { toNativeModel } from '../models/models.ts';
import { configuredView, toLight } from '../providers/providers.ts';
import { toLive } from '../status/status.ts';
import { toNativePull } from '../store/store.ts';
import { divideMemory } from './memory-parts.ts';
import type { Meter, Pace } from './meter.ts';
import type { LiveState } from './schema.ts';

/** A database that takes longer says nothing this time. */
const databaseMs = 1_000;
const dayMs = 86_400_000;
/** Whoever watches sees the requests of all keys. */
const everybody = { id: '', scopes: ['admin'] } as const;

/** What the page shows of memory, models and requests, as it is now. Touches no disk and no database. */
export function readNow(deps: RouteDeps, meter: Meter): Omit<LiveState, 'today' | 'jobs'> {
  const residents = deps.engine.residents();
  const requests = deps.requests.live(everybody);
  const { state, reason } = deps.engine.status();
  return {
    server: { version: deps.version, state, reason },
    memory: memoryOf(deps, residents),
    models: residents.map((model) => ({ ...toNativeModel(model), ...fromPace(meter.of(model.name)) })),
    pace: {
      ...fromPace(meter.all()),
      running: requests.filter(({ status }) => status === 'running').length,
      queued: requests.filter(({ status }) => status === 'queued').length,
    },
    requests: requests.map(toLive),
    pulls: deps.store.pulls().map(toNativePull),
    providers: [...deps.providers.all().values()].map((provider) =>
      toLight(configuredView(deps, provider), deps.breakers.status()),
    ),
  };
}

/** What was spent today, and where requests went; `before` where the database does not answer. */
export async function readToday(
  { reports, clock }: Pick<RouteDeps, 'reports' | 'clock'>,
  before: LiveState['today'],
): Promise<LiveState['today']> {
  const since = startOf('day', clock.now());
  const range = { since, until: new Date(since.getTime() + dayMs) };
  const read = async () => {
    const [totals, budgets] = await Promise.all([reports.privacy(range), reports.budgets()]);
    const left = totals.filter(({ leftHouse }) => leftHouse);
    const count = (of: typeof totals) => of.reduce((sum, { attempts }) => sum + attempts, 0);
    return {
      date: since.toISOString().slice(0, 10),
      cost_usd: toUsd(left.reduce((sum, { cost }) => sum + cost, 0n)),
      unknown_cost_count: left.reduce((sum, { unknownCosts }) => sum + unknownCosts, 0),
      here: count(totals) - count(left),
      left: count(left),
      budgets: budgets.map(({ period, limit, spent }) => ({
        period,
        limit_usd: toUsd(limit),
        spent_usd: toUsd(spent),
      })),
    };
  };
  return within(clock, databaseMs, read(), before);
}

/** Items of batches that wait and run; `before` where the database does not answer. */
export async function readJobs(
  { jobs, clock }: Pick<RouteDeps, 'jobs' | 'clock'>,
  before: LiveState['jobs'],
): Promise<LiveState['jobs']> {
  const read = async () => {
    const { pending, running } = await jobs.state();
    return { pending, running };
  };
  return within(clock, databaseMs, read(), before);
}

function memoryOf({ engine }: Pick<RouteDeps, 'engine'>, residents: readonly LocalModel[]): LiveState['memory'] {
  const parts = divideMemory(engine.memory(), residents);
  return {
    total_bytes: parts.totalBytes,
    source: parts.source,
    reserve_bytes: parts.reserveBytes,
    free_bytes: parts.freeBytes,
    others_bytes: parts.othersBytes,
    server_bytes: parts.serverBytes,
    models: parts.models.map((one) => ({
      model: one.model,
      total_bytes: one.totalBytes,
      weights_bytes: one.weightsBytes,
      cache_bytes: one.cacheBytes,
      work_bytes: one.workBytes,
    })),
    gpus: engine.gpu().devices.map(({ device, freeBytes }) => ({
      name: device.name,
      backend: device.backend,
      total_bytes: device.totalBytes,
      free_bytes: freeBytes,
    })),
  };
}

function fromPace({ tokensPerSecond, promptTokensPerSecond, firstTokenMs }: Pace) {
  return {
    tokens_per_second: tokensPerSecond,
    prompt_tokens_per_second: promptTokensPerSecond,
    first_token_ms: firstTokenMs === null ? null : Math.round(firstTokenMs),
  };
}
