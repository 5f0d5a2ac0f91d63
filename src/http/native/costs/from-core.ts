import { everyone, periodWord } from '../../../accounting/budgets.ts';
import type {
  ActiveAlert,
  DayTotals,
  Entry,
  ModelTotals,
  PrivacyTotals,
  Range,
  Totals,
} from '../../../accounting/reports.ts';
import { formatUsd, toUsd } from '../../../core/money.ts';
import type { CostEntry } from './schema.ts';

/** Money is summed in whole nano-USD, and becomes a number when it is printed. */

export function toSummary(models: readonly ModelTotals[], { since, until }: Range) {
  return {
    total_cost: toUsd(sumOf(models, ({ cost }) => cost)),
    period: { start: since.toISOString(), end: until.toISOString() },
    by_provider: Object.fromEntries(
      [...byProvider(models)].map(([provider, all]) => [provider, toUsd(sumOf(all, ({ cost }) => cost))]),
    ),
    by_model: Object.fromEntries(models.map(({ provider, model, cost }) => [`${provider}:${model}`, toUsd(cost)])),
    request_count: countOf(models, 'attempts'),
    token_count: { input: countOf(models, 'promptTokens'), output: countOf(models, 'outputTokens') },
    unknown_cost_count: countOf(models, 'unknownCosts'),
  };
}

export function toByProvider(models: readonly ModelTotals[]) {
  const costs = [...byProvider(models)].map(([provider, all]) => {
    const totals = {
      total: toUsd(sumOf(all, ({ cost }) => cost)),
      request_count: countOf(all, 'attempts'),
      input_tokens: countOf(all, 'promptTokens'),
      output_tokens: countOf(all, 'outputTokens'),
      unknown_cost_count: countOf(all, 'unknownCosts'),
    };
    return [provider, totals] as const;
  });
  return { costs: Object.fromEntries(costs) };
}

/** `days`: those that were asked for, the latest first; one without a row cost nothing. */
export function toDaily(totals: readonly DayTotals[], days: readonly string[]) {
  const costs = new Map(totals.map(({ day, cost }) => [day, cost]));
  const total = sumOf(totals, ({ cost }) => cost);
  return {
    daily_costs: Object.fromEntries(days.map((day) => [day, toUsd(costs.get(day) ?? 0n)])),
    total: toUsd(total),
    average_daily: toUsd(total / BigInt(days.length)),
  };
}

export function toAlert({ scope, period, level, limit, spent, at, keyName }: ActiveAlert) {
  const percent = limit === 0n ? 100n : (spent * 100n) / limit;
  const word = periodWord(period);
  const whose = scope === everyone ? '' : ` of the key ${keyName ?? scope}`;
  return {
    type: `${word}_budget_${level}`,
    provider: null,
    key: scope === everyone ? null : scope,
    key_name: keyName,
    threshold: toUsd(limit),
    current_value: toUsd(spent),
    timestamp: at.toISOString(),
    message: `${word[0]!.toUpperCase()}${word.slice(1)} cost $${inWords(spent)}${whose} has reached ${percent}% of budget $${inWords(limit)}`,
  };
}

export function toEntry(row: Entry): CostEntry {
  const prompt = [row.input_tokens, row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens];
  return {
    provider: row.provider,
    model: row.model,
    input_tokens:
      row.input_tokens === null ? null : Number(prompt.reduce<bigint>((sum, each) => sum + (each ?? 0n), 0n)),
    output_tokens: toNumber(row.output_tokens),
    cost: row.cost === null ? null : toUsd(row.cost),
    timestamp: new Date(Number(row.at)).toISOString(),
    request_id: row.request_id,
    attempt_id: row.attempt_id,
    key: row.principal,
    key_name: row.key_name,
    operation: row.operation,
    outcome: row.outcome as CostEntry['outcome'],
    error: row.error_code,
    cache_read_tokens: toNumber(row.cache_read_tokens),
    cache_write_5m_tokens: toNumber(row.cache_write_5m_tokens),
    cache_write_1h_tokens: toNumber(row.cache_write_1h_tokens),
    reasoning_tokens: toNumber(row.reasoning_tokens),
    // Nobody saw its end.
    latency_ms: row.outcome === 'lost' ? null : Number(row.latency_ms),
    first_content_ms: toNumber(row.first_content_ms),
    served_tier: row.served_tier,
    served_place: row.served_place,
    estimated: row.is_estimated === 1n,
    left_house: row.left_house === 1n,
  };
}

/** `days`: as in `toDaily`. */
export function toPrivacy(totals: readonly PrivacyTotals[], days: readonly string[]) {
  return {
    days: days.map((date) => {
      const all = totals.filter(({ day }) => day === date);
      return {
        date,
        here: toCounts(all.filter(({ leftHouse }) => !leftHouse)),
        left: toCounts(all.filter(({ leftHouse }) => leftHouse)),
        by_key: all.map((one) => ({
          key: one.principal,
          key_name: one.keyName,
          provider: one.provider,
          model: one.model,
          left_house: one.leftHouse,
          ...toCounts([one]),
          cost: toUsd(one.cost),
          unknown_cost_count: countOf([one], 'unknownCosts'),
        })),
      };
    }),
  };
}

function toCounts(all: readonly Totals[]) {
  return {
    requests: countOf(all, 'attempts'),
    input_tokens: countOf(all, 'promptTokens'),
    output_tokens: countOf(all, 'outputTokens'),
  };
}

function byProvider(models: readonly ModelTotals[]): Map<string, ModelTotals[]> {
  return Map.groupBy(models, ({ provider }) => provider);
}

function sumOf<One>(all: readonly One[], of: (one: One) => bigint): bigint {
  return all.reduce((sum, one) => sum + of(one), 0n);
}

function countOf(all: readonly Totals[], name: 'attempts' | 'unknownCosts' | 'promptTokens' | 'outputTokens'): number {
  return all.reduce((sum, one) => sum + one[name], 0);
}

function toNumber(value: bigint | null): number | null {
  return value === null ? null : Number(value);
}

/** `42.50`, and `0.003080` of less than a dollar: as far as a sentence needs it, and never more than it is. */
function inWords(nanoUsd: bigint): string {
  const cents = nanoUsd / 10_000_000n;
  if (cents < 100n && nanoUsd % 10_000_000n !== 0n) return formatUsd(nanoUsd);
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
}
