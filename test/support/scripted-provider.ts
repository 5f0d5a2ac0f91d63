import { AppError } from '../../src/core/errors.ts';
import type { ProviderEvent } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/provider.ts';

/** A provider that answers every request with these events, an error among them being thrown; it has nothing else. */
export function scriptedProvider(
  events: readonly (ProviderEvent | Error)[],
  changes: Partial<Provider> = {},
): Provider & { asked: number; returned: number } {
  const none = (what: string) => async (): Promise<never> => {
    throw new AppError('not_supported', `This provider has no ${what}.`, { field: 'model' });
  };
  const provider = {
    id: 'local',
    commitsAt: 'start' as const,
    asked: 0,
    returned: 0,
    async *stream() {
      provider.asked++;
      try {
        for (const event of events) {
          if (event instanceof Error) throw event;
          yield event;
        }
      } finally {
        provider.returned++;
      }
    },
    embed: none('embeddings'),
    rank: none('reranking'),
    decide: none('decisions'),
    count: none('token counts'),
    tokens: none('tokens'),
    models: async () => [],
    nameOf: (model: string): string | null => model,
    capabilities: () => null,
    status: () => ({ state: 'ready' as const, reason: null }),
    ...changes,
  };
  return provider;
}
