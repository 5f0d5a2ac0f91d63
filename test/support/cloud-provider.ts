import { AppError } from '../../src/core/errors.ts';
import type { ProviderEvent } from '../../src/core/events.ts';
import type { Capabilities, ModelInfo } from '../../src/core/model.ts';
import type { Provider } from '../../src/core/provider.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { scriptedProvider } from './scripted-provider.ts';

const converses: Capabilities = {
  operations: ['generate'],
  reads: ['text', 'image'],
  tools: true,
  formats: ['text', 'json'],
  logprobs: false,
  choices: 1,
};

/** A service with these models that answers `Hello`, or fails in this way while it is down. */
export function cloudProvider(
  id: string,
  models: readonly string[],
  changes: Partial<Provider> = {},
): Provider & { down: AppError | null } {
  const info = (model: string): ModelInfo => ({
    id: model,
    aliases: [],
    provider: id,
    displayName: model,
    createdAt: null,
    contextTokens: 128_000,
    maxOutputTokens: 4_096,
    thinks: false,
    state: 'ready',
    reason: null,
    capabilities: converses,
  });
  const provider = {
    ...scriptedProvider([], { id }),
    down: null as AppError | null,
    commitsAt: 'content' as const,
    async *stream({ model }: { model: string }): AsyncGenerator<ProviderEvent> {
      if (provider.down) throw provider.down;
      const usage = { ...promptUsage(5, 0), outputTokens: 1 };
      yield { type: 'start', responseId: null, model, usage, warnings: [] };
      yield { type: 'text-start', blockId: 0 };
      yield { type: 'text-delta', blockId: 0, text: 'Hello' };
      yield { type: 'text-end', blockId: 0 };
      const timings = { queueMs: null, prefillMs: null, decodeMs: null };
      yield { type: 'finish', reason: 'stop', rawReason: null, stopSequence: null, usage, timings };
    },
    async models(): Promise<ModelInfo[]> {
      if (provider.down) throw provider.down;
      return models.map(info);
    },
    nameOf: (model: string) => (models.includes(model) ? model : null),
    capabilities: (model: string) => (models.includes(model) ? converses : null),
    ...changes,
  };
  return provider;
}

/** What a service gives that nobody reaches. */
export const timedOut = new AppError('upstream_timeout', 'no answer from secret.example');
