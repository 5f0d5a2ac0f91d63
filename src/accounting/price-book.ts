import {
  type CloudConfig,
  type ModelPricing,
  ownMachinePresets,
  type PriceList,
  type ProviderConfig,
} from '../config/providers.ts';
import { localProviderId } from '../core/call.ts';
import { isFree, type Price } from './pricing.ts';

/** What a model costs; `free`: nothing, as on this machine. */
export type PriceOf = { type: 'free' } | { type: 'unknown' } | { type: 'priced'; price: Price };

/** How lists of prices name the providers in front of their models. */
const listPrefixes: Readonly<Record<string, string>> = { qwen: 'dashscope' };

/** Geographies in front of the ids of inference profiles. */
const profilePrefix = /^(global|us|eu|apac|jp|au|us-gov)\./;

/**
 * The price of a provider's model at a time: that of the file, else the imported one. Pure.
 * `model`: by the provider's own name, or one of its aliases.
 */
export function priceOf(
  { providers, priceList }: Pick<CloudConfig, 'providers' | 'priceList'>,
  { provider, model, at }: { provider: string; model: string; at: Date },
): PriceOf {
  if (provider === localProviderId) return { type: 'free' };
  const config = providers.get(provider);
  if (config === undefined) return { type: 'unknown' };
  const named = config.models.find(({ id, aliases }) => id === model || aliases.includes(model));
  const own = inForce(named?.pricings ?? (named?.pricing ? [named.pricing] : []), at);
  const pricing = own ?? (priceList && listed(priceList, config, named?.id ?? model));
  if (pricing === null) return { type: ownMachinePresets.includes(config.preset) ? 'free' : 'unknown' };
  const price: Price = {
    pricing,
    isClaude: config.type === 'anthropic' || /claude/i.test(named?.id ?? model),
    // Its "priority" is capacity that is paid for beforehand.
    paidTiers: config.type === 'anthropic' ? ['priority'] : [],
  };
  return isFree(price) ? { type: 'free' } : { type: 'priced', price };
}

/** Of prices from the oldest to the newest: the last that has begun. */
function inForce(pricings: readonly ModelPricing[], at: Date): ModelPricing | null {
  return pricings.findLast(({ from }) => from === undefined || from <= at) ?? null;
}

function listed(list: PriceList, { type, preset, id }: ProviderConfig, model: string): ModelPricing | null {
  const service = preset === null || preset === 'custom' ? (type === 'openai-compatible' ? id : type) : preset;
  const prefix = listPrefixes[service] ?? service;
  const find = (name: string) =>
    (Object.hasOwn(list, `${prefix}/${name}`) ? list[`${prefix}/${name}`] : undefined) ??
    (Object.hasOwn(list, name) ? list[name] : undefined);
  const found = find(model);
  // An entry for a profile of one geography has what that costs more in its prices.
  if (found && profilePrefix.test(model)) return { ...found, regionalFactor: { numerator: 1n, denominator: 1n } };
  return found ?? find(model.replace(profilePrefix, '')) ?? null;
}
