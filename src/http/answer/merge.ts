/** Something of one of several sources. */
export interface Merged<Item> {
  /** Which source, from 0. */
  index: number;
  item: Item;
}

type Settled<Item> = { index: number } & ({ result: IteratorResult<Item> } | { error: unknown });

/**
 * The items of several sources as they come, each with the number of its source; the order within a source stays. Each
 * source is asked for its next item when the last one has been taken. Throws the first error of a source; the others are
 * then told to return, which is not waited for: one that hangs in silence is ended by its own signal.
 */
export async function* merge<Item>(sources: readonly AsyncIterable<Item>[]): AsyncGenerator<Merged<Item>> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const settled: Settled<Item>[] = [];
  let wake = () => {};
  const ask = (index: number) => {
    const settle = (outcome: Settled<Item>) => {
      settled.push(outcome);
      wake();
    };
    iterators[index]!.next().then(
      (result) => settle({ index, result }),
      (error: unknown) => settle({ index, error }),
    );
  };
  let open = iterators.length;
  for (const index of iterators.keys()) ask(index);
  try {
    while (open > 0) {
      const next = settled.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if ('error' in next) throw next.error;
      else if (next.result.done) open--;
      else {
        yield { index: next.index, item: next.result.value };
        ask(next.index);
      }
    }
  } finally {
    for (const iterator of iterators) {
      // A source that fails while it is let go has nobody left to tell.
      iterator.return?.().catch(() => {});
    }
  }
}
