import { describe, expect, it } from 'vitest';
import { importPrices } from '../../src/config/price-list.ts';

describe('an imported list of prices', () => {
  it('is read as the decimals that were written, in nano-USD for a million tokens', () => {
    const prices = importPrices({
      'claude-x': {
        litellm_provider: 'anthropic',
        mode: 'chat',
        max_tokens: 64_000,
        input_cost_per_token: 3e-6,
        output_cost_per_token: 1.5e-5,
        cache_read_input_token_cost: 3e-7,
        cache_creation_input_token_cost: 3.75e-6,
        cache_creation_input_token_cost_above_1hr: 6e-6,
      },
      'text-embedding': { input_cost_per_token: 2e-8, output_cost_per_token: 0 },
      // What a float makes of 3e-7, and a price that is finer than any.
      noisy: { input_cost_per_token: 3.0000000000000004e-7, output_cost_per_token: 1.2345e-14 },
    });
    expect(prices['claude-x']).toEqual({
      inputPerMillion: 3_000_000_000n,
      outputPerMillion: 15_000_000_000n,
      reasoningPerMillion: null,
      cacheReadPerMillion: 300_000_000n,
      cacheWrite5mPerMillion: 3_750_000_000n,
      cacheWrite1hPerMillion: 6_000_000_000n,
    });
    expect(prices['text-embedding']).toMatchObject({ inputPerMillion: 20_000_000n, outputPerMillion: 0n });
    expect(prices['noisy']).toMatchObject({ inputPerMillion: 300_000_000n, outputPerMillion: 13n });
  });

  it('has long prompts, classes of service and regions', () => {
    const { x } = importPrices({
      x: {
        input_cost_per_token: 3e-6,
        output_cost_per_token: 15e-6,
        output_cost_per_reasoning_token: 35e-6,
        cache_read_input_token_cost: 3e-7,
        input_cost_per_token_above_200k_tokens: 6e-6,
        output_cost_per_token_above_200k_tokens: 22.5e-6,
        input_cost_per_token_flex: 1.5e-6,
        output_cost_per_token_flex: 7.5e-6,
        input_cost_per_token_priority: 5.25e-6,
        output_cost_per_token_priority: 26.25e-6,
        cache_read_input_token_cost_priority: 5.3e-7,
        provider_specific_entry: { us: 1.1, fast: 6 },
      },
    });
    expect(x).toMatchObject({
      reasoningPerMillion: 35_000_000_000n,
      longContext: {
        aboveTokens: 200_000,
        prices: {
          inputPerMillion: 6_000_000_000n,
          outputPerMillion: 22_500_000_000n,
          reasoningPerMillion: 52_500_000_000n,
          cacheReadPerMillion: 600_000_000n,
        },
      },
      tiers: {
        flex: {
          inputPerMillion: 1_500_000_000n,
          reasoningPerMillion: 17_500_000_000n,
          cacheReadPerMillion: 150_000_000n,
        },
        priority: { inputPerMillion: 5_250_000_000n, cacheReadPerMillion: 530_000_000n },
        fast: { numerator: 6_000_000_000n, denominator: 1_000_000_000n },
      },
      regionalFactor: { numerator: 1_100_000_000n, denominator: 1_000_000_000n },
    });
  });

  it('leaves out what is not paid by tokens, or half known', () => {
    const list = {
      sample_spec: { input_cost_per_token: 'the price', output_cost_per_token: 0 },
      image: { output_cost_per_image: 0.04 },
      half: { input_cost_per_token: 1e-6 },
      negative: { input_cost_per_token: -1, output_cost_per_token: 1 },
      words: 'nothing',
    };
    expect(importPrices(list)).toEqual({});
    expect(() => importPrices([])).toThrow(TypeError);
  });
});
