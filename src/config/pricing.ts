import { nanoUsdPerUsd } from '../core/money.ts';
import type { PriceName, PricingSettings, TokenPriceSettings } from './cloud-settings.ts';
import type { CloudModelConfig, ModelPricing, PriceFactor, TokenPrices } from './providers.ts';

/** What the file says of the prices of a model: the first, and its changes. */
export function toPricings(
  first: PricingSettings | undefined,
  changes: readonly PricingSettings[] = [],
): Pick<CloudModelConfig, 'pricing' | 'pricings'> {
  const all = [...(first ? [first] : []), ...changes];
  const known = all.flatMap((one) => toPricing(one) ?? []).sort((a, b) => timeOf(a) - timeOf(b));
  return { pricing: known.at(-1) ?? null, ...(known.length > 1 && { pricings: known }) };
}

function timeOf({ from }: ModelPricing): number {
  return from?.getTime() ?? Number.NEGATIVE_INFINITY;
}

function toPricing(settings: PricingSettings): ModelPricing | null {
  const prices = toTokenPrices(settings);
  if (prices === null) return null;
  const { effective_from: from, regional_factor: regional, tiers, long_context: long, tool_uses: toolUses } = settings;
  const longPrices = long && toTokenPrices(long);
  return {
    ...prices,
    ...(from && { from }),
    ...(longPrices && { longContext: { aboveTokens: long.above_tokens, prices: longPrices } }),
    ...(tiers && {
      tiers: Object.fromEntries(
        Object.entries(tiers).flatMap(([name, tier]) => {
          const own = tier.factor === undefined ? toTokenPrices(tier) : toFactor(tier.factor);
          return own === null ? [] : [[name, own]];
        }),
      ),
    }),
    ...(regional !== undefined && { regionalFactor: toFactor(regional) }),
    ...(toolUses && { toolUses }),
  };
}

/** Read as an amount of money is, so it is in billionths. */
function toFactor(billionths: bigint): PriceFactor {
  return { numerator: billionths, denominator: nanoUsdPerUsd };
}

function toTokenPrices(prices: TokenPriceSettings): TokenPrices | null {
  const of = (name: PriceName) => prices[`${name}_per_million`] ?? prices[`${name}_per_1k`] ?? null;
  const [inputPerMillion, outputPerMillion] = [of('input'), of('output')];
  // A price that is half known is none: it would be taken for a bill.
  if (inputPerMillion === null || outputPerMillion === null) return null;
  return {
    inputPerMillion,
    outputPerMillion,
    reasoningPerMillion: of('reasoning'),
    cacheReadPerMillion: of('cache_read'),
    cacheWrite5mPerMillion: of('cache_write'),
    cacheWrite1hPerMillion: of('cache_write_1h'),
  };
}
