import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import type { AppError } from '../core/errors.ts';
import type { Operation } from '../core/model.ts';
import type { PlanInfo } from '../core/plan.ts';
import type { ProviderStatus } from '../core/provider.ts';
import type { MemoryStatus } from '../machine/memory.ts';
import type { Bus } from '../observe/bus.ts';
import type { Catalog, CatalogModel, ResolvedName } from '../store/catalog/catalog.ts';
import { chooseVariant } from '../store/catalog/catalog.ts';
import { purposeOf } from '../store/gguf/gguf.ts';
import type { Calibrator } from './calibration/calibration.ts';
import type { GpuSelector, GpuStatus } from './gpu/gpu.ts';
import { type LoadWish, type LocalModel, toLocalModel } from './models/models.ts';
import { assertPurpose, type Planning } from './planning/planning.ts';
import type { RecentPace } from './recent-pace.ts';
import { createRequests, type Requests } from './requests/requests.ts';
import type { CrashGuard, LoadFailures, Manager } from './residents/residents.ts';
import { createRunning } from './running.ts';

export type { LoadWish, LocalModel, ModelCalibration } from './models/models.ts';

/** What the rest of the server may ask of the local engine. Names are as clients write them: name, `name:quant`, alias. */
export interface Engine extends Requests {
  /** Every model on disk, invalid ones included, by name. */
  listModels(): Promise<LocalModel[]>;
  /** Those that are loaded, being loaded or on their way out, as of the last look at the folders. Touches no disk. */
  residents(): LocalModel[];
  /** What lies in the model folder and is not listed, as of the last look, one sentence each. */
  leftOut(): readonly string[];
  /** Rejects with `invalid_request` for a malformed name, `model_not_found` for an unknown one. */
  getModel(name: string): Promise<LocalModel>;
  /** Loads a model, or joins the load that is under way; a loaded model with equal settings is left as it is. */
  load(name: string, wish: LoadWish): Promise<LocalModel>;
  /** Models that are loaded, with what they were loaded by and how they are used. */
  loaded(): LoadedModel[];
  /**
   * Loads a model as it was before a restart, where there is room beside what people use by now. Rejects as `load`, for one that is
   * in quarantine, and with `model_busy` where there is no room.
   */
  restore(model: LoadedModel): Promise<void>;
  /** What a load with this wish would do now; nothing is loaded. Rejects as `load` for names and quantizations. */
  plan(name: string, wish: LoadWish): Promise<PlanInfo>;
  /** Waits for running requests, then for the worker's exit. Unloading an unloaded model does nothing. */
  unload(name: string): Promise<LocalModel>;
  /** The own name of a model, by any of its names, as of the last look at the folders; null: there is none of that name. */
  nameOf(name: string): string | null;
  /** What a model was made for, as of the last look at the folders; null: there is no such model. Touches no disk. */
  purposeOf(name: string): Operation | null;
  status(): ProviderStatus;
  memory(): MemoryStatus;
  /** What is known of the GPUs; starts nothing. */
  gpu(): GpuStatus;
  /** Refuses new work from now on; resolves when running requests have ended or `deadlineMs` has passed and they were ended. */
  drain(deadlineMs: number): Promise<void>;
  /** Ends every worker and waits for their exits. */
  close(): Promise<void>;
}

/** A loaded model, as it can be loaded again. */
export interface LoadedModel {
  /** `name:quantization`. */
  id: string;
  wish: LoadWish;
  /** 0: it works now. */
  idleMs: number;
  /** Idle time that is left; Infinity: it stays. */
  leftMs: number;
}

/** Models that are described before the event loop turns. */
const modelsATurn = 100;

