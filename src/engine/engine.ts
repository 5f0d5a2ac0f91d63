import type { ChatRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../core/embedding.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { StreamEvent } from '../core/events.ts';
import type { LoadWish, ModelInfo } from '../core/model.ts';
import type { PlanInfo } from '../core/plan.ts';
import type { CallContext } from '../core/provider.ts';
import type { WorkerRequest } from '../ipc/protocol.ts';
import type { MemoryStatus } from '../machine/memory.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Catalog, CatalogModel, CatalogVariant } from '../store/catalog/catalog.ts';
import { chooseVariant } from '../store/catalog/catalog.ts';
import { type Purpose, purposeOf } from '../store/gguf/gguf.ts';
import type { Calibrator } from './calibration/calibrator.ts';
import type { GpuSelector, GpuStatus } from './gpu/select.ts';
import { meterRequest } from './metering.ts';
import { toModelInfo } from './model-info.ts';
import type { Planning } from './planning/planning.ts';
import { assertPurpose } from './planning/purpose.ts';
import type { CrashGuard } from './residents/crash-guard.ts';
import type { Lease } from './residents/lease.ts';
import type { Manager } from './residents/manager.ts';
import { askOnce } from './unary.ts';

export type { MemoryStatus };

/** What the rest of the server may ask of the local engine. Names are as clients write them: name, `name:quant`, alias. */
export interface Engine {
  /** Every model on disk, invalid ones included, by name. */
  listModels(): Promise<ModelInfo[]>;
  /** Rejects with `invalid_request` for a malformed name, `model_not_found` for an unknown one. */
  getModel(name: string): Promise<ModelInfo>;
  /** Loads a model, or joins the load that is under way; a loaded model with equal settings is left as it is. */
  load(name: string, wish: LoadWish): Promise<ModelInfo>;
  /** What a load with this wish would do now; nothing is loaded. Rejects as `load` for names and quantizations. */
  plan(name: string, wish: LoadWish): Promise<PlanInfo>;
  /** Waits for running requests, then for the worker's exit. Unloading an unloaded model does nothing. */
  unload(name: string): Promise<ModelInfo>;
  /** Generates; loads the model first if need be. */
  stream(request: ChatRequest, context: CallContext): AsyncIterable<StreamEvent>;
  /** Makes vectors; rejects with `not_supported` for a model that was not made for it. Loads the model first if need be. */
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult>;
  /** Rates documents; otherwise as `embed`. */
  rank(request: RankRequest, context: CallContext): Promise<RankResult>;
  memory(): MemoryStatus;
  /** What is known of the GPUs; starts nothing. */
  gpu(): GpuStatus;
  /** Refuses new work from now on; resolves when running requests have ended or `deadlineMs` has passed and they were ended. */
  drain(deadlineMs: number): Promise<void>;
  /** Ends every worker and waits for their exits. */
  close(): Promise<void>;
}

/** The local engine: names to models, models to workers, requests to events. */
export function createEngine(deps: {
  catalog: Catalog;
  manager: Manager;
  crashes: CrashGuard;
  gpu: Pick<GpuSelector, 'choose' | 'forgive' | 'status'>;
  planning: Planning;
  clock: Clock;
  metrics: Metrics;
  memory: () => MemoryStatus;
  residentBytes: (pid: number) => number;
  /** Left out: nothing is measured. */
  calibrator?: Pick<Calibrator, 'resultOf'> | null;
}): Engine {
  const { catalog, manager, planning, clock } = deps;
  const drained = new AbortController();
  let draining = false;
  let running = 0;
  let idle = Promise.withResolvers<void>();

  const isLoaded = (model: CatalogModel) =>
    manager.residents().some(({ id }) => model.variants.some((variant) => variant.id === id));

  /** Scans the folders only when the answer may have changed: a request for a loaded model touches no disk. */
  const find = async (name: string): Promise<{ model: CatalogModel; variant: CatalogVariant | null }> => {
    const known = attemptResolve(catalog, name);
    if (known && isLoaded(known.model)) return known;
    await catalog.refresh();
    return catalog.resolve(name);
  };

  const info = (model: CatalogModel, expect = planning.expectations()): ModelInfo =>
    toModelInfo(model, {
      residents: manager.residents(),
      quarantineReason: deps.crashes.reasonFor,
      residentBytes: deps.residentBytes,
      calibrationOf: (id) => deps.calibrator?.resultOf(id) ?? null,
      choose: (of) => chooseVariant(of, undefined),
      expect,
    });

  const refuseWhenDraining = () => {
    if (draining) throw new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });
  };

  /** Counts a request as running until the returned function is called; refuses it when the server drains. */
  const enter = (): (() => void) => {
    refuseWhenDraining();
    running++;
    return () => {
      running--;
      if (running > 0) return;
      idle.resolve();
      idle = Promise.withResolvers<void>();
    };
  };

  /** `default` is the default model of the kind that is asked for: where the chat model cannot do it, the first that can. */
  const findFor = async (purpose: Purpose, name: string) => {
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

  /** An answer that comes whole instead of as a stream. */
  async function once<Result extends { promptTokens: number }>(
    purpose: Purpose,
    request: { model: string; keepAliveMs?: number },
    context: CallContext,
    ask: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result & { model: string }> {
    const leave = enter();
    const meter = meterRequest({ clock, metrics: deps.metrics });
    try {
      const { model, variant } = await findFor(purpose, request.model);
      meter.resolved(model.name);
      const { ref, settings } = planning.select(model, variant, {});
      assertPurpose(model.name, purposeOf(ref.facts), purpose);
      const signal = AbortSignal.any([context.signal, drained.signal]);
      const result = await askOnce({
        model: model.name,
        meter,
        signal,
        lease: () => manager.lease(ref, settings, signal, request.keepAliveMs),
        ask: (lease) => ask(lease, signal),
      });
      // Workers report the steps of a stream; here the answer tells.
      deps.metrics.evaluatedPromptTokens.inc({ model: model.name }, result.promptTokens);
      return result;
    } catch (error) {
      throw meter.failed(toAppError(error));
    } finally {
      leave();
    }
  }

  async function* answer(request: ChatRequest, context: CallContext): AsyncGenerator<StreamEvent> {
    const leave = enter();
    const signal = AbortSignal.any([context.signal, drained.signal]);
    const meter = meterRequest({ clock, metrics: deps.metrics });
    try {
      const { model, variant } = await find(request.model);
      meter.resolved(model.name);
      const { ref, settings } = planning.select(model, variant, {});
      assertPurpose(model.name, purposeOf(ref.facts), 'generate');
      let started = false;
      let answered = false;
      for (let attempt = 0; ; attempt++) {
        const lease = await manager.lease(ref, settings, signal, request.keepAliveMs);
        meter.leased(lease.waitedMs);
        try {
          for await (const event of lease.generate(toWorkerRequest(request, model.name), signal, meter.token)) {
            if (event.type === 'start') {
              // A retry starts again; the client has seen its start.
              if (started) continue;
              started = true;
              meter.started(event);
            } else {
              answered = true;
            }
            yield event.type === 'finish' ? meter.finished(event) : event;
          }
          return;
        } catch (error) {
          // Nothing but the start was seen: the client cannot tell a second try from a slow first one.
          if (toAppError(error).code === 'worker_crashed' && !answered && attempt === 0 && !signal.aborted) continue;
          throw error;
        }
      }
    } catch (error) {
      throw meter.failed(toAppError(error));
    } finally {
      meter.left();
      leave();
    }
  }

  return {
    async listModels() {
      await catalog.refresh();
      const expect = planning.expectations();
      return catalog.models().map((model) => info(model, expect));
    },
    async getModel(name) {
      return info((await find(name)).model);
    },
    async load(name, wish) {
      refuseWhenDraining();
      const { model, variant } = await find(name);
      await deps.gpu.choose(model.name, planning.gpuWish(wish));
      const { ref, settings } = planning.select(model, variant, wish);
      deps.crashes.forgive(ref.id);
      deps.gpu.forgive(ref.id);
      await manager.load(ref, settings);
      return info(model);
    },
    async plan(name, wish) {
      const { model, variant } = await find(name);
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
    stream: answer,
    embed: (request, context) =>
      once('embed', request, context, (lease, signal) =>
        lease.embed({ inputs: request.inputs, dimensions: request.dimensions ?? null }, signal),
      ),
    rank: (request, context) =>
      once('rank', request, context, (lease, signal) =>
        lease.rank({ query: request.query, documents: request.documents }, signal),
      ),
    memory: deps.memory,
    gpu: deps.gpu.status,
    async drain(deadlineMs) {
      draining = true;
      if (running === 0) return;
      const allEnded = idle.promise;
      const deadline = clock.after(deadlineMs, () => {
        drained.abort(
          new AppError('shutting_down', 'The server is shutting down and ended this answer.', { retryAfterSeconds: 5 }),
        );
      });
      await allEnded;
      deadline.cancel();
    },
    close: () => manager.close(),
  };
}

/** The catalogue's answer as of the last scan, or null when it has none. */
function attemptResolve(
  catalog: Catalog,
  name: string,
): { model: CatalogModel; variant: CatalogVariant | null } | null {
  try {
    return catalog.resolve(name);
  } catch {
    // Unknown so far: the caller scans and asks again.
    return null;
  }
}

/** What crosses to the worker of a request; `model`: the name that its `start` event carries. */
function toWorkerRequest(request: ChatRequest, model: string): WorkerRequest {
  return {
    model,
    input: request.input,
    sampling: request.sampling,
    format: request.format ?? { type: 'text' },
    topLogprobs: request.logprobs?.top ?? null,
    maxTokens: request.maxTokens ?? null,
    stop: request.stop,
    owner: request.owner ?? null,
    promptCache: request.promptCache ?? 'keep',
  };
}
