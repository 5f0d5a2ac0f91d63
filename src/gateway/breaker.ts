import {
  type AdmittedAttempt,
  type Attempt,
  type AttemptEnd,
  type AttemptGuard,
  nothingHeld,
} from '../core/attempt.ts';
import { type CallContext, localProviderId } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError, type ErrorCode } from '../core/errors.ts';
import type { Bus } from '../observe/bus.ts';
import type { CircuitBoard, ToldCircuit } from './circuit-board.ts';
import { failureOf } from './verdict.ts';

/** When a circuit opens, and for how long. */
export interface BreakerLimits {
  /** So far back calls are looked at. */
  windowMs: number;
  /** Fewer calls in the window say nothing. */
  minCalls: number;
  /** Share of calls in the window that failed or were slow, from which on it opens. */
  threshold: number;
  /** From an opening to the one call that tries. */
  openMs: number;
  /** A call whose first content takes longer weighs as a failure. */
  slowMs: number;
}

export const defaultBreakerLimits: BreakerLimits = {
  windowMs: 60_000,
  minCalls: 5,
  threshold: 0.5,
  openMs: 30_000,
  slowMs: 60_000,
};

export type CircuitState = 'closed' | 'open' | 'half_open';

/** So many circuits are kept. A provider that names no models may be asked for any name, and each has one. */
const mostCircuits = 1_000;

/** What is known of one provider's model. */
export interface CircuitStatus {
  provider: string;
  model: string;
  state: CircuitState;
  /** In the window. */
  failureCount: number;
  successCount: number;
  lastFailureAt: Date | null;
  /** When it tries again; null: it is not open. */
  triesAt: Date | null;
}

/** Circuits by provider and model: a model that fails must not close the others, nor an endpoint its neighbours. */
export interface Breakers extends AttemptGuard {
  /** Circuits of which anything is known, in the order in which they were first used. */
  status(): CircuitStatus[];
  /** Forgets what was seen of a provider, or of all: their circuits are closed, those of other replicas too. */
  reset(provider?: string): void;
  /** Resolves when what other replicas have told is known; left out: there are none. */
  listen?(): Promise<void>;
}

/** These are the provider's fault; what the client did wrong, or a limit that its owner set, says nothing of its health. */
const weighing: ReadonlySet<ErrorCode> = new Set([
  'upstream_rate_limited',
  'upstream_unavailable',
  'upstream_overloaded',
  'upstream_timeout',
]);

interface Circuit {
  provider: string;
  model: string;
  state: CircuitState;
  /** In the window, oldest first. */
  calls: { atMs: number; failed: boolean }[];
  /** How many of them failed: counted along, as a busy minute has thousands. */
  failures: number;
  lastFailureAt: Date | null;
  openedAtMs: number;
  /** The one call that is under way while it is half open. */
  isProbing: boolean;
  /** Counts resets, so that a call from before one is not booked after it. */
  epoch: number;
}

