import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';
import { wholeNumber } from '../../fields/query-values.ts';

const usd = z.number().meta({ description: 'US dollars' });
const key = z.string().meta({ description: 'The same for the same key, which it says nothing of.' });
const keyName = z
  .string()
  .nullable()
  .meta({ description: 'What the key was called, also where it is revoked since; null: nobody knows.' });
const day = z.string().meta({ description: 'A day in UTC', examples: ['2026-11-29'] });

/** A point in time; without a zone it is UTC. */
const time = z
  .union([z.iso.datetime({ offset: true, local: true }), z.iso.date()], {
    error: 'must be a time such as 2026-11-29T10:00:00Z',
  })
  .transform((text) => new Date(/T.*(?:Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes('T') ? text : `${text}Z`));

const local = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .optional()
  .meta({ description: 'true: what this machine answered, which costs nothing, is counted too.' });
const format = z.enum(['json', 'csv']).optional().meta({ description: 'csv: as a table; so does Accept: text/csv.' });

const range = {
  since: time.optional().meta({ description: 'Left out: the first of the month of `until`.' }),
  until: time.optional().meta({ description: 'Left out: now. Not before `since`.' }),
};

export const rangeQuery = z.object({ ...range, local });
export const dailyQuery = z.object({
  days: wholeNumber(1, 3_660).optional().meta({ description: 'As many until today; 7 where left out.' }),
  local,
  format,
});
export const entriesQuery = z.object({
  limit: wholeNumber(1, 100_000).optional().meta({ description: '100 where left out.' }),
  provider: z.string().max(64).optional(),
  ...range,
  local,
  format,
});
export const privacyQuery = z.object({ days: dailyQuery.shape.days });

export const summaryAnswer = z
  .object({
    total_cost: usd,
    period: z.object({ start: timestamp, end: timestamp }),
    by_provider: z.record(z.string(), usd),
    by_model: z.record(z.string(), usd).meta({ description: 'By `provider:model`.' }),
    request_count: count,
    token_count: z.object({ input: count, output: count }),
    unknown_cost_count: count.meta({ description: 'Requests whose cost is not known, and is in no sum.' }),
  })
  .meta({ id: 'CostSummary' });

export const dailyAnswer = z
  .object({
    daily_costs: z.record(z.string(), usd).meta({ description: 'By day in UTC, the latest first.' }),
    total: usd,
    average_daily: usd,
  })
  .meta({ id: 'DailyCosts' });

export const byProviderAnswer = z
  .object({
    costs: z.record(
      z.string(),
      z.object({
        total: usd,
        request_count: count,
        input_tokens: count,
        output_tokens: count,
        unknown_cost_count: count,
      }),
    ),
  })
  .meta({ id: 'CostsByProvider' });

export const alertsAnswer = z
  .object({
    alerts: z.array(
      z.object({
        type: z.string().meta({ examples: ['daily_budget_warning', 'monthly_budget_exceeded'] }),
        provider: z.string().nullable(),
        key: z.string().nullable().meta({ description: 'null: the budget of all together.' }),
        key_name: keyName,
        threshold: usd.meta({ description: 'The budget, in US dollars.' }),
        current_value: usd,
        timestamp,
        message: z.string(),
      }),
    ),
  })
  .meta({ id: 'CostAlerts' });

const tokens = count.nullable();

const costEntry = z.object({
  provider: z.string(),
  model: z.string(),
  input_tokens: tokens.meta({ description: 'Of the whole prompt, caches included.' }),
  output_tokens: tokens,
  cost: usd.nullable().meta({ description: 'US dollars; null is unknown.' }),
  timestamp,
  request_id: z.string(),
  attempt_id: z.string(),
  key,
  key_name: keyName,
  operation: z.string(),
  outcome: z.enum(['answered', 'failed', 'cancelled', 'lost']),
  error: z.string().nullable(),
  cache_read_tokens: tokens,
  cache_write_5m_tokens: tokens,
  cache_write_1h_tokens: tokens,
  reasoning_tokens: tokens,
  latency_ms: count.nullable(),
  first_content_ms: count.nullable(),
  served_tier: z.string().nullable(),
  served_place: z.string().nullable(),
  estimated: z.boolean().meta({ description: 'The provider did not tell all counts, or not all prices are known.' }),
  left_house: z.boolean(),
});

export type CostEntry = z.infer<typeof costEntry>;

export const entriesAnswer = z
  .object({ entries: z.array(costEntry), total: count.meta({ description: 'Of the range, beyond the limit too.' }) })
  .meta({ id: 'CostEntries' });

const counts = { requests: count, input_tokens: count, output_tokens: count };

export const privacyAnswer = z
  .object({
    days: z.array(
      z.object({
        date: day,
        here: z.object(counts).meta({ description: 'Answered by this machine.' }),
        left: z.object(counts).meta({ description: 'Sent to providers elsewhere, failures included.' }),
        by_key: z.array(
          z.object({
            key,
            key_name: keyName,
            provider: z.string(),
            model: z.string(),
            left_house: z.boolean(),
            ...counts,
            cost: usd,
            unknown_cost_count: count.meta({ description: 'Requests whose cost is not known, and is in no sum.' }),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'PrivacyReport' });
