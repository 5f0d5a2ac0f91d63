import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { promptUsage, unknownUsage } from '../../../src/core/usage.ts';
import type { StepReport, WorkerItem } from '../../../src/ipc/protocol.ts';
import type { Task } from '../../../src/worker/answer/task.ts';
import { createBatchLoop } from '../../../src/worker/batch/loop.ts';
import type { CacheUse, PrefixStore } from '../../../src/worker/prefix/prefix.ts';
import { coldTokens, fakeModel } from '../../support/fake-model.ts';

/** Evaluating it fails the decode call that it is in. */
const poison = 999_999;

interface Request {
  id: number;
  prompt: number[];
  answerTokens: number;
  /** It arrives when so many steps were made, or when nobody is at work. */
  arrivesAtStep: number;
  /** Its client goes in the middle of so many steps after its arrival; null: it stays. */
  leavesAfterSteps: number | null;
  isGuilty: boolean;
  cache: CacheUse;
}

interface Schedule {
  slots: number;
  /** Most prompt tokens of a step while nobody decodes. */
  batchTokens: number;
  wholeStatesOnly: boolean;
  /** Guesses per step and slot. */
  guesses: number;
  hasStore: boolean;
  requests: Request[];
}

/** Prompts of a few families: the same beginning for a while, then a tail of their own; some are equal. */
function schedules(how: { leaving: boolean; failing: boolean }): fc.Arbitrary<Schedule> {
  const request = fc.record({
    family: fc.nat(2),
    sharedTokens: fc.oneof(fc.nat(20), fc.nat(600), fc.constant(400)),
    tail: fc.nat(3),
    tailTokens: fc.oneof(fc.nat(3), fc.nat(150), fc.constant(60)),
    answerTokens: fc.integer({ min: 1, max: 40 }),
    // In waves: some find every slot free, and full of old conversations.
    arrivesAtStep: fc.nat(5).map((wave) => wave * 20),
    leavesAfterSteps: how.leaving ? fc.option(fc.nat(30), { freq: 2 }) : fc.constant(null),
    cache: fc.record({
      owner: fc.constantFrom('one', 'two'),
      mode: fc.constantFrom('keep', 'keep', 'keep', 'none'),
      pinTokens: fc.constantFrom(0, 0, 100, 400),
    }),
    isGuilty: how.failing ? fc.integer({ min: 0, max: 5 }).map((die) => die === 0) : fc.constant(false),
  });
  return fc
    .record({
      slots: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 32 })),
      batchTokens: fc.constantFrom(96, 256),
      wholeStatesOnly: fc.boolean(),
      guesses: fc.constantFrom(0, 0, 1, 5),
      hasStore: fc.boolean(),
      wishes: fc.array(request, { minLength: 1, maxLength: 40 }),
    })
    .map(({ wishes, ...rest }) => ({
      ...rest,
      requests: wishes.map(({ family, sharedTokens, tail, tailTokens, ...wish }, index) => ({
        ...wish,
        id: index + 1,
        prompt: [
          ...Array.from({ length: sharedTokens }, (_, at) => 10_000 * (family + 1) + at),
          ...(wish.isGuilty ? [poison] : []),
          ...Array.from({ length: tailTokens + 1 }, (_, at) => 100_000 * (tail + 1) + at),
        ],
      })),
    }));
}

function task(request: Request): Task {
  const generated: number[] = [];
  const finish = (reason: 'length' | 'cancelled' | 'stop') => [
    {
      type: 'finish' as const,
      reason,
      rawReason: null,
      stopSequence: null,
      usage: unknownUsage,
      timings: { queueMs: null, prefillMs: null, decodeMs: null },
    },
  ];
  return {
    id: request.id,
    prompt: request.prompt,
    cache: { ...request.cache, pinTokens: Math.min(request.cache.pinTokens, request.prompt.length - 1) },
    settings: { sampling: {}, generated, topLogprobs: null, grammar: null },
    begin: (cached) => [
      { type: 'start', responseId: null, model: 'm', usage: promptUsage(request.prompt.length, cached), warnings: [] },
    ],
    accept({ token }) {
      generated.push(token);
      const text = { type: 'text-delta' as const, blockId: 0, text: `${token} ` };
      const finished = generated.length === request.answerTokens;
      return { events: finished ? [text, ...finish('length')] : [text], finished };
    },
    finish,
  };
}

