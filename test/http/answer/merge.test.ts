import { describe, expect, it } from 'vitest';
import { merge } from '../../../src/http/answer/merge.ts';
import { collect } from '../../support/collect.ts';

/** A source that gives what it is told to, when it is told to. */
function createSource() {
  const waiting: { resolve(result: IteratorResult<string>): void; reject(error: Error): void }[] = [];
  let asked = 0;
  let isReturned = false;
  const iterator: AsyncIterableIterator<string> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => {
      asked++;
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    return: async () => {
      isReturned = true;
      return { done: true, value: undefined };
    },
  };
  return {
    iterator,
    give: (value: string) => waiting.shift()!.resolve({ done: false, value }),
    end: () => waiting.shift()!.resolve({ done: true, value: undefined }),
    fail: (error: Error) => waiting.shift()!.reject(error),
    asked: () => asked,
    isReturned: () => isReturned,
  };
}

describe('merge', () => {
  it('gives items as they come, with the number of their source', async () => {
    const [a, b] = [createSource(), createSource()];
    const merged = merge([a.iterator, b.iterator]);
    const first = merged.next();
    b.give('b1');
    expect((await first).value).toEqual({ index: 1, item: 'b1' });
    const second = merged.next();
    a.give('a1');
    expect((await second).value).toEqual({ index: 0, item: 'a1' });
    const last = merged.next();
    a.end();
    b.end();
    expect((await last).done).toBe(true);
  });

  it('gives every item of every source, in the order of each', async () => {
    async function* count(name: string, length: number) {
      for (let number = 0; number < length; number++) yield `${name}${number}`;
    }
    const merged = await collect(merge([count('a', 3), count('b', 0), count('c', 2)]));
    const of = (index: number) => merged.filter((found) => found.index === index).map(({ item }) => item);
    expect([of(0), of(1), of(2)]).toEqual([['a0', 'a1', 'a2'], [], ['c0', 'c1']]);
  });

  it('asks a source for more only when its last item was taken', async () => {
    const source = createSource();
    const merged = merge([source.iterator]);
    const first = merged.next();
    source.give('x');
    await first;
    expect(source.asked()).toBe(1);
    const second = merged.next();
    expect(source.asked()).toBe(2);
    source.end();
    await second;
  });

  it('throws the first error and lets go of the sources that still hang', async () => {
    const [a, b] = [createSource(), createSource()];
    const first = merge([a.iterator, b.iterator]).next();
    a.fail(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    expect(b.isReturned()).toBe(true);
  });

  it('lets go of all sources when nobody wants more', async () => {
    const [a, b] = [createSource(), createSource()];
    const merged = merge([a.iterator, b.iterator]);
    const first = merged.next();
    a.give('a1');
    await first;
    await merged.return(undefined);
    expect([a.isReturned(), b.isReturned()]).toEqual([true, true]);
  });
});
