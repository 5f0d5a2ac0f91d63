import { quantile } from './statistics.ts';

/** One streamed answer as its reader saw it. Times are milliseconds on one monotonic clock. */
export interface StreamTrace {
  /** When the request was sent. */
  startMs: number;
  /** Arrival of each token, or of each chunk with text where tokens cannot be told apart. */
  tokenTimesMs: number[];
  endMs: number;
  /** Counts as the server gives them; null when it does not. */
  promptTokens: number | null;
  cachedPromptTokens: number | null;
  completionTokens: number | null;
  /** The answer's text, where the bench looks at it. */
  text: string;
  /** Why there is no complete answer, or null. */
  failure: string | null;
}

/** From the request to its first token; null when there was none. */
export function firstTokenMs(trace: StreamTrace): number | null {
  const first = trace.tokenTimesMs[0];
  return first === undefined ? null : first - trace.startMs;
}

/** Times between neighbouring tokens. */
export function gapsMs(trace: StreamTrace): number[] {
  return trace.tokenTimesMs.slice(1).map((time, index) => time - trace.tokenTimesMs[index]!);
}

/** Times between neighbouring tokens, of those pairs that overlap the window. */
export function gapsWithin(trace: StreamTrace, window: { fromMs: number; toMs: number }): number[] {
  const times = trace.tokenTimesMs;
  const gaps: number[] = [];
  for (let index = 1; index < times.length; index++) {
    const before = times[index - 1]!;
    const after = times[index]!;
    if (after > window.fromMs && before < window.toMs) gaps.push(after - before);
  }
  return gaps;
}

/** Tokens behind each entry of `tokenTimesMs`: chunks may carry several, or hide some that gave no text. */
function tokensPerEntry(trace: StreamTrace): number {
  const entries = trace.tokenTimesMs.length;
  return trace.completionTokens === null || entries === 0 ? 1 : trace.completionTokens / entries;
}

/** Tokens per second of one stream after its first token; null with fewer than two. */
export function decodeRate(trace: StreamTrace): number | null {
  const times = trace.tokenTimesMs;
  const tookMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return tookMs <= 0 ? null : ((times.length - 1) * tokensPerEntry(trace) * 1000) / tookMs;
}

/**
 * Tokens per second of all streams together, from the very first token to the end. Streams that wait for a slot or
 * still evaluate their prompt take part: this is what a group of clients gets.
 */
export function sumRate(traces: readonly StreamTrace[]): number | null {
  const started = traces.filter((trace) => trace.tokenTimesMs.length > 0);
  if (started.length === 0) return null;
  const firstMs = Math.min(...started.map((trace) => trace.tokenTimesMs[0]!));
  const lastMs = Math.max(...started.map((trace) => trace.tokenTimesMs.at(-1)!));
  const tokens = started.reduce((sum, trace) => sum + (trace.tokenTimesMs.length - 1) * tokensPerEntry(trace), 0);
  return lastMs <= firstMs ? null : (tokens * 1000) / (lastMs - firstMs);
}

/**
 * Tokens per second of all streams together while every one of them decodes: from the moment the last one has its
 * first token until the first one ends. This is the pure decode speed; null when they never all decode at once.
 */
export function steadyRate(traces: readonly StreamTrace[]): number | null {
  if (traces.length === 0 || traces.some((trace) => trace.tokenTimesMs.length < 2)) return null;
  const fromMs = Math.max(...traces.map((trace) => trace.tokenTimesMs[0]!));
  const toMs = Math.min(...traces.map((trace) => trace.tokenTimesMs.at(-1)!));
  if (toMs <= fromMs) return null;
  const tokens = traces.reduce(
    (sum, trace) =>
      sum + trace.tokenTimesMs.filter((time) => time > fromMs && time <= toMs).length * tokensPerEntry(trace),
    0,
  );
  return (tokens * 1000) / (toMs - fromMs);
}

/** Prompt tokens per second, from the first request to the last first token; null when counts are unknown. */
export function prefillRate(traces: readonly StreamTrace[]): number | null {
  let tokens = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const trace of traces) {
    const first = trace.tokenTimesMs[0];
    if (first === undefined || trace.promptTokens === null) return null;
    tokens += trace.promptTokens - (trace.cachedPromptTokens ?? 0);
    lastMs = Math.max(lastMs, first);
  }
  const tookMs = lastMs - Math.min(...traces.map((trace) => trace.startMs));
  return traces.length === 0 || tookMs <= 0 ? null : (tokens * 1000) / tookMs;
}

/** The share `q` of all gaps of all streams lies below this many milliseconds. */
export function gapQuantile(traces: readonly StreamTrace[], q: number): number | null {
  return quantile(traces.flatMap(gapsMs), q);
}

/** The first failure among the traces, or null. */
export function failureOf(traces: readonly StreamTrace[]): string | null {
  return traces.find((trace) => trace.failure !== null)?.failure ?? null;
}
