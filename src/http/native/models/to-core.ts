import type { LoadWish } from '../../../engine/engine.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import type { PlanQuery } from './plan-schema.ts';
import type { LoadBody } from './schema.ts';

/** Settings of a load; no body means: as configured. */
export function loadToCore(body: LoadBody | PlanQuery | undefined): LoadWish {
  if (body === undefined) return {};
  return {
    ...(body.quantization !== undefined && { quantization: body.quantization.toLowerCase() }),
    ...(body.prefer_gpu !== undefined && { preferGpu: body.prefer_gpu }),
    ...(body.context_length !== undefined && { contextTokens: body.context_length }),
    ...(body.parallel !== undefined && { parallel: body.parallel }),
    ...(body.kv_cache_type !== undefined && { kvType: body.kv_cache_type }),
    ...('keep_alive' in body && body.keep_alive !== undefined && { keepAliveMs: parseKeepAlive(body.keep_alive) }),
    ...('pin' in body && body.pin !== undefined && { pin: body.pin }),
    ...('force' in body && body.force && { force: true }),
  };
}
