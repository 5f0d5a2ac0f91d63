import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { PrefixStore } from '../../../src/worker/prefix/prefix.ts';
import { coldTokens } from '../../support/fake-model.ts';
import { createFakeSlots, fakeRequest } from '../../support/fake-slots.ts';

/** Token ids that no other row has. */
const row = (length: number, name: number) => Array.from({ length }, (_, index) => name * 10_000 + index);
const long = row(200, 1);

interface Saved {
  tokens: number[];
  owner: string;
  pinned: boolean;
}

/** A store that keeps in memory what it is given; nothing is worth keeping but what is pinned. */
function memoryStore(seen: { noted: string[] } = { noted: [] }) {
  const saved: Saved[] = [];
  const store: PrefixStore = {
    find: () => null,
    note(_prompt, _prefillMs, owner) {
      seen.noted.push(owner);
      return false;
    },
    holds: (tokens, owner) =>
      saved.some((one) => one.owner === owner && String(one.tokens) === String(tokens)) ? 'pinned' : null,
    async save(sequence, { owner, pinned }) {
      saved.push({ tokens: [...sequence.tokens()], owner, pinned });
    },
    async close() {},
  };
  return { store, saved };
}

/** Lets a loop with nothing to do see to what it keeps. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('owners', () => {
  it('use their own states again, and never one of another', async () => {
    const { loop, ended, cachedOf, evaluated } = createFakeSlots({ slots: 1 });
    for (const [id, owner] of [
      [1, 'one'],
      [2, 'one'],
      [3, 'two'],
      [4, 'two'],
    ] as const) {
      loop.add(fakeRequest(id, [...long, id], 2, { owner }));
      await ended(id);
    }
    expect([1, 2, 3, 4].map(cachedOf)).toEqual([0, 200, 0, 200]);
    expect(evaluated()).toBe(201 + 1 + 201 + 1);
  });

  it('find their state in the slot that has it, also where a slot before it holds the same of another', async () => {
    const { loop, ended, cachedOf } = createFakeSlots({ slots: 2 });
    loop.add(fakeRequest(1, [...long, 1], 2, { owner: 'one' }));
    loop.add(fakeRequest(2, [...long, 2], 2, { owner: 'two' }));
    await Promise.all([ended(1), ended(2)]);
    loop.add(fakeRequest(3, [...long, 3], 2, { owner: 'two' }));
    await ended(3);
    expect(cachedOf(3)).toBe(200);
  });

  it('in flight at the same time share one prefill only among themselves', async () => {
    const { loop, ended, copies, evaluated, cachedOf } = createFakeSlots({ slots: 4 });
    for (const [id, owner] of ['one', 'two', 'one', 'two'].entries()) {
      loop.add(fakeRequest(id, [...long, id], 2, { owner }));
    }
    await Promise.all([0, 1, 2, 3].map(ended));
    expect(copies).toEqual(['200 to 2', '200 to 3']);
    expect([0, 1, 2, 3].map(cachedOf)).toEqual([0, 0, 200, 200]);
    expect(evaluated()).toBe(2 * (201 + 1));
  });

  it('have their states noted and kept under their own name', async () => {
    const seen = { noted: [] as string[] };
    const { store, saved } = memoryStore(seen);
    const { loop, ended } = createFakeSlots({ slots: 2, prefixes: store });
    loop.add(fakeRequest(1, long, 2, { owner: 'one', pinTokens: 100 }));
    loop.add(fakeRequest(2, long, 2, { owner: 'two', pinTokens: 100 }));
    await Promise.all([ended(1), ended(2)]);
    await settle();
    expect(seen.noted).toEqual(['one', 'two']);
    expect(saved.map(({ owner }) => owner)).toEqual(['one', 'two']);
  });
});

describe('a copy', () => {
  it('is made with the next step, so nothing is loaded into the slot that it comes from before', async () => {
    const stored = row(300, 6);
    const { store } = memoryStore();
    const fake = createFakeSlots({
      slots: 2,
      prefixes: {
        ...store,
        find: (prompt) =>
          prompt[0] !== stored[0]
            ? null
            : {
                length: 300,
                async load(sequence) {
                  fake.put(sequence, stored);
                  return true;
                },
              },
      },
    });
    const { loop, ended, copies, sequences, onStep } = fake;
    const [follower, late] = [
      [...long, 7, 8],
      [...stored, 9],
    ];
    // The first is done with its prompt, and gone, when the second takes its state over.
    loop.add(fakeRequest(1, long, 1));
    loop.add(fakeRequest(2, follower, 5));
    let isAdded = false;
    onStep(() => {
      if (!isAdded) loop.add(fakeRequest(3, late, 5));
      isAdded = true;
    });
    await Promise.all([1, 2, 3].map(ended));
    expect(copies).toEqual(['200 to 1']);
    expect(sequences[1]!.tokens()).toEqual([...follower, ...coldTokens(follower, 4)]);
    expect(sequences[0]!.tokens()).toEqual([...late, ...coldTokens(late, 4)]);
  });

  it('is never made of what a leader found in its slot of another owner', async () => {
    const { loop, ended, cachedOf, onStep, copies } = createFakeSlots({ slots: 3, batchTokens: 64 });
    // The second slot holds a conversation of somebody else that begins alike.
    loop.add(fakeRequest(1, row(30, 3), 1, { owner: 'two' }));
    loop.add(fakeRequest(2, long, 1, { owner: 'two' }));
    await Promise.all([ended(1), ended(2)]);
    // The third request waits for the second, which waits for the first and goes before it has begun.
    const owner = { owner: 'one' };
    loop.add(fakeRequest(3, row(900, 1), 1, owner));
    loop.add(fakeRequest(4, [...row(600, 1), 1, 2, 3], 1, owner));
    loop.add(fakeRequest(5, [...row(600, 1), 1, 2, 3, 4], 1, owner));
    let isCancelled = false;
    onStep(() => {
      if (!isCancelled) loop.cancel(4);
      isCancelled = true;
    });
    expect(await Promise.all([3, 4, 5].map(ended))).toEqual(['length', 'cancelled', 'length']);
    expect(copies).toEqual([]);
    expect(cachedOf(5)).toBe(0);
  });
});

describe('a state that cannot be cut', () => {
  const parted = (name: number) => [...long, ...row(50, name)];

  it('has a checkpoint where prompts diverge, so that the third of them has the beginning, and the same one nearly all', async () => {
    const { loop, ended, cachedOf, steps } = createFakeSlots({ slots: 1, wholeStatesOnly: true });
    for (const [id, prompt] of [parted(21), parted(22), parted(23), parted(23)].entries()) {
      loop.add(fakeRequest(id, prompt, 3));
      await ended(id);
    }
    expect([0, 1, 2, 3].map(cachedOf)).toEqual([0, 0, 200, 249]);
    const ofPrompts = steps()
      .flat()
      .filter((call) => !call.includes('next'));
    expect(ofPrompts).toEqual([
      ...['0:prefill 249', '0:first 1'],
      ...['0:prefill 200', '0:prefill 49', '0:first 1'],
      ...['0:prefill 49', '0:first 1'],
      '0:first 1',
    ]);
  });

  it('has no checkpoint for short prompts, nor for those of which nothing is to be kept', async () => {
    const { loop, ended, steps } = createFakeSlots({ slots: 1, wholeStatesOnly: true });
    loop.add(fakeRequest(1, row(50, 24), 1));
    loop.add(fakeRequest(2, parted(25), 1, { mode: 'none' }));
    await Promise.all([ended(1), ended(2)]);
    expect(steps()).toEqual([['0:first 50'], ['0:first 250']]);
  });

  it('is kept where prompts part, once', async () => {
    const { store, saved } = memoryStore();
    let noted = 0;
    const prefixes = { ...store, note: () => ++noted > 1 };
    const { loop, ended } = createFakeSlots({ slots: 1, wholeStatesOnly: true, prefixes });
    for (let id = 0; id < 3; id++) {
      loop.add(fakeRequest(id, parted(26 + id), 1));
      await ended(id);
      await settle();
    }
    expect(saved).toEqual([{ tokens: long, owner: 'shared', pinned: false }]);
  });
});

describe('a prompt that is not to be cached', () => {
  it('is computed anew, and serves nobody afterwards or meanwhile', async () => {
    const { store, saved } = memoryStore();
    const { loop, ended, cachedOf, copies } = createFakeSlots({ slots: 2, prefixes: store });
    const none = { mode: 'none' } as const;
    loop.add(fakeRequest(1, [...long, 1], 2));
    await ended(1);
    loop.add(fakeRequest(2, [...long, 2], 2, none));
    loop.add(fakeRequest(3, [...long, 3], 2, none));
    await Promise.all([ended(2), ended(3)]);
    loop.add(fakeRequest(4, [...long, 4], 2));
    await ended(4);
    expect([1, 2, 3, 4].map(cachedOf)).toEqual([0, 0, 0, 0]);
    expect(copies).toEqual([]);
    await settle();
    expect(saved).toEqual([]);
  });
});

describe('a pinned prefix', () => {
  it('is kept once its slot is idle, without what followed it, and only once', async () => {
    const { store, saved } = memoryStore();
    const { loop, ended, cachedOf } = createFakeSlots({ slots: 1, prefixes: store });
    loop.add(fakeRequest(1, [...long, 1], 3, { pinTokens: 150 }));
    await ended(1);
    await settle();
    expect(saved).toEqual([{ tokens: long.slice(0, 150), owner: 'shared', pinned: true }]);
    loop.add(fakeRequest(2, [...long, 2], 3, { pinTokens: 150 }));
    await ended(2);
    expect(cachedOf(2)).toBe(150);
    loop.add(fakeRequest(3, [...long, 2, 1], 3, { pinTokens: 150 }));
    await ended(3);
    await settle();
    // It was kept already, so nothing was cut off for it.
    expect(cachedOf(3)).toBe(201);
    expect(saved).toHaveLength(1);
  });

  it('is kept before its slot goes to another prompt, and on the way out', async () => {
    const { store, saved } = memoryStore();
    const { loop, ended } = createFakeSlots({ slots: 1, prefixes: store });
    const other = row(120, 2);
    loop.add(fakeRequest(1, long, 2, { pinTokens: 199 }));
    loop.add(fakeRequest(2, other, 2, { pinTokens: 119 }));
    await Promise.all([ended(1), ended(2)]);
    await loop.stop(new AppError('shutting_down', 'The model is being unloaded.'));
    expect(saved.map(({ tokens }) => tokens)).toEqual([long.slice(0, 199), other.slice(0, 119)]);
  });

  it('that the slot cannot be cut back to is left alone, with the state as it is', async () => {
    const { store, saved } = memoryStore();
    const { loop, ended, sequences } = createFakeSlots({ slots: 1, prefixes: store });
    const sequence = sequences[0]!;
    Object.assign(sequence, { reusablePrefix: () => 0 });
    loop.add(fakeRequest(1, long, 2, { pinTokens: 150 }));
    await ended(1);
    await settle();
    expect(saved).toEqual([]);
    expect(sequence.tokens()).toEqual([...long, ...coldTokens(long, 1)]);
  });

  it('that cannot be kept costs the slot its state, and nobody an answer', async () => {
    const { store } = memoryStore();
    const { loop, ended, sequences, cachedOf } = createFakeSlots({
      slots: 1,
      prefixes: {
        ...store,
        async save() {
          throw new Error('no');
        },
      },
    });
    loop.add(fakeRequest(1, long, 2, { pinTokens: 150 }));
    await ended(1);
    await settle();
    expect(sequences[0]!.tokens()).toEqual([]);
    loop.add(fakeRequest(2, long, 2));
    expect(await ended(2)).toBe('length');
    expect(cachedOf(2)).toBe(0);
  });
});

describe('requests of one moment', () => {
  it('that come in one after the other, before the loop has begun, share from the first token on', async () => {
    const { loop, ended, copies, evaluated, steps } = createFakeSlots({ slots: 4 });
    await settle();
    for (let id = 1; id <= 4; id++) {
      loop.add(fakeRequest(id, [...long, id], 1));
      // The next message of the channel: later in the same turn of the event loop.
      await Promise.resolve();
    }
    await Promise.all([1, 2, 3, 4].map(ended));
    expect(steps()[0]).toEqual(['0:prefill 200']);
    expect(copies).toEqual(['200 to 1', '200 to 2', '200 to 3']);
    expect(evaluated()).toBe(204);
  });

  it('delay a lone request by one turn of the event loop', async () => {
    const { loop, steps } = createFakeSlots({ slots: 1 });
    await settle();
    loop.add(fakeRequest(1, long, 1));
    // The loop asks for its turn once it is awake, which is after this line asked for the first of its own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps()).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps()).toEqual([['0:first 200']]);
  });
});

describe('a cancel', () => {
  it('frees its slot for the next one in the step after, whatever the cancelled one was doing', async () => {
    for (const [what, stepsBefore] of [
      ['reading its prompt', 1],
      ['decoding', 4],
    ] as const) {
      const { loop, ended, steps, onStep } = createFakeSlots({ slots: 2, batchTokens: 128 });
      loop.add(fakeRequest(1, row(300, 3), 1_000));
      loop.add(fakeRequest(2, row(20, 4), 1_000));
      loop.add(fakeRequest(3, row(30, 5), 1_000));
      let stepsAtCancel = 0;
      const freed = new Promise<void>((resolve) => {
        onStep(() => {
          if (steps().length === stepsBefore) {
            stepsAtCancel = steps().length;
            loop.cancel(1);
          }
          if (steps().length === stepsBefore + 2) resolve();
        });
      });
      await freed;
      expect(await ended(1), what).toBe('cancelled');
      const after = steps()
        .slice(stepsAtCancel)
        .map((step) => step.filter((call) => call.startsWith('0:')));
      expect(after[0], what).toEqual(['0:first 30']);
      expect(after[1], what).toEqual(['0:next 1']);
    }
  });
});

describe('a conversation', () => {
  it('keeps its slot beside side requests, whether they begin like it or not', async () => {
    const { loop, ended, cachedOf, copies } = createFakeSlots({ slots: 4 });
    const conversation = [...row(80, 1), ...row(120, 2)];
    const requests: number[][] = [
      conversation,
      // One that shares the head of the conversation, one that shares nothing, and the next turn.
      [...row(80, 1), ...row(40, 3)],
      row(60, 4),
      [...conversation, ...row(20, 5)],
    ];
    for (const [index, prompt] of requests.entries()) {
      loop.add(fakeRequest(index, prompt, 2));
      await ended(index);
    }
    expect([0, 1, 2, 3].map(cachedOf)).toEqual([0, 80, 0, 200]);
    expect(copies).toEqual(['80 to 1']);
  });

  it('stays in its slot when its last turn is told otherwise, as templates do that drop what was thought', async () => {
    const { loop, ended, cachedOf, copies } = createFakeSlots({ slots: 2 });
    loop.add(fakeRequest(1, [...row(200, 1), ...row(60, 2)], 2));
    await ended(1);
    loop.add(fakeRequest(2, [...row(200, 1), ...row(90, 3)], 2));
    await ended(2);
    expect([cachedOf(2), copies]).toEqual([200, []]);
  });

  it('that was asked longest ago goes first where there is no empty slot', async () => {
    const { loop, ended, cachedOf } = createFakeSlots({ slots: 2 });
    for (const [id, name] of [
      [1, 1],
      [2, 2],
      [3, 1],
      [4, 3],
      [5, 1],
      [6, 2],
    ] as const) {
      loop.add(fakeRequest(id, [...row(100, name), id], 2));
      await ended(id);
    }
    expect([1, 2, 3, 4, 5, 6].map(cachedOf)).toEqual([0, 0, 100, 0, 100, 0]);
  });
});
