import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Upper bounds in seconds that fit tiny models and weak cores alike. */
const latencyBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** The seed's buckets (1, 3, 5) within a range that real models need. */
const inferenceBuckets = [0.1, 0.3, 1, 3, 5, 10, 30, 60, 120, 300, 600];
const interTokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 5];

/** What one resident model shows at scrape time; every field is a reading, nothing is computed or woken for it. */
interface ModelGauges {
  model: string;
  state: string;
  residentBytes: number | null;
  /** Video memory as planned. */
  gpuBytes: number;
  slots: number;
  busySlots: number;
  queueDepth: number;
}

/** Read at scrape time by the gauges that mirror state owned elsewhere. */
export interface GaugeSources {
  models(): ModelGauges[];
  memoryBudgetBytes(): number;
  memoryAvailableBytes(): number;
  memoryPressureLevel(): number;
  memoryUsedBytes(): number;
  gpus(): { name: string; backend: string; totalBytes: number; freeBytes: number }[];
  activeConnections(): number;
  activePulls(): number;
  /** Circuits of providers of which anything is known. */
  circuits(): { provider: string; model: string; state: 'closed' | 'half_open' | 'open' }[];
  /** The budgets of all requests together, in USD, and what is left of them; those that are not set are left out. */
  budgets(): Promise<{ period: 'day' | 'week' | 'month'; limitUsd: number; remainingUsd: number }[]>;
  /** The disks under the server's folders, in bytes; a folder that cannot be asked is left out. */
  disks(): Promise<{ folder: 'models' | 'data'; freeBytes: number; totalBytes: number }[]>;
  /** Items of batches that have no result yet. */
  jobItems(): Promise<{ pending: number; running: number }>;
  /** Why none of them is begun in this process; null: nothing is in the way. */
  jobPause(): JobPause | null;
}

/** Why no items of batches are begun. */
const jobPauses = ['max_slots', 'window', 'memory', 'temperature', 'battery', 'ups'] as const;
type JobPause = (typeof jobPauses)[number];

const circuitStates = { closed: 0, half_open: 1, open: 2 } as const;

/**
 * Every metric of the server, in one list, on one registry. Names follow Prometheus rules: base units, `_total` for
 * counters; `model_inference_seconds` and `active_connections` keep the names that dashboards of the seed
 * specification use, all others start with `hearth_`.
 * This is the only file that imports prom-client.
 */
