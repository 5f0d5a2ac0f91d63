import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { startOf } from '../../../accounting/periods.ts';
import type { Range } from '../../../accounting/reports.ts';
import { AppError } from '../../../core/errors.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toCsv } from './csv.ts';
import { toAlert, toByProvider, toDaily, toEntry, toPrivacy, toSummary } from './from-core.ts';
import {
  alertsAnswer,
  byProviderAnswer,
  type CostEntry,
  dailyAnswer,
  dailyQuery,
  entriesAnswer,
  entriesQuery,
  privacyAnswer,
  privacyQuery,
  rangeQuery,
  summaryAnswer,
} from './schema.ts';

const dayMs = 86_400_000;
const defaultDays = 7;
const defaultEntries = 100;

const entryNames = [
  'timestamp',
  'request_id',
  'attempt_id',
  'key',
  'key_name',
  'provider',
  'model',
  'operation',
  'outcome',
  'error',
  'input_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost',
  'estimated',
  'left_house',
  'latency_ms',
  'first_content_ms',
  'served_tier',
  'served_place',
] as const satisfies readonly (keyof CostEntry)[];

/** `GET /costs/…`, as the second seed specification has them, and `GET /privacy/daily`. */
export function addCostRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { reports, clock } = deps;
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const orCsv = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
    description,
    content: { 'application/json': { schema }, 'text/csv': { schema: z.string() } },
  });

  app.get('/costs/summary', {
    config: { scope: 'admin' },
    schema: {
      summary: 'What was spent, in all, by provider and by model',
      tags,
      querystring: rangeQuery,
      response: { 200: jsonAnswer(summaryAnswer, 'Sums of the range'), ...errors },
    },
    handler: async ({ query }) => {
      const range = rangeOf(query, clock.now());
      return toSummary(await reports.byModel(range, { withLocal: query.local ?? false }), range);
    },
  });

  app.get('/costs/daily', {
    config: { scope: 'admin' },
    schema: {
      summary: 'What was spent each day',
      tags,
      querystring: dailyQuery,
      response: { 200: orCsv(dailyAnswer, 'The days, in UTC'), ...errors },
    },
    handler: async (request, reply) => {
      const { days = defaultDays, local = false, format } = request.query;
      const { range, names } = lastDays(days, clock.now());
      const daily = toDaily(await reports.byDay(range, { withLocal: local }), names);
      if (!wantsCsv(request, format)) return daily;
      const rows = Object.entries(daily.daily_costs).map(([date, cost]) => ({ date, cost }));
      return sendCsv(reply, toCsv(['date', 'cost'], rows));
    },
  });

  app.get('/costs/by-provider', {
    config: { scope: 'admin' },
    schema: {
      summary: 'What was spent with each provider',
      tags,
      querystring: rangeQuery,
      response: { 200: jsonAnswer(byProviderAnswer, 'Sums of the range'), ...errors },
    },
    handler: async ({ query }) =>
      toByProvider(await reports.byModel(rangeOf(query, clock.now()), { withLocal: query.local ?? false })),
  });

  app.get('/costs/alerts', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Budgets that are nearly spent, or wholly',
      description: 'Of the day, week and month that run.',
      tags,
      response: { 200: jsonAnswer(alertsAnswer, 'The alerts'), ...errors },
    },
    handler: async () => ({ alerts: (await reports.alerts()).map(toAlert) }),
  });

  app.get('/costs/entries', {
    config: { scope: 'admin' },
    schema: {
      summary: 'The ledger: a row for each try at a provider, the latest first',
      tags,
      querystring: entriesQuery,
      response: { 200: orCsv(entriesAnswer, 'The rows'), ...errors },
    },
    handler: async (request, reply) => {
      const { limit = defaultEntries, provider = null, local = false, format } = request.query;
      const range = rangeOf(request.query, clock.now());
      const found = await reports.entries(range, { limit, provider, withLocal: local });
      const entries = found.entries.map(toEntry);
      return wantsCsv(request, format) ? sendCsv(reply, toCsv(entryNames, entries)) : { entries, total: found.total };
    },
  });

  app.get('/privacy/daily', {
    config: { scope: 'admin' },
    schema: {
      summary: 'What was answered here, and what left the house',
      description: 'By day in UTC, key and model.',
      tags,
      querystring: privacyQuery,
      response: { 200: jsonAnswer(privacyAnswer, 'The days, the latest first'), ...errors },
    },
    handler: async ({ query: { days = defaultDays } }) => {
      const { range, names } = lastDays(days, clock.now());
      return toPrivacy(await reports.privacy(range), names);
    },
  });
}

/** Of this month, or that of `until`, where nothing is said. Throws `invalid_request` for one that ends before it begins. */
function rangeOf({ since, until }: { since?: Date | undefined; until?: Date | undefined }, now: Date): Range {
  // What has just ended is in it.
  const end = until ?? new Date(now.getTime() + 1);
  const range = { since: since ?? startOf('month', new Date(end.getTime() - 1)), until: end };
  if (range.since <= range.until) return range;
  throw new AppError('invalid_request', 'since must not be after until.', { field: 'since' });
}

/** So many days in UTC until today, the latest first. */
function lastDays(count: number, now: Date): { range: Range; names: string[] } {
  const todayMs = startOf('day', now).getTime();
  const names = Array.from({ length: count }, (_, index) =>
    new Date(todayMs - index * dayMs).toISOString().slice(0, 10),
  );
  return { range: { since: new Date(todayMs - (count - 1) * dayMs), until: new Date(todayMs + dayMs) }, names };
}

function wantsCsv({ headers }: Pick<FastifyRequest, 'headers'>, format: 'json' | 'csv' | undefined): boolean {
  return format === undefined ? /^\s*text\/csv\b/i.test(headers.accept ?? '') : format === 'csv';
}

function sendCsv(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/csv; charset=utf-8').send(text as never);
}
