import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { FinishReason } from '../../../src/core/events.ts';
import { promptUsage } from '../../../src/core/usage.ts';
import type { StepReport, WorkerItem } from '../../../src/ipc/protocol.ts';
import type { Task } from '../../../src/worker/answer/task.ts';
import { createBatchLoop } from '../../../src/worker/batch/loop.ts';
import type { DraftController } from '../../../src/worker/draft/controller.ts';
import type { PrefixStore } from '../../../src/worker/prefix/prefix.ts';
import type { Sequence } from '../../../src/worker/sequence/sequence.ts';

/** What one step asked of the sequences, in the order of the calls: `3:prefill 64`, `0:next`. */
type Step = string[];

const endToken = 0;

type FakeSequence = Sequence & { held: number[] };

/**
 * Sequences without a model: generation counts down from the last prompt token to 0, the end token. All calls of a step
 * settle together, once the loop has issued them all, as they do in one decode call.
 */
function fakeSequences({
  slots: count,
  failOn = () => false,
  failBatchOn = () => false,
  guesses = 0,
  staleGuesses = 0,
  onLimit = () => {},
}: SetupOptions) {
  const steps: Step[] = [];
  let current: Step | null = null;
  let poisoned: { batch: boolean } = { batch: false };
  const decode = async (call: string, lastToken: number) => {
    if (!current) {
      const step: Step = [];
      current = step;
      poisoned = { batch: false };
      steps.push(step);
      // The batch runs when everything of this tick is queued.
      setImmediate(() => {
        if (current === step) current = null;
      });
    }
    current.push(call);
    const batch = poisoned;
    if (failBatchOn(lastToken)) batch.batch = true;
    await new Promise((resolve) => setImmediate(resolve));
    // One bad item fails everything in its decode call.
    if (batch.batch) throw new Error('decode failed');
  };
  const copies: string[] = [];
  const sequences: FakeSequence[] = Array.from({ length: count }, (_, index): FakeSequence => {
    const tokens: number[] = [];
    let limit = 0;
    let ready = 0;
    let proposed = 0;
    const common = (prompt: readonly number[]) => {
      let length = 0;
      while (length < tokens.length && length < prompt.length - 1 && tokens[length] === prompt[length]) length++;
      return length;
    };
    return {
      held: tokens,
      get length() {
        return tokens.length;
      },
      reusablePrefix: common,
      async adapt(prompt) {
        tokens.length = common(prompt);
        return tokens.length;
      },
      draft:
        guesses === 0
          ? null
          : {
              get limit() {
                return limit;
              },
              set limit(tokens) {
                limit = tokens;
                onLimit(tokens);
              },
              get ready() {
                return ready + staleGuesses;
              },
              takeProposed() {
                const taken = proposed;
                proposed = 0;
                return taken;
              },
            },
      needsCheckpoints: false,
      async checkpoint() {},
      copyable: (length) => Math.min(length, tokens.length),
      async copyFrom(other, length) {
        copies.push(`${sequences.indexOf(other as FakeSequence)}>${index} ${length}`);
        tokens.length = 0;
        tokens.push(...(other as FakeSequence).held.slice(0, length));
        return true;
      },
      score: () => Promise.reject(new Error('nobody asks for scores here')),
      async prefill(chunk) {
        await decode(`${index}:prefill ${chunk.length}`, chunk.at(-1)!);
        tokens.push(...chunk);
      },
      generate(chunk) {
        let input = chunk;
        return {
          async next() {
            if (ready > 0) ready--;
            else {
              await decode(input === chunk ? `${index}:last ${chunk.length}` : `${index}:next`, input.at(-1)!);
              if (input !== chunk && limit > 0) {
                proposed += limit;
                ready = Math.min(limit, input.at(-1)! - 1);
              }
            }
            if (failOn(input.at(-1)!)) throw new Error('sampling failed');
            tokens.push(...input);
            const token = Math.max(endToken, input.at(-1)! - 1);
            input = [token];
            return { token, logprob: null, top: [] };
          },
          async stop() {},
        };
      },
      tokens: () => tokens,
      async saveState() {},
      async loadState() {},
      async reset() {
        tokens.length = 0;
      },
    };
  });
  return { sequences, steps, copies };
}

