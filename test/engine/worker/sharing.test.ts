import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import type { PrefixStore } from '../../../src/engine/worker/prefix-store.ts';
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
    isPinned: (tokens, owner) => saved.some((one) => one.owner === owner && String(one.tokens) === String(tokens)),
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
    expect(sequence.held).toEqual([...long, 1]);
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
    expect(sequences[0]!.held).toEqual([]);
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
    expect(steps[0]).toEqual(['0:prefill 200']);
    expect(copies).toEqual(['200 to 1', '200 to 2', '200 to 3']);
    expect(evaluated()).toBe(204);
  });

  it('delay a lone request by one turn of the event loop', async () => {
    const { loop, steps } = createFakeSlots({ slots: 1 });
    await settle();
    loop.add(fakeRequest(1, long, 1));
    // The loop asks for its turn once it is awake, which is after this line asked for the first of its own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(steps).toEqual([['0:last 200']]);
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
          if (steps.length === stepsBefore) {
            stepsAtCancel = steps.length;
            loop.cancel(1);
          }
          if (steps.length === stepsBefore + 2) resolve();
        });
      });
      await freed;
      expect(await ended(1), what).toBe('cancelled');
      const after = steps.slice(stepsAtCancel).map((step) => step.filter((call) => call.startsWith('0:')));
      expect(after[0], what).toEqual(['0:last 30']);
      expect(after[1], what).toEqual(['0:next']);
    }
  });
});
