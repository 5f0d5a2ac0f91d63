import type { CallContext } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import type { DecisionRequest, DecisionResult } from '../../core/decision.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../../core/embedding.ts';
import { toAppError } from '../../core/errors.ts';
import { isContent, type StreamEvent } from '../../core/events.ts';
import type { Ability } from '../../core/model.ts';
import { type Preset, withPreset } from '../../core/preset.ts';
import type { TokenCount, TokensRequest, TokensResult } from '../../core/provider.ts';
import type { WorkerRequest } from '../../ipc/protocol.ts';
import type { Bus } from '../../observe/bus.ts';
import type { Lease, LoadSettings, Manager, ModelRef } from '../residents/residents.ts';
import { createCourtesy } from './courtesy.ts';
import { mergeChoices } from './merge-choices.ts';
import { createTokenGaps } from './token-gaps.ts';
import { createTurns } from './turns.ts';
import { askWithRetry } from './unary.ts';
import { waitForLease } from './wait-for-lease.ts';
import { assertReadable, toWorkerRequest, warningsFor } from './worker-request.ts';

/** A model that was chosen for a request, and how it is loaded if it is not. */
interface Target {
  /** The model's own name, whatever name it was asked by. */
  model: string;
  ref: ModelRef;
  settings: LoadSettings;
  /** What requests by that name are given. */
  preset?: Preset;
}

/** Requests to models of this machine, as a provider answers them. */
export interface Requests {
  stream(request: ChatRequest, context: CallContext): AsyncIterable<StreamEvent>;
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult>;
  rank(request: RankRequest, context: CallContext): Promise<RankResult>;
  decide(request: DecisionRequest, context: CallContext): Promise<DecisionResult>;
  count(request: ChatRequest, context: CallContext): Promise<TokenCount>;
  tokens(request: TokensRequest, context: CallContext): Promise<TokensResult>;
}

/**
 * From a request to a lease, and from the lease's events to an answer. A request that has shown nothing but its start is
 * tried once more when its worker dies.
 * `target`: finds the model of a name that can do what is asked; throws as the catalogue and the planning do. `enter`:
 * counts a request as running until the returned function is called, and throws when no new ones are taken. `ended`:
 * aborts what still runs.
 */
