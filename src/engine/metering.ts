import type { Clock } from '../core/clock.ts';
import type { AppError } from '../core/errors.ts';
import type { StreamEvent } from '../core/events.ts';
import type { Metrics } from '../observe/metrics.ts';

type Start = Extract<StreamEvent, { type: 'start' }>;
type Finish = Extract<StreamEvent, { type: 'finish' }>;

/** Follows one request from its arrival at the engine to its end and books what it sees. */
export interface RequestMeter {
  /** The name is known: from here on everything is booked under it. */
  resolved(model: string): void;
  leased(waitedMs: number): void;
  started(event: Start): void;
  /** One token was generated, in a step that ended then by the clock of the worker, of which only differences count. */
  token(stepEndedMs: number): void;
  /** Books the end; returns the event with the waiting time filled in. */
  finished(event: Finish): Finish;
  /** Books the failure and returns it. */
  failed(error: AppError): AppError;
  /** The consumer turned away; books a cancel if nothing else ended the request. */
  left(): void;
}

export function meterRequest(deps: { clock: Clock; metrics: Metrics }): RequestMeter {
  const { clock, metrics } = deps;
  const arrivedMs = clock.monotonicMs();
  let model = 'unknown';
  let leasedMs: number | null = null;
  let isFirst = true;
  let lastStepEndedMs: number | null = null;
  let ended = false;

  const end = (outcome: string) => {
    if (ended) return;
    ended = true;
    metrics.requests.inc({ model, outcome });
    if (leasedMs !== null) metrics.inferenceSeconds.observe({ model }, (clock.monotonicMs() - leasedMs) / 1000);
  };

  return {
    resolved(name) {
      model = name;
    },
    leased(waitedMs) {
      leasedMs = clock.monotonicMs();
      // A second try runs in another worker, which has its own clock.
      lastStepEndedMs = null;
      metrics.queueWaitSeconds.observe({ model }, waitedMs / 1000);
    },
    started(event) {
      if (event.promptTokens !== null) metrics.promptTokens.inc({ model }, event.promptTokens);
      if (event.cachedPromptTokens !== null) metrics.cachedPromptTokens.inc({ model }, event.cachedPromptTokens);
    },
    token(stepEndedMs) {
      if (isFirst) metrics.firstTokenSeconds.observe({ model }, (clock.monotonicMs() - arrivedMs) / 1000);
      else if (lastStepEndedMs !== null) {
        metrics.interTokenSeconds.observe({ model }, (stepEndedMs - lastStepEndedMs) / 1000);
      }
      isFirst = false;
      lastStepEndedMs = stepEndedMs;
      metrics.generatedTokens.inc({ model });
    },
    finished(event) {
      end(event.reason);
      return { ...event, timings: { ...event.timings, queueMs: leasedMs === null ? null : leasedMs - arrivedMs } };
    },
    failed(error) {
      end(error.code === 'client_closed_request' ? 'cancelled' : error.code);
      return error;
    },
    left: () => end('cancelled'),
  };
}
