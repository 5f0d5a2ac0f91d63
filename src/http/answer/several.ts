import type { ChatRequest } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import { createChoiceTagger, type StreamEvent } from '../../core/events.ts';
import { inOrderOfArrival } from '../../core/in-order-of-arrival.ts';
import { longestTimings, sumRequests } from '../../core/usage.ts';
import { goAlone } from '../../gateway/gateway.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { type Asker, type Begun, beginAnswer } from './begin.ts';

type Finish = Extract<StreamEvent, { type: 'finish' }>;

/** So many of them are asked for at a time: a list of prompts must not fill the queue of everyone. */
const atATime = 4;

/**
 * Begins the answers to several requests as one answer: the choices of the first, then those of the second, and so on.
 * All want as many choices. Resolves with the first event of the first; whatever fails later is thrown by `events`, and
 * ends the others.
 */
export function beginAnswers(
  deps: Pick<RouteDeps, 'gateway' | 'clock' | 'routing'>,
  asker: Asker,
  chats: readonly [ChatRequest, ...ChatRequest[]],
): Promise<Begun> {
  return chats.length === 1 ? beginAnswer(deps, asker, chats[0]) : beginSeveral(deps, asker, chats);
}

async function beginSeveral(
  deps: Pick<RouteDeps, 'gateway' | 'clock' | 'routing'>,
  asker: Asker,
  chats: readonly [ChatRequest, ...ChatRequest[]],
): Promise<Begun> {
  if (asker.batched?.step === 'word') return goAlone(asker.batched);
  const failed = new AbortController();
  const one = { ...asker, signal: AbortSignal.any([asker.signal, failed.signal]) };
  const first = await beginAnswer(deps, one, chats[0]);
  const all = [first];
  let next = 0;
  /** Answers one after the other, until there are no more. */
  async function* lane(): AsyncGenerator<{ index: number; event: StreamEvent }> {
    for (let index = next++; index < chats.length; index = next++) {
      const begun = index === 0 ? first : await beginAnswer(deps, one, chats[index]!);
      if (index > 0) all.push(begun);
      for await (const event of begun.events) yield { index, event };
    }
  }
  const lanes = Array.from({ length: Math.min(atATime, chats.length) }, lane);
  const choicesEach = chats[0].choices ?? 1;
  const costNanoUsd = () =>
    all.map((begun) => begun.costNanoUsd()).reduce((a, b) => (a === null || b === null ? null : a + b));
  return {
    ...first,
    costNanoUsd,
    relay: null,
    events: mergeAnswers(lanes, choicesEach, (reason) => failed.abort(reason)),
  };
}

async function* mergeAnswers(
  lanes: readonly AsyncGenerator<{ index: number; event: StreamEvent }>[],
  choicesEach: number,
  abort: (reason: AppError) => void,
): AsyncGenerator<StreamEvent> {
  const tag = createChoiceTagger();
  const finishes: Finish[] = [];
  const ended = new Set<number>();
  let started = false;
  try {
    for await (const { item } of inOrderOfArrival(lanes)) {
      const { event } = item;
      const base = item.index * choicesEach;
      switch (event.type) {
        case 'start':
          if (!started) yield event;
          started = true;
          break;
        case 'progress':
          // There is one line for it: the first prompt's.
          if (base === 0) yield event;
          break;
        case 'logprobs':
          yield { ...event, choice: base + (event.choice ?? 0) };
          break;
        case 'choice-end':
          ended.add(base + event.choice);
          yield { ...event, choice: base + event.choice };
          break;
        case 'finish': {
          const { reason, rawReason, stopSequence } = event;
          finishes.push(event);
          if (!ended.has(base)) yield { type: 'choice-end', choice: base, reason, rawReason, stopSequence };
          break;
        }
        default:
          yield tag(base + (event.choice ?? 0), event);
      }
    }
    const [one] = finishes;
    if (!one) throw new Error('answers ended without a finish event');
    yield {
      ...one,
      usage: sumRequests(finishes.map(({ usage }) => usage)),
      timings: longestTimings(finishes.map(({ timings }) => timings)),
    };
  } finally {
    // Whoever stops reading, and whoever failed, leaves the others without a reader.
    abort(new AppError('client_closed_request', 'Another answer to the same request failed, or nobody reads it.'));
    for (const lane of lanes) lane.return(undefined).catch(() => {});
  }
}
