import { describe, expect, it } from 'vitest';
import type { Task } from '../../../src/worker/answer/task.ts';
import { createMeasureStep } from '../../../src/worker/batch/measure.ts';
import { createSlots } from '../../../src/worker/batch/slots.ts';
import type { Sequence } from '../../../src/worker/sequence/sequence.ts';

const contextTokens = 100;

/** Slots that hold the given tokens; the clock moves 7 ms with each evaluation. */
function setup(held: number[][], options: { cuttable?: boolean; fails?: boolean; adapts?: boolean } = {}) {
  const calls: string[] = [];
  const states = held.map((tokens) => [...tokens]);
  let clockMs = 0;
  const sequences = states.map((tokens, index): Sequence => {
    const unused = () => Promise.reject(new Error('not for a measurement'));
    return {
      get length() {
        return tokens.length;
      },
      reusablePrefix: () => 0,
      async adapt(wanted) {
        calls.push(`${index}:adapt`);
        const kept = options.adapts === false ? 0 : wanted.findIndex((token, at) => token !== tokens[at]);
        tokens.length = Math.min(kept, wanted.length - 1);
        return tokens.length;
      },
      needsCheckpoints: options.cuttable === false,
      checkpoint: unused,
      copyable: () => 0,
      copyFrom: unused,
      prefill: unused,
      generate: () => ({ next: unused, stop: unused }),
      score: unused,
      draft: null,
      tokens: () => tokens,
      saveState: unused,
      loadState: unused,
      async reset() {
        calls.push(`${index}:reset`);
        tokens.length = 0;
      },
    };
  });
  const slots = createSlots(sequences);
  const evaluated: { slot: number; tokens: number[]; logits: string }[] = [];
  const measure = createMeasureStep({
    async evaluate(slot, tokens, logits) {
      calls.push(`${slot}:evaluate ${tokens.length} ${logits}`);
      evaluated.push({ slot, tokens, logits });
      states[slot]!.push(...tokens);
      clockMs += 7;
      if (options.fails) throw new Error('decode failed');
    },
    threads: {
      within(threads, work) {
        calls.push(`threads ${threads}`);
        return work();
      },
    },
    pool: {
      within(threads, work) {
        calls.push(`pool ${threads}`);
        // Waiting for its threads is no part of the step's time.
        clockMs += 100;
        return work();
      },
    },
    contextTokens,
    vocabularySize: 50,
    cuttable: options.cuttable ?? true,
    nowMs: () => clockMs,
  });
  return { measure, slots, states, calls, evaluated };
}

const decode = { phase: 'decode', tokens: 2, threads: 3, libuvThreads: 2 } as const;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 100);

describe('a measured step', () => {
  it('runs on an empty slot with the wished threads and leaves it empty', async () => {
    const { measure, slots, states, calls } = setup([numbers(5), []]);
    expect(await measure(slots, decode)).toBe(7);
    expect(calls).toEqual(['pool 2', 'threads 3', '1:evaluate 2 all', '1:reset']);
    expect(states).toEqual([numbers(5), []]);
  });

  it('asks for the logits of the last token only when it stands for a prompt', async () => {
    const { measure, slots, evaluated } = setup([[]]);
    await measure(slots, { phase: 'prefill', tokens: 64, threads: 1, libuvThreads: 1 });
    expect(evaluated[0]).toMatchObject({ slot: 0, logits: 'last' });
    expect(evaluated[0]!.tokens).toHaveLength(64);
    expect(evaluated[0]!.tokens.every((token) => token >= 0 && token < 50)).toBe(true);
    expect(new Set(evaluated[0]!.tokens).size).toBe(50);
  });

  it('is cut off behind what a slot holds, where that is exact', async () => {
    const { measure, slots, states, calls } = setup([numbers(9), numbers(4)]);
    expect(await measure(slots, decode)).toBe(7);
    expect(calls).toEqual(['pool 2', 'threads 3', '1:evaluate 2 all', '1:adapt']);
    expect(states).toEqual([numbers(9), numbers(4)]);
  });

  it('does not touch a state that cannot be cut', async () => {
    const { measure, slots, calls } = setup([numbers(9)], { cuttable: false });
    expect(await measure(slots, decode)).toBeNull();
    expect(calls).toEqual([]);
  });

  it('never fills a context to its end, where the library would push out old tokens', async () => {
    const { measure, slots } = setup([numbers(98)]);
    expect(await measure(slots, decode)).toBeNull();
    expect(await measure(slots, { ...decode, tokens: 1 })).toBe(7);
  });

  it('leaves slots with a task alone', async () => {
    const { measure, slots, calls } = setup([[]]);
    slots[0]!.task = {} as Task;
    expect(await measure(slots, decode)).toBeNull();
    expect(calls).toEqual([]);
  });

  it('forgets everything when it fails, or when the state was not as before', async () => {
    const failing = setup([numbers(4)], { fails: true });
    await expect(failing.measure(failing.slots, decode)).rejects.toThrow('decode failed');
    expect(failing.states).toEqual([[]]);
    const odd = setup([numbers(4)], { adapts: false });
    expect(await odd.measure(odd.slots, decode)).toBe(7);
    expect(odd.calls.at(-1)).toBe('0:reset');
  });
});
