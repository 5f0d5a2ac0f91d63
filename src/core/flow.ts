/**
 * A stream that is pulled, or, from any item on, pushed. What is pulled takes a promise for each item at each step of its way, which
 * comes to more than the items of most streams; what is pushed takes a call.
 */
export interface Flow<Item> extends AsyncIterableIterator<Item> {
  /**
   * Hands over all that is left, each item as soon as it is there. Resolves at the end; rejects with what `next` would throw, and with
   * what `take` throws, to whom nothing more is given then. Nobody calls `next` from here on.
   */
  each(take: (item: Item) => void): Promise<void>;
  return(): Promise<IteratorResult<Item>>;
}

/** Something on the way of a stream that waits for nothing: it sees items, or makes others of them. */
export interface Layer<In, Out = In> {
  /** Gives on what becomes of an item, before it returns. What it throws is a failure of the stream. Left out: all passes as it is. */
  take?(item: In, give: (item: Out) => void): void;
  /** The stream has come to its end. May throw as `take` does. */
  ended?(): void;
  /** It has failed; returns the failure as whoever reads is to see it. */
  failed?(error: unknown): unknown;
  /** Nobody wants the rest; before anybody who gives is told, and once all of them have let go. Either may come after the end. */
  leaves?(): void;
  left?(): Promise<void>;
}

/** The layers of a flow of which nothing was read yet: another one can go into the same loop. */
const parts = Symbol('parts');

interface Parts {
  source: Flow<unknown>;
  layers: readonly Layer<unknown, unknown>[];
}

interface LayeredFlow<Item> extends Flow<Item> {
  readonly [parts]: Parts | null;
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined };

export function isFlow<Item>(stream: AsyncIterable<Item>): stream is Flow<Item> {
  return 'each' in stream;
}

/** Any stream as one that pushes. */
export function flowOf<Item>(stream: AsyncIterable<Item>): Flow<Item> {
  return isFlow(stream) ? stream : pulledFlow(stream[Symbol.asyncIterator]());
}

/** The same of what is read already. `iterator` belongs to the flow from here on. */
export function pulledFlow<Item>(iterator: AsyncIterator<Item>): Flow<Item> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => iterator.next(),
    async each(take) {
      for (let result = await iterator.next(); !result.done; result = await iterator.next()) {
        try {
          take(result.value);
        } catch (error) {
          await iterator.return?.();
          throw error;
        }
      }
    },
    async return() {
      await iterator.return?.();
      return over;
    },
  };
}

/**
 * A stream behind one more layer. All layers of a stream are one loop: an item passes them in calls, and is waited for once, however
 * many there are. `stream` belongs to the result from here on, of which there may be several as long as one of them is read. It is no
 * generator: one that was never started would not hand an early `return` on.
 */
export function layered<In, Out = In>(stream: AsyncIterable<In>, layer: Layer<In, Out>): Flow<Out> {
  const { source, layers } = partsOf(stream) ?? { source: flowOf(stream), layers: [] };
  return throughLayers<Out>(source, [...layers, layer as Layer<unknown, unknown>]);
}

function partsOf(stream: object): Parts | null {
  return parts in stream ? (stream as LayeredFlow<unknown>)[parts] : null;
}

/** Where a stream has failed: in its source, which is before the first layer, or in a layer, or at whoever takes what comes of it. */
interface Failure {
  error: unknown;
  at: number;
}

function throughLayers<Item>(source: Flow<unknown>, layers: readonly Layer<unknown, unknown>[]): LayeredFlow<Item> {
  const ready: unknown[] = [];
  let sink = (item: unknown): void => void ready.push(item);
  let hasBegun = false;
  let isOver = false;
  let failure: Failure | null = null;

  const gives = layers.map((_, index) => (item: unknown) => pass(item, index + 1));
  /** Throws what broke, once it is in `failure` where. */
  const pass = (item: unknown, index: number): void => {
    try {
      const layer = layers[index];
      if (layer === undefined) sink(item);
      else if (layer.take === undefined) pass(item, index + 1);
      else layer.take(item, gives[index]!);
    } catch (error) {
      failure ??= { error, at: index };
      throw error;
    }
  };
  const end = (): void => {
    isOver = true;
    for (const [at, layer] of layers.entries()) {
      try {
        layer.ended?.();
      } catch (error) {
        failure = { error, at };
        return;
      }
    }
  };
  /** The source, and the first so many layers, are let go. */
  const leave = async (count: number): Promise<void> => {
    isOver = true;
    const left = layers.slice(0, count);
    for (const layer of left.toReversed()) layer.leaves?.();
    await source.return();
    for (const layer of left) await layer.left?.();
  };
  /** The failure as it is seen behind all layers; whatever stands before it is let go. */
  const toldOf = async ({ error, at }: Failure): Promise<unknown> => {
    isOver = true;
    failure = null;
    if (at > 0) await leave(at);
    let told = error;
    for (const layer of layers.slice(at)) if (layer.failed) told = await layer.failed(told);
    return told;
  };
  return {
    get [parts]() {
      return hasBegun ? null : { source, layers };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      hasBegun = true;
      while (ready.length === 0 && failure === null && !isOver) {
        try {
          const result = await source.next();
          if (result.done) end();
          else pass(result.value, 0);
        } catch (error) {
          // Told below, behind what came before it.
          failure ??= { error, at: 0 };
        }
      }
      if (ready.length > 0) return { done: false, value: ready.shift() as Item };
      if (failure !== null) throw await toldOf(failure);
      return over;
    },
    async each(take) {
      hasBegun = true;
      sink = take as (item: unknown) => void;
      try {
        for (const item of ready.splice(0)) pass(item, layers.length);
        if (failure === null && !isOver) {
          await source.each((item) => pass(item, 0));
          end();
        }
      } catch (error) {
        failure ??= { error, at: 0 };
      }
      if (failure !== null) throw await toldOf(failure);
    },
    async return() {
      hasBegun = true;
      ready.length = 0;
      failure = null;
      await leave(layers.length);
      return over;
    },
  };
}
