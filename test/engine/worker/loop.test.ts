import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { StepReport, WorkerItem } from '../../../src/engine/ipc/protocol.ts';
import type { Job } from '../../../src/engine/worker/job.ts';
import { createBatchLoop } from '../../../src/engine/worker/loop.ts';
import type { Sequence } from '../../../src/engine/worker/sequence.ts';

/** What one step asked of the sequences, in the order of the calls: `3:prefill 64`, `0:next`. */
type Step = string[];

const endToken = 0;

/**
 * Sequences without a model: generation counts down from the last prompt token to 0, the end token. All calls of a step
 * settle together, once the loop has issued them all, as they do in one decode call.
 */
function fakeSequences(count: number, failOn: (token: number) => boolean = () => false) {
  const steps: Step[] = [];
  let current: Step | null = null;
  const decode = async (call: string) => {
    if (!current) {
      const step: Step = [];
      current = step;
      steps.push(step);
      // The batch runs when everything of this tick is queued.
      setImmediate(() => {
        if (current === step) current = null;
      });
    }
    current.push(call);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const sequences = Array.from({ length: count }, (_, index): Sequence & { tokens: number[] } => {
    const tokens: number[] = [];
    const common = (prompt: readonly number[]) => {
      let length = 0;
      while (length < tokens.length && length < prompt.length - 1 && tokens[length] === prompt[length]) length++;
      return length;
    };
    return {
      tokens,
      get length() {
        return tokens.length;
      },
      reusablePrefix: common,
      async adapt(prompt) {
        tokens.length = common(prompt);
        return tokens.length;
      },
      async prefill(chunk) {
        await decode(`${index}:prefill ${chunk.length}`);
        tokens.push(...chunk);
      },
      generate(chunk) {
        let input = chunk;
        return {
          async next() {
            await decode(input === chunk ? `${index}:last ${chunk.length}` : `${index}:next`);
            if (failOn(input.at(-1)!)) throw new Error('decode failed');
            tokens.push(...input);
            const token = Math.max(endToken, input.at(-1)! - 1);
            input = [token];
            return token;
          },
          async stop() {},
        };
      },
      async reset() {
        tokens.length = 0;
      },
    };
  });
  return { sequences, steps };
}

/** A prompt of `length` tokens whose answer has `answerTokens` tokens. */
function prompt(length: number, answerTokens: number): number[] {
  return Array.from({ length }, (_, index) => (index === length - 1 ? answerTokens + 1 : 100_000 + index));
}

function fakeJob(id: number, tokens: number[]): Job {
  const generated: number[] = [];
  const finish = (reason: 'stop' | 'length' | 'cancelled') => [
    {
      type: 'finish' as const,
      reason,
      stopSequence: null,
      usage: {
        promptTokens: tokens.length,
        completionTokens: generated.length,
        cachedPromptTokens: 0,
        reasoningTokens: 0,
      },
      timings: { queueMs: null, prefillMs: null, decodeMs: null },
    },
  ];
  return {
    id,
    prompt: tokens,
    sampling: {},
    generated,
    begin: (cached) => [{ type: 'start', model: 'm', promptTokens: tokens.length, cachedPromptTokens: cached }],
    accept(token) {
      if (token === endToken) return { events: finish('stop'), finished: true };
      generated.push(token);
      return { events: [{ type: 'text-delta', blockId: 0, text: `${token} ` }], finished: false };
    },
    finish,
  };
}

function setup(options: {
  slots: number;
  contextTokens?: number;
  batchTokens?: number;
  failOn?: (token: number) => boolean;
}) {
  const { sequences, steps } = fakeSequences(options.slots, options.failOn);
  const items: WorkerItem[] = [];
  const reports: StepReport[] = [];
  const ends = new Map<number, PromiseWithResolvers<string>>();
  const ended = (id: number): Promise<string> => {
    if (!ends.has(id)) ends.set(id, Promise.withResolvers());
    return ends.get(id)!.promise;
  };
  let onPublish: () => void = () => {};
  const loop = createBatchLoop({
    sequences,
    contextTokens: options.contextTokens ?? 4096,
    batchTokens: options.batchTokens ?? 512,
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
    for (let id = 1; id <= 4; id++) loop.add(fakeJob(id, prompt(5, 6)));
    await Promise.all([1, 2, 3, 4].map(ended));
    expect(steps[0]).toEqual(['0:last 5', '1:last 5', '2:last 5', '3:last 5']);
    for (const step of steps.slice(1)) expect(step).toEqual(['0:next', '1:next', '2:next', '3:next']);
    expect(reports.every((report) => report.sequences === 4)).toBe(true);
    expect(reports[0]).toEqual({ sequences: 4, promptTokens: 20, decoded: [1, 2, 3, 4] });
  });

  it('lets decoders advance in every step while a long prompt is read 64 tokens at a time', async () => {
    const { loop, steps, ended, onPublish } = setup({ slots: 2 });
    loop.add(fakeJob(1, prompt(3, 12)));
    let second = false;
    onPublish(() => {
      if (second) return;
      second = true;
      loop.add(fakeJob(2, prompt(300, 1)));
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

  it('reads prompts in whole batches when nobody decodes, the oldest first', async () => {
    const { loop, steps, ended } = setup({ slots: 3, batchTokens: 256 });
    loop.add(fakeJob(1, prompt(300, 1)));
    loop.add(fakeJob(2, prompt(100, 1)));
    await Promise.all([ended(1), ended(2)]);
    expect(steps[0]).toEqual(['0:prefill 256']);
    expect(steps[1]).toEqual(['0:last 44', '1:last 100']);
  });

  it('waits for a free slot and gives it to the one who came first', async () => {
    const { loop, ended, items } = setup({ slots: 1 });
    for (let id = 1; id <= 3; id++) loop.add(fakeJob(id, prompt(2, 2)));
    await Promise.all([1, 2, 3].map(ended));
    const starts = items.flatMap((item) => ('event' in item && item.event.type === 'start' ? [item.id] : []));
    expect(starts).toEqual([1, 2, 3]);
  });

  it('reuses the slot that holds the longest prefix, else the lowest free one', async () => {
    const { loop, ended, items } = setup({ slots: 3 });
    const long = prompt(50, 3);
    loop.add(fakeJob(1, prompt(4, 3)));
    loop.add(fakeJob(2, long));
    await Promise.all([ended(1), ended(2)]);
    loop.add(fakeJob(3, [...long.slice(0, 49), 777, 2]));
    await ended(3);
    const cached = items.flatMap((item) =>
      'event' in item && item.event.type === 'start' ? [item.event.cachedPromptTokens] : [],
    );
    expect(cached).toEqual([0, 0, 49]);
  });

  it('frees the slot of a cancelled request at the next step and tells so', async () => {
    const { loop, ended, steps, onPublish } = setup({ slots: 2 });
    loop.add(fakeJob(1, prompt(2, 500)));
    loop.add(fakeJob(2, prompt(2, 6)));
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
    loop.add(fakeJob(1, prompt(1000, 1)));
    loop.add(fakeJob(2, prompt(2, 1)));
    onPublish(() => {
      loop.cancel(2);
      loop.cancel(1);
    });
    expect(await Promise.all([ended(1), ended(2)])).toEqual(['cancelled', 'cancelled']);
    expect(steps).toEqual([['0:prefill 128']]);
  });

  it('ends an answer with length when the context is full', async () => {
    const { loop, ended, textOf, sequences } = setup({ slots: 1, contextTokens: 20 });
    loop.add(fakeJob(1, prompt(10, 500)));
    expect(await ended(1)).toBe('length');
    // One cell stays free: the library would otherwise silently drop the beginning.
    expect(sequences[0]!.length).toBe(19);
    expect(textOf(1).trim().split(' ')).toHaveLength(10);
  });

  it('fails only the request whose decode failed, and forgets its state', async () => {
    const { loop, ended, textOf, sequences } = setup({ slots: 2, failOn: (token) => token === 5_000 });
    loop.add(fakeJob(1, prompt(3, 4)));
    loop.add(fakeJob(2, prompt(3, 4_999)));
    expect(await ended(2)).toBe('internal_error');
    expect(await ended(1)).toBe('stop');
    expect(textOf(1)).toBe(countdown(4));
    expect(sequences[1]!.length).toBe(0);
  });

  it('fails what is left when it is stopped', async () => {
    const { loop, ended, onPublish } = setup({ slots: 1 });
    loop.add(fakeJob(1, prompt(2, 100_000)));
    loop.add(fakeJob(2, prompt(2, 1)));
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
            loop.add(fakeJob(request.id, prompt(request.promptTokens, request.answerTokens)));
            if (request.cancelled) loop.cancel(request.id);
          }
        };
        onPublish(feed);
        feed();
        if (waiting.length === list.length) {
          const first = waiting.shift()!;
          loop.add(fakeJob(first.id, prompt(first.promptTokens, first.answerTokens)));
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
