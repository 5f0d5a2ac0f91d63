import type { CallContext } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { type AppError, toAppError } from '../core/errors.ts';
import { coarseReason, heardOf, isContent, type ProviderEvent } from '../core/events.ts';
import { type Flow, layered } from '../core/flow.ts';
import { promptTokensOf, type Usage, unknownUsage } from '../core/usage.ts';
import type { AppEvent, Bus } from '../observe/bus.ts';
import { thirdsOf } from './attempts.ts';
import type { AdmittedRequest } from './inbound-limits.ts';
import type { GatewayTarget } from './targets.ts';

type Operation = Extract<AppEvent, { type: 'request-ended' }>['operation'];

/** Follows one request from its arrival to its end, whoever answers it, and tells the bus. */
interface RequestMeter {
  /** This target is asked now; what fails before anybody has committed is booked under the last one. */
  tried(target: GatewayTarget): void;
  /** A provider has committed itself; everything from here on is booked under it and its own name of the model. */
  committed(providerId: string, model: string): void;
  /**
   * Hands every event on and ends with the stream, however that ends. What it throws is an `AppError`, also for a stream
   * that ends without a `finish`: it must not be taken for a whole answer.
   */
  watch(events: Flow<ProviderEvent>): Flow<ProviderEvent>;
  /** The answer came whole. */
  answered(result: { usage: Usage; queueMs: number | null }): void;
  /** It failed before anybody had committed, or as a whole; returns the error. */
  failed(error: unknown): AppError;
}

/** `admitted`: is told, once, how many tokens it took. */
export function meterRequest(
  deps: { clock: Clock; bus: Pick<Bus, 'publish'> },
  context: Pick<CallContext, 'requestId'>,
  operation: Operation,
  admitted: AdmittedRequest,
): RequestMeter {
  const { clock, bus } = deps;
  const { requestId } = context;
  const arrivedMs = clock.monotonicMs();
  let provider = 'none';
  let model = 'unknown';
  let asked: GatewayTarget | null = null;
  let askedMs = arrivedMs;
  let beganMs: number | null = null;
  let usage = unknownUsage;
  let seenThirds = 0;
  let isWhole = false;
  let ended = false;
  bus.publish({ type: 'request-began', requestId });

  /** As far as was told, and as was seen where it broke off; null: nothing is known. */
  const tookTokens = (): number | null => {
    const promptTokens = promptTokensOf(usage);
    if (promptTokens === null) return beganMs === null ? 0 : null;
    // What was told at the start may be less than what was seen since.
    const seenTokens = Math.max(usage.outputTokens ?? 0, Math.ceil(seenThirds / 3));
    return promptTokens + (isWhole ? (usage.outputTokens ?? seenTokens) : seenTokens);
  };

  const end = (outcome: string, serviceMs: number | null) => {
    if (ended) return;
    ended = true;
    admitted.settle(tookTokens());
    // A name that no provider knows is the client's, and no label for a metric.
    if (beganMs === null && asked) model = asked.provider.nameOf(asked.model) ?? model;
    bus.publish({ type: 'request-ended', requestId, provider, model, operation, outcome, usage, serviceMs });
  };
  const sinceBegun = () => (beganMs === null ? null : clock.monotonicMs() - beganMs);
  const failed = (thrown: unknown): AppError => {
    const error = toAppError(thrown);
    end(error.code === 'client_closed_request' ? 'cancelled' : error.code, sinceBegun());
    return error;
  };

  return {
    tried(target) {
      asked = target;
      askedMs = clock.monotonicMs();
      provider = target.provider.id;
    },
    committed(providerId, name) {
      provider = providerId;
      model = name;
      beganMs = clock.monotonicMs();
    },
    watch(events) {
      let hasContent = false;
      let firstContentMs: number | null = null;
      /** Who does not tell where the time went is measured from here: until the first content, and from then on. */
      const timed = (event: Extract<ProviderEvent, { type: 'finish' }>): ProviderEvent => {
        if (event.timings.prefillMs !== null || event.timings.decodeMs !== null) return event;
        const nowMs = clock.monotonicMs();
        const prefillMs = (firstContentMs ?? nowMs) - askedMs;
        return { ...event, timings: { ...event.timings, prefillMs, decodeMs: nowMs - askedMs - prefillMs } };
      };
      const see = (event: ProviderEvent) => {
        if (event.type === 'relay') {
          for (const heard of heardOf(event)) see(heard);
          return;
        }
        if (event.type === 'start') usage = event.usage;
        seenThirds += thirdsOf(event);
        if (!hasContent && isContent(event)) {
          hasContent = true;
          firstContentMs = clock.monotonicMs();
          const latencyMs = firstContentMs - arrivedMs;
          bus.publish({ type: 'request-first-token', requestId, provider, model, latencyMs });
        }
        if (event.type === 'finish') {
          isWhole = true;
          usage = event.usage;
          end(coarseReason(event.reason), sinceBegun());
        }
      };
      return layered<ProviderEvent>(events, {
        take(event, give) {
          see(event);
          give(event.type === 'finish' ? timed(event) : event);
        },
        ended() {
          if (!ended) throw new Error(`provider ${provider} ended an answer without a finish`);
        },
        failed,
        leaves: () => end('cancelled', sinceBegun()),
      });
    },
    answered({ usage: counted, queueMs }) {
      usage = counted;
      isWhole = true;
      end('stop', clock.monotonicMs() - arrivedMs - (queueMs ?? 0));
    },
    failed,
  };
}
