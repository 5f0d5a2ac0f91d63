import { describe, expect, it } from 'vitest';
import { type Flow, flowOf, layered } from '../../src/core/flow.ts';

/** A stream of these items that notes how it is let go, and fails with an error among them. */
function sourceOf(...script: (string | Error)[]) {
  const notes: string[] = [];
  let index = 0;
  const iterator: AsyncIterableIterator<string> & { return(): Promise<IteratorResult<string>> } = {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const item = script[index++];
      if (item instanceof Error) throw item;
      return item === undefined ? { done: true, value: undefined } : { done: false, value: item };
    },
    async return() {
      notes.push('source returned');
      return { done: true, value: undefined };
    },
  };
  return { iterator, notes };
}

/** A layer that notes what it is told, and gives a second item with each `b`. */
const noting = (name: string, notes: string[], breaksAt?: string) => ({
  take(item: string, give: (item: string) => void) {
    if (item === breaksAt) throw new Error(`${name} broke`);
    give(item);
    if (item === 'b') give('b2');
  },
  ended: () => void notes.push(`${name} ended`),
  async failed(error: unknown) {
    notes.push(`${name} failed: ${(error as Error).message}`);
    return new Error(`${(error as Error).message} at ${name}`);
  },
  leaves: () => void notes.push(`${name} leaves`),
  async left() {
    notes.push(`${name} left`);
  },
});

/** Reads a flow to its end, its first items by pulling; what it threw comes last. */
async function read(flow: Flow<string>, way: 'pulled' | 'pushed' | 'first pulled'): Promise<string[]> {
  const seen: string[] = [];
  try {
    if (way === 'pulled') for await (const item of flow) seen.push(item);
    if (way === 'first pulled') {
      const first = await flow.next();
      if (!first.done) seen.push(first.value);
    }
    if (way !== 'pulled') await flow.each((item) => void seen.push(item));
  } catch (error) {
    seen.push(`thrown: ${(error as Error).message}`);
  }
  return seen;
}

describe.each(['pulled', 'pushed', 'first pulled'] as const)('a flow behind layers, %s', (way) => {
  it('gives every item in order, and tells each layer of the end', async () => {
    const { iterator, notes } = sourceOf('a', 'b', 'c');
    const flow = layered(layered(iterator, noting('inner', notes)), noting('outer', notes));
    expect(await read(flow, way)).toEqual(['a', 'b', 'b2', 'b2', 'c']);
    expect(notes).toEqual(['inner ended', 'outer ended']);
    expect((await flow.next()).done).toBe(true);
  });

  it('hands a failure of its source through the layers, behind what came before it', async () => {
    const { iterator, notes } = sourceOf('a', new Error('cut'));
    const flow = layered(layered(iterator, noting('inner', notes)), noting('outer', notes));
    expect(await read(flow, way)).toEqual(['a', 'thrown: cut at inner at outer']);
    expect(notes).toEqual(['inner failed: cut', 'outer failed: cut at inner']);
  });

  it('tells of a layer that breaks those behind it, and lets go of what is before it', async () => {
    const { iterator, notes } = sourceOf('a', 'b', 'c');
    const flow = layered(layered(iterator, noting('inner', notes)), noting('outer', notes, 'b2'));
    // The outer one makes two of `b`, and breaks at the second that the inner one gives.
    expect(await read(flow, way)).toEqual(['a', 'b', 'b2', 'thrown: outer broke at outer']);
    expect(new Set(notes)).toEqual(
      new Set(['source returned', 'inner leaves', 'inner left', 'outer failed: outer broke']),
    );
    expect(notes.indexOf('inner leaves')).toBeLessThan(notes.indexOf('inner left'));
  });

  it('fails where a layer cannot take its end for one', async () => {
    const { iterator, notes } = sourceOf('a');
    const strict = {
      ...noting('strict', notes),
      ended() {
        throw new Error('too soon');
      },
    };
    expect(await read(layered(layered(iterator, strict), noting('outer', notes)), way)).toEqual([
      'a',
      'thrown: too soon at strict at outer',
    ]);
  });
});

describe('a flow behind layers', () => {
  it('lets go of everything when it is given up, started or not, each layer before and after its source', async () => {
    for (const isStarted of [false, true]) {
      const { iterator, notes } = sourceOf('a', 'b', 'c');
      const flow = layered(layered(iterator, noting('inner', notes)), noting('outer', notes));
      if (isStarted) await flow.next();
      await flow.return();
      expect(notes).toEqual(['outer leaves', 'inner leaves', 'source returned', 'inner left', 'outer left']);
      expect((await flow.next()).done).toBe(true);
    }
  });

  it('may become several of which one is read', async () => {
    const { iterator } = sourceOf('a', 'b');
    const base = layered(iterator, { take: (item: string, give) => give(`${item}!`) });
    const loud = layered<string>(base, { take: (item, give) => give(item.toUpperCase()) });
    const numbers = layered<string, number>(base, { take: (item, give) => give(item.length) });
    expect(await read(loud, 'pushed')).toEqual(['A!', 'B!']);
    expect((await numbers.next()).done).toBe(true);
  });

  it('takes another layer when some of it was read', async () => {
    const { iterator } = sourceOf('a', 'b', 'c');
    const first = layered<string>(iterator, {});
    await first.next();
    expect(await read(layered<string>(first, { take: (item, give) => give(item.toUpperCase()) }), 'pushed')).toEqual([
      'B',
      'C',
    ]);
  });

  it('gives nothing more to whoever has thrown, and rejects with that', async () => {
    const { iterator, notes } = sourceOf('a', 'b', 'c');
    const flow = layered(iterator, noting('only', notes));
    const seen: string[] = [];
    const reading = flow.each((item) => {
      seen.push(item);
      throw new Error('full');
    });
    await expect(reading).rejects.toThrow('full');
    expect(seen).toEqual(['a']);
    expect(notes).toContain('source returned');
    expect(notes).toContain('only left');
  });

  it('is what it was where it pushes already', () => {
    const { iterator } = sourceOf();
    const flow = flowOf(iterator);
    expect(flowOf(flow)).toBe(flow);
  });
});
