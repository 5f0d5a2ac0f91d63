import type { Provider } from '../core/provider.ts';
import type { Engine } from '../engine/engine.ts';
import { createLocalProvider } from './local/local.ts';

/** Every provider of the server by id; a new one is one line here. */
export function createProviders(deps: { engine: Engine }): ReadonlyMap<string, Provider> {
  const providers = [createLocalProvider({ engine: deps.engine })];
  return new Map(providers.map((provider) => [provider.id, provider]));
}
