import {
  type AdmittedAttempt,
  type Attempt,
  type AttemptEnd,
  type AttemptGuard,
  nothingHeld,
} from '../core/attempt.ts';
import { type CallContext, localProviderId } from '../core/call.ts';
import { type Clock, delay } from '../core/clock.ts';
import { type ErrorCode, toAppError } from '../core/errors.ts';
import type { Provider } from '../core/provider.ts';
import type { Bus } from '../observe/bus.ts';
import { failureOf } from './verdict.ts';

/** So far back calls are looked at, and so long a provider of which nothing is heard is left alone. */
const windowMs = 300_000;
/** Of one provider; older ones say less. */
const mostCalls = 500;
/** A probe that takes longer has failed. */
const probeMs = 10_000;
/** Whoever looks waits so long for the probes of all providers; one that takes longer is seen at the next look. */
const lookMs = 2_000;
/** Shares of calls that failed, from which on a provider is degraded, and unhealthy. */
const degradedFrom = 0.1;
const unhealthyFrom = 0.5;

/** `unknown`: it was never asked. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

/** How a provider is, as far as its answers tell. */
export interface ProviderHealth {
  provider: string;
  status: HealthStatus;
  /** Why it is not healthy, in few words and none of its own; null: it is, or nothing is known. */
  error: string | null;
  /** Until the first content of its last answer, or of its last probe; null: there was none. */
  latencyMs: number | null;
  /** When it last answered or failed; null: never. */
  lastCheckAt: Date | null;
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
  /** Share of calls in the last five minutes that failed by its fault, 0 to 1; null: there were none. */
  errorRate: number | null;
}

/**
 * Watches how providers do, mostly without asking them: every try at one says something. One that is not asked anyway is
 * probed when somebody looks at it, at most every five minutes. Refuses nothing.
 */
export interface ProvidersHealth extends AttemptGuard {
  /** Of every provider that may be asked now, in their order; this machine is one of them. Asks nobody. */
  status(): ProviderHealth[];
  /** Null: there is no such provider, or it is off. */
  statusOf(provider: string): ProviderHealth | null;
  /** Probes those of which nothing has been heard lately, where probes are allowed; waits two seconds for them. */
  look(): Promise<void>;
  /** Probes one now, whatever is known and allowed, and waits for it. Null: it is not there, or has no probe. */
  probe(provider: string): Promise<(ProviderHealth & { answered: boolean }) | null>;
}

/** Failures that are the provider's, or of what is configured for it; what a client did wrong says nothing of it. */
const reasons: Partial<Record<ErrorCode, string>> = {
  upstream_timeout: 'Connection timeout',
  upstream_unavailable: 'Not reachable, or no usable answer',
  upstream_overloaded: 'Overloaded',
  upstream_rate_limited: 'Rate limit exceeded',
  upstream_access_denied: 'Access denied',
  upstream_quota_exceeded: 'Quota exceeded',
};

/** What was seen of one provider. */
interface Watched {
  /** Of the last five minutes, oldest first. */
  calls: { atMs: number; failed: boolean }[];
  /** How many of them failed: counted along, as every answer asks. */
  failures: number;
  latencyMs: number | null;
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
  /** Of the last call, where it failed. */
  error: string | null;
  /** When anything was last heard, or asked for by a probe. */
  heardMs: number | null;
  /** As it was last told to the bus. */
  told: HealthStatus;
}

