import { basename } from 'node:path';
import type { Clock, Timer } from '../../core/clock.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import type { Operation } from '../../core/model.ts';
import type { Pace } from '../../core/quantization-advice.ts';
import type { WorkerMeasurement } from '../../ipc/protocol.ts';
import type { CpuReader } from '../../machine/cpu-reader.ts';
import type { Bus } from '../../observe/bus.ts';
import type { Logger } from '../../observe/logger.ts';
import type { CalibrationStore } from './calibration-store.ts';
import { type Calibration, type CalibrationKey, modelIdentity, runCalibration } from './run-calibration.ts';
import type { TunedShare } from './tuned-share.ts';

/** A model that is about to be loaded. */
export interface CalibratorLoad {
  id: string;
  /** Name for logs and metric labels. */
  model: string;
  filePath: string;
  /** Only what generates is measured. */
  purpose: Operation;
  /** The wish; what became of it is known when it is loaded. */
  gpu: string;
}

/** A model that was loaded. */
interface CalibratorWorker {
  /** What it computes on: `off` or a backend. */
  gpu: string;
  maxThreads: number;
  contextTokens: number;
  batchTokens: number;
  measure: (setting: WorkerMeasurement, signal: AbortSignal) => Promise<number | null>;
  tune: TunedShare['tune'];
  /** As of `ModelWorker`. */
  setCalibration: (found: Pick<Calibration, 'costOfTokens' | 'libuvThreads'>) => void;
}

/** Calibrates models in idle moments and says what is known of them. All ids are those of residents. */
export interface Calibrator {
  /** A load begins. What is known for it, or null; where a GPU may be used, pool and batch are the library's business. */
  begin(load: CalibratorLoad): Promise<Calibration | null>;
  /** It is loaded; its threads are set to what is known. */
  loaded(id: string, worker: CalibratorWorker): void;
  setBusy(id: string, busy: boolean): void;
  /** Its load failed, or its process is gone. */
  forget(id: string): void;
  /** What a loaded model runs with, or null. */
  resultOf(id: string): Calibration | null;
  /** Reads what was found of files before, whether they are loaded or not. Never rejects. */
  lookUp(files: readonly Omit<CalibratorLoad, 'model' | 'gpu'>[]): Promise<void>;
  /** How fast a file was on the processor, loaded now or looked up; null: it was not measured whole. */
  paceOf(id: string): Pace | null;
  close(): void;
}

/** All models have to be idle for as long before one is measured. */
const idleMs = 5_000;
/** Every attempt without a result doubles the wait for the next, up to this. */
const maxWaitMs = 10 * 60_000;

interface Candidate {
  load: CalibratorLoad;
  /** Null: not to be measured. */
  key: CalibrationKey | null;
  worker: CalibratorWorker | null;
  busy: boolean;
  calibration: Calibration | null;
  waitMs: number;
}

/** Ends a calibration; nobody sees it. */
const interrupted = new AppError('client_closed_request', 'The calibration was interrupted.');

/**
 * Decides when a model is calibrated: loaded on the CPU, not known yet, and every model idle for a while. Any request and
 * any load ends it at its next step, without a result.
 * `calm`: whether nobody else needs the cores. `tuneThreads`: false where the operator has set the number of threads.
 * `libuvChoices`: how many threads of its pool a worker can work with. `fileFacts`: of the model file; `onTuned`: the threads of a working model were changed.
 */
