import { localProviderId, type Principal, type RoutingConfig, type RoutingWish } from '../core/call.ts';
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
  principal: Pick<Principal, 'mayUseCloud' | 'models'>;
  /** By id, in the order of the configuration. */
  providers: ReadonlyMap<string, Provider>;
}

/**
 * Whom to ask, in order; at least one. Pure: it reads no clock, no state and no network.
 *
 * A request stays in the house unless its client marks it: by naming a provider or a chain of the cloud, a model that only
 * the cloud has (`claude-sonnet-4-5`, or `provider/model`), or `cloud`. A model of this machine is asked here even where a
 * provider has one of the same name. `never`, of the client, its key or the configuration, wins over every mark. Throws
 * `invalid_request` for a name that does not exist, `forbidden` for a mark that the configuration or the key does not allow, and
 * for models of which the key may use none.
 */
export function targetsOf(input: RoutingInput): GatewayTarget[] {
  const { wish, config, principal } = input;
  const named = orderOf(input);
  const targets = named.filter(({ provider }) => provider.id === localProviderId || wish.cloud !== 'never');
  if (targets.some(({ provider }) => provider.id !== localProviderId)) {
    assertMayLeave(config, principal);
  }
  const allowed = targets.filter((target) => mayUse(principal, target));
  if (allowed.length > 0) return allowed;
  if (targets.length > 0) {
    throw new AppError('forbidden', `This key may not use the model "${input.model}".`, { field: 'model' });
  }
  const message =
    wish.cloud === 'require'
      ? 'The request must go to the cloud, and there is no cloud provider for it.'
      : 'The request must stay in the house, and names cloud providers only.';
  throw new AppError('invalid_request', message, { field: 'routing.cloud' });
}

/** Throws `forbidden` where the configuration or the key lets nothing leave the house. */
export function assertMayLeave(
  config: Pick<RoutingConfig, 'cloudAllowed'>,
  principal: Pick<Principal, 'mayUseCloud'>,
): void {
  // What marked it may be a header, its model or its body: none of them is at fault.
  if (!config.cloudAllowed) throw new AppError('forbidden', 'This server sends nothing to cloud providers.');
  if (!principal.mayUseCloud) throw new AppError('forbidden', 'This key may not send anything to cloud providers.');
}

/**
 * Whether a key may ask this provider for this model. Names of its list lead where they lead at the provider, so that the
 * model counts and not the name by which it is asked for; `provider/model` is one of that provider alone.
 */
export function mayUse({ models }: Pick<Principal, 'models'>, { provider, model }: GatewayTarget): boolean {
  if (models === null) return true;
  const nameOf = (name: string) => provider.nameOf(name) ?? name;
  const own = nameOf(model);
  const prefix = `${provider.id}/`;
  return models.some(
    (name) => nameOf(name) === own || (name.startsWith(prefix) && nameOf(name.slice(prefix.length)) === own),
  );
}

/** Everyone who could be asked, in order, before it is seen whether they may be. */
function orderOf(input: RoutingInput): GatewayTarget[] {
  const { model, wish, providers } = input;
  const named = namedIds(input);
  const owned = named === null ? ownersOf(model, providers) : null;
  const marked = owned ?? targetsAt(named!, model, input);
  if (wish.cloud === 'require') {
    const cloud = marked.filter(({ provider }) => provider.id !== localProviderId);
    return cloud.length > 0 || named !== null ? cloud : cloudDefault(model, input);
  }
  if (wish.cloud !== 'allow' || marked.some(({ provider }) => provider.id !== localProviderId)) return marked;
  const local = providers.get(localProviderId);
  const isHere = local !== undefined && local.nameOf(model) !== null;
  const elsewhere = cloudDefault(model, input);
  // Asking here for a model that is not here would only tell the client so.
  return isHere || elsewhere.length === 0 ? [...marked, ...elsewhere] : elsewhere;
}

