/** How a model is to be loaded; null and empty: as the server has it by default. */
export interface LoadWish {
  quantization: string;
  contextTokens: number | null;
  parallel: number | null;
  kvType: '' | 'f16' | 'q8_0';
  preferGpu: boolean | null;
  keepAlive: string;
  pin: boolean;
}

/** What a plan is asked with. */
export function planQuery(wish: LoadWish) {
  return {
    quantization: wish.quantization || null,
    context_length: wish.contextTokens,
    parallel: wish.parallel,
    kv_cache_type: wish.kvType || null,
    prefer_gpu: wish.preferGpu,
  };
}

/** What a load is asked with. `force`: also where it does not fit. */
export function loadBody(wish: LoadWish, force: boolean) {
  return {
    ...(wish.quantization !== '' && { quantization: wish.quantization }),
    ...(wish.contextTokens !== null && { context_length: wish.contextTokens }),
    ...(wish.parallel !== null && { parallel: wish.parallel }),
    ...(wish.kvType !== '' && { kv_cache_type: wish.kvType }),
    ...(wish.preferGpu !== null && { prefer_gpu: wish.preferGpu }),
    ...(wish.keepAlive !== '' && { keep_alive: wish.keepAlive }),
    ...(wish.pin && { pin: true }),
    ...(force && { force: true }),
  };
}

/** Steps of the slider, each twice the one before, up to what the model was made for. */
export function contextSteps(trained: number | null): number[] {
  const most = trained ?? 8_192;
  const steps: number[] = [];
  for (let tokens = 1_024; tokens < most; tokens *= 2) steps.push(tokens);
  return [...steps, most];
}
