import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOf, isFree, mostOf, type Price } from '../../src/accounting/pricing.ts';
import type { ModelPricing } from '../../src/config/providers.ts';
import { type Usage, unknownUsage } from '../../src/core/usage.ts';

const usd = (amount: number) => BigInt(Math.round(amount * 1e9));
/** 3 and 15 USD a million, as Claude Sonnet has it. */
const sonnet: ModelPricing = {
  inputPerMillion: usd(3),
  outputPerMillion: usd(15),
  reasoningPerMillion: null,
  cacheReadPerMillion: null,
  cacheWrite5mPerMillion: null,
  cacheWrite1hPerMillion: null,
};
const claude = (changes: Partial<ModelPricing> = {}): Price => ({
  pricing: { ...sonnet, ...changes },
  isClaude: true,
  paidTiers: ['priority'],
});
const other = (changes: Partial<ModelPricing> = {}): Price => ({
  pricing: { ...sonnet, ...changes },
  isClaude: false,
  paidTiers: [],
});
const used = (changes: Partial<Usage>): Usage => ({ ...unknownUsage, ...changes });
const million = 1_000_000;

describe('the cost of an answer', () => {
  it.each<[string, Partial<Usage>, Price, bigint]>([
    ['its input', { inputTokens: million }, claude(), usd(3)],
    ['its output', { outputTokens: million }, claude(), usd(15)],
    ['reasoning as all output', { outputTokens: million, reasoningTokens: 400_000 }, other(), usd(15)],
    [
      'reasoning at its own price, which is a part of the output',
      { outputTokens: million, reasoningTokens: 400_000 },
      other({ reasoningPerMillion: usd(35) }),
      usd(0.6 * 15 + 0.4 * 35),
    ],
    [
      'no more reasoning than there is output',
      { outputTokens: 1_000, reasoningTokens: 5_000 },
      other({ reasoningPerMillion: usd(35) }),
      usd(0.035),
    ],
    [
      'reasoning in batches at half',
      { outputTokens: million, reasoningTokens: million, servedTier: 'batch' },
      other({ reasoningPerMillion: usd(35) }),
      usd(17.5),
    ],
    ['both', { inputTokens: 1_000, outputTokens: 500 }, claude(), usd(0.0105)],
    ['nothing', { inputTokens: 0, outputTokens: 0 }, claude(), 0n],
    ['a read of the cache, at a tenth', { cacheReadTokens: million }, claude(), usd(0.3)],
    ['a write for five minutes', { cacheWrite5mTokens: million }, claude(), usd(3.75)],
    ['a write for an hour, which is not one for five minutes', { cacheWrite1hTokens: million }, claude(), usd(6)],
    ['a read at its own price', { cacheReadTokens: million }, other({ cacheReadPerMillion: usd(1.5) }), usd(1.5)],
    ['one token, to the smallest unit', { inputTokens: 1 }, claude(), 3_000n],
    ['a part of a unit, upwards', { inputTokens: 1 }, other({ inputPerMillion: 1n }), 1n],
    ['global inference at the list price', { inputTokens: million, servedPlace: 'global' }, claude(), usd(3)],
    ['a place that nobody told', { inputTokens: million, servedPlace: 'not_available' }, claude(), usd(3)],
    ['regional inference at 1.1', { inputTokens: million, servedPlace: 'us' }, claude(), usd(3.3)],
    ['regional inference of others as listed', { inputTokens: million, servedPlace: 'us' }, other(), usd(3)],
    ['batches at half', { outputTokens: million, servedTier: 'batch' }, claude(), usd(7.5)],
    ['flex at half', { outputTokens: million, servedTier: 'flex' }, other(), usd(7.5)],
    ['the usual class by any name', { outputTokens: million, servedTier: 'standard' }, claude(), usd(15)],
    ['capacity that is paid for', { outputTokens: million, servedTier: 'priority' }, claude(), usd(15)],
    [
      'a fast answer, caches too',
      { inputTokens: million, cacheReadTokens: million, outputTokens: million, servedTier: 'fast' },
      claude({ tiers: { fast: { numerator: 6n, denominator: 1n } } }),
      usd(18 + 1.8 + 90),
    ],
    [
      'a class with prices of its own',
      { inputTokens: million, servedTier: 'priority' },
      other({ tiers: { priority: { ...sonnet, inputPerMillion: usd(5.25) } } }),
      usd(5.25),
    ],
  ])('counts %s', (_, usage, price, expected) => {
    expect(costOf(used(usage), price).nanoUsd).toBe(expected);
  });

  it('is unknown where what was served has no price, and never 0', () => {
    const fast = used({ inputTokens: 10, outputTokens: 10, servedTier: 'fast' });
    expect(costOf(fast, claude()).nanoUsd).toBeNull();
    expect(costOf(used({ inputTokens: 10, servedTier: 'priority' }), other()).nanoUsd).toBeNull();
  });

  it('has the tier of a long prompt by its total input, caches included, in batches too', () => {
    const long = { ...sonnet, inputPerMillion: usd(6), outputPerMillion: usd(22.5) };
    const price = claude({ longContext: { aboveTokens: 200_000, prices: long } });
    const at = (cacheReadTokens: number, servedTier: string | null = null) =>
      costOf(used({ inputTokens: 100_000, cacheReadTokens, outputTokens: 10_000, servedTier }), price).nanoUsd;
    expect(at(100_000)).toBe(usd(0.3 + 0.03 + 0.15));
    expect(at(100_001)).toBe(usd(0.6 + 0.225) + 100_001n * 600n);
    expect(at(200_000, 'batch')).toBe(usd(0.6 + 0.12 + 0.225) / 2n);
    const flex = claude({
      ...price.pricing,
      tiers: { flex: { ...sonnet, inputPerMillion: usd(1), outputPerMillion: usd(5) } },
    });
    const inFlex = used({ inputTokens: 300_000, outputTokens: 10_000, servedTier: 'flex' });
    // A third of what the long prompt costs usually.
    expect(costOf(inFlex, flex).nanoUsd).toBe(usd((0.3 * 6 + 0.01 * 22.5) / 3));
  });

  it('is an estimate where a cache or a tool has no price of its own', () => {
    expect(costOf(used({ inputTokens: 5, cacheReadTokens: 5 }), other())).toEqual({
      nanoUsd: 30_000n,
      isEstimated: true,
    });
    expect(costOf(used({ inputTokens: 5, cacheReadTokens: 0 }), other()).isEstimated).toBe(false);
    const searched = used({ inputTokens: 1, serverTools: { web_search_requests: 2 } });
    expect(costOf(searched, claude())).toEqual({ nanoUsd: 3_000n, isEstimated: true });
    const priced = claude({ toolUses: { web_search_requests: usd(0.01) } });
    expect(costOf(searched, priced)).toEqual({ nanoUsd: usd(0.02) + 3_000n, isEstimated: false });
  });

  it('is never more than what was reserved for as many tokens, wherever they were read from and written to', () => {
    const count = fc.integer({ min: 0, max: 1_000_000 });
    const rate = fc.bigInt({ min: 0n, max: 10n ** 11n });
    fc.assert(
      fc.property(
        fc.record({ inputTokens: count, cacheReadTokens: count, cacheWrite5mTokens: count, cacheWrite1hTokens: count }),
        fc.record({ outputTokens: count, reasoningTokens: fc.option(count) }),
        fc.record({
          inputPerMillion: rate,
          outputPerMillion: rate,
          reasoningPerMillion: fc.option(rate),
          cacheReadPerMillion: fc.option(rate),
        }),
        fc.boolean(),
        fc.constantFrom(null, 'us', 'global'),
        (prompt, generated, prices, isClaude, servedPlace) => {
          const price = { ...other(prices), isClaude };
          const usage = used({ ...prompt, ...generated, servedPlace });
          const promptTokens = Object.values(prompt).reduce((a, b) => a + b, 0);
          return costOf(usage, price).nanoUsd! <= mostOf({ promptTokens, outputTokens: generated.outputTokens }, price);
        },
      ),
    );
  });
});

describe('a model', () => {
  it('is free where none of its prices is more than nothing', () => {
    const zero = { inputPerMillion: 0n, outputPerMillion: 0n, cacheReadPerMillion: 0n };
    expect(isFree(other(zero))).toBe(true);
    expect(isFree(other({ ...zero, outputPerMillion: 1n }))).toBe(false);
    expect(isFree(other({ ...zero, reasoningPerMillion: 1n }))).toBe(false);
    expect(isFree(other({ ...zero, toolUses: { web_search_requests: 1n } }))).toBe(false);
    expect(isFree(other({ ...zero, longContext: { aboveTokens: 1, prices: sonnet } }))).toBe(false);
  });
});
