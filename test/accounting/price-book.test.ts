import { describe, expect, it } from 'vitest';
import { priceOf } from '../../src/accounting/price-book.ts';
import { importPrices } from '../../src/config/price-list.ts';
import { cloudOf } from '../support/accounting.ts';

const at = new Date('2026-06-01T00:00:00Z');
const list = importPrices({
  'claude-x': { input_cost_per_token: 3e-6, output_cost_per_token: 15e-6 },
  'gemini/gemini-x': { input_cost_per_token: 1e-7, output_cost_per_token: 4e-7 },
  'dashscope/qwen-x': { input_cost_per_token: 2e-7, output_cost_per_token: 8e-7 },
  'anthropic.claude-x-v1:0': { input_cost_per_token: 3e-6, output_cost_per_token: 15e-6 },
  'us.anthropic.claude-x-v1:0': { input_cost_per_token: 3.3e-6, output_cost_per_token: 16.5e-6 },
});
const cloud = {
  ...cloudOf({
    providers: {
      anthropic: {
        models: [
          {
            id: 'claude-y',
            aliases: ['y'],
            pricing: { input_per_million: 3, output_per_million: 15 },
            pricing_changes: [
              { effective_from: '2026-09-01', input_per_million: 1, output_per_million: 5 },
              { effective_from: '2026-05-01', input_per_million: 2, output_per_million: 10 },
            ],
          },
          { id: 'claude-x', pricing: { input_per_million: 9, output_per_million: 9 } },
        ],
      },
      gemini: { models: [] },
      qwen: { models: [] },
      bedrock: { models: [] },
      ollama: { models: [] },
      hearth: { base_url: 'http://10.0.0.2/v1', models: [] },
    },
  }),
  priceList: list,
};
const inputOf = (provider: string, model: string, when = at) => {
  const found = priceOf(cloud, { provider, model, at: when });
  return found.type === 'priced' ? Number(found.price.pricing.inputPerMillion) / 1e9 : found.type;
};

describe('the price of a model', () => {
  it.each([
    ['is that of the file before any list', 'anthropic', 'claude-x', 9],
    ['is in the list by the name of the service', 'gemini', 'gemini-x', 0.1],
    ['is in the list by another name of the service', 'qwen', 'qwen-x', 0.2],
    ['is that of the profile of a geography', 'bedrock', 'us.anthropic.claude-x-v1:0', 3.3],
    ['is that of the model where its profile has none', 'bedrock', 'eu.anthropic.claude-x-v1:0', 3],
    ['is nothing on this machine', 'local', 'claude-x', 'free'],
    ['is nothing on the own machines of the owner', 'ollama', 'llama', 'free'],
    ['is nothing behind another Hearth', 'hearth', 'tiny', 'free'],
    ['is unknown where nobody names it', 'gemini', 'gemini-y', 'unknown'],
    ['is unknown of a provider that is not there', 'nobody', 'claude-x', 'unknown'],
  ])('%s', (_, provider, model, expected) => {
    expect(inputOf(provider, model)).toBe(expected);
  });

  it.each([
    ['2026-04-30T23:59:59Z', 3],
    ['2026-05-01T00:00:00Z', 2],
    ['2026-08-31T23:59:59Z', 2],
    ['2026-09-01T00:00:00Z', 1],
  ])('is at %s the one in force', (when, expected) => {
    expect(inputOf('anthropic', 'y', new Date(when))).toBe(expected);
  });

  it('of a geography has what the geography costs more in it', () => {
    const regional = priceOf(cloud, { provider: 'bedrock', model: 'us.anthropic.claude-x-v1:0', at });
    expect(regional).toMatchObject({
      price: { isClaude: true, pricing: { regionalFactor: { numerator: 1n, denominator: 1n } } },
    });
    const base = priceOf(cloud, { provider: 'bedrock', model: 'eu.anthropic.claude-x-v1:0', at });
    expect(base).not.toHaveProperty('price.pricing.regionalFactor');
  });
});
