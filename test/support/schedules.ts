import fc from 'fast-check';
import { promptTokensOf } from '../../src/core/usage.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import type { ColdAnswer } from './cold-answers.ts';
import type { FlatAnswer } from './flat-answer.ts';
import type { RealWorker } from './real-worker.ts';

/** One arrival of a schedule. */
export interface Arrival {
  /** Index of the case that is asked. */
  index: number;
  /** How many answers to it are wanted at the same moment. */
  copies: number;
  /** Arrives when so many tokens of the others have come, or when nobody is left to wait for. */
  afterTokens: number;
  /** The client goes after so many tokens; null: it stays. */
  leavesAfter: number | null;
  /** Asked with a temperature: a neighbour whose own text is not compared. */
  isSampled: boolean;
  /** Whose request it is: states are only shared with the same owner. */
  owner: WorkerRequest['owner'];
  promptCache: WorkerRequest['promptCache'];
}

/** What one load of the model sees, from its first request to its unload. */
export interface Load {
  slots: number;
  arrivals: Arrival[];
}

/** Loads one after the other over one vault. Few different slot counts, so that a later load finds states that fit. */
export function schedules(caseCount: number): fc.Arbitrary<Load[]> {
  const arrival = fc.record({
    index: fc.nat(caseCount - 1),
    copies: fc.oneof(
      { weight: 4, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: 2, max: 4 }) },
    ),
    afterTokens: fc.nat(150),
    leavesAfter: fc.option(fc.nat(25), { freq: 5 }),
    isSampled: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
    owner: fc.constantFrom(null, null, null, 'somebody'),
    promptCache: fc.constantFrom('keep' as const, 'keep' as const, 'keep' as const, 'none' as const, 'pin' as const),
  });
  const arrivals = fc.array(arrival, { minLength: 6, maxLength: 14 });
  const load = fc.record({ slots: fc.constantFrom(1, 2, 3, 4, 5, 8), arrivals });
  // The second load has the first one's slots, and some of its requests: those begin from the disk.
  return fc
    .tuple(load, arrivals, fc.array(load, { maxLength: 1 }))
    .map(([first, again, others]) => [
      first,
      { slots: first.slots, arrivals: [...again, ...first.arrivals.slice(0, 3)] },
      ...others,
    ]);
}

/** What came of a load: the answers that clients stayed for, and how many did not stay to the end. */
export interface Played {
  answers: { arrival: Arrival; answer: FlatAnswer }[];
  left: number;
}

/** Plays one load on a worker. Resolves when the worker has confirmed the end of every request. */
export async function play(worker: RealWorker, load: Load, requests: readonly WorkerRequest[]): Promise<Played> {
  const played: Played = { answers: [], left: 0 };
  const waiting = [...load.arrivals].sort((a, b) => a.afterTokens - b.afterTokens);
  const running = new Set<Promise<void>>();
  let tokens = 0;

  const ask = async (arrival: Arrival) => {
    const request = requests[arrival.index]!;
    const leaving = new AbortController();
    let ownTokens = 0;
    const asked = worker.ask(
      {
        ...request,
        sampling: arrival.isSampled ? { temperature: 1.2 } : request.sampling,
        owner: arrival.owner,
        promptCache: arrival.promptCache,
      },
      {
        signal: leaving.signal,
        onToken() {
          tokens++;
          if (++ownTokens === arrival.leavesAfter) leaving.abort();
          feed();
        },
      },
    );
    if (arrival.leavesAfter === 0) leaving.abort();
    const answer = await asked;
    if (answer) played.answers.push({ arrival, answer });
    else played.left++;
  };
  const feed = () => {
    while (waiting.length > 0 && (running.size === 0 || waiting[0]!.afterTokens <= tokens)) {
      const arrival = waiting.shift()!;
      for (let copy = 0; copy < arrival.copies; copy++) {
        const work = ask(arrival);
        running.add(work);
        // A failure is thrown below, by the race.
        work.then(
          () => running.delete(work),
          () => {},
        );
      }
    }
  };
  feed();
  while (running.size > 0) {
    await Promise.race(running);
    feed();
  }
  return played;
}

/** Whether a worker that nobody uses still has all its slots: so many requests at once share one step. */
export async function hasAllSlots(worker: RealWorker, slots: number, request: WorkerRequest): Promise<boolean> {
  const seen = new AbortController();
  let all = false;
  const look = () => {
    if (worker.reports.at(-1)?.sequences !== slots) return;
    all = true;
    seen.abort();
  };
  await Promise.all(
    Array.from({ length: slots }, (_, slot) =>
      worker.ask(
        {
          ...request,
          input: { type: 'text', prompt: `${slot}` },
          sampling: { temperature: 0, ignoreEnd: true },
          maxTokens: 1_000,
        },
        { signal: seen.signal, onToken: look },
      ),
    ),
  );
  return all;
}

/** All of an answer but what hangs on chance or on the schedule. */
export const wholeOf = ({ text, reasoning, toolCalls, reason, stopSequence, usage }: FlatAnswer) => ({
  text,
  reasoning,
  // Ids are random.
  toolCalls: toolCalls.map((call) => ({ name: call.name, arguments: call.arguments })),
  reason,
  stopSequence,
  promptTokens: promptTokensOf(usage),
  completionTokens: usage.outputTokens,
});

/** A warm answer beside its cold one, as far as rounding cannot have changed it; equal when nothing went wrong. */
export function comparable(warm: FlatAnswer, cold: ColdAnswer): { warm: unknown; cold: unknown } {
  if (cold.isFirm) return { warm: wholeOf(warm), cold: wholeOf(cold.answer) };
  const part = ({ text, usage }: FlatAnswer) => ({
    // The answer of another schedule may only differ after this.
    text: text.slice(0, Math.min(cold.firmText.length, cold.answer.text.length)),
    promptTokens: promptTokensOf(usage),
  });
  return { warm: part(warm), cold: part(cold.answer) };
}