let prompts = 0;

/** A prompt of `length` tokens, unlike any other, whose answer has `answerTokens` tokens. */
function prompt(length: number, answerTokens: number): number[] {
  const base = ++prompts * 1_000_000;
  return Array.from({ length }, (_, index) => (index === length - 1 ? answerTokens + 1 : base + index));
}

function fakeTask(id: number, tokens: number[]): Task {
  const generated: number[] = [];
  const finish = (reason: FinishReason) => [
    {
      type: 'finish' as const,
      reason,
      rawReason: null,
      stopSequence: null,
      usage: { ...promptUsage(tokens.length, 0), outputTokens: generated.length, reasoningTokens: 0 },
      timings: { queueMs: null, prefillMs: null, decodeMs: null },
    },
  ];
  return {
    id,
    prompt: tokens,
    cache: { owner: 'shared', mode: 'keep', pinTokens: 0 },
    settings: { sampling: {}, generated, topLogprobs: null, grammar: null },
    begin: (cached) => [
      { type: 'start', responseId: null, model: 'm', usage: promptUsage(tokens.length, cached), warnings: [] },
    ],
    accept({ token }) {
      if (token === endToken) return { events: finish('stop'), finished: true };
      generated.push(token);
      return { events: [{ type: 'text-delta', blockId: 0, text: `${token} ` }], finished: false };
    },
    finish,
  };
}

interface SetupOptions {
  slots: number;
  contextTokens?: number;
  batchTokens?: number;
  /** Fails the one sequence that evaluates this token. */
  failOn?: (token: number) => boolean;
  /** Fails everything in the decode call that holds this token. */
  failBatchOn?: (token: number) => boolean;
  /** Guesses that a step makes and that all come true; 0: a library without guesses. */
  guesses?: number;
  /** Guesses that the library counts as ready although nobody will ever get them. */
  staleGuesses?: number;
  drafts?: Pick<DraftController, 'limit' | 'observe'>;
  prefixes?: PrefixStore;
  onLimit?: (limit: number) => void;
}

function setup(options: SetupOptions) {
  const { sequences, steps, copies } = fakeSequences(options);
  const items: WorkerItem[] = [];
  const reports: StepReport[] = [];
  const ends = new Map<number, PromiseWithResolvers<string>>();
  const ended = (id: number): Promise<string> => {
    if (!ends.has(id)) ends.set(id, Promise.withResolvers());
    return ends.get(id)!.promise;
  };
  const kinds: string[] = [];
  let onPublish: () => void = () => {};
  const loop = createBatchLoop({
    steadyTokens: 64,
    sequences,
    contextTokens: options.contextTokens ?? 4096,
    batchTokens: options.batchTokens ?? 512,
    pacer: { chunkTokens: (decoding) => (decoding === 0 ? (options.batchTokens ?? 512) : 64), observe: () => {} },
    prefixes: options.prefixes ?? null,
    threads: { use: (kind) => void kinds.push(kind) },
    drafts: options.drafts ?? { limit: () => 0, observe: () => {} },
    nowMs: () => 0,
    log: () => {},
    publish(published, report) {
      items.push(...published);
      if (report) reports.push(report);
      for (const item of published) {
        if ('error' in item) {
          void ended(item.id);
          ends.get(item.id)!.resolve(item.error.code);
        } else if (item.event.type === 'finish') {
          void ended(item.id);
          ends.get(item.id)!.resolve(item.event.reason);
        }
      }
      onPublish();
    },
  });
  return {
    loop,
    sequences,
    steps,
    kinds,
    copies,
    forget: (id: number) => void ends.delete(id),
    items,
    reports,
    ended,
    onPublish: (listener: () => void) => {
      onPublish = listener;
    },
    textOf: (id: number) =>
      items
        .map((item) => ('event' in item && item.id === id && item.event.type === 'text-delta' ? item.event.text : ''))
        .join(''),
  };
}

