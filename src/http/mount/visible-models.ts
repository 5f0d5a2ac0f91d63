import { localProviderId, type Principal } from '../../core/call.ts';
import { AppError } from '../../core/errors.ts';
import type { ModelInfo } from '../../core/model.ts';
import type { LocalModel } from '../../engine/engine.ts';
import type { RouteDeps } from './deps.ts';

/**
 * Every model that may be asked for with a key: those of its list, where it has one, and those of other providers only where
 * its requests may leave the house. Another server of Hearth is told those of this machine alone: two that have each other as a
 * provider would ask each other for ever.
 */
export async function visibleModels(
  { gateway, routing }: Pick<RouteDeps, 'gateway' | 'routing'>,
  { principal, wish }: { principal: Pick<Principal, 'mayUseCloud' | 'models'>; wish: { hops: readonly string[] } },
  signal: AbortSignal,
): Promise<ModelInfo[]> {
  const cloud = routing().cloudAllowed && principal.mayUseCloud && wish.hops.length === 0;
  const models = await gateway.models(signal, { cloud });
  return models.filter(({ id, aliases, provider }) => isVisible(principal, [id, ...aliases, `${provider}/${id}`]));
}

/** Whether a model with these names may be asked for by one of them. */
export function isVisible({ models }: Pick<Principal, 'models'>, names: readonly string[]): boolean {
  return models === null || models.some((name) => names.includes(name));
}

/** Whether a model of this machine may be asked for, by its own name, `local/name`, an alias or a name that was made of it. */
export function isVisibleHere(
  { engine }: Pick<RouteDeps, 'engine'>,
  { models }: Pick<Principal, 'models'>,
  { name }: Pick<LocalModel, 'name'>,
): boolean {
  const prefix = `${localProviderId}/`;
  return (
    models === null ||
    models.some((listed) => engine.nameOf(listed.startsWith(prefix) ? listed.slice(prefix.length) : listed) === name)
  );
}

/**
 * A model of this machine. Rejects as `Engine.getModel`; a key with a list of models is told the same of one that is not in it
 * as of one that is not there.
 */
export async function visibleLocal(
  deps: Pick<RouteDeps, 'engine'>,
  principal: Pick<Principal, 'models'>,
  name: string,
): Promise<LocalModel> {
  if (principal.models === null) return deps.engine.getModel(name);
  const model = await deps.engine.getModel(name).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'model_not_found') return null;
    throw error;
  });
  if (model !== null && isVisibleHere(deps, principal, model)) return model;
  throw new AppError('model_not_found', `There is no model "${name}" that this key may ask for.`, { field: 'model' });
}

/**
 * Throws `forbidden` where a model of this machine is there and not for this key, before anything is loaded for it. Whoever else
 * has a model of this name is asked by the gateway.
 */
export function assertMayLoad(
  { engine }: Pick<RouteDeps, 'engine'>,
  principal: Pick<Principal, 'models'>,
  name: string,
): void {
  const own = engine.nameOf(name);
  if (own === null || isVisibleHere({ engine }, principal, { name: own })) return;
  throw new AppError('forbidden', `This key may not use the model "${name}".`, { field: 'model' });
}
