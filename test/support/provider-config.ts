import type { CloudModelConfig, ProviderConfig } from '../../src/config/providers.ts';
import { secret } from '../../src/config/secret.ts';

/** A model of the configuration of which nothing more is said. */
export function cloudModel(id: string, changes: Partial<CloudModelConfig> = {}): CloudModelConfig {
  return {
    id,
    aliases: [],
    displayName: null,
    contextTokens: null,
    maxOutputTokens: null,
    isDefault: false,
    supportsVision: null,
    supportsTools: null,
    pricing: null,
    ...changes,
  };
}

/** A provider of the type `openai-compatible` of which nothing more is said; it lists its models itself. */
export function providerConfig(changes: Partial<ProviderConfig> = {}): ProviderConfig {
  return {
    id: 'cloud',
    type: 'openai-compatible',
    preset: 'openai',
    enabled: true,
    displayName: 'Cloud',
    baseUrl: null,
    apiKey: secret('sk-canary'),
    apiVersion: null,
    region: null,
    headers: {},
    models: [],
    rateLimits: { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null },
    timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: null },
    batch: 'auto',
    capabilities: {},
    ...changes,
  };
}
