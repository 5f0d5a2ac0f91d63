import type { Sampling } from '../../src/core/chat.ts';
import type { FinishReason, StreamEvent } from '../../src/core/events.ts';
import { promptUsage, unknownUsage } from '../../src/core/usage.ts';
import type { StepReport, WorkerItem } from '../../src/ipc/protocol.ts';
import type { Task } from '../../src/worker/answer/task.ts';
import { type BatchLoop, createBatchLoop } from '../../src/worker/batch/loop.ts';
import type { CacheUse, PrefixStore } from '../../src/worker/prefix/prefix.ts';
import type { Sequence } from '../../src/worker/sequence/sequence.ts';
import { type FakeCall, fakeModel } from './fake-model.ts';

export interface FakeSlots {
  loop: BatchLoop;
  sequences: readonly Sequence[];
  /** Puts a state into a sequence, as a load from the disk does. */
  put(sequence: Sequence, tokens: readonly number[]): void;
  /** Calls of every step so far: `0:prefill 64`, `0:first 10` for the end of a prompt, `1:next 1`. */
  steps(): string[][];
  copies: string[];
  /** Prompts whose next token was weighed, and by which candidates. */
  scored(): readonly { held: readonly number[]; candidates: readonly number[] }[];
  /** Prompt tokens that were evaluated. */
  evaluated(): number;
  /** Tokens that a request did not have to evaluate. */
  cachedOf(id: number): number | undefined;
  ended(id: number): Promise<FinishReason>;
  /** Called after every step. */
  onStep(listener: () => void): void;
}

/** Requests that are there at once, and everything that the loop asks of its slots while it answers them. */
export function createFakeSlots(options: {
  slots: number;
  prefixes?: PrefixStore;
  batchTokens?: number;
  /** States can only be cut where they were put aside. */
  wholeStatesOnly?: boolean;
  /** Takes items that are not for the requests. */
  take?: (items: WorkerItem[]) => WorkerItem[];
}): FakeSlots {
  const { batchTokens = 512, wholeStatesOnly = false } = options;
  const copies: string[] = [];
  const reports: StepReport[] = [];
  const items: WorkerItem[] = [];
  const ends = new Map<number, PromiseWithResolvers<FinishReason>>();
  const endOf = (id: number) => {
    const end = ends.get(id) ?? Promise.withResolvers<FinishReason>();
    ends.set(id, end);
    return end;
  };
  let listener = () => {};
  const model = fakeModel({ slots: options.slots, wholeStatesOnly, accepted: () => 0, poison: null });
  for (const [index, sequence] of model.sequences.entries()) {
    const { copyFrom } = sequence;
    sequence.copyFrom = async (other, length) => {
      copies.push(`${length} to ${index}`);
      return copyFrom(other, length);
    };
  }
  const loop = createBatchLoop({
    sequences: model.sequences,
    contextTokens: 4096,
    batchTokens,
    steadyTokens: 64,
    pacer: { chunkTokens: (decoding) => (decoding === 0 ? batchTokens : 64), observe: () => {} },
    threads: { use: () => {} },
    drafts: { limit: () => 0, observe: () => {} },
    prefixes: options.prefixes ?? null,
    nowMs: () => reports.length * 1_000,
    log: () => {},
    publish(all, report) {
      const published = options.take?.(all) ?? all;
      items.push(...published);
      if (report) reports.push(report);
      for (const item of published) {
        if ('event' in item && item.event.type === 'finish') endOf(item.id).resolve(item.event.reason);
      }
      listener();
    },
  });
  return {
    loop,
    sequences: model.sequences,
    put: model.put,
    steps: () => model.steps.map((calls) => calls.map(shown)),
    copies,
    scored: () => model.scored,
    evaluated: () => reports.reduce((sum, report) => sum + report.promptTokens, 0),
    cachedOf: (id) =>
      items
        .flatMap((item) => ('event' in item && item.id === id && item.event.type === 'start' ? [item.event] : []))
        .at(-1)?.usage.cacheReadTokens ?? undefined,
    ended: (id) => endOf(id).promise,
    onStep(called) {
      listener = called;
    },
  };
}

const shown = ({ slot, type, tokens }: FakeCall) => `${slot}:${type} ${tokens}`;

/** A request for `answerTokens` tokens. */
export function fakeRequest(
  id: number,
  prompt: number[],
  answerTokens: number,
  cache: Partial<CacheUse> = {},
  sampling: Sampling = {},
): Task {
  const generated: number[] = [];
  const usage = () => ({ ...unknownUsage, inputTokens: prompt.length, outputTokens: generated.length });
  const finish = (reason: FinishReason): StreamEvent[] => [
    {
      type: 'finish',
      reason,
      rawReason: null,
      stopSequence: null,
      usage: usage(),
      timings: { queueMs: null, prefillMs: null, decodeMs: null },
    },
  ];
  return {
    id,
    prompt,
    cache: { owner: 'shared', mode: 'keep', pinTokens: 0, ...cache },
    settings: { sampling, generated, topLogprobs: null, grammar: null },
    begin: (cached) => [
      { type: 'start', responseId: null, model: 'm', usage: promptUsage(prompt.length, cached), warnings: [] },
    ],
    accept({ token }) {
      generated.push(token);
      const finished = generated.length >= answerTokens;
      return { events: finished ? finish('length') : [], finished };
    },
    finish,
  };
}
