import { createAnthropicProvider } from './anthropic/anthropic.ts';
import { createBedrockProvider } from './bedrock/bedrock.ts';
import { createOpenAiCompatibleProvider } from './openai-compatible/openai-compatible.ts';
import type { ProviderFactories } from './registry.ts';

export const providerFactories: ProviderFactories = {
  anthropic: createAnthropicProvider,
  bedrock: createBedrockProvider,
  'openai-compatible': createOpenAiCompatibleProvider,
};
