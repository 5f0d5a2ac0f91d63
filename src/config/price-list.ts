import { readFileSync } from 'node:fs';
import { nanoUsdPerUsd, parseUsd } from '../core/money.ts';
import { ConfigError } from './config-error.ts';
import type { ModelPricing, PriceFactor, PriceList, TokenPrices } from './providers.ts';

/** Classes of service by the endings that the format has for their prices. */
const tierEndings = { batch: '_batches', flex: '_flex', priority: '_priority' } as const;
const maxBytes = 64 * 1024 ** 2;

/** Reads a list of prices by its absolute path; null: none is named. Throws `ConfigError` for what is none. */
export function readPriceList(path: string | undefined): PriceList | null {
  if (path === undefined) return null;
  const place = 'budgets.price_list_file';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${place}: ${path} cannot be read`, { cause: error });
  }
  if (text.length > maxBytes) throw new ConfigError(`${place}: ${path} is too large`);
  try {
    return importPrices(JSON.parse(text));
  } catch (error) {
    throw new ConfigError(
      `${place}: ${path} is no list of prices, which is an object in JSON with a model for each name`,
      {
        cause: error,
      },
    );
  }
}

/**
 * The prices of a list in the format of LiteLLM's `model_prices_and_context_window.json`: USD for one token, as floats, which
 * are read as the decimals that they were written as. Models without a price for both ways are left out, and so is what is
 * not paid by tokens. Throws a `TypeError` for what is no list at all.
 */
export function importPrices(list: unknown): PriceList {
  if (!isObject(list)) throw new TypeError('must be an object');
  const known = Object.entries(list).flatMap(([name, entry]) => {
    const pricing = isObject(entry) ? toPricing(entry) : null;
    return pricing === null ? [] : [[name, pricing] as const];
  });
  return Object.fromEntries(known);
}

function toPricing(entry: Record<string, unknown>): ModelPricing | null {
  const prices = pricesOf(entry, '');
  if (prices === null) return null;
  const aboveTokens = longContextOf(entry);
  const long = aboveTokens === null ? null : pricesOf(entry, `_above_${aboveTokens / 1_000}k_tokens`, prices);
  const tiers = tiersOf(entry, prices);
  const regional = factorOf(entry['regional_endpoint_uplift_multiplier']) ?? factorOf(specificOf(entry)['us']);
  return {
    ...prices,
    ...(long && aboveTokens !== null && { longContext: { aboveTokens, prices: long } }),
    ...(Object.keys(tiers).length > 0 && { tiers }),
    ...(regional && { regionalFactor: regional }),
  };
}

/** The lowest bound from which on other prices count. */
function longContextOf(entry: Record<string, unknown>): number | null {
  const bounds = Object.keys(entry).flatMap((key) => {
    const match = /^input_cost_per_token_above_(\d+)k_tokens$/.exec(key);
    return match ? [Number(match[1]) * 1_000] : [];
  });
  return bounds.length === 0 ? null : Math.min(...bounds);
}

function tiersOf(entry: Record<string, unknown>, usual: TokenPrices): NonNullable<ModelPricing['tiers']> {
  const fast = factorOf(specificOf(entry)['fast']);
  const listed = Object.entries(tierEndings).flatMap(([tier, ending]) => {
    const prices = pricesOf(entry, ending, usual);
    return prices === null ? [] : [[tier, prices] as const];
  });
  return { ...Object.fromEntries(listed), ...(fast && { fast }) };
}

/**
 * `usual`: has the prices of caches and of reasoning that are not named with this ending, in its proportion of the input or the
 * output.
 */
function pricesOf(entry: Record<string, unknown>, ending: string, usual?: TokenPrices): TokenPrices | null {
  const inputPerMillion = perMillionOf(entry[`input_cost_per_token${ending}`]);
  const outputPerMillion = perMillionOf(entry[`output_cost_per_token${ending}`]);
  if (inputPerMillion === null || outputPerMillion === null) return null;
  const both = { inputPerMillion, outputPerMillion };
  const inProportion = (to: keyof typeof both, kind: keyof TokenPrices, name: string) => {
    const named = perMillionOf(entry[`${name}${ending}`]);
    const base = usual?.[kind] ?? null;
    if (named !== null || usual === undefined || base === null || usual[to] === 0n) return named;
    return (base * both[to]) / usual[to];
  };
  const cache = inProportion.bind(null, 'inputPerMillion');
  return {
    ...both,
    reasoningPerMillion: inProportion('outputPerMillion', 'reasoningPerMillion', 'output_cost_per_reasoning_token'),
    cacheReadPerMillion: cache('cacheReadPerMillion', 'cache_read_input_token_cost'),
    cacheWrite5mPerMillion: cache('cacheWrite5mPerMillion', 'cache_creation_input_token_cost'),
    cacheWrite1hPerMillion: cache('cacheWrite1hPerMillion', 'cache_creation_input_token_cost_above_1hr'),
  };
}

/** Nano-USD for a million tokens, of the USD for one. */
function perMillionOf(perToken: unknown): bigint | null {
  if (typeof perToken !== 'number' || !(perToken >= 0)) return null;
  // Twelve digits are more than any price has; what is behind them is the noise of a float.
  const picoUsd = parseUsd(Number(perToken.toPrecision(12)).toExponential(), 12);
  // In nano-USD times 10^12 for one token, that is for a million: divided by 10^6, upwards.
  return (picoUsd + 999_999n) / 1_000_000n;
}

function factorOf(value: unknown): PriceFactor | null {
  if (typeof value !== 'number' || !(value > 0)) return null;
  return { numerator: parseUsd(value), denominator: nanoUsdPerUsd };
}

function specificOf(entry: Record<string, unknown>): Record<string, unknown> {
  const specific = entry['provider_specific_entry'];
  return isObject(specific) ? specific : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