/** The local engine: names to models, models to workers, requests to events. */
export function createEngine(deps: {
  catalog: Catalog;
  manager: Manager;
  crashes: CrashGuard;
  /** Why loads failed. */
  failures: Pick<LoadFailures, 'reasonFor'>;
  gpu: Pick<GpuSelector, 'choose' | 'forgive' | 'status'>;
  planning: Planning;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  memory: () => MemoryStatus;
  /** Why nothing can be loaded at the moment; null: it can. */
  refusal: (of: 'load') => AppError | null;
  residentBytes: (pid: number) => number;
  /** Left out: nobody counts. */
  recentPace?: RecentPace;
  /** Left out: nothing is measured. */
  calibrator?: Pick<Calibrator, 'resultOf' | 'lookUp'> | null;
}): Engine {
  const { catalog, manager, planning, clock } = deps;
  const running = createRunning(clock);
  /** By what each was loaded, by id; also of those that are gone. */
  const wishes = new Map<string, LoadWish>();

  const isResident = (id: string) => manager.residents().some((resident) => resident.id === id);
  const isLoaded = (model: CatalogModel) =>
    manager.residents().some(({ id }) => model.variants.some((variant) => variant.id === id));

  /** Scans the folders only when the answer may have changed: a request for a loaded model touches no disk. */
  const find = async (name: string): Promise<ResolvedName> => {
    const known = attemptResolve(catalog, name);
    if (known && isLoaded(known.model)) return known;
    await catalog.refresh();
    return catalog.resolve(name);
  };

  const info = (model: CatalogModel, expect = planning.expectations()): LocalModel =>
    toLocalModel(model, {
      residents: manager.residents(),
      quarantineReason: deps.crashes.reasonFor,
      failureReason: deps.failures.reasonFor,
      residentBytes: deps.residentBytes,
      calibrationOf: (id) => deps.calibrator?.resultOf(id) ?? null,
      paceNow: (name) => deps.recentPace?.of(name) ?? null,
      choose: (of) => chooseVariant(of, undefined),
      expect,
      advise: planning.advice,
      gainOfBuilt: planning.gainOfBuilt,
    });

  /** Reads what was measured of files that can be compared with each other. */
  const lookUpPaces = async ({ variants }: CatalogModel): Promise<void> => {
    const files = variants.flatMap(({ id, filePath, facts }) =>
      facts === null ? [] : [{ id, filePath, purpose: purposeOf(facts) }],
    );
    if (files.length > 1) await deps.calibrator?.lookUp(files);
  };

  /** `default` is the default model of the kind that is asked for: where the chat model cannot do it, the first that can. */
  const findFor = async (purpose: Operation, name: string): Promise<ResolvedName> => {
    const found = await find(name);
    const canDo = ({ variants }: CatalogModel) =>
      variants.some(({ facts, invalidReason }) => facts && invalidReason === null && purposeOf(facts) === purpose);
    if (name.toLowerCase() !== 'default' || canDo(found.model)) return found;
    const first = () => catalog.models().find(canDo);
    let other = first();
    if (!other || !isLoaded(other)) {
      await catalog.refresh();
      other = first();
    }
    return other ? { model: other, variant: null } : found;
  };

  const requests = createRequests({
    async target(name, purpose) {
      const isTalk = purpose === 'generate' || purpose === 'decide';
      const { model, variant, preset } = await (isTalk ? find(name) : findFor(purpose, name));
      const wish = wishOf(preset);
      const { ref, settings } = planning.select(model, variant, wish);
      if (!isResident(ref.id)) wishes.set(ref.id, wish);
      assertPurpose(model.name, purposeOf(ref.facts), purpose);
      return { model: model.name, ref, settings, ...(preset && { preset }) };
    },
    isLoaded: (id) => manager.residents().some((resident) => resident.id === id && resident.state === 'loaded'),
    lease: manager.lease,
    enter: running.enter,
    ended: running.ended,
    clock,
    bus: deps.bus,
  });

  return {
    async listModels() {
      await catalog.refresh();
      const expect = planning.expectations();
      const models: LocalModel[] = [];
      for (const model of catalog.models()) {
        await lookUpPaces(model);
        models.push(info(model, expect));
        // Each is planned; thousands of them must not hold up answers.
        if (models.length % modelsATurn === 0) await nextTurn();
      }
      return models;
    },
    residents() {
      const expect = planning.expectations();
      return catalog
        .models()
        .filter(isLoaded)
        .map((model) => info(model, expect));
    },
    leftOut: catalog.leftOut,
    async getModel(name) {
      const { model } = await find(name);
      await lookUpPaces(model);
      return info(model);
    },
    async load(name, wish) {
      running.refuseWhenDraining();
      const { model, variant } = await find(name);
      await lookUpPaces(model);
      await deps.gpu.choose(model.name, planning.gpuWish(wish));
      const { ref, settings } = planning.select(model, variant, wish);
      deps.crashes.forgive(ref.id);
      deps.gpu.forgive(ref.id);
      wishes.set(ref.id, wish);
      await manager.load(ref, settings);
      return info(model);
    },
    loaded: () =>
      manager.uses().map(({ id, idleMs, keepAliveMs }) => {
        // Which of its files it was stands in the id; what was forced once is not forced unasked.
        const { quantization: _, force: __, ...wish } = wishes.get(id) ?? {};
        return { id, wish, idleMs, leftMs: keepAliveMs - idleMs };
      }),
    async restore({ id, wish, idleMs, leftMs }) {
      running.refuseWhenDraining();
      const nowMs = clock.monotonicMs();
      const { model, variant } = await find(id);
      await deps.gpu.choose(model.name, planning.gpuWish(wish));
      const { ref, settings } = planning.select(model, variant, wish);
      if (!isResident(ref.id)) wishes.set(ref.id, wish);
      await manager.restore(ref, { ...settings, restored: { usedAtMs: nowMs - idleMs, keepUntilMs: nowMs + leftMs } });
    },
    async plan(name, wish) {
      const { model, variant } = await find(name);
      await lookUpPaces(model);
      // So that the plan knows the GPU that the load would find.
      await deps.gpu.choose(model.name, planning.gpuWish(wish));
      return planning.describe(model, variant, wish);
    },
    async unload(name) {
      const { model, variant } = await find(name);
      const ids = manager.residents().map((resident) => resident.id);
      const wanted = (variant ? [variant] : model.variants).filter((candidate) => ids.includes(candidate.id));
      await Promise.all(wanted.map((candidate) => manager.unload(candidate.id, 'request')));
      return info(model);
    },
    ...requests,
    nameOf: (name) => attemptResolve(catalog, name)?.model.name ?? null,
    purposeOf(name) {
      const known = attemptResolve(catalog, name);
      if (!known) return null;
      // One that cannot be used by now may be mended: whoever asks for it looks again, and says why.
      const variant = known.variant ?? known.model.variants.find(({ facts }) => facts !== null);
      return variant?.facts ? purposeOf(variant.facts) : null;
    },
    status() {
      if (running.isDraining()) return { state: 'unavailable', reason: 'The server is shutting down.' };
      const refusal = deps.refusal('load');
      return refusal ? { state: 'degraded', reason: refusal.message } : { state: 'ready', reason: null };
    },
    memory: deps.memory,
    gpu: deps.gpu.status,
    async drain(deadlineMs) {
      manager.stopLoading();
      await running.drain(deadlineMs);
    },
    close: () => manager.close(),
  };
}

/** How a model is loaded for requests by a name that a client made. */
const wishOf = (preset: ResolvedName['preset']): LoadWish =>
  preset?.contextTokens === undefined ? {} : { contextTokens: preset.contextTokens };

/** The catalogue's answer as of the last scan, or null when it has none. */
function attemptResolve(catalog: Catalog, name: string): ResolvedName | null {
  try {
    return catalog.find(name);
  } catch {
    // A quantization that is not here so far: the caller scans and asks again.
    return null;
  }
}