/** `providers`: those that may be asked now. `mayProbe`: whether they may be asked without a request. */
export function createProvidersHealth(deps: {
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  providers: () => ReadonlyMap<string, Provider>;
  mayProbe: () => boolean;
}): ProvidersHealth {
  const { clock, bus } = deps;
  // By the provider itself: one that is configured anew begins anew.
  const watched = new WeakMap<Provider, Watched>();

  const of = (provider: Provider): Watched => {
    let known = watched.get(provider);
    if (!known) {
      known = {
        calls: [],
        failures: 0,
        latencyMs: null,
        lastSuccessAt: null,
        lastFailureAt: null,
        error: null,
        heardMs: null,
        told: 'unknown',
      };
      watched.set(provider, known);
    }
    return known;
  };
  /** `code`: what it failed with; null: it answered. */
  const book = (provider: Provider, code: ErrorCode | null, latencyMs: number | null) => {
    const reason = code === null ? null : reasons[code];
    if (reason === undefined) return;
    const known = of(provider);
    known.calls.push({ atMs: clock.monotonicMs(), failed: reason !== null });
    if (reason !== null) known.failures++;
    if (known.calls.length > mostCalls) dropOldest(known);
    known.heardMs = clock.monotonicMs();
    known.error = reason;
    if (reason === null) {
      known.lastSuccessAt = clock.now();
      known.latencyMs = latencyMs === null ? known.latencyMs : Math.round(latencyMs);
    } else known.lastFailureAt = clock.now();
    tell(provider, known);
  };
  const tell = (provider: Provider, known: Watched) => {
    const { status } = verdictOf(provider, known, errorRateOf(known, clock.monotonicMs()));
    if (status === known.told) return;
    known.told = status;
    bus.publish({ type: 'provider-health-changed', provider: provider.id, status, latencyMs: known.latencyMs });
  };
  /** Never rejects. */
  const ask = async (provider: Provider): Promise<void> => {
    const beganMs = clock.monotonicMs();
    of(provider).heardMs = beganMs;
    const patience = new AbortController();
    const timer = clock.after(probeMs, () => patience.abort());
    try {
      await Promise.race([provider.probe!(patience.signal), rejection(patience.signal)]);
      book(provider, null, clock.monotonicMs() - beganMs);
    } catch (error) {
      const { code } = toAppError(error);
      // Whatever a probe was refused for, a request would be too.
      book(
        provider,
        patience.signal.aborted ? 'upstream_timeout' : code in reasons ? code : 'upstream_unavailable',
        null,
      );
    } finally {
      timer.cancel();
    }
  };

  return {
    admit({ provider }: Attempt, context: CallContext): AdmittedAttempt {
      // This machine knows its own state.
      if (provider.id === localProviderId) return nothingHeld;
      return {
        ended(end: AttemptEnd) {
          if (end.outcome === 'answered') return book(provider, null, end.firstContentMs ?? end.latencyMs);
          const failure = failureOf(end, context);
          if (failure !== null) book(provider, failure, null);
        },
      };
    },
    status: () => [...deps.providers().values()].map((one) => healthOf(one, of(one), clock.monotonicMs())),
    statusOf(id) {
      const provider = deps.providers().get(id);
      return provider ? healthOf(provider, of(provider), clock.monotonicMs()) : null;
    },
    async look() {
      if (!deps.mayProbe()) return;
      const due = [...deps.providers().values()].filter((provider) => {
        const { heardMs } = of(provider);
        return provider.probe && (heardMs === null || clock.monotonicMs() - heardMs >= windowMs);
      });
      if (due.length === 0) return;
      const done = new AbortController();
      await Promise.race([
        Promise.all(due.map(ask)),
        // Ended below, once the probes were faster.
        delay(clock, lookMs, done.signal).catch(() => {}),
      ]);
      done.abort();
    },
    async probe(id) {
      const provider = deps.providers().get(id);
      if (!provider?.probe) return null;
      await ask(provider);
      const known = of(provider);
      return { ...healthOf(provider, known, clock.monotonicMs()), answered: known.error === null };
    },
  };
}

/** Rejects when the signal aborts. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

function dropOldest(known: Watched): void {
  if (known.calls.shift()?.failed) known.failures--;
}

/** Share of the calls in the window that failed; null: there were none. */
function errorRateOf(known: Watched, nowMs: number): number | null {
  while (known.calls[0] && nowMs - known.calls[0].atMs >= windowMs) dropOldest(known);
  return known.calls.length === 0 ? null : known.failures / known.calls.length;
}

function healthOf(provider: Provider, known: Watched, nowMs: number): ProviderHealth {
  const errorRate = errorRateOf(known, nowMs);
  const { status, error } = verdictOf(provider, known, errorRate);
  const times = [known.lastSuccessAt, known.lastFailureAt].flatMap((time) => time ?? []);
  return {
    provider: provider.id,
    status,
    error,
    latencyMs: known.latencyMs,
    lastCheckAt: times.length === 0 ? null : new Date(Math.max(...times.map((time) => time.getTime()))),
    lastSuccessAt: known.lastSuccessAt,
    lastFailureAt: known.lastFailureAt,
    errorRate,
  };
}

function verdictOf(
  provider: Provider,
  known: Watched,
  errorRate: number | null,
): Pick<ProviderHealth, 'status' | 'error'> {
  // 1. What it says itself: no key, no engine.
  const { state, reason } = provider.status();
  if (state !== 'ready') return { status: state === 'degraded' ? 'degraded' : 'unhealthy', error: reason };
  if (provider.id === localProviderId) return { status: 'healthy', error: null };
  // 2. Its last calls.
  if (known.lastSuccessAt === null && known.lastFailureAt === null) return { status: 'unknown', error: null };
  const rate = errorRate ?? (known.error === null ? 0 : 1);
  if (rate >= unhealthyFrom) return { status: 'unhealthy', error: known.error ?? 'Too many of its calls fail' };
  if (rate >= degradedFrom) return { status: 'degraded', error: known.error ?? 'Some of its calls fail' };
  return { status: 'healthy', error: null };
}