const countdown = (from: number) => Array.from({ length: from }, (_, index) => `${from - index} `).join('');

describe('the batch loop', () => {
  it('advances every slot in one step, in ascending slot order', async () => {
    const { loop, steps, reports, ended } = setup({ slots: 4 });
    for (let id = 1; id <= 4; id++) loop.add(fakeTask(id, prompt(5, 6)));
    await Promise.all([1, 2, 3, 4].map(ended));
    expect(steps[0]).toEqual(['0:last 5', '1:last 5', '2:last 5', '3:last 5']);
    for (const step of steps.slice(1)) expect(step).toEqual(['0:next', '1:next', '2:next', '3:next']);
    expect(reports.every((report) => report.sequences === 4)).toBe(true);
    expect(reports[0]).toEqual({
      sequences: 4,
      promptTokens: 20,
      decoded: [1, 2, 3, 4],
      prefixes: ['none', 'none', 'none', 'none'],
      drafts: { proposed: 0, accepted: 0 },
      milliseconds: 0,
      endedMs: 0,
    });
  });

  it('says before each step whether it reads a prompt', async () => {
    const { loop, steps, kinds, ended } = setup({ slots: 1, batchTokens: 64 });
    loop.add(fakeTask(1, prompt(100, 3)));
    await ended(1);
    expect(steps).toEqual([['0:prefill 64'], ['0:last 36'], ['0:next'], ['0:next'], ['0:next']]);
    expect(kinds).toEqual(['prefill', 'prefill', 'decode', 'decode', 'decode']);
  });

  it('tells how much of a prompt is read, portion by portion, until the answer begins', async () => {
    const { loop, items, ended } = setup({ slots: 1, batchTokens: 64 });
    loop.add(fakeTask(1, prompt(150, 2)));
    await ended(1);
    const told = items.flatMap((item) => ('event' in item ? [item.event] : []));
    expect(told.slice(0, 4)).toMatchObject([
      { type: 'start' },
      { type: 'progress', stage: 'prompt', readTokens: 64, totalTokens: 150 },
      { type: 'progress', stage: 'prompt', readTokens: 128, totalTokens: 150 },
      { type: 'text-delta' },
    ]);
    expect(told.slice(4).filter(({ type }) => type === 'progress')).toEqual([]);
  });

  it('works on other things when nobody has a task, and a task that comes meanwhile waits for the end', async () => {
    const { loop, steps, ended } = setup({ slots: 2 });
    const work = Promise.withResolvers<number>();
    const result = loop.whenIdle(async (slots) => {
      steps.push([`work on ${slots.length}`]);
      return await work.promise;
    });
    await new Promise((resolve) => setImmediate(resolve));
    loop.add(fakeTask(1, prompt(3, 1)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps).toEqual([['work on 2']]);
    work.resolve(7);
    expect(await result).toBe(7);
    expect(await ended(1)).toBe('stop');
    expect(steps).toEqual([['work on 2'], ['0:last 3'], ['0:next']]);
  });

  it('does nothing else while there are tasks, and a task that comes first goes first', async () => {
    const { loop, ended } = setup({ slots: 1 });
    const work = async () => 'done';
    const overtaken = loop.whenIdle(work);
    const beside = loop.whenIdle(work);
    loop.add(fakeTask(1, prompt(3, 1)));
    const late = loop.whenIdle(work);
    expect(await Promise.all([overtaken, beside, late])).toEqual([null, null, null]);
    await ended(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await loop.whenIdle(work)).toBe('done');
  });

  it('hands a failure of such work to who asked for it, and goes on', async () => {
    const { loop, ended, textOf } = setup({ slots: 1 });
    const failure = new Error('no');
    await expect(loop.whenIdle(() => Promise.reject(failure))).rejects.toBe(failure);
    loop.add(fakeTask(1, prompt(3, 2)));
    expect(await ended(1)).toBe('stop');
    expect(textOf(1)).toBe(countdown(2));
  });

  it('lets decoders advance in every step while a long prompt is read 64 tokens at a time', async () => {
    const { loop, steps, ended, onPublish } = setup({ slots: 2 });
    loop.add(fakeTask(1, prompt(3, 12)));
    let second = false;
    onPublish(() => {
      if (second) return;
      second = true;
      loop.add(fakeTask(2, prompt(300, 1)));
    });
    await Promise.all([ended(1), ended(2)]);
    const mixed = steps.filter((step) => step.some((call) => call.includes('1:prefill') || call.includes('1:last')));
    expect(mixed.slice(0, 5)).toEqual([
      ['0:next', '1:prefill 64'],
      ['0:next', '1:prefill 64'],
      ['0:next', '1:prefill 64'],
      ['0:next', '1:prefill 64'],
      ['0:next', '1:last 44'],
    ]);
  });

  it('reads prompts in whole batches when nobody decodes, what is left of a batch goes to the next one', async () => {
    const { loop, steps, ended } = setup({ slots: 3, batchTokens: 256 });
    loop.add(fakeTask(1, prompt(300, 1)));
    loop.add(fakeTask(2, prompt(100, 1)));
    await Promise.all([ended(1), ended(2)]);
    expect(steps[0]).toEqual(['0:prefill 156', '1:last 100']);
  });

  it('waits for a free slot and gives it to the one who came first', async () => {
    const { loop, ended, items } = setup({ slots: 1 });
    for (let id = 1; id <= 3; id++) loop.add(fakeTask(id, prompt(2, 2)));
    await Promise.all([1, 2, 3].map(ended));
    const starts = items.flatMap((item) => ('event' in item && item.event.type === 'start' ? [item.id] : []));
    expect(starts).toEqual([1, 2, 3]);
  });

  it('reuses the slot that holds the longest prefix, else the lowest free one', async () => {
    const { loop, ended, items } = setup({ slots: 3 });
    const long = prompt(50, 3);
    loop.add(fakeTask(1, prompt(4, 3)));
    loop.add(fakeTask(2, long));
    await Promise.all([ended(1), ended(2)]);
    loop.add(fakeTask(3, [...long.slice(0, 49), 777, 2]));
    await ended(3);
    const cached = items.flatMap((item) =>
      'event' in item && item.event.type === 'start' ? [item.event.usage.cacheReadTokens] : [],
    );
    expect(cached).toEqual([0, 0, 49]);
  });

  it('evaluates a prefix that several requests share once, and copies it', async () => {
    const { loop, ended, reports, copies, textOf, items } = setup({ slots: 4, batchTokens: 128 });
    const prefix = prompt(400, 0).slice(0, 399);
    const tails = [1, 2, 3, 4].map((id) => [900 + id, 901 + id, id + 2]);
    for (const [index, tail] of tails.entries()) loop.add(fakeTask(index + 1, [...prefix, ...tail]));
    await Promise.all([1, 2, 3, 4].map(ended));
    expect(reports.reduce((sum, report) => sum + report.promptTokens, 0)).toBe(399 + 4 * 3);
    expect(copies).toEqual(['0>1 399', '0>2 399', '0>3 399']);
    expect([1, 2, 3, 4].map(textOf)).toEqual([2, 3, 4, 5].map(countdown));
    const cached = items.flatMap((item) =>
      'event' in item && item.event.type === 'start' ? [item.event.usage.cacheReadTokens] : [],
    );
    expect(cached).toEqual([0, 399, 399, 399]);
    expect(reports.flatMap((report) => report.prefixes)).toEqual(['none', 'ram', 'ram', 'ram']);
  });

  it('evaluates one prompt once for several answers to it', async () => {
    const { loop, ended, reports } = setup({ slots: 3 });
    const same = prompt(100, 3);
    for (let id = 1; id <= 3; id++) loop.add(fakeTask(id, same));
    await Promise.all([1, 2, 3].map(ended));
    // The last token is evaluated by each: its result is what each answer begins with.
    expect(reports.reduce((sum, report) => sum + report.promptTokens, 0)).toBe(102);
  });

  it('copies from a slot that decodes already', async () => {
    const { loop, ended, copies, onPublish, textOf } = setup({ slots: 2 });
    const first = prompt(60, 40);
    loop.add(fakeTask(1, first));
    let added = false;
    onPublish(() => {
      if (added) return;
      added = true;
      loop.add(fakeTask(2, [...first.slice(0, 50), 77, 6]));
    });
    await Promise.all([ended(1), ended(2)]);
    expect(copies).toEqual(['0>1 50']);
    expect(textOf(1)).toBe(countdown(40));
    expect(textOf(2)).toBe(countdown(5));
  });

  it('goes on with what a leader had done when the leader goes, and only one follower does the rest', async () => {
    const { loop, ended, copies, onPublish, reports, textOf } = setup({ slots: 3, batchTokens: 64 });
    const prefix = prompt(300, 0).slice(0, 299);
    for (let id = 1; id <= 3; id++) loop.add(fakeTask(id, [...prefix, 500 + id, id + 3]));
    let published = 0;
    onPublish(() => {
      if (++published === 2) loop.cancel(1);
    });
    expect(await Promise.all([1, 2, 3].map(ended))).toEqual(['cancelled', 'stop', 'stop']);
    expect(copies).toEqual(['0>1 128', '1>2 299']);
    expect(reports.reduce((sum, report) => sum + report.promptTokens, 0)).toBe(128 + (299 - 128) + 2 + 2);
    expect([2, 3].map(textOf)).toEqual([4, 5].map(countdown));
  });

  it('reads a short prompt before what is left of a long one', async () => {
    const { loop, ended, steps } = setup({ slots: 2, batchTokens: 64 });
    loop.add(fakeTask(1, prompt(1_000, 1)));
    loop.add(fakeTask(2, prompt(64, 1)));
    await Promise.all([ended(1), ended(2)]);
    expect(steps[0]).toEqual(['1:last 64']);
    expect(steps[1]).toContain('0:prefill 64');
  });

  it('reads prompts of one length one after the other', async () => {
    const { loop, ended, steps } = setup({ slots: 3, batchTokens: 64 });
    for (const id of [1, 2, 3]) loop.add(fakeTask(id, prompt(256, 1)));
    await Promise.all([1, 2, 3].map(ended));
    const read = steps.flat().filter((one) => !one.endsWith('next'));
    expect(read.map((one) => one[0]).join('')).toMatch(/^0+1+2+$/);
  });

  it('reads what nobody waits for in short portions, as whoever comes waits for the step', async () => {
    const { loop, steps, ended } = setup({ slots: 3 });
    const patient = (id: number, tokens: number[]) => ({ ...fakeTask(id, tokens), isBackground: true });
    loop.add(patient(1, prompt(200, 40)));
    await ended(1);
    expect(steps.slice(0, 7)).toEqual([...Array(6).fill(['0:prefill 32']), ['0:last 8']]);
    const before = steps.length;
    loop.add(patient(2, prompt(150, 3)));
    loop.add(fakeTask(3, prompt(160, 3)));
    await Promise.all([ended(2), ended(3)]);
    // Beside one that somebody waits for it is read as ever.
    expect(steps[before]!.join(' ')).toMatch(/last 150/);
  });

  it('gives every fourth portion to the prompt that came first, however many short ones come', async () => {
    const { loop, ended, steps, onPublish } = setup({ slots: 2, batchTokens: 64 });
    loop.add(fakeTask(1, prompt(640, 1)));
    let short = 1;
    const addShort = () => loop.add(fakeTask(++short, prompt(64, 1)));
    addShort();
    onPublish(() => {
      if (short < 60) addShort();
    });
    await ended(1);
    const portions = steps.flat().filter((one) => / (64|65)$/.test(one));
    const ofLong = portions.flatMap((one, index) => (one.startsWith('0:') ? [index] : []));
    expect(portions.some((one) => one.startsWith('1:'))).toBe(true);
    for (const [index, at] of ofLong.entries()) {
      if (index > 0) expect(at - ofLong[index - 1]!).toBeLessThanOrEqual(4);
    }
    expect(short).toBeLessThan(60);
  });

  it('evaluates the innocent of a failed batch again, alone, and fails only the guilty one', async () => {
    const { loop, ended, steps, textOf } = setup({ slots: 3, failBatchOn: (token) => token === 5_000 });
    loop.add(fakeTask(1, prompt(3, 4)));
    loop.add(fakeTask(2, prompt(3, 4_999)));
    loop.add(fakeTask(3, prompt(3, 6)));
    expect(await Promise.all([1, 2, 3].map(ended))).toEqual(['stop', 'internal_error', 'stop']);
    expect([1, 3].map(textOf)).toEqual([4, 6].map(countdown));
    expect(steps[0]).toEqual(['0:last 3', '1:last 3', '2:last 3']);
    expect(steps.slice(1, 4)).toEqual([['0:last 3'], ['1:last 3'], ['2:last 3']]);
  });

  it('keeps a state that is worth it before a copy from a neighbour replaces it', async () => {
    const saved: number[][] = [];
    const { loop, ended, copies, onPublish } = setup({
      slots: 2,
      prefixes: {
        find: () => null,
        note: (tokens) => tokens.length === 80,
        async save(sequence) {
          saved.push([...sequence.tokens()]);
        },
        holds: () => null,
        async close() {},
      },
    });
    const leader = prompt(60, 60);
    const worthy = prompt(80, 3);
    loop.add(fakeTask(1, leader));
    loop.add(fakeTask(2, worthy));
    let added = false;
    void ended(2).then(() => {
      // The first still works, so the loop was never idle in between.
      onPublish(() => {
        if (added) return;
        added = true;
        loop.add(fakeTask(3, [...leader.slice(0, 50), 77, 4]));
      });
    });
    await Promise.all([ended(1), ended(3)]);
    expect(copies).toEqual(['0>1 50']);
    expect(saved).toEqual([[...worthy, 3, 2, 1]]);
  });

  it('never takes more within a step than the step may have guessed, whatever the library says is ready', async () => {
    const { loop, ended, textOf, steps } = setup({ slots: 2, guesses: 1, staleGuesses: 100 });
    loop.add(fakeTask(1, prompt(3, 20)));
    loop.add(fakeTask(2, prompt(3, 20)));
    await Promise.all([ended(1), ended(2)]);
    expect([1, 2].map(textOf)).toEqual([countdown(20), countdown(20)]);
    // Without guesses a token takes a step, and nobody overtakes.
    expect(steps).toHaveLength(21);
    for (const step of steps) expect(step).toHaveLength(2);
  });

  it('takes what was guessed within the step, and asks for no guess where it would change the text', async () => {
    const limits: number[] = [];
    const observed: { proposed: number; generated: number }[] = [];
    const { loop, ended, textOf, steps, reports, forget } = setup({
      slots: 1,
      guesses: 3,
      drafts: {
        limit: (active) => (active === 1 ? 3 : 0),
        observe: ({ proposed, generated }) => void observed.push({ proposed, generated }),
      },
      onLimit: (limit) => limits.push(limit),
    });
    loop.add(fakeTask(1, prompt(3, 12)));
    expect(await ended(1)).toBe('stop');
    expect(textOf(1)).toBe(countdown(12));
    // The first token comes with the prompt, then four come with each step.
    expect(steps).toHaveLength(1 + Math.ceil(12 / 4));
    expect(observed[0]).toEqual({ proposed: 3, generated: 4 });
    expect(reports.map((report) => report.drafts)).toEqual([
      { proposed: 0, accepted: 0 },
      ...Array.from({ length: 3 }, () => ({ proposed: 3, accepted: 3 })),
    ]);

    for (const settings of [
      { sampling: { frequencyPenalty: 0.5 } },
      { sampling: { seed: 1, temperature: 0.7 } },
      { sampling: {}, topLogprobs: 2 },
    ]) {
      limits.length = 0;
      const task = fakeTask(9, prompt(3, 5));
      Object.assign(task.settings, settings);
      loop.add(task);
      await ended(9);
      expect(new Set(limits)).toEqual(new Set([0]));
      forget(9);
    }
  });

  it('keeps a state that is worth it when it is idle, and starts from the store when that saves most', async () => {
    const noted: number[] = [];
    const saved: number[][] = [];
    const kept: number[][] = [];
    const { loop, ended, textOf, sequences, reports, items, forget } = setup({
      slots: 1,
      prefixes: {
        find(prompt) {
          const state = kept.find((tokens) => tokens[0] === prompt[0]);
          if (!state) return null;
          let length = 0;
          while (length < prompt.length - 1 && state[length] === prompt[length]) length++;
          return {
            length,
            async load(sequence) {
              const { held } = sequence as FakeSequence;
              held.splice(0, held.length, ...state);
              return true;
            },
          };
        },
        note(prompt) {
          noted.push(prompt.length);
          return prompt.length > 100;
        },
        async save(sequence) {
          saved.push([...sequence.tokens()]);
          kept.push([...sequence.tokens()]);
        },
        holds: () => null,
        async close() {},
      },
    });
    const long = prompt(300, 3);
    loop.add(fakeTask(1, long));
    await ended(1);
    await new Promise((resolve) => setImmediate(resolve));
    // The state of prompt and answer; the last token of an answer is never evaluated.
    expect(saved).toEqual([[...long, 3, 2, 1]]);
    loop.add(fakeTask(2, prompt(50, 2)));
    await ended(2);
    expect(saved).toHaveLength(1);
    const before = reports.reduce((sum, report) => sum + report.promptTokens, 0);
    forget(3);
    loop.add(fakeTask(3, [...long.slice(0, 290), 99, 5]));
    await ended(3);
    expect(reports.reduce((sum, report) => sum + report.promptTokens, 0) - before).toBe(2);
    expect(textOf(3)).toBe(countdown(4));
    expect(noted).toEqual([300, 50, 292]);
    expect(sequences[0]!.held.slice(0, 292)).toEqual([...long.slice(0, 290), 99, 5]);
    const starts = items.flatMap((item) => ('event' in item && item.event.type === 'start' ? [item.event] : []));
    expect(starts.at(-1)).toMatchObject({ usage: { cacheReadTokens: 290 } });
    expect(reports.flatMap((report) => report.prefixes)).toEqual(['none', 'none', 'disk']);
    expect(reports.flatMap((report) => report.prefixes).at(-1)).toBe('disk');
  });

  it('frees the slot of a cancelled request at the next step and tells so', async () => {
    const { loop, ended, steps, onPublish } = setup({ slots: 2 });
    loop.add(fakeTask(1, prompt(2, 500)));
    loop.add(fakeTask(2, prompt(2, 6)));
    let stepsAtCancel = 0;
    onPublish(() => {
      if (stepsAtCancel > 0) return;
      stepsAtCancel = steps.length;
      loop.cancel(1);
    });
    expect(await ended(1)).toBe('cancelled');
    const after = steps.slice(stepsAtCancel).filter((step) => step.some((call) => call.startsWith('0:')));
    expect(after).toEqual([]);
    expect(await ended(2)).toBe('stop');
  });

  it('cancels a request that waits, and one in the middle of its prompt', async () => {
    const { loop, ended, onPublish, steps } = setup({ slots: 1, batchTokens: 128 });
    loop.add(fakeTask(1, prompt(1000, 1)));
    loop.add(fakeTask(2, prompt(2, 1)));
    onPublish(() => {
      loop.cancel(2);
      loop.cancel(1);
    });
    expect(await Promise.all([ended(1), ended(2)])).toEqual(['cancelled', 'cancelled']);
    expect(steps).toEqual([['0:prefill 128']]);
  });

  it('says so when an answer ends because the context is full', async () => {
    const { loop, ended, textOf, sequences } = setup({ slots: 1, contextTokens: 20 });
    loop.add(fakeTask(1, prompt(10, 500)));
    expect(await ended(1)).toBe('context_full');
    // One cell stays free: the library would otherwise silently drop the beginning.
    expect(sequences[0]!.length).toBe(19);
    expect(textOf(1).trim().split(' ')).toHaveLength(10);
  });

  it('fails only the request whose decode failed, and forgets its state', async () => {
    const { loop, ended, textOf, sequences } = setup({ slots: 2, failOn: (token) => token === 5_000 });
    loop.add(fakeTask(1, prompt(3, 4)));
    loop.add(fakeTask(2, prompt(3, 4_999)));
    expect(await ended(2)).toBe('internal_error');
    expect(await ended(1)).toBe('stop');
    expect(textOf(1)).toBe(countdown(4));
    expect(sequences[1]!.length).toBe(0);
  });

  it('fails what is left when it is stopped', async () => {
    const { loop, ended, onPublish } = setup({ slots: 1 });
    loop.add(fakeTask(1, prompt(2, 100_000)));
    loop.add(fakeTask(2, prompt(2, 1)));
    await new Promise<void>((resolve) => onPublish(resolve));
    await loop.stop(new AppError('shutting_down', 'stop'));
    expect(await Promise.all([ended(1), ended(2)])).toEqual(['shutting_down', 'shutting_down']);
  });

  it('gives every request its own text whatever the schedule', async () => {
    const requests = fc.array(
      fc.record({
        promptTokens: fc.integer({ min: 1, max: 200 }),
        answerTokens: fc.integer({ min: 1, max: 30 }),
        startsAtStep: fc.integer({ min: 0, max: 20 }),
        cancelled: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 5 }), async (list, slots) => {
        const { loop, ended, textOf, steps, onPublish, items } = setup({ slots, batchTokens: 128 });
        const waiting = list.map((request, index) => ({ ...request, id: index + 1 }));
        const feed = () => {
          const idle =
            items.filter((item) => 'event' in item && item.event.type === 'finish').length ===
            list.length - waiting.length;
          for (let index = waiting.length - 1; index >= 0; index--) {
            const request = waiting[index]!;
            if (!idle && request.startsAtStep > steps.length) continue;
            waiting.splice(index, 1);
            loop.add(fakeTask(request.id, prompt(request.promptTokens, request.answerTokens)));
            if (request.cancelled) loop.cancel(request.id);
          }
        };
        onPublish(feed);
        feed();
        if (waiting.length === list.length) {
          const first = waiting.shift()!;
          loop.add(fakeTask(first.id, prompt(first.promptTokens, first.answerTokens)));
        }
        const reasons = await Promise.all(list.map((_, index) => ended(index + 1)));
        for (const [index, reason] of reasons.entries()) {
          if (reason === 'stop') expect(textOf(index + 1)).toBe(countdown(list[index]!.answerTokens));
          else expect(list[index]!.cancelled).toBe(true);
        }
        for (const step of steps) {
          const order = step.map((call) => Number(call.split(':')[0]));
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      }),
      { numRuns: 60 },
    );
  });
});