export function createMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  let sources: GaugeSources | null = null;
  registerStateGauges(registers, () => sources);
  registerModelGauges(registers, () => sources?.models() ?? []);
  registerCloudGauges(registers, () => sources);
  registerJobGauges(registers, () => sources);
  registerProcessGauges(registers);
  new Gauge({
    name: 'hearth_build_info',
    help: 'Always 1; the label tells the version',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  return {
    ...requestMetrics(registers),
    ...engineMetrics(registers),
    /** Connects the gauges to the state they mirror; called once by the composition root. */
    observe(gaugeSources: GaugeSources): void {
      sources = gaugeSources;
    },
    /** The registry in Prometheus text format. */
    render: (): Promise<string> => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** What clients ask for: requests, connections, pulls. */
function requestMetrics(registers: Registry[]) {
  return {
    inferenceSeconds: new Histogram({
      name: 'model_inference_seconds',
      help: 'Time from a request being handed to a slot to its last token',
      labelNames: ['model'],
      buckets: inferenceBuckets,
      registers,
    }),
    httpRequests: new Counter({
      name: 'hearth_http_requests_total',
      help: 'HTTP requests by route pattern and status',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    httpSeconds: new Histogram({
      name: 'hearth_http_request_seconds',
      help: 'Time from the arrival of a request to the end of its response',
      labelNames: ['route'],
      buckets: latencyBuckets,
      registers,
    }),
    rejected: new Counter({
      name: 'hearth_rejected_total',
      help: 'Requests refused with an error, by error code',
      labelNames: ['reason'],
      registers,
    }),
    pulledBytes: new Counter({
      name: 'hearth_pull_bytes_total',
      help: 'Bytes that came from the hub, those fetched again included',
      registers,
    }),
    pulls: new Counter({
      name: 'hearth_pulls_total',
      help: 'Ended pulls by result: done, cancelled or an error code',
      labelNames: ['result'],
      registers,
    }),
    websocketMessages: new Counter({
      name: 'hearth_websocket_messages_total',
      help: 'WebSocket messages by direction',
      labelNames: ['direction'],
      registers,
    }),
    firstTokenSeconds: new Histogram({
      name: 'hearth_time_to_first_token_seconds',
      help: 'Time from the arrival of a request to the first content of its answer, queue and load included',
      labelNames: ['model'],
      buckets: latencyBuckets,
      registers,
    }),
    interTokenSeconds: new Histogram({
      name: 'hearth_inter_token_seconds',
      help: 'Time between two generated tokens of one request, by the ends of the steps that made them',
      labelNames: ['model'],
      buckets: interTokenBuckets,
      registers,
    }),
    promptTokens: new Counter({
      name: 'hearth_prompt_tokens_total',
      help: 'Prompt tokens of accepted requests, cached ones included',
      labelNames: ['model'],
      registers,
    }),
    cachedPromptTokens: new Counter({
      name: 'hearth_prompt_tokens_cached_total',
      help: 'Prompt tokens that were reused and not computed again',
      labelNames: ['model'],
      registers,
    }),
    evaluatedPromptTokens: new Counter({
      name: 'hearth_prompt_tokens_evaluated_total',
      help: 'Prompt tokens that were computed; what several requests share counts once',
      labelNames: ['model'],
      registers,
    }),
    generatedTokens: new Counter({
      name: 'hearth_generated_tokens_total',
      help: 'Generated tokens',
      labelNames: ['model'],
      registers,
    }),
    requests: new Counter({
      name: 'hearth_requests_total',
      help: 'Generation requests by model and outcome: stop, length, tool_calls, cancelled or an error code',
      labelNames: ['model', 'outcome'],
      registers,
    }),
    costUsd: new Counter({
      name: 'hearth_cost_usd_total',
      help: 'US dollars that providers of the cloud have cost, as far as prices are known',
      labelNames: ['provider', 'model'],
      registers,
    }),
    queueWaitSeconds: new Histogram({
      name: 'hearth_queue_wait_seconds',
      help: 'Time that a request waited for a slot',
      labelNames: ['model'],
      buckets: latencyBuckets,
      registers,
    }),
  };
}

/** What the models of this machine do. */
function engineMetrics(registers: Registry[]) {
  return {
    loadSeconds: new Histogram({
      name: 'hearth_model_load_seconds',
      help: 'Time to start a worker and load a model',
      labelNames: ['model'],
      buckets: latencyBuckets,
      registers,
    }),
    loads: new Counter({
      name: 'hearth_model_loads_total',
      help: 'Model loads by result: loaded or an error code',
      labelNames: ['model', 'result'],
      registers,
    }),
    unloads: new Counter({
      name: 'hearth_model_unloads_total',
      help: 'Model unloads by reason: request, idle, room, pressure, shutdown, crash',
      labelNames: ['model', 'reason'],
      registers,
    }),
    workerRestarts: new Counter({
      name: 'hearth_worker_restarts_total',
      help: 'Workers that ended without being asked to, by reason: crash, killed, hung',
      labelNames: ['model', 'reason'],
      registers,
    }),
    calibrations: new Counter({
      name: 'hearth_engine_calibrations_total',
      help: 'Calibrations by result: measured, stored (known already), provisional, disturbed, interrupted, failed',
      labelNames: ['model', 'result'],
      registers,
    }),
    memoryEstimateError: new Gauge({
      name: 'hearth_memory_estimate_error_ratio',
      help: 'Memory that the last load of the model was expected to take, by what it took, minus 1',
      labelNames: ['model'],
      registers,
    }),
    steps: new Counter({
      name: 'hearth_engine_steps_total',
      help: 'Steps of the batch loop (one decode call each)',
      labelNames: ['model'],
      registers,
    }),
    decisions: new Counter({
      name: 'hearth_decisions_total',
      help: 'Closed questions by result: decided, or refused (the model did not answer by the options)',
      labelNames: ['model', 'result'],
      registers,
    }),
    jobItems: new Counter({
      name: 'hearth_jobs_items_total',
      help: 'Items of batches by outcome: succeeded, errored, or put-back (it waits again)',
      labelNames: ['outcome'],
      registers,
    }),
    jobItemSeconds: new Histogram({
      name: 'hearth_jobs_item_seconds',
      help: 'Time that an item of a batch was under way',
      labelNames: ['outcome'],
      buckets: inferenceBuckets,
      registers,
    }),
    jobWebhooks: new Counter({
      name: 'hearth_jobs_webhooks_total',
      help: 'Webhooks of batches by outcome: delivered, failed (sent again), or given-up',
      labelNames: ['outcome'],
      registers,
    }),
    prefixes: new Counter({
      name: 'hearth_prefix_hits_total',
      help: 'Requests by where the beginning of their prompt came from: slot, ram (another slot), disk, or none',
      labelNames: ['model', 'tier'],
      registers,
    }),
    draftTokens: new Counter({
      name: 'hearth_engine_draft_tokens_total',
      help: 'Tokens guessed ahead by result: accepted (confirmed by the model and used) or rejected',
      labelNames: ['model', 'result'],
      registers,
    }),
    stepSequences: new Histogram({
      name: 'hearth_engine_step_sequences',
      help: 'Sequences that one step advanced',
      labelNames: ['model'],
      buckets: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
      registers,
    }),
  };
}

/** What the server has and holds at the moment. `sources`: null before they are connected. */
function registerStateGauges(registers: Registry[], sources: () => GaugeSources | null): void {
  new Gauge({
    name: 'active_connections',
    help: 'Open HTTP and WebSocket connections',
    registers,
    collect() {
      this.set(sources()?.activeConnections() ?? 0);
    },
  });
  new Gauge({
    name: 'hearth_pulls_active',
    help: 'Pulls that run or wait',
    registers,
    collect() {
      this.set(sources()?.activePulls() ?? 0);
    },
  });
  new Gauge({
    name: 'hearth_memory_budget_bytes',
    help: 'Bytes that the server and its models may use in all',
    registers,
    collect() {
      this.set(sources()?.memoryBudgetBytes() ?? 0);
    },
  });
  new Gauge({
    name: 'hearth_memory_available_bytes',
    help: 'Bytes of the budget that are free for new loads now',
    registers,
    collect() {
      this.set(sources()?.memoryAvailableBytes() ?? 0);
    },
  });
  new Gauge({
    name: 'hearth_memory_pressure_level',
    help: 'How short memory is: 0 not, 1 nothing new is loaded, 2 idle models are ended too, 3 requests are refused too',
    registers,
    collect() {
      this.set(sources()?.memoryPressureLevel() ?? 0);
    },
  });
  new Gauge({
    name: 'hearth_memory_used_bytes',
    help: 'Physical memory of the server and its workers',
    registers,
    collect() {
      this.set(sources()?.memoryUsedBytes() ?? 0);
    },
  });
  const gpuGauge = (name: string, help: string, read: 'totalBytes' | 'freeBytes') =>
    new Gauge({
      name,
      help,
      labelNames: ['gpu', 'name', 'backend'],
      registers,
      collect() {
        this.reset();
        // Two cards of one kind have one name.
        for (const [index, gpu] of (sources()?.gpus() ?? []).entries()) {
          this.set({ gpu: String(index), name: gpu.name, backend: gpu.backend }, gpu[read]);
        }
      },
    });
  gpuGauge('hearth_gpu_memory_bytes', 'Video memory of a GPU that was found', 'totalBytes');
  gpuGauge(
    'hearth_gpu_memory_free_bytes',
    'Free video memory, as measured last and less what was planned since',
    'freeBytes',
  );
  const diskGauge = (name: string, help: string, read: 'freeBytes' | 'totalBytes') =>
    new Gauge({
      name,
      help,
      labelNames: ['folder'],
      registers,
      async collect() {
        this.reset();
        for (const disk of (await sources()?.disks()) ?? []) this.set({ folder: disk.folder }, disk[read]);
      },
    });
  diskGauge('hearth_disk_free_bytes', 'Bytes that are free where the models or the data lie', 'freeBytes');
  diskGauge('hearth_disk_bytes', 'Bytes of the disk where the models or the data lie', 'totalBytes');
}

/** Providers of the cloud, and what may still be spent. `sources`: null before they are connected. */
function registerCloudGauges(registers: Registry[], sources: () => GaugeSources | null): void {
  new Gauge({
    name: 'hearth_circuit_state',
    help: 'Whether a model of a provider is asked: 0 it is, 1 one request tries, 2 it rests after failures',
    labelNames: ['provider', 'model'],
    registers,
    collect() {
      this.reset();
      for (const { provider, model, state } of sources()?.circuits() ?? []) {
        this.set({ provider, model }, circuitStates[state]);
      }
    },
  });
  const budgetGauge = (name: string, help: string, read: 'limitUsd' | 'remainingUsd') =>
    new Gauge({
      name,
      help,
      labelNames: ['period'],
      registers,
      async collect() {
        this.reset();
        for (const budget of (await sources()?.budgets()) ?? []) this.set({ period: budget.period }, budget[read]);
      },
    });
  budgetGauge('hearth_budget_usd', 'US dollars that may be spent in a day, week or month', 'limitUsd');
  budgetGauge(
    'hearth_budget_remaining_usd',
    'US dollars that may still be spent in the day, week or month that runs, reservations taken off',
    'remainingUsd',
  );
}

/** Items of batches that have no result yet, in the database. */
function registerJobGauges(registers: Registry[], sources: () => GaugeSources | null): void {
  new Gauge({
    name: 'hearth_jobs_items',
    help: 'Items of batches without a result: pending, or running',
    labelNames: ['state'],
    registers,
    async collect() {
      const { pending, running } = (await sources()?.jobItems()) ?? { pending: 0, running: 0 };
      this.set({ state: 'pending' }, pending);
      this.set({ state: 'running' }, running);
    },
  });
  new Gauge({
    name: 'hearth_jobs_paused',
    help: 'Whether no items of batches are begun, by the reason: max_slots, window, memory, temperature, battery or ups',
    labelNames: ['reason'],
    registers,
    collect() {
      const pause = sources()?.jobPause() ?? null;
      for (const reason of jobPauses) this.set({ reason }, reason === pause ? 1 : 0);
    },
  });
}

/** What each resident model has and holds at the moment. */
function registerModelGauges(registers: Registry[], models: () => ModelGauges[]): void {
  const modelGauge = (name: string, help: string, read: (model: ModelGauges) => number | null) =>
    new Gauge({
      name,
      help,
      labelNames: ['model'],
      registers,
      collect() {
        this.reset();
        for (const model of models()) {
          const value = read(model);
          if (value !== null) this.set({ model: model.model }, value);
        }
      },
    });
  modelGauge('hearth_model_resident_bytes', 'Physical memory of the worker of a loaded model', (m) => m.residentBytes);
  modelGauge('hearth_model_gpu_bytes', 'Video memory that was planned for a loaded model', (m) => m.gpuBytes);
  modelGauge('hearth_model_slots', 'Slots of a loaded model', (m) => m.slots);
  modelGauge('hearth_model_slots_busy', 'Slots in use', (m) => m.busySlots);
  modelGauge('hearth_queue_depth', 'Requests that wait for a slot', (m) => m.queueDepth);
  new Gauge({
    name: 'hearth_model_state',
    help: '1 for the state that the model is in',
    labelNames: ['model', 'state'],
    registers,
    collect() {
      this.reset();
      for (const model of models()) this.set({ model: model.model, state: model.state }, 1);
    },
  });
}

export type Metrics = ReturnType<typeof createMetrics>;

/** Each probe wakes the processor, also when nobody asks for anything; a delay that is worth knowing is longer. */
const lagProbeMs = 500;

/**
 * The server process itself. prom-client's default metrics are not used: three of its gauges are named `_total`,
 * which `promtool check metrics` refuses.
 */
function registerProcessGauges(registers: Registry[]): void {
  const startedAtSeconds = Date.now() / 1000 - process.uptime();
  const lag = monitorEventLoopDelay({ resolution: lagProbeMs });
  lag.enable();
  new Gauge({
    name: 'hearth_process_resident_bytes',
    help: 'Physical memory of the server process, without its workers',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'hearth_process_start_time_seconds',
    help: 'Start of the server process, seconds since the epoch',
    registers,
  }).set(startedAtSeconds);
  let lastCpuSeconds = 0;
  new Counter({
    name: 'hearth_process_cpu_seconds_total',
    help: 'CPU time of the server process',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      const cpuSeconds = (user + system) / 1e6;
      this.inc(Math.max(0, cpuSeconds - lastCpuSeconds));
      lastCpuSeconds = cpuSeconds;
    },
  });
  new Gauge({
    name: 'hearth_event_loop_delay_seconds',
    help: 'Largest delay of the event loop since the last scrape, probed twice a second',
    registers,
    collect() {
      // What is recorded is the time between two probes.
      this.set(Math.max(0, lag.max / 1e6 - lagProbeMs) / 1000);
      lag.reset();
    },
  });
}
