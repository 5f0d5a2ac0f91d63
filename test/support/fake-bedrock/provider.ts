import type { CloudModelConfig, ProviderConfig } from '../../../src/config/providers.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { type BedrockProvider, createBedrockProvider } from '../../../src/providers/bedrock/bedrock.ts';
import { fakeCredentials } from './fake-bedrock.ts';

/** Claude and Nova, as a configuration names them. */
export const claude = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
export const nova = 'amazon.nova-pro-v1:0';

export const modelOf = (id: string, changes: Partial<CloudModelConfig> = {}): CloudModelConfig => ({
  id,
  aliases: [],
  displayName: null,
  contextTokens: null,
  maxOutputTokens: null,
  supportsVision: null,
  supportsTools: null,
  isDefault: false,
  pricing: null,
  ...changes,
});

/** A section of the configuration for a fake. */
export function bedrockConfig(changes: Partial<ProviderConfig> = {}): ProviderConfig {
  return {
    id: 'aws',
    type: 'bedrock',
    preset: null,
    enabled: true,
    displayName: 'Amazon Bedrock',
    baseUrl: null,
    apiKey: null,
    apiVersion: null,
    region: fakeCredentials.region,
    headers: {},
    models: [modelOf(claude), modelOf(nova)],
    rateLimits: { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: null },
    timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: null },
    batch: 'auto',
    capabilities: {},
    ...changes,
  };
}

/** Lines that a provider logged. */
export type LoggedLine = { fields: object; message: string };

/** A provider over a fake, with credentials of the fake unless the configuration has a key. */
export function bedrockOver(
  baseUrl: string,
  changes: Partial<ProviderConfig> = {},
  options: { clock?: Clock; protocol?: 'h2' | 'http/1.1'; lines?: LoggedLine[] } = {},
): BedrockProvider {
  const log = (fields: object, message: string) => options.lines?.push({ fields, message });
  const { accessKeyId, secretAccessKey } = fakeCredentials;
  return createBedrockProvider({
    config: bedrockConfig({ baseUrl, ...changes }),
    clock: options.clock ?? systemClock,
    log: { info: log, debug: log } as never,
    ...(!changes.apiKey && { credentials: { accessKeyId, secretAccessKey } }),
    ...(options.protocol && { protocol: options.protocol }),
  });
}
