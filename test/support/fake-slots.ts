import type { FinishReason, StreamEvent } from '../../src/core/events.ts';
import type { StepReport, WorkerItem } from '../../src/engine/ipc/protocol.ts';
import type { CacheUse, Job } from '../../src/engine/worker/job.ts';
import { type BatchLoop, createBatchLoop } from '../../src/engine/worker/loop.ts';
import type { PrefixStore } from '../../src/engine/worker/prefix-store.ts';
import type { Sequence } from '../../src/engine/worker/sequence.ts';

/** A sequence without a model: it remembers tokens and says 1 for ever; `calls` is what was asked of it. */
export interface FakeSlot extends Sequence {
  readonly held: number[];
}

export interface FakeSlots {
  loop: BatchLoop;
  sequences: readonly FakeSlot[];
  /** Calls of every step, such as `0:prefill 64`, `1:next`; a request that ends is in no step any more. */
  steps: string[][];
  copies: string[];
  /** Prompt tokens that were evaluated. */
  evaluated(): number;
  /** Tokens that a request did not have to evaluate. */
  cachedOf(id: number): number | undefined;
  ended(id: number): Promise<FinishReason>;
  /** Called after every step. */
  onStep(listener: () => void): void;
}

const endToken = 0;

/** Requests that are there at once, and everything that the loop asks of its slots while it answers them. */
export function createFakeSlots(options: { slots: number; prefixes?: PrefixStore; batchTokens?: number }): FakeSlots {
  const { batchTokens = 512 } = options;
  const steps: string[][] = [];
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
  let current: string[] | null = null;
  const decode = async (call: string) => {
    if (current === null) {
      current = [];
      steps.push(current);
      setImmediate(() => {
        current = null;
      });
    }
    current.push(call);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const sequences = Array.from({ length: options.slots }, (_, index) => createSlot(index, decode, copies));
  const loop = createBatchLoop({
    sequences,
    contextTokens: 4096,
    batchTokens,
    pacer: { chunkTokens: (decoding) => (decoding === 0 ? batchTokens : 64), observe: () => {} },
    threads: { use: () => {} },
    drafts: { limit: () => 0, observe: () => {} },
    prefixes: options.prefixes ?? null,
    nowMs: () => reports.length * 1_000,
    log: () => {},
    publish(published, report) {
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
    sequences,
    steps,
    copies,
    evaluated: () => reports.reduce((sum, report) => sum + report.promptTokens, 0),
    cachedOf: (id) =>
      items
        .flatMap((item) => ('event' in item && item.id === id && item.event.type === 'start' ? [item.event] : []))
        .at(-1)?.cachedPromptTokens ?? undefined,
    ended: (id) => endOf(id).promise,
    onStep(called) {
      listener = called;
    },
  };
}

function createSlot(index: number, decode: (call: string) => Promise<void>, copies: string[]): FakeSlot {
  const held: number[] = [];
  const common = (tokens: readonly number[]) => {
    let length = 0;
    while (length < held.length && length < tokens.length - 1 && held[length] === tokens[length]) length++;
    return length;
  };
  return {
    held,
    get length() {
      return held.length;
    },
    reusablePrefix: common,
    async adapt(tokens) {
      held.length = common(tokens);
      return held.length;
    },
    async copyFrom(other, length) {
      copies.push(`${length} to ${index}`);
      held.splice(0, held.length, ...other.tokens().slice(0, length));
      return true;
    },
    async prefill(tokens) {
      await decode(`${index}:prefill ${tokens.length}`);
      held.push(...tokens);
    },
    generate(tokens) {
      let input = tokens;
      return {
        async next() {
          await decode(input === tokens ? `${index}:last ${tokens.length}` : `${index}:next`);
          held.push(...input);
          input = [1];
          return { token: 1, logprob: null, top: [] };
        },
        async stop() {},
      };
    },
    draft: null,
    tokens: () => held,
    async saveState() {},
    async loadState() {},
    async reset() {
      held.length = 0;
    },
  };
}

/** A request for `answerTokens` tokens. */
export function fakeRequest(id: number, prompt: number[], answerTokens: number, cache: Partial<CacheUse> = {}): Job {
  const generated: number[] = [];
  const usage = () => ({
    promptTokens: prompt.length,
    completionTokens: generated.length,
    cachedPromptTokens: null,
    reasoningTokens: null,
  });
  const finish = (reason: FinishReason): StreamEvent[] => [
    {
      type: 'finish',
      reason,
      stopSequence: null,
      usage: usage(),
      timings: { queueMs: null, prefillMs: null, decodeMs: null },
    },
  ];
  return {
    id,
    prompt,
    cache: { owner: 'shared', mode: 'keep', pinTokens: 0, ...cache },
    settings: { sampling: {}, generated, topLogprobs: null, grammar: null },
    begin: (cached) => [{ type: 'start', model: 'm', promptTokens: prompt.length, cachedPromptTokens: cached }],
    accept({ token }) {
      if (token !== endToken) generated.push(token);
      const finished = generated.length >= answerTokens;
      return { events: finished ? finish('length') : [], finished };
    },
    finish,
  };
}
