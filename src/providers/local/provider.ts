import type { Provider } from '../../core/provider.ts';
import type { Engine } from '../../engine/engine.ts';

/** The models of this machine as a provider: a straight pass, the engine already speaks the common vocabulary. */
export function createLocalProvider(deps: { engine: Engine }): Provider {
  return {
    id: 'local',
    stream: (request, context) => deps.engine.stream(request, context),
    embed: (request, context) => deps.engine.embed(request, context),
    rank: (request, context) => deps.engine.rank(request, context),
  };
}
