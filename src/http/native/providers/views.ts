import { localProviderId } from '../../../core/call.ts';
import { AppError } from '../../../core/errors.ts';
import type { ModelInfo } from '../../../core/model.ts';
import type { Provider } from '../../../core/provider.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import type { ModelView, ProviderView } from './from-core.ts';

type ViewDeps = Pick<RouteDeps, 'providers' | 'configuration' | 'gateway' | 'health' | 'routing'>;

/** Every provider, this machine first; those that are off too. */
export function providerViews(deps: ViewDeps, signal: AbortSignal): Promise<ProviderView[]> {
  return Promise.all([...deps.providers.all().values()].map((provider) => viewOf(deps, provider, signal)));
}

/** One of them. Rejects with `not_found`. */
export async function providerView(deps: ViewDeps, id: string, signal: AbortSignal): Promise<ProviderView> {
  return viewOf(deps, existingProvider(deps, id), signal);
}

/** Throws `not_found` for an id that no provider has. */
export function existingProvider({ providers }: Pick<ViewDeps, 'providers'>, id: string): Provider {
  const provider = providers.all().get(id);
  if (provider) return provider;
  throw new AppError('not_found', `There is no provider called "${id}".`, {
    field: 'provider_id',
    details: { known: [...providers.all().keys()] },
  });
}

async function viewOf(deps: ViewDeps, provider: Provider, signal: AbortSignal): Promise<ProviderView> {
  const { id } = provider;
  // Where nothing may leave the house, a list of models is not asked for either.
  const mayAsk = id === localProviderId || deps.configuration.current().cloud.cloudAllowed;
  const isOn = deps.providers.current().has(id);
  // One that is down still has what the configuration says of it.
  const listed = isOn && mayAsk ? await deps.gateway.modelsOf(id, signal).catch(() => []) : [];
  return configuredView(deps, provider, listed);
}

/** The same with models that are known already; nobody is asked. */
export function configuredView(
  { providers, configuration, health, routing }: ViewDeps,
  provider: Provider,
  listed: readonly ModelInfo[] = [],
): ProviderView {
  const { id } = provider;
  const config = configuration.current().cloud.providers.get(id) ?? null;
  const configured = config?.models ?? [];
  const ids = new Set([...configured.map((model) => model.id), ...listed.map((model) => model.id)]);
  const models = [...ids].map((model): ModelView => {
    const info = listed.find((one) => one.id === model) ?? null;
    return {
      id: model,
      info,
      configured: configured.find((one) => one.id === model) ?? null,
      capabilities: info?.capabilities ?? provider.capabilities(model),
    };
  });
  return {
    provider,
    config: id === localProviderId ? null : config,
    isOn: providers.current().has(id),
    isSwitched: providers.isSwitched(id),
    health: health.statusOf(id),
    models,
    defaultModel: routing().defaultModels[id] ?? null,
  };
}
