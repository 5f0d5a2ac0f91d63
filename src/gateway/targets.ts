import { localProviderId, type RoutingConfig, type RoutingWish } from '../core/call.ts';
import { AppError } from '../core/errors.ts';
import type { Provider } from '../core/provider.ts';

/** One try: who is asked, and for which model by its own name. */
export interface GatewayTarget {
  provider: Provider;
  model: string;
}

/** What decides where a request goes. */
interface RoutingInput {
  /** As the client gave it. */
  model: string;
  wish: RoutingWish;
  config: RoutingConfig;
  providers: ReadonlyMap<string, Provider>;
}

/**
 * Whom to ask, in order; at least one. Pure: it reads no clock, no state and no network.
 *
 * A request stays in the house unless its client marks it: by naming a provider, a chain, or `cloud`. `never`, of the
 * client or of the configuration, wins over every mark. Throws `invalid_request` for a name that does not exist, `forbidden`
 * for a mark that the configuration does not allow.
 */
export function targetsOf({ model, wish, config, providers }: RoutingInput): GatewayTarget[] {
  const named = namedProviders(wish, config, providers);
  const ids = named ?? [config.defaultProvider];
  const allowed = ids.filter((id) => id === localProviderId || wish.cloud !== 'never');
  if (allowed.some((id) => id !== localProviderId) && !config.cloudAllowed) {
    throw new AppError('forbidden', 'This server sends nothing to cloud providers.', { field: 'routing' });
  }
  const targets = allowed
    .filter((id) => wish.cloud !== 'require' || id !== localProviderId)
    .map((id) => ({ provider: providers.get(id)!, model }));
  if (targets.length > 0) return targets;
  const message =
    wish.cloud === 'require'
      ? 'The request must go to the cloud, and names no cloud provider.'
      : 'The request must stay in the house, and names cloud providers only.';
  throw new AppError('invalid_request', message, { field: 'routing' });
}

/** The providers that a request names, each of which exists; null: it names none. */
function namedProviders(
  wish: RoutingWish,
  config: RoutingConfig,
  providers: ReadonlyMap<string, Provider>,
): readonly string[] | null {
  if (wish.provider !== null) return [existing(wish.provider, 'routing.provider', providers)];
  if (wish.chain === null) return null;
  const chain = Object.hasOwn(config.chains, wish.chain) ? config.chains[wish.chain] : undefined;
  if (!chain) {
    throw new AppError('invalid_request', `There is no chain of providers called "${wish.chain}".`, {
      field: 'routing.chain',
      details: { known: Object.keys(config.chains) },
    });
  }
  return chain.map((id) => existing(id, 'routing.chain', providers));
}

function existing(id: string, field: string, providers: ReadonlyMap<string, Provider>): string {
  if (providers.has(id)) return id;
  throw new AppError('invalid_request', `There is no provider called "${id}".`, {
    field,
    details: { known: [...providers.keys()] },
  });
}
