import type { Clock } from '../../core/clock.ts';
import type { CpuReader } from '../../machine/cpu-reader.ts';
import { foreignWaitingShare } from '../threads/threads.ts';
import { type MeasuredSetting, measureInRounds, type Sample } from './rounds.ts';

export type { MeasuredSetting };

/** What one calibration is valid for. */
export interface CalibrationKey {
  /** Content hash of the model, or `modelIdentity` of its file. */
  model: string;
  /** As `os.cpus()` names it. */
  cpuModel: string;
  /** Usable cores, as of `usableCores`. */
  cores: number;
  engineVersion: string;
}

/** The settings that were fastest, and what was measured on the way. */
export interface Calibration {
  decodeThreads: number;
  prefillThreads: number;
  libuvThreads: number;
  /** Tokens in one call at most, when nobody decodes beside it. */
  batchTokens: number;
  /** By thread count, one stream; only what was measured. */
  decodeTokensPerSecond: Record<number, number>;
  /** By tokens per call, with `prefillThreads`; only what was measured. */
  prefillTokensPerSecond: Record<number, number>;
  /**
   * Time of a step with k tokens of one sequence against a step with one, at index k - 1: never under 1, never
   * falling; between measured counts a straight line. As long as the largest measured k.
   */
  costOfTokens: number[];
  /** ISO date. */
  measuredAt: string;
  /**
   * More threads collapsed, and the kernel does not tell whether others caused it. Good for now, not to be stored.
   */
  provisional: boolean;
}

export interface CalibrationDeps {
  /** Runs one step on a loaded, otherwise idle model. `ms`: what the step alone took. */
  measure: (setting: MeasuredSetting) => Promise<{ ms: number }>;
  /** Tells whether others use the processors meanwhile. For this run alone: it is read around every step. */
  cpu: CpuReader;
  clock: Pick<Clock, 'monotonicMs' | 'now'>;
  /** Usable cores: the most threads that are tried. */
  cores: number;
  /** Tokens that a call of this context can hold; larger chunks are not tried. */
  batchTokens: number;
  /** Default: three seconds. */
  budgetMs?: number;
  /** Pool sizes that `measure` can switch between. Default: only `defaultLibuvThreads`; a single one is not measured. */
  libuvChoices?: readonly number[];
}

/** More threads, or a larger batch, must be faster by more than this: they cost others cores, and memory. */
const margin = 0.05;
const prefillChunks = [16, 64, 128, 256, 512];
/** Below this the kernels are in a lower gear. Source: worker/README.md. */
const gearTokens = 64;
const severalTokens = [2, 4, 8, 16];

/**
 * Finds thread counts and batch size by a few steps of each setting, the medians of which are compared.
 * No step is begun once the budget is spent, or that would outlast it by what is known; so it ends at most one step
 * late. What there was no time for keeps its default: all cores, the whole batch.
 * Returns null when not a single step could be measured, or when others, another model of ours among them, used the
 * processors meanwhile: one busy neighbour makes every count but one collapse. Rejects only when `measure` does.
 */
export async function runCalibration(deps: CalibrationDeps): Promise<Calibration | null> {
  const { cores, clock } = deps;
  const startedMs = clock.monotonicMs();
  const budgetMs = deps.budgetMs ?? 3_000;
  const endMs = startedMs + budgetMs;
  const libuvChoices = [...(deps.libuvChoices ?? [defaultLibuvThreads(cores)])].sort((a, b) => a - b);
  const firstLibuv = libuvChoices[0]!;
  const others = watchOthers(deps);
  /** `share` of the budget: repetitions end there. */
  const rounds = (settings: MeasuredSetting[], like: Sample | null, share: number) => {
    const repeatUntilMs = startedMs + budgetMs * share;
    return measureInRounds({ measure: others.measure, clock, settings, like, repeatUntilMs, endMs });
  };
  const setting = (phase: MeasuredSetting['phase'], tokens: number, threads: number, libuvThreads: number) => ({
    phase,
    tokens,
    threads,
    libuvThreads,
  });

  // 1. Nothing is kept of the first step: it wakes the cores and fetches pages. With one thread, the only count that
  //    cannot collapse.
  await deps.measure(setting('decode', 1, 1, firstLibuv));

  // 2. Threads of a decode step. The one thread comes first and bounds what a sound step of more can take.
  const counts = threadCounts(cores);
  const byThreads = counts.map((threads) => setting('decode', 1, threads, firstLibuv));
  const decoded = await rounds(byThreads, null, 0.4);
  if (decoded.length === 0) return null;
  // A single count, the one, is no comparison.
  const decodeThreads = decoded.length < 2 ? cores : fastest(decoded).setting.threads;
  const single = decoded.find((sample) => sample.setting.threads === decodeThreads) ?? decoded[0]!;

  // 3. The pool, where there is a choice.
  const byPool = libuvChoices.map((libuvThreads) => setting('decode', 1, decodeThreads, libuvThreads));
  const pools = byPool.length < 2 ? [] : await rounds(byPool, single, 0.5);
  const libuvThreads = pools.length === 0 ? firstLibuv : fastest(pools).setting.libuvThreads;

  // 4. Several tokens of one sequence in a step. One is measured again: noise that lasts then hits both sides.
  const byTokens = [1, ...severalTokens].map((tokens) => setting('decode', tokens, decodeThreads, libuvThreads));
  const several = await rounds(byTokens, single, 0.65);
  const nearest = several.at(-1) ?? single;

  // 5. Threads of a prefill step: it computes more per barrier, so it may use more threads, never fewer. A count
  //    that has collapsed above is not given a second chance to cost seconds.
  const chunk = Math.min(gearTokens, deps.batchTokens);
  const sound = decoded.filter(({ setting: { threads }, ms }) => threads >= decodeThreads && ms < single.ms * 2);
  const byPrefillThreads = sound.map(({ setting: { threads } }) => setting('prefill', chunk, threads, libuvThreads));
  const prefilled = sound.length < 2 ? [] : await rounds(byPrefillThreads, nearest, 0.75);
  const prefillThreads = prefilled.length === 0 ? decodeThreads : fastest(prefilled).setting.threads;

  // 6. Tokens of a prefill step; last, because the large ones take what is left.
  const chunks = prefillChunks.filter((tokens) => tokens <= deps.batchTokens);
  const byChunk = chunks.map((tokens) => setting('prefill', tokens, prefillThreads, libuvThreads));
  const chunked = await rounds(byChunk, nearest, 1);
  const inGear = chunked.filter((sample) => sample.setting.tokens >= gearTokens);
  const batchTokens = inGear.length < 2 ? deps.batchTokens : fastest(inGear).setting.tokens;

  // 7. Was anybody else there?
  const waitingShare = others.waitingShare();
  if (waitingShare !== null && waitingShare >= foreignWaitingShare) return null;
  const slowestMs = Math.max(...decoded.map(({ ms }) => ms));

  return {
    decodeThreads,
    prefillThreads,
    libuvThreads,
    batchTokens,
    decodeTokensPerSecond: Object.fromEntries(decoded.map((sample) => [sample.setting.threads, rate(sample)])),
    prefillTokensPerSecond: Object.fromEntries(chunked.map((sample) => [sample.setting.tokens, rate(sample)])),
    costOfTokens: costs(several),
    measuredAt: clock.now().toISOString(),
    provisional: waitingShare === null && slowestMs > decoded[0]!.ms * 2,
  };
}

