import { AppError } from '../../src/core/errors.ts';
import type { Preset } from '../../src/core/preset.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import type { Planner } from '../../src/engine/memory/planner.ts';
import { createPlanning, type EngineDefaults } from '../../src/engine/planning/planning.ts';
import { createLauncher } from '../../src/engine/residents/launcher.ts';
import { createLoadFailures } from '../../src/engine/residents/load-failures.ts';
import { createManager, type Manager } from '../../src/engine/residents/manager.ts';
import { createThreadArbiter } from '../../src/engine/threads/arbiter.ts';
import type { MemoryBudget } from '../../src/machine/memory-budget.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { Metrics } from '../../src/observe/metrics.ts';
import type { Catalog, CatalogModel } from '../../src/store/catalog/catalog.ts';
import { testCrashGuard } from './crash-guard.ts';
import { fakeGpu } from './fake-gpu.ts';
import { type FakeWorker, type FakeWorkerBehaviour, fakeWorker } from './fake-worker.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { anyPlan } from './plans.ts';
import { testBus } from './test-bus.ts';

export interface TestEngine {
  engine: Engine;
  manager: Manager;
  clock: ManualClock;
  metrics: Metrics;
  /** Every worker that was started, in order. */
  workers: FakeWorker[];
  /** How often the catalogue was scanned. */
  scans(): number;
}

/**
 * The real engine and manager over fake workers, unlimited memory and a catalogue of the given models; the first of
 * them is `default`. `presets`: names that were made for the first of them, with what they add.
 */
export function testEngine(
  models: CatalogModel[],
  behaviour: FakeWorkerBehaviour = {},
  defaults: Partial<EngineDefaults> = {},
  plan: Planner['plan'] = (_file, wished) =>
    anyPlan({ contextTokens: wished.contextTokens ?? 512, slots: wished.slots ?? 1, batchTokens: 512 }),
  presets: Readonly<Record<string, Preset>> = {},
): TestEngine {
  const clock = manualClock();
  const { bus, metrics } = testBus();
  const log = createLogger('silent');
  const workers: FakeWorker[] = [];
  const crashes = testCrashGuard(clock);
  const failures = createLoadFailures(() => null);
  const gpu = fakeGpu();
  let scans = 0;
  const catalog: Catalog = {
    async refresh() {
      scans++;
    },
    models: () => models,
    leftOut: () => [],
    find(name) {
      const made = presets[name];
      if (made) return { model: models[0]!, variant: null, preset: made };
      for (const model of models) {
        const variant = model.variants.find(({ id }) => id === name);
        if (variant) return { model, variant };
      }
      const found = name === 'default' ? models[0] : models.find((candidate) => candidate.name === name);
      return found === undefined ? null : { model: found, variant: null };
    },
    resolve(name) {
      const found = catalog.find(name);
      if (!found) throw new AppError('model_not_found', name, { field: 'model' });
      return found;
    },
  };
  const manager = createManager({
    launcher: createLauncher({
      fork() {
        const worker = fakeWorker(behaviour);
        workers.push(worker);
        return worker;
      },
      arbiter: createThreadArbiter(2),
      contention: { observeStep: () => {}, forget: () => {} },
      libuvThreads: 1,
      vaultFor: () => null,
      drafts: true,
      loadTimeoutMs: 60_000,
      clock,
      log,
      bus,
    }),
    gpu,
    memory: { plan, residentBytes: () => 77, measure: () => null, refusal: () => null },
    crashes,
    failures,
    maxQueue: 8,
    clock,
    log,
    bus,
  });
  const budget = { totalBytes: 1000, availableBytes: 900, reserveBytes: 0, source: 'host' as const, limits: [] };
  const planner: Planner & { budget: MemoryBudget } = { plan, budget, snapshot: () => planner };
  const engine = createEngine({
    catalog,
    manager,
    crashes,
    failures,
    gpu,
    planning: createPlanning({
      planner,
      gpu,
      residents: manager.residents,
      residentBytes: () => 77,
      speed: { faster: () => null, about: () => null, gainOfBuilt: () => null },
      defaults: {
        contextTokens: null,
        parallel: null,
        keepAliveMs: 60_000,
        keepAliveMsOf: {},
        pinned: [],
        gpu: 'off',
        ...defaults,
      },
    }),
    clock,
    bus,
    refusal: () => null,
    memory: () => ({ budgetBytes: 1000, availableBytes: 900, reserveBytes: 0, source: 'host', usedBytes: 100 }),
    residentBytes: () => 77,
  });
  return { engine, manager, clock, metrics, workers, scans: () => scans };
}
