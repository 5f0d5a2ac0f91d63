import { AppError } from '../../src/core/errors.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import type { Planner } from '../../src/engine/memory/planner.ts';
import { createPlanning, type EngineDefaults } from '../../src/engine/planning/planning.ts';
import { createManager, type Manager } from '../../src/engine/residents/manager.ts';
import { createThreadArbiter } from '../../src/engine/threads/arbiter.ts';
import type { MemoryBudget } from '../../src/machine/memory-budget.ts';
import { createBus } from '../../src/observe/bus.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { recordEvents } from '../../src/observe/metric-events.ts';
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts';
import type { Catalog, CatalogModel } from '../../src/store/catalog/catalog.ts';
import { testCrashGuard } from './crash-guard.ts';
import { fakeGpu } from './fake-gpu.ts';
import { type FakeWorker, type FakeWorkerBehaviour, fakeWorker } from './fake-worker.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { anyPlan } from './plans.ts';

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
 * them is `default`.
 */
export function testEngine(
  models: CatalogModel[],
  behaviour: FakeWorkerBehaviour = {},
  defaults: Partial<EngineDefaults> = {},
  plan: Planner['plan'] = (_file, wished) =>
    anyPlan({ contextTokens: wished.contextTokens ?? 512, slots: wished.slots ?? 1, batchTokens: 512 }),
): TestEngine {
  const clock = manualClock();
  const metrics = createMetrics('test');
  const bus = createBus((error) => {
    throw error;
  });
  recordEvents(bus, metrics);
  const workers: FakeWorker[] = [];
  const crashes = testCrashGuard(clock);
  const gpu = fakeGpu();
  let scans = 0;
  const catalog: Catalog = {
    async refresh() {
      scans++;
    },
    models: () => models,
    resolve(name) {
      const found = name === 'default' ? models[0] : models.find((candidate) => candidate.name === name);
      if (!found) throw new AppError('model_not_found', name, { field: 'model' });
      return { model: found, variant: null };
    },
  };
  const manager = createManager({
    fork() {
      const worker = fakeWorker(behaviour);
      workers.push(worker);
      return worker;
    },
    gpu,
    plan,
    residentBytes: () => 77,
    vaultFor: () => null,
    observers: [],
    refusal: () => null,
    libuvThreads: 1,
    drafts: true,
    pressure: { observeStep: () => {}, forget: () => {} },
    arbiter: createThreadArbiter(2),
    crashes,
    clock,
    log: createLogger('silent'),
    metrics,
    maxQueue: 8,
    loadTimeoutMs: 60_000,
  });
  const budget = { totalBytes: 1000, availableBytes: 900, source: 'host' as const, limits: [] };
  const planner: Planner & { budget: MemoryBudget } = { plan, budget, snapshot: () => planner };
  const engine = createEngine({
    catalog,
    manager,
    crashes,
    gpu,
    planning: createPlanning({
      planner,
      gpu,
      residents: manager.residents,
      residentBytes: () => 77,
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