export function createRequests(deps: {
  target: (name: string, purpose: Ability) => Promise<Target>;
  isLoaded: (id: string) => boolean;
  lease: Manager['lease'];
  enter: () => () => void;
  ended: AbortSignal;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
}): Requests {
  const { clock, bus } = deps;
  const turns = createTurns(createCourtesy());

  /** One choice of an answer. */
  async function* answer(
    asked: ChatRequest,
    call: { choice: number; owner: string | null; client: string; isBackground: boolean; signal: AbortSignal },
  ): AsyncGenerator<StreamEvent> {
    const leave = deps.enter();
    const arrivedMs = clock.monotonicMs();
    try {
      yield* turns.stream(call, (signal) => begin(asked, { ...call, signal, arrivedMs }));
    } catch (error) {
      throw toAppError(error);
    } finally {
      leave();
    }
  }

  /** One choice, of a request that has its turn. */
  async function* begin(
    asked: ChatRequest,
    call: Parameters<typeof answer>[1] & { arrivedMs: number },
  ): AsyncGenerator<StreamEvent> {
    const { choice, owner, client, isBackground, signal, arrivedMs } = call;
    const { model, ref, settings, preset } = await deps.target(asked.model, 'generate');
    const request = preset ? withPreset(asked, preset) : asked;
    assertReadable(request, model);
    const gaps = createTokenGaps(bus, model);
    const wanted = toWorkerRequest(request, { model, choice, owner, isBackground });
    const warnings = warningsFor(request);
    let started = false;
    let answered = false;
    for (let attempt = 0; ; attempt++) {
      if (!started && !deps.isLoaded(ref.id)) yield { type: 'progress', stage: 'loading' };
      const by = { owner: client, isBackground };
      const lease = yield* waitForLease((onPlace) =>
        deps.lease(ref, settings, signal, request.keepAliveMs, onPlace, by),
      );
      const queueMs = clock.monotonicMs() - arrivedMs;
      gaps.restart();
      try {
        for await (const event of lease.generate(wanted, signal, gaps.token)) {
          if (event.type === 'start') {
            // A retry starts again; the client has seen its start.
            if (started) continue;
            started = true;
            yield warnings.length === 0 ? event : { ...event, warnings: [...event.warnings, ...warnings] };
            continue;
          }
          answered ||= isContent(event);
          yield event.type === 'finish' ? { ...event, timings: { ...event.timings, queueMs } } : event;
        }
        return;
      } catch (error) {
        // Nothing but the start was seen: the client cannot tell a second try from a slow first one.
        if (toAppError(error).code === 'worker_crashed' && !answered && attempt === 0 && !signal.aborted) continue;
        throw error;
      }
    }
  }

  const stream: Requests['stream'] = (request, context) => {
    const { cacheOwner: owner, id: client } = context.principal;
    const { isBackground = false } = context;
    const by = { owner, client, isBackground };
    const count = request.choices ?? 1;
    if (count === 1) {
      return answer(request, { ...by, choice: 0, signal: AbortSignal.any([context.signal, deps.ended]) });
    }
    const failed = new AbortController();
    const signal = AbortSignal.any([context.signal, deps.ended, failed.signal]);
    // They begin alike, so the worker computes their prompt once.
    const choices = Array.from({ length: count }, (_, choice) => answer(request, { ...by, choice, signal }));
    return mergeChoices(choices, (reason) => failed.abort(reason));
  };

  /** An answer that comes whole instead of as a stream. `prepare`: what to ask the model for; a refusal takes no lease. */
  async function once<Result extends object>(
    purpose: Ability,
    request: { model: string; keepAliveMs?: number },
    context: CallContext,
    prepare: (model: string, preset?: Preset) => (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result & { model: string; queueMs: number }> {
    const arrivedMs = clock.monotonicMs();
    let leasedMs = arrivedMs;
    const { isBackground = false } = context;
    const leave = deps.enter();
    const answerOnce = async (signal: AbortSignal) => {
      const target = await deps.target(request.model, purpose);
      const ask = prepare(target.model, target.preset);
      const by = { owner: context.principal.id, isBackground };
      const lease = async () => {
        const taken = await deps.lease(target.ref, target.settings, signal, request.keepAliveMs, undefined, by);
        leasedMs = clock.monotonicMs();
        return taken;
      };
      const result = await askWithRetry(lease, signal, (taken) => ask(taken, signal));
      return { ...result, model: target.model, queueMs: leasedMs - arrivedMs };
    };
    try {
      return await turns.once({ isBackground, signal: AbortSignal.any([context.signal, deps.ended]) }, answerOnce);
    } catch (error) {
      throw toAppError(error);
    } finally {
      leave();
    }
  }

  /** Workers report the steps of a stream; of an answer that comes whole, the answer tells. */
  const evaluated = <Result extends { model: string; promptTokens: number }>(result: Result): Result => {
    bus.publish({ type: 'prompt-evaluated', model: result.model, tokens: result.promptTokens });
    return result;
  };

  return {
    stream,
    embed: async (request, context) =>
      evaluated(
        await once(
          'embed',
          request,
          context,
          () => (lease, signal) =>
            lease.embed(
              {
                inputs: request.inputs,
                dimensions: request.dimensions ?? null,
                ...(request.truncate && { truncate: true }),
              },
              signal,
            ),
        ),
      ),
    rank: async (request, context) =>
      evaluated(
        await once(
          'rank',
          request,
          context,
          () => (lease, signal) => lease.rank({ query: request.query, documents: request.documents }, signal),
        ),
      ),
    decide: (request, context) =>
      once('decide', request, context, () => {
        const { state, questions } = request;
        return (lease, signal) => lease.decide({ state, questions, owner: context.principal.cacheOwner }, signal);
      }),
    async count(asked, context) {
      const { model, promptTokens } = await once('generate', asked, context, (name, preset) => {
        const wanted = forWorker(asked, { model: name, preset, context });
        return (lease, signal) => lease.count(wanted, signal);
      });
      return { model, promptTokens };
    },
    async tokens(request, context) {
      const { model, text, tokens, pieces } = await once('generate', request, context, (name, preset) => {
        const wanted = {
          ...forWorker(request, { model: name, preset, context }),
          addStart: request.addStart ?? false,
          controlsAreText: request.controlsAreText ?? false,
          wantsPieces: request.wantsPieces ?? false,
        };
        return (lease, signal) => lease.tokens(wanted, signal);
      });
      return { model, text, tokens, ...(pieces && { pieces }) };
    },
  };
}

/** A request of which nothing is generated, with what the name that it asks by adds. Throws as `assertReadable` does. */
function forWorker(
  asked: ChatRequest,
  { model, preset, context }: { model: string; preset: Preset | undefined; context: CallContext },
): WorkerRequest {
  const request = preset ? withPreset(asked, preset) : asked;
  assertReadable(request, model);
  return toWorkerRequest(request, { model, choice: 0, owner: context.principal.cacheOwner });
}
