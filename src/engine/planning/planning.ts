import { AppError } from '../../core/errors.ts';
import type { PlanInfo } from '../../core/plan.ts';
import type { PaceGain, QuantizationAdvice } from '../../core/quantization-advice.ts';
import { type GpuWish, gpuWish } from '../../machine/gpu/device.ts';
import type { CatalogModel, CatalogVariant } from '../../store/catalog/catalog.ts';
import type { GpuSelector } from '../gpu/gpu.ts';
import type { LoadOutcome, Planner } from '../memory/memory.ts';
import type { LoadWish } from '../models/models.ts';
import type { LoadSettings, ModelRef, ResidentView } from '../residents/residents.ts';
import { chooseForLoad } from './quantization.ts';
import type { SpeedAdvice } from './speed-advice.ts';

export { assertPurpose } from './purpose.ts';
export { createSpeedAdvice, type SpeedAdvice } from './speed-advice.ts';

/** Defaults for what a load or request leaves open. */
export interface EngineDefaults {
  contextTokens: number | null;
  parallel: number | null;
  keepAliveMs: number;
  gpu: LoadSettings['gpu'];
  /** Names of models, aliases or `name:quantization` that stay loaded once they are. */
  pinned: readonly string[];
  /** Keep-alive times of single models, by such names. */
  keepAliveMsOf: Readonly<Record<string, number>>;
}

/** A name and a wish, turned into what is loaded and how. */
export interface Planning {
  /** What a load with this wish asks of GPUs. */
  gpuWish(wish: LoadWish): GpuWish;
  /** Chooses the variant and the settings. Throws for a model or quantization that cannot be loaded. */
  select(model: CatalogModel, named: CatalogVariant | null, wish: LoadWish): { ref: ModelRef; settings: LoadSettings };
  /** What a load with this wish would do now. Throws as `select`. */
  describe(model: CatalogModel, named: CatalogVariant | null, wish: LoadWish): PlanInfo;
  /** A quantization that is faster on this processor than a variant, at about its size; null: none that is known of. */
  advice(model: CatalogModel, variant: CatalogVariant): QuantizationAdvice | null;
  /** How often as fast as with the library's own kernels a variant is with ours; null: nobody measured it. */
  gainOfBuilt(variant: CatalogVariant): PaceGain | null;
  /** What the variants of models would take by default, with the memory of this moment. */
  expectations(): (variant: CatalogVariant) => { expectedBytes: number; fits: boolean } | null;
}