export function createCalibrator(deps: {
  store: CalibrationStore;
  newCpuReader: () => CpuReader;
  fileFacts: (path: string) => Promise<{ bytes: number; modifiedMs: number }>;
  machine: Omit<CalibrationKey, 'model'>;
  tuneThreads: boolean;
  libuvChoices: readonly number[];
  calm: () => boolean;
  onTuned: (id: string) => void;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn'>;
  bus: Pick<Bus, 'publish'>;
}): Calibrator {
  const { clock, log, bus } = deps;
  const models = new Map<string, Candidate>();
  /** What was looked up, by id. */
  const stored = new Map<string, Calibration>();
  /** Files whose worker died while it was measured: not once more. */
  const deadly = new Set<string>();
  let running: { id: string; abort: AbortController } | null = null;
  let timer: Timer | null = null;
  let closed = false;

  const quiet = () => [...models.values()].every(({ worker, busy }) => worker !== null && !busy);
  const next = () =>
    [...models.values()]
      .filter(({ key, calibration }) => key !== null && calibration === null && !deadly.has(key.model))
      .sort((a, b) => a.waitMs - b.waitMs)[0];

  /** Something began or ended: a measurement gives way, the idle time starts anew. */
  const onChange = () => {
    timer?.cancel();
    timer = null;
    if (closed || !quiet()) running?.abort.abort(interrupted);
    const candidate = next();
    if (closed || running || !quiet() || !candidate) return;
    timer = clock.after(candidate.waitMs, () => start(candidate));
  };

  const start = (candidate: Candidate) => {
    if (!deps.calm()) return onChange();
    const abort = new AbortController();
    running = { id: candidate.load.id, abort };
    void calibrate(candidate, abort.signal).then((result) => {
      running = null;
      bus.publish({ type: 'calibrated', model: candidate.load.model, result });
      candidate.waitMs = Math.min(maxWaitMs, candidate.waitMs * 2);
      onChange();
    });
  };

  /** Never rejects; returns the label of its result. */
  const calibrate = async (candidate: Candidate, signal: AbortSignal): Promise<string> => {
    const { load, key, worker } = candidate;
    const { model } = load;
    try {
      const found = await runCalibration({
        async measure(setting) {
          const ms = await worker!.measure(setting, signal);
          if (ms === null || signal.aborted) throw interrupted;
          return { ms };
        },
        cpu: deps.newCpuReader(),
        clock,
        cores: worker!.maxThreads,
        // One cell of a context stays free.
        batchTokens: Math.min(worker!.batchTokens, worker!.contextTokens - 1),
        libuvChoices: deps.libuvChoices,
      });
      if (!found) return 'disturbed';
      candidate.calibration = found;
      log.info({ model, ...found }, 'model calibrated');
      adopt(candidate);
      deps.onTuned(load.id);
      await deps.store.save(key!, found);
      return found.provisional ? 'provisional' : 'measured';
    } catch (thrown) {
      const error = toAppError(thrown);
      // A worker that was asked to end gives no reason.
      if (error.code === 'worker_crashed' && error.details?.['reason'] !== undefined) deadly.add(key!.model);
      else if (signal.aborted || thrown === interrupted) return 'interrupted';
      log.warn({ model, err: error.cause ?? error }, 'the calibration of a model failed');
      return 'failed';
    }
  };

  const adopt = ({ calibration, worker }: Candidate) => {
    if (!calibration || !worker) return;
    if (deps.tuneThreads) worker.tune(calibration);
    worker.setCalibration(calibration);
  };

  const keyOf = async (load: Pick<CalibratorLoad, 'filePath' | 'purpose'>): Promise<CalibrationKey | null> => {
    if (load.purpose !== 'generate') return null;
    try {
      const facts = await deps.fileFacts(load.filePath);
      return { ...deps.machine, model: modelIdentity({ name: basename(load.filePath), ...facts }) };
    } catch {
      // The load itself will say what is wrong with the file.
      return null;
    }
  };

  return {
    async begin(load) {
      const candidate: Candidate = { load, key: null, worker: null, busy: false, calibration: null, waitMs: idleMs };
      models.set(load.id, candidate);
      onChange();
      candidate.key = await keyOf(load);
      candidate.calibration = candidate.key && (await deps.store.load(candidate.key));
      return load.gpu === 'off' ? candidate.calibration : null;
    },
    loaded(id, worker) {
      const candidate = models.get(id);
      if (!candidate) return;
      candidate.worker = worker;
      if (worker.gpu !== 'off') {
        candidate.key = null;
        candidate.calibration = null;
      }
      if (candidate.calibration) {
        bus.publish({ type: 'calibrated', model: candidate.load.model, result: 'stored' });
        adopt(candidate);
      }
      onChange();
    },
    setBusy(id, busy) {
      const candidate = models.get(id);
      if (!candidate || candidate.busy === busy) return;
      candidate.busy = busy;
      onChange();
    },
    forget(id) {
      if (!models.delete(id)) return;
      if (running?.id === id) running.abort.abort(interrupted);
      onChange();
    },
    resultOf: (id) => models.get(id)?.calibration ?? null,
    async lookUp(files) {
      for (const file of files) {
        const key = await keyOf(file);
        const found = key && (await deps.store.load(key));
        if (found) stored.set(file.id, found);
        else stored.delete(file.id);
      }
    },
    paceOf(id) {
      const found = models.get(id)?.calibration ?? stored.get(id);
      return found ? paceOf(found) : null;
    },
    close() {
      closed = true;
      onChange();
    },
  };
}

/** Of one answer, and of prompts; null where there was no time for them. */
function paceOf(found: Calibration): Pace | null {
  const prompts = Object.values(found.prefillTokensPerSecond);
  return prompts.length === 0 ? null : { prompt: Math.max(...prompts), decode: decodeRateOf(found) };
}

/** Tokens per second of one answer, with the threads that were fastest. */
export function decodeRateOf({ decodeTokensPerSecond, decodeThreads }: Calibration): number {
  return decodeTokensPerSecond[decodeThreads] ?? Math.max(...Object.values(decodeTokensPerSecond));
}

/** Kernels are in a lower gear below 64 tokens a pass, and decoders stand beside a prompt's portion in the same call. */
const leastBatchTokens = 128;

/** The batch of a load: smaller than planned only where a larger one was measured and was not faster. */
export function calibratedBatch(plannedTokens: number, calibration: Calibration | null): number {
  if (!calibration) return plannedTokens;
  const largest = Math.max(0, ...Object.keys(calibration.prefillTokensPerSecond).map(Number));
  if (calibration.batchTokens >= largest) return plannedTokens;
  return Math.min(plannedTokens, Math.max(leastBatchTokens, calibration.batchTokens));
}
