import type { ProviderConfig } from '../../../src/config/providers.ts';
import { secret } from '../../../src/config/secret.ts';
import { providerConfig } from '../provider-config.ts';

/** A provider of the type `anthropic` with the key that the fake takes, of which nothing more is said. */
export function anthropicConfig(changes: Partial<ProviderConfig> = {}): ProviderConfig {
  const own = { id: 'claude', type: 'anthropic', preset: null, displayName: 'Claude' } as const;
  return providerConfig({ ...own, apiKey: secret('sk-ant-fake'), ...changes });
}