/** A store that keeps whatever comes twice and sometimes fails to give it back. */
function memoryStore(put: ReturnType<typeof fakeModel>['put']): PrefixStore {
  const states: { tokens: number[]; owner: string; pinned: boolean }[] = [];
  const seen = new Set<string>();
  let loads = 0;
  return {
    find(prompt, owner) {
      const common = (state: number[]) => {
        let length = 0;
        while (length < prompt.length - 1 && state[length] === prompt[length]) length++;
        return length;
      };
      const best = states
        .filter((state) => state.owner === owner)
        .map(({ tokens }) => ({ state: tokens, length: common(tokens) }))
        .sort((a, b) => b.length - a.length)[0];
      if (!best || best.length === 0) return null;
      return {
        length: best.length,
        async load(sequence) {
          const works = ++loads % 4 !== 0;
          put(sequence, works ? best.state : [-4, -5]);
          return works;
        },
      };
    },
    note(prompt) {
      const key = prompt.slice(0, 64).join();
      const isKnown = seen.has(key);
      seen.add(key);
      return isKnown;
    },
    holds(tokens, owner) {
      const same = states.filter((state) => state.owner === owner && String(state.tokens) === String(tokens));
      if (same.length === 0) return null;
      return same.some(({ pinned }) => pinned) ? 'pinned' : 'plain';
    },
    async save(sequence, { owner, pinned }) {
      states.push({ tokens: [...sequence.tokens()], owner, pinned });
    },
    async close() {},
  };
}

/** Runs a schedule to its end. `onStep` gets each step's report and what was published with it. */
async function run(schedule: Schedule, onStep: (report: StepReport | null, items: WorkerItem[]) => void = () => {}) {
  const accepted = (held: readonly number[], limit: number) => held.length % (limit + 1);
  const { sequences, steps, put, onDecode } = fakeModel({ ...schedule, accepted, poison });
  const waiting = [...schedule.requests].sort((a, b) => a.arrivesAtStep - b.arrivesAtStep);
  const leaving: { id: number; atStep: number }[] = [];
  const left = new Map<number, number>();
  const outcomes = new Map<number, { reason: string; atStep: number }>();
  const texts = new Map<number, string>();
  const done = Promise.withResolvers<void>();
  let added = 0;

  const arrive = () => {
    // When nobody is at work, no step would ever bring the next ones.
    const isIdle = added === outcomes.size;
    const dueStep = isIdle ? Math.max(steps.length, waiting[0]?.arrivesAtStep ?? 0) : steps.length;
    while (waiting.length > 0 && waiting[0]!.arrivesAtStep <= dueStep) {
      const request = waiting.shift()!;
      added++;
      loop.add(task(request));
      if (request.leavesAfterSteps !== null)
        leaving.push({ id: request.id, atStep: steps.length + request.leavesAfterSteps });
    }
  };
  const leave = () => {
    for (const { id, atStep } of leaving) {
      if (atStep > steps.length || left.has(id) || outcomes.has(id)) continue;
      left.set(id, steps.length);
      loop.cancel(id);
    }
  };
  // Clients come and go while a batch is under way, which is when it is hardest to get right.
  onDecode(() => {
    arrive();
    leave();
  });
  const loop = createBatchLoop({
    steadyTokens: 64,
    sequences,
    contextTokens: 4096,
    batchTokens: schedule.batchTokens,
    pacer: { chunkTokens: (decoding) => (decoding === 0 ? schedule.batchTokens : 65), observe: () => {} },
    drafts: { limit: () => schedule.guesses, observe: () => {} },
    threads: { use: () => {} },
    prefixes: schedule.hasStore ? memoryStore(put) : null,
    nowMs: () => 0,
    log: () => {},
    publish(items, report) {
      for (const item of items) {
        if ('error' in item) outcomes.set(item.id, { reason: item.error.code, atStep: steps.length });
        else if (item.event.type === 'finish')
          outcomes.set(item.id, { reason: item.event.reason, atStep: steps.length });
        else if (item.event.type === 'text-delta') texts.set(item.id, (texts.get(item.id) ?? '') + item.event.text);
      }
      onStep(report, items);
      if (outcomes.size === schedule.requests.length) done.resolve();
      else if (added === outcomes.size) arrive();
    },
  });
  arrive();
  await done.promise;
  return { steps, outcomes, texts, left };
}

const textOf = ({ prompt, answerTokens }: Request) =>
  coldTokens(prompt, answerTokens)
    .map((token) => `${token} `)
    .join('');

/** Tokens of a prompt, the same for the same start. */
const row = (start: number, length: number) => Array.from({ length }, (_, at) => start + at);

describe('a request that waits for the prefix of another one', () => {
  const stale = row(50_000, 700);
  const [first, second, third] = [row(10_000, 900), [...row(10_000, 590), 1, 2, 3], [...row(10_000, 590), 1, 2, 3, 4]];
  const request = (id: number, prompt: number[], arrivesAtStep: number, answerTokens = 3): Request => ({
    id,
    prompt,
    answerTokens,
    arrivesAtStep,
    leavesAfterSteps: null,
    isGuilty: false,
    cache: { owner: 'one', mode: 'keep', pinTokens: 0 },
  });
  // The third follows the second, which itself waits for the first, in a slot that still holds an old conversation.
  const chain = (leavesAfterSteps: number | null): Schedule => ({
    slots: 3,
    batchTokens: 256,
    wholeStatesOnly: false,
    guesses: 0,
    hasStore: false,
    requests: [
      request(1, [7, 7], 0, 1),
      request(2, stale, 0, 1),
      // The old conversation is done after three steps, and the first prompt takes four.
      request(3, first, 3),
      { ...request(4, second, 4), leavesAfterSteps },
      request(5, third, 4),
    ],
  });

  it.each([
    { while: 'waits for a leader of its own', leavesAfterSteps: null },
    { while: 'goes before it began', leavesAfterSteps: 1 },
  ])('never gets an old conversation from the slot of a leader that $while', async ({ leavesAfterSteps }) => {
    const schedule = chain(leavesAfterSteps);
    const { outcomes, texts } = await run(schedule);
    expect(outcomes.get(4)!.reason).toBe(leavesAfterSteps === null ? 'length' : 'cancelled');
    for (const other of schedule.requests.filter(({ id }) => outcomes.get(id)!.reason === 'length')) {
      expect(texts.get(other.id)).toBe(textOf(other));
    }
  });
});