/** `board`: where replicas tell each other of their circuits; left out: this process is alone. */
export function createBreakers(deps: {
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  limits?: BreakerLimits;
  board?: CircuitBoard;
}): Breakers {
  const { clock, bus, limits = defaultBreakerLimits, board } = deps;
  const circuits = new Map<string, Circuit>();

  const circuitOf = (provider: string, model: string): Circuit => {
    const key = `${provider} ${model}`;
    let circuit = circuits.get(key);
    if (!circuit) {
      if (circuits.size >= mostCircuits) makeRoom();
      circuit = {
        provider,
        model,
        state: 'closed',
        calls: [],
        failures: 0,
        lastFailureAt: null,
        openedAtMs: 0,
        isProbing: false,
        epoch: 0,
      };
      circuits.set(key, circuit);
    }
    return circuit;
  };
  /** Leaves one out: of those that are closed the first that was not used lately, else the first. */
  const makeRoom = () => {
    const closed = [...circuits].filter(([, { state }]) => state === 'closed');
    const isUnused = ([, circuit]: [string, Circuit]) => {
      forget(circuit);
      return circuit.calls.length === 0;
    };
    const [key] = closed.find(isUnused) ?? closed[0] ?? [];
    if (key !== undefined) circuits.delete(key);
  };
  const enter = (circuit: Circuit, state: CircuitState) => {
    if (circuit.state === state) return;
    circuit.state = state;
    if (state === 'open') circuit.openedAtMs = clock.monotonicMs();
    if (state === 'closed') clear(circuit);
    bus.publish({ type: 'circuit-changed', provider: circuit.provider, model: circuit.model, state });
  };
  /** The same, and the other replicas are told. */
  const enterAll = (circuit: Circuit, state: 'open' | 'closed') => {
    enter(circuit, state);
    board?.tell(circuit.provider, circuit.model, state, limits.openMs);
  };
  /** Time opens the door by itself, so it is looked at whenever the state matters. */
  const settle = (circuit: Circuit) => {
    if (circuit.state === 'open' && clock.monotonicMs() - circuit.openedAtMs >= limits.openMs)
      enter(circuit, 'half_open');
  };
  const forget = (circuit: Circuit) => {
    const oldestMs = clock.monotonicMs() - limits.windowMs;
    while (circuit.calls[0] && circuit.calls[0].atMs < oldestMs) {
      if (circuit.calls.shift()!.failed) circuit.failures--;
    }
  };
  const clear = (circuit: Circuit) => {
    circuit.calls = [];
    circuit.failures = 0;
  };
  const book = (circuit: Circuit, failed: boolean) => {
    circuit.calls.push({ atMs: clock.monotonicMs(), failed });
    forget(circuit);
    if (failed) {
      circuit.failures++;
      circuit.lastFailureAt = clock.now();
    }
    if (circuit.state === 'half_open') return enterAll(circuit, failed ? 'open' : 'closed');
    const { calls, failures } = circuit;
    const isTooMany = calls.length >= limits.minCalls && failures / calls.length >= limits.threshold;
    if (circuit.state === 'closed' && isTooMany) enterAll(circuit, 'open');
  };

  return {
    admit({ provider, model }: Attempt, context: CallContext): AdmittedAttempt | Promise<AdmittedAttempt> {
      if (provider.id === localProviderId) return nothingHeld;
      const circuit = circuitOf(provider.id, model);
      settle(circuit);
      if (circuit.state === 'open' || (circuit.state === 'half_open' && circuit.isProbing)) throw openError(circuit);
      const isProbe = circuit.state === 'half_open';
      if (isProbe) circuit.isProbing = true;
      const { epoch } = circuit;
      const admitted: AdmittedAttempt = {
        ended(end) {
          if (circuit.epoch !== epoch) return;
          if (isProbe) circuit.isProbing = false;
          const verdict = verdictOf(end, failureOf(end, context), limits);
          // A probe that says nothing leaves the door for the next one.
          if (verdict !== null) book(circuit, verdict === 'bad');
          else if (isProbe) board?.giveBack(provider.id, model);
        },
      };
      if (!isProbe || !board) return admitted;
      return board.claim(provider.id, model).then((isOurs) => {
        if (isOurs) return admitted;
        if (circuit.epoch === epoch) circuit.isProbing = false;
        throw openError(circuit);
      });
    },
    status: () =>
      [...circuits.values()].map((circuit) => {
        settle(circuit);
        forget(circuit);
        return {
          provider: circuit.provider,
          model: circuit.model,
          state: circuit.state,
          failureCount: circuit.failures,
          successCount: circuit.calls.length - circuit.failures,
          lastFailureAt: circuit.lastFailureAt,
          triesAt: circuit.state === 'open' ? new Date(clock.now().getTime() + leftMs(circuit)) : null,
        };
      }),
    reset(provider) {
      for (const circuit of circuits.values()) {
        if (provider !== undefined && circuit.provider !== provider) continue;
        circuit.epoch++;
        circuit.isProbing = false;
        circuit.lastFailureAt = null;
        clear(circuit);
        enterAll(circuit, 'closed');
      }
    },
    ...(board && { listen: () => board.watch(hear) }),
  };

  function hear({ provider, model, state, leftMs }: ToldCircuit): void {
    const circuit = circuitOf(provider, model);
    // A call that tries here, or was made before, is not booked in what has begun anew.
    circuit.epoch++;
    circuit.isProbing = false;
    enter(circuit, state);
    if (state === 'open') circuit.openedAtMs = clock.monotonicMs() + leftMs - limits.openMs;
  }

  function leftMs(circuit: Circuit): number {
    return Math.max(0, circuit.openedAtMs + limits.openMs - clock.monotonicMs());
  }

  function openError(circuit: Circuit): AppError {
    const { provider, model } = circuit;
    return new AppError('circuit_open', `The provider ${provider} failed too often with ${model}, and rests.`, {
      retryAfterSeconds: Math.max(1, Math.ceil(leftMs(circuit) / 1_000)),
      details: { provider, model },
    });
  }
}

/** Whether a try speaks for or against its provider; null: it says nothing. */
function verdictOf(end: AttemptEnd, failure: ErrorCode | null, limits: BreakerLimits): 'good' | 'bad' | null {
  if (end.outcome === 'not-asked') return null;
  if (failure !== null) return weighing.has(failure) ? 'bad' : null;
  if ((end.firstContentMs ?? 0) > limits.slowMs) return 'bad';
  return end.outcome === 'answered' ? 'good' : null;
}