export function createPlanning(deps: {
  planner: Planner;
  /** Plans count on the GPU that is known, and on none before. */
  gpu: Pick<GpuSelector, 'known'>;
  residents: () => ResidentView[];
  residentBytes: (pid: number) => number;
  speed: SpeedAdvice;
  defaults: EngineDefaults;
}): Planning {
  const { planner, defaults } = deps;

  /** What would be free if idle models ended, and the model itself, which a load with other settings ends too. */
  const reclaimableBytes = (id: string | null) =>
    deps
      .residents()
      .filter(
        ({ id: other, state, pinned, busySlots, queueDepth }) =>
          other === id || state === 'unloading' || (state === 'loaded' && !pinned && busySlots + queueDepth === 0),
      )
      .reduce((sum, { pid }) => sum + (pid === null ? 0 : deps.residentBytes(pid)), 0);

  const wishOfGpu = (wish: LoadWish) => gpuWish(defaults.gpu, wish.preferGpu);

  const settingsOf = (model: CatalogModel, id: string, wish: LoadWish): LoadSettings => {
    const contextTokens = wish.contextTokens ?? defaults.contextTokens;
    const slots = wish.parallel ?? defaults.parallel;
    const names = [id, model.name, ...model.aliases].map((name) => name.toLowerCase());
    const keepAliveOf = Object.entries(defaults.keepAliveMsOf).find(([name]) => names.includes(name.toLowerCase()));
    const isPinned = defaults.pinned.some((name) => names.includes(name.toLowerCase()));
    const pin = wish.pin ?? (isPinned ? true : undefined);
    return {
      ...(contextTokens !== null && { contextTokens }),
      ...(slots !== null && { slots }),
      ...(pin !== undefined && { pin }),
      ...(wish.kvType !== undefined && { kvType: wish.kvType }),
      ...(wish.force && { force: true }),
      gpu: wishOfGpu(wish),
      keepAliveMs: wish.keepAliveMs ?? keepAliveOf?.[1] ?? defaults.keepAliveMs,
    };
  };

  const planOf = (by: Planner, model: CatalogModel, variant: CatalogVariant, wish: LoadWish): LoadOutcome => {
    const { id, facts } = toRef(model, variant);
    const settings = settingsOf(model, id, wish);
    return by.plan({ id, facts }, settings, reclaimableBytes(id), deps.gpu.known(id, settings.gpu));
  };

  const select: Planning['select'] = (model, named, wish) => {
    const ids = deps.residents().map(({ id }) => id);
    const { variant, notes } = chooseForLoad({
      model,
      named,
      loaded: model.variants.find(({ id }) => ids.includes(id)) ?? null,
      quantization: wish.quantization,
      // Force is for the one that is chosen: what fits is taken before it.
      plan: (candidate) => planOf(planner, model, candidate, { ...wish, force: false }),
      faster: deps.speed.faster,
    });
    return { ref: toRef(model, variant), settings: { ...settingsOf(model, variant.id, wish), notes } };
  };

  return {
    gpuWish: wishOfGpu,
    select,
    advice: deps.speed.about,
    gainOfBuilt: deps.speed.gainOfBuilt,
    describe(model, named, wish) {
      const { ref, settings } = select(model, named, wish);
      const { plan, budget } = planner.snapshot();
      const reclaimable = reclaimableBytes(ref.id);
      const planned = plan(ref, settings, reclaimable, deps.gpu.known(ref.id, settings.gpu));
      const variant = model.variants.find(({ id }) => id === ref.id)!;
      const onProcessor = planned.type === 'plan' && planned.gpuLayers === 0;
      const advice = onProcessor ? deps.speed.about(model, variant) : null;
      const notes = [...(settings.notes ?? []), ...(advice ? [advice.message] : [])];
      return {
        model: model.name,
        quantization: variant.quantization,
        settings: planned.type === 'plan' ? { ...planned, notes: [...notes, ...planned.notes] } : null,
        shortage: planned.type === 'refusal' ? planned : null,
        budget: {
          totalBytes: budget.totalBytes,
          availableBytes: budget.availableBytes,
          reclaimableBytes: Math.max(0, Math.min(reclaimable, budget.totalBytes - budget.availableBytes)),
          source: budget.source,
        },
      };
    },
    expectations() {
      const snapshot = planner.snapshot();
      return (variant) => {
        if (variant.facts === null || variant.invalidReason !== null) return null;
        const { id, facts } = variant;
        const wish = {
          ...(defaults.contextTokens !== null && { contextTokens: defaults.contextTokens }),
          ...(defaults.parallel !== null && { slots: defaults.parallel }),
        };
        const planned = snapshot.plan({ id, facts }, wish, reclaimableBytes(id));
        return planned.type === 'plan'
          ? { expectedBytes: planned.expectedBytes.total, fits: true }
          : { expectedBytes: planned.neededBytes, fits: false };
      };
    },
  };
}

/** Throws `invalid_model_file` for a variant that cannot be loaded. */
function toRef(model: CatalogModel, variant: CatalogVariant): ModelRef {
  if (variant.invalidReason !== null || variant.facts === null) {
    throw new AppError('invalid_model_file', `${variant.id} cannot be loaded: ${variant.invalidReason}`, {
      fix: 'Replace the file, or choose another model.',
      details: { model: variant.id },
    });
  }
  return { id: variant.id, model: model.name, filePath: variant.filePath, facts: variant.facts };
}