/** The providers that a request names, each of which is there; null: it names none. */
function namedIds({ wish, config, providers }: RoutingInput): readonly string[] | null {
  if (wish.provider !== null && wish.chain !== null) {
    throw new AppError('invalid_request', 'A request can name a provider or a chain of them, not both.', {
      field: 'routing.chain',
      fix: `Leave X-Provider out to ask along "${wish.chain}", or X-Failover-Chain to ask "${wish.provider}" alone.`,
    });
  }
  if (wish.provider !== null) return [existing(wish.provider, 'routing.provider', providers)];
  if (wish.chain === null) return null;
  const chain = Object.hasOwn(config.chains, wish.chain) ? config.chains[wish.chain] : undefined;
  if (!chain) {
    const known = Object.keys(config.chains);
    throw new AppError('invalid_request', `There is no chain of providers called "${wish.chain}".`, {
      field: 'routing.chain',
      fix:
        known.length > 0 ? `Chains that are there: ${known.join(', ')}.` : 'The configuration has no failover_chains.',
      details: { known },
    });
  }
  // Those that are switched off are passed over.
  const there = chain.filter((id) => providers.has(id));
  if (there.length > 0) return there;
  throw new AppError('invalid_request', `No provider of the chain "${wish.chain}" is switched on.`, {
    field: 'routing.chain',
  });
}

/** Who has the model: this machine, else every provider of the cloud that knows it, else this machine, which says so. */
function ownersOf(model: string, providers: ReadonlyMap<string, Provider>): GatewayTarget[] {
  const local = providers.get(localProviderId);
  const here = local ? [{ provider: local, model }] : [];
  if (local && local.nameOf(model) !== null) return here;
  const slash = model.indexOf('/');
  const prefixed = slash > 0 ? providers.get(model.slice(0, slash)) : undefined;
  if (prefixed && prefixed.id !== localProviderId) return [{ provider: prefixed, model: model.slice(slash + 1) }];
  const cloud = [...providers.values()].flatMap((provider) => {
    const name = provider.id === localProviderId ? null : provider.nameOf(model);
    return name === null ? [] : [{ provider, model: name }];
  });
  return cloud.length > 0 ? cloud : here;
}

/** The named providers, each asked for the model by its own name of it, or for its default where it has none. */
function targetsAt(ids: readonly string[], model: string, { config, providers }: RoutingInput): GatewayTarget[] {
  const bareAt = (id: string) => (model.startsWith(`${id}/`) ? model.slice(id.length + 1) : model);
  // A name that nobody knows is asked for as it is: some of them may have it, and nobody answers by another model instead.
  const isUnknown = model !== 'default' && !ids.some((id) => isKnown(bareAt(id), providers));
  return ids.map((id) => {
    const provider = providers.get(id)!;
    const bare = bareAt(id);
    const known = provider.nameOf(bare);
    if (known !== null) return { provider, model: id === localProviderId ? bare : known };
    return { provider, model: isUnknown ? bare : (config.defaultModels[id] ?? bare) };
  });
}

/** Whether any provider has a model of that name. */
function isKnown(model: string, providers: ReadonlyMap<string, Provider>): boolean {
  return [...providers.values()].some((provider) => provider.nameOf(model) !== null);
}

/** Where a request goes that is marked for the cloud and says no more; empty: there is nobody. */
function cloudDefault(model: string, input: RoutingInput): GatewayTarget[] {
  const { config, providers } = input;
  const owners = [...providers.keys()].filter(
    (id) => id !== localProviderId && providers.get(id)!.nameOf(model) !== null,
  );
  if (owners.length > 0) return targetsAt(owners, model, input);
  const { defaultProvider } = config;
  return defaultProvider === localProviderId || !providers.has(defaultProvider)
    ? []
    : targetsAt([defaultProvider], config.defaultModels[defaultProvider] ?? model, input);
}

function existing(id: string, field: string, providers: ReadonlyMap<string, Provider>): string {
  if (providers.has(id)) return id;
  const known = [...providers.keys()];
  throw new AppError('invalid_request', `There is no provider called "${id}", or it is off.`, {
    field,
    fix: `Providers that are on: ${known.join(', ')}.`,
    details: { known },
  });
}