describe('a conversation whose beginning was copied in the step in which it is needed elsewhere', () => {
  it('is not replaced before the copy is made', async () => {
    const beginning = (family: number, length: number) => Array.from({ length }, (_, at) => 10_000 * family + at);
    const tail = (length: number) => Array.from({ length }, (_, at) => 100_000 + at);
    const wish = (
      id: number,
      arrivesAtStep: number,
      prompt: number[],
      cache: Partial<CacheUse> & Pick<CacheUse, 'owner'>,
    ): Request => ({
      id,
      prompt,
      answerTokens: 1,
      arrivesAtStep,
      leavesAfterSteps: null,
      isGuilty: false,
      cache: { mode: 'keep', pinTokens: 0, ...cache },
    });
    const schedule: Schedule = {
      slots: 4,
      batchTokens: 96,
      wholeStatesOnly: true,
      guesses: 0,
      hasStore: true,
      requests: [
        wish(1, 80, tail(1), { owner: 'one' }),
        // The long conversation, with a state put aside that can be copied.
        wish(2, 20, [...beginning(2, 400), ...tail(61)], { owner: 'two', pinTokens: 100 }),
        wish(3, 20, tail(61), { owner: 'one' }),
        wish(4, 0, [...beginning(1, 64), ...tail(1)], { owner: 'two', pinTokens: 100 }),
        // A side request gets a copy of it, and the next one would have a stored state loaded over it.
        wish(5, 80, [...beginning(2, 400), ...tail(1)], { owner: 'two' }),
        wish(6, 80, [...beginning(1, 64), ...tail(1)], { owner: 'two' }),
      ],
    };
    const { texts } = await run(schedule);
    for (const request of schedule.requests) expect(texts.get(request.id), `${request.id}`).toBe(textOf(request));
  });
});

describe('the batch loop, whatever the schedule', () => {
  it('gives everybody the answer of a cold run, and frees the slot of who left within a step', async () => {
    let cancelled = 0;
    await fc.assert(
      fc.asyncProperty(schedules({ leaving: true, failing: false }), async (schedule) => {
        const { outcomes, texts, left, steps } = await run(schedule);
        for (const request of schedule.requests) {
          const { reason, atStep } = outcomes.get(request.id)!;
          const text = texts.get(request.id) ?? '';
          const leftAtStep = left.get(request.id);
          // The step under way is finished, maybe with the last token; the next one goes without.
          if (leftAtStep !== undefined) expect(atStep - leftAtStep).toBeLessThanOrEqual(1);
          if (reason === 'length') expect(text).toBe(textOf(request));
          else {
            expect(reason).toBe('cancelled');
            expect(leftAtStep).toBeDefined();
            expect(textOf(request).startsWith(text)).toBe(true);
            cancelled++;
          }
        }
        for (const step of steps) {
          const order = step.map(({ slot }) => slot);
          expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
        }
      }),
      { numRuns: 300 },
    );
    expect(cancelled).toBeGreaterThan(0);
  });

  it('lets every decoder advance in every step, and reads no more beside them than a step may take', async () => {
    await fc.assert(
      fc.asyncProperty(schedules({ leaving: false, failing: false }), async (schedule) => {
        const decoding = new Set<number>();
        const { steps } = await run(schedule, (report, items) => {
          if (!report) return;
          for (const id of decoding) expect(report.decoded).toContain(id);
          for (const id of report.decoded) decoding.add(id);
          for (const item of items) if ('event' in item && item.event.type === 'finish') decoding.delete(item.id);
        });
        // Nobody's portion is more than what a step may take beside decoders.
        for (const step of steps) {
          const read = step.filter(({ type }) => type !== 'next').reduce((sum, { tokens }) => sum + tokens, 0);
          expect(read).toBeLessThanOrEqual(step.some(({ type }) => type === 'next') ? 65 : schedule.batchTokens);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('fails the guilty of a failed batch and nobody else', async () => {
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(schedules({ leaving: false, failing: true }), async (schedule) => {
        const { outcomes, texts } = await run(schedule);
        for (const request of schedule.requests) {
          expect(outcomes.get(request.id)!.reason).toBe(request.isGuilty ? 'internal_error' : 'length');
          expect(texts.get(request.id) ?? '').toBe(request.isGuilty ? '' : textOf(request));
          if (request.isGuilty) failed++;
        }
      }),
      { numRuns: 200 },
    );
    expect(failed).toBeGreaterThan(0);
  });
});
