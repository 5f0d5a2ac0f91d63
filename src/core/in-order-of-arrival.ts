type Settled<Item> = { index: number } & ({ result: IteratorResult<Item> } | { error: unknown });

/**
 * The items of several iterators as they come, each with the number of its iterator. Each is asked for its next item when
 * the last one has been taken. Throws the first error; whoever asks ends the others.
 */
export async function* inOrderOfArrival<Item>(
  iterators: readonly AsyncIterator<Item>[],
): AsyncGenerator<{ index: number; item: Item }> {
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
}