/**
 * Adds up what waited for a processor during steps on several threads. A step on one thread leaves room for a
 * neighbour, so it tells nothing, and once several threads have lost, nearly all steps run on one.
 */
function watchOthers({ measure, cpu, clock, cores }: CalibrationDeps) {
  let watchedMs = 0;
  let waitedMs: number | null = 0;
  return {
    async measure(setting: MeasuredSetting): Promise<{ ms: number }> {
      if (setting.threads === 1 && cores > 1) return await measure(setting);
      cpu.read();
      const beganMs = clock.monotonicMs();
      const result = await measure(setting);
      const elapsedMs = clock.monotonicMs() - beganMs;
      const { waitingShare } = cpu.read();
      watchedMs += elapsedMs;
      waitedMs = waitingShare === null || waitedMs === null ? null : waitedMs + waitingShare * elapsedMs;
      return result;
    },
    /** From 0 to 1; null: the kernel does not tell. */
    waitingShare: () => (waitedMs === null ? null : waitedMs / Math.max(1, watchedMs)),
  };
}

/** Stands in for the content hash of a model file that has not been hashed. */
export function modelIdentity(file: { name: string; bytes: number; modifiedMs: number }): string {
  return `${file.name}:${file.bytes}:${Math.round(file.modifiedMs)}`;
}

const libuvSizes = [1, 2, 4];

/**
 * Threads of libuv's pool, in which decode calls and samplers run, until it was measured. On two cores one was 17 to
 * 28 % faster than four; on more cores about half of them, at most four, lets several samplers run beside each other.
 */
export function defaultLibuvThreads(cores: number): number {
  return libuvSizes.findLast((threads) => threads * 2 <= cores) ?? 1;
}

/** What a calibration compares: no more than there are cores. `canPark`: whether a worker can do with fewer than all. */
export function libuvChoices(cores: number, canPark: boolean): number[] {
  return canPark ? libuvSizes.filter((threads) => threads <= cores) : [defaultLibuvThreads(cores)];
}

/** Powers of two below `cores`, and `cores`. */
function threadCounts(cores: number): number[] {
  const counts: number[] = [];
  for (let threads = 1; threads < cores; threads *= 2) counts.push(threads);
  return [...counts, cores];
}

/** The first, and so the cheapest, that comes within the margin of the best. Not for an empty list. */
function fastest(samples: readonly Sample[]): Sample {
  const perToken = ({ setting, ms }: Sample) => ms / setting.tokens;
  const best = Math.min(...samples.map(perToken));
  return samples.find((sample) => perToken(sample) * (1 - margin) <= best)!;
}

/** Tokens per second. */
function rate({ setting, ms }: Sample): number {
  return Math.round((setting.tokens * 1_000_000) / ms) / 1_000;
}

/** `several`: in ascending order of tokens. */
function costs(several: readonly Sample[]): number[] {
  const curve = [1];
  const one = several[0];
  // Without the one there is nothing that the others could be compared with.
  if (one?.setting.tokens !== 1) return curve;
  for (const { setting, ms } of several.slice(1)) {
    const from = curve.length;
    const low = curve[from - 1]!;
    // Noise may measure a larger step as the faster one; nothing may be planned on that.
    const high = Math.max(low, ms / one.ms);
    for (let tokens = from + 1; tokens <= setting.tokens; tokens++) {
      const cost = low + ((high - low) * (tokens - from)) / (setting.tokens - from);
      curve.push(Math.round(cost * 1_000) / 1_000);
    }
  }
  return curve;
}
