import type { ModelPricing, PriceFactor, TokenPrices } from '../config/providers.ts';
import { promptTokensOf, type Usage } from '../core/usage.ts';

/** What the prices of a provider's model are, beside what its owner wrote down. */
export interface Price {
  pricing: ModelPricing;
  /**
   * Anthropic has the prices of caches and regions in proportion to the input of all its models: read a tenth, written for
   * five minutes 1.25, for an hour 2, computed in one region only 1.1. Source: platform.claude.com, "Pricing", November 2026.
   */
  isClaude: boolean;
  /** Classes of service beside the usual ones that cost no more, such as one whose capacity is paid for already. */
  paidTiers: readonly string[];
}

/** What an answer has cost. */
export interface Cost {
  /** Rounded up to a whole nano-USD; null: it cannot be told, since what was served has no known price. */
  nanoUsd: bigint | null;
  /** Some part of it has no price of its own, and was taken for the dearest thing that it may be, or left out. */
  isEstimated: boolean;
}

type Kind = 'input' | 'output' | 'reasoning' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h';
type Fraction = PriceFactor;

const kinds: readonly Kind[] = ['input', 'output', 'reasoning', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'];
const generated: readonly Kind[] = ['output', 'reasoning'];
const one: Fraction = { numerator: 1n, denominator: 1n };
const half: Fraction = { numerator: 1n, denominator: 2n };
const regionalOfClaude: Fraction = { numerator: 11n, denominator: 10n };
const tokensPerPrice = 1_000_000n;

/** Names of the class of service that list prices are for, in the words of several providers. */
const usualTiers: ReadonlySet<string> = new Set(['standard', 'standard_only', 'default', 'auto', 'on_demand', 'scale']);
/** What other classes cost where the price names them not: half is the rule of all that have them. */
const tierFactors: Readonly<Record<string, Fraction>> = { batch: half, flex: half };
/** Names of no place in particular. */
const anywhere: ReadonlySet<string> = new Set(['global', 'not_available', '']);

/**
 * What an answer costs by what was served: the class of service and the place that the answer names, the prices for long
 * prompts where prompt and caches together are one, caches by kind. Exact: whole numbers, rounded once, upwards.
 */
export function costOf(usage: Usage, price: Price): Cost {
  const factors = tierOf(usage.servedTier, price);
  if (factors === null) return { nanoUsd: null, isEstimated: false };
  const { pricing } = price;
  const promptTokens = promptTokensOf(usage) ?? 0;
  const base = basePricesOf(pricing, promptTokens);
  const place = regionalOf(usage.servedPlace, price);
  const reasoningTokens = Math.min(usage.reasoningTokens ?? 0, usage.outputTokens ?? 0);
  const tokens: Record<Kind, number | null> = {
    input: usage.inputTokens,
    output: usage.outputTokens === null ? null : usage.outputTokens - reasoningTokens,
    reasoning: reasoningTokens,
    cacheRead: usage.cacheReadTokens,
    cacheWrite5m: usage.cacheWrite5mTokens,
    cacheWrite1h: usage.cacheWrite1hTokens,
  };
  let sum: Fraction = { numerator: 0n, denominator: 1n };
  let isEstimated = false;
  for (const kind of kinds) {
    const count = BigInt(tokens[kind] ?? 0);
    if (count === 0n) continue;
    const rate = rateOf(base, kind, price);
    isEstimated ||= rate.isAssumed;
    const whole = times(times(rate.perMillion, factors(kind)), place);
    sum = plus(sum, { numerator: whole.numerator * count, denominator: whole.denominator });
  }
  const tools = toolsOf(usage, pricing);
  const nanoUsd = up({ ...sum, denominator: sum.denominator * tokensPerPrice }) + tools.nanoUsd;
  return { nanoUsd, isEstimated: isEstimated || tools.isEstimated };
}

/**
 * The most that a request may cost of which no more is known than how long it and its answer may be, and in which class of
 * service it is computed, if that is another one than the usual.
 */
export function mostOf(
  { promptTokens, outputTokens }: { promptTokens: number; outputTokens: number },
  price: Price,
  tier: string | null = null,
): bigint {
  const base = basePricesOf(price.pricing, promptTokens);
  const factors = tierOf(tier, price) ?? (() => one);
  // All of the prompt may be kept for an hour, which nobody has said yet.
  const dearest = (among: readonly Kind[]) =>
    among
      .map((kind) => times(rateOf(base, kind, price).perMillion, factors(kind)))
      .reduce((a, b) => (isMore(b, a) ? b : a));
  const prompt = dearest(kinds.filter((kind) => !generated.includes(kind)));
  const output = dearest(generated);
  const regional = regionalFactorOf(price);
  const factor = isMore(regional, one) ? regional : one;
  const sum = plus(
    { numerator: prompt.numerator * BigInt(promptTokens), denominator: prompt.denominator },
    { numerator: output.numerator * BigInt(outputTokens), denominator: output.denominator },
  );
  const whole = times(sum, factor);
  return up({ ...whole, denominator: whole.denominator * tokensPerPrice });
}

/** Whether nothing of it costs anything. */
export function isFree({ pricing }: Price): boolean {
  const all = [pricing, pricing.longContext?.prices, ...Object.values(pricing.tiers ?? {})];
  return (
    all.every((prices) => prices === undefined || !('inputPerMillion' in prices) || isZero(prices)) &&
    Object.values(pricing.toolUses ?? {}).every((each) => each === 0n)
  );
}

function isZero(prices: TokenPrices): boolean {
  return kinds.every((kind) => (namedRate(prices, kind) ?? 0n) === 0n);
}

function basePricesOf(pricing: ModelPricing, promptTokens: number): TokenPrices {
  const { longContext } = pricing;
  return longContext && promptTokens > longContext.aboveTokens ? longContext.prices : pricing;
}

/** What a million tokens of a kind cost. Where that is not said of a cache, no less than it may be. */
function rateOf(prices: TokenPrices, kind: Kind, { isClaude }: Price): { perMillion: Fraction; isAssumed: boolean } {
  const { inputPerMillion: input, outputPerMillion: output } = prices;
  const said = namedRate(prices, kind);
  if (said !== null) return { perMillion: { numerator: said, denominator: 1n }, isAssumed: false };
  if (kind === 'reasoning') return { perMillion: { numerator: output, denominator: 1n }, isAssumed: false };
  if (isClaude) {
    const proportions = { cacheRead: [1n, 10n], cacheWrite5m: [5n, 4n], cacheWrite1h: [2n, 1n] } as const;
    const [numerator, denominator] = proportions[kind as keyof typeof proportions];
    return { perMillion: { numerator: input * numerator, denominator }, isAssumed: false };
  }
  const written = kind === 'cacheWrite1h' ? prices.cacheWrite5mPerMillion : null;
  return { perMillion: { numerator: written ?? input, denominator: 1n }, isAssumed: true };
}

function namedRate(prices: TokenPrices, kind: Kind): bigint | null {
  switch (kind) {
    case 'input':
      return prices.inputPerMillion;
    case 'output':
      return prices.outputPerMillion;
    case 'reasoning':
      return prices.reasoningPerMillion;
    case 'cacheRead':
      return prices.cacheReadPerMillion;
    case 'cacheWrite5m':
      return prices.cacheWrite5mPerMillion;
    case 'cacheWrite1h':
      return prices.cacheWrite1hPerMillion;
    default:
      return kind satisfies never;
  }
}

/**
 * By what each kind of token is dearer or cheaper in a class of service; null: nobody knows. Prices of a class are taken in
 * proportion to the usual ones, so that they hold for long prompts too.
 */
function tierOf(served: string | null, price: Price): ((kind: Kind) => Fraction) | null {
  const { pricing, paidTiers } = price;
  const tier = served?.toLowerCase() ?? '';
  const own = pricing.tiers && Object.hasOwn(pricing.tiers, tier) ? pricing.tiers[tier] : undefined;
  if (own === undefined) {
    if (tier === '' || usualTiers.has(tier) || paidTiers.includes(tier)) return () => one;
    const usual = tierFactors[tier];
    return usual === undefined ? null : () => usual;
  }
  if ('numerator' in own) return () => own;
  return (kind) => {
    const usual = rateOf(pricing, kind, price).perMillion;
    if (usual.numerator === 0n) return one;
    const there = rateOf(own, kind, price).perMillion;
    return { numerator: there.numerator * usual.denominator, denominator: there.denominator * usual.numerator };
  };
}

function regionalOf(place: string | null, price: Price): Fraction {
  return place === null || anywhere.has(place.toLowerCase()) ? one : regionalFactorOf(price);
}

function regionalFactorOf({ pricing, isClaude }: Price): Fraction {
  return pricing.regionalFactor ?? (isClaude ? regionalOfClaude : one);
}

function toolsOf({ serverTools }: Usage, { toolUses = {} }: ModelPricing): { nanoUsd: bigint; isEstimated: boolean } {
  const used = Object.entries(serverTools ?? {}).filter(([, uses]) => uses > 0);
  return {
    nanoUsd: used.reduce((sum, [name, uses]) => sum + (toolUses[name] ?? 0n) * BigInt(uses), 0n),
    isEstimated: used.some(([name]) => toolUses[name] === undefined),
  };
}

function times(a: Fraction, b: Fraction): Fraction {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

function plus(a: Fraction, b: Fraction): Fraction {
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}

function isMore(a: Fraction, b: Fraction): boolean {
  return a.numerator * b.denominator > b.numerator * a.denominator;
}

/** The next whole number, if it is none. */
function up({ numerator, denominator }: Fraction): bigint {
  return (numerator + denominator - 1n) / denominator;
}
