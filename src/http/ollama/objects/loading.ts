import { AppError } from '../../../core/errors.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import type { RouteDeps } from '../../mount/deps.ts';

type LoadDeps = Pick<RouteDeps, 'engine' | 'store'>;

/** Contexts are made in such steps; a wish in between would be another one than what comes of it. */
const stepTokens = 256;

/** A model of this machine; null: it has none of that name, and whoever else answers for it decides. */
export async function findLocal({ engine }: Pick<RouteDeps, 'engine'>, name: string): Promise<LocalModel | null> {
  try {
    return await engine.getModel(name);
  } catch (error) {
    if (error instanceof AppError && error.code === 'model_not_found') return null;
    throw error;
  }
}

/**
 * Sees that a model has the context that is asked for, as far as it was trained for it: a model with less is loaded again,
 * one with more stays as it is. Rejects with `invalid_request` where it does not fit into the memory.
 */
export async function ensureContext(
  { engine }: LoadDeps,
  name: string,
  contextTokens: number | undefined,
): Promise<void> {
  if (contextTokens === undefined) return;
  const model = await findLocal({ engine }, name);
  if (model?.purpose !== 'generate') return;
  const trained = model.trainedContextTokens ?? Number.POSITIVE_INFINITY;
  const needed = Math.min(trained, Math.ceil(contextTokens / stepTokens) * stepTokens);
  if ((model.loaded?.contextTokens ?? 0) >= needed) return;
  // What the next request loads by itself may do.
  const own = model.loaded ? null : await engine.plan(name, {});
  if ((own?.settings?.contextTokens ?? 0) >= needed) return;
  const { shortage } = await engine.plan(name, { contextTokens: needed });
  if (shortage) {
    const message = `A context of ${needed} tokens does not fit: ${model.name} ${shortage.message}`;
    throw new AppError('invalid_request', message, { field: 'options.num_ctx' });
  }
  await engine.load(name, { contextTokens: needed });
}

/** What a request without a prompt asks for: to load the model, or to unload it with a keep-alive of 0. */
export async function loadOrUnload(
  deps: LoadDeps,
  name: string,
  { keepAliveMs, contextTokens }: { keepAliveMs?: number; contextTokens?: number },
): Promise<'load' | 'unload'> {
  const { engine } = deps;
  if (keepAliveMs === 0) {
    await engine.unload(name);
    return 'unload';
  }
  await ensureContext(deps, name, contextTokens);
  const { loaded } = await engine.getModel(name);
  await engine.load(name, {
    ...(loaded && { contextTokens: loaded.contextTokens }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
  });
  return 'load';
}

/** Throws `invalid_request` where a model of this machine is to think and cannot. */
export async function assertThinks(deps: LoadDeps, name: string, reasoning: { mode: 'on' | 'off' } | undefined) {
  if (reasoning?.mode !== 'on') return;
  const model = await findLocal(deps, name);
  const hasOwnTemplate = deps.store.findMade(name)?.preset.template !== undefined;
  if (model === null || model.thinks || hasOwnTemplate) return;
  throw new AppError('invalid_request', `"${model.name}" does not support thinking.`, {
    field: 'think',
    fix: 'Leave "think" out.',
  });
}
