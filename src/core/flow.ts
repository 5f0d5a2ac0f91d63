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

const over: IteratorReturnResult<undefined> = { done: true, value: undefined };

export function isFlow<Item>(stream: AsyncIterable<Item>): stream is Flow<Item> {
  return 'each' in stream;
}

/** Any stream as one that pushes. */
export function flowOf<Item>(stream: AsyncIterable<Item>): Flow<Item> {
  return isFlow(stream) ? stream : pulledFlow(stream[Symbol.asyncIterator]());
}

/**
 * A flow of what it does. For those that each request makes: a literal with a computed name takes longer than all else of it.
 */
export function flowOfFunctions<Item>(functions: Pick<Flow<Item>, 'next' | 'each' | 'return'>): Flow<Item> {
  return new FlowOfFunctions(functions);
}

class FlowOfFunctions<Item> implements Flow<Item> {
  readonly next: Flow<Item>['next'];
  readonly each: Flow<Item>['each'];
  readonly return: Flow<Item>['return'];

  constructor(functions: Pick<Flow<Item>, 'next' | 'each' | 'return'>) {
    this.next = functions.next;
    this.each = functions.each;
    this.return = functions.return;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** The same of what is read already. `iterator` belongs to the flow from here on. */
export function pulledFlow<Item>(iterator: AsyncIterator<Item>): Flow<Item> {
  return flowOfFunctions<Item>({
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
  });
}

/**
 * A stream behind one more layer. All layers of a stream are one loop: an item passes them in calls, and is waited for once, however
 * many there are. `stream` belongs to the result from here on, of which there may be several as long as one of them is read. It is no
 * generator: one that was never started would not hand an early `return` on.
 */
export function layered<In, Out = In>(stream: AsyncIterable<In>, layer: Layer<In, Out>): Flow<Out> {
  // Of one of which nothing was read yet, another layer goes into the same loop.
  const { source, layers } =
    stream instanceof LayeredFlow && !stream.hasBegun ? stream : { source: flowOf(stream), layers: [] };
  return new LayeredFlow<Out>(source, [...layers, layer as AnyLayer]);
}

type AnyLayer = Layer<unknown, unknown>;

/** Where a stream has failed: in its source, which is before the first layer, or in a layer, or at whoever takes what comes of it. */
interface Failure {
  error: unknown;
  at: number;
}

/** A class, as each request makes several of which one is read: they share what a closure would have for itself. */
class LayeredFlow<Item> implements Flow<Item> {
  readonly source: Flow<unknown>;
  readonly layers: readonly AnyLayer[];
  hasBegun = false;
  #ready: unknown[] = [];
  #sink: (item: unknown) => void = this.#keep;
  #gives: readonly ((item: unknown) => void)[] = [];
  #isOver = false;
  #failure: Failure | null = null;

  constructor(source: Flow<unknown>, layers: readonly AnyLayer[]) {
    this.source = source;
    this.layers = layers;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Item>> {
    this.#begin();
    while (this.#ready.length === 0 && this.#failure === null && !this.#isOver) {
      try {
        const result = await this.source.next();
        if (result.done) this.#end();
        else this.#pass(result.value, 0);
      } catch (error) {
        // Told below, behind what came before it.
        this.#failure ??= { error, at: 0 };
      }
    }
    if (this.#ready.length > 0) return { done: false, value: this.#ready.shift() as Item };
    if (this.#failure !== null) throw await this.#toldOf(this.#failure);
    return over;
  }

  async each(take: (item: Item) => void): Promise<void> {
    this.#begin();
    this.#sink = take as (item: unknown) => void;
    try {
      for (const item of this.#ready.splice(0)) this.#pass(item, this.layers.length);
      if (this.#failure === null && !this.#isOver) {
        await this.source.each((item) => this.#pass(item, 0));
        this.#end();
      }
    } catch (error) {
      this.#failure ??= { error, at: 0 };
    }
    if (this.#failure !== null) throw await this.#toldOf(this.#failure);
  }

  async return(): Promise<IteratorResult<Item>> {
    this.hasBegun = true;
    this.#ready = [];
    this.#failure = null;
    await this.#leave(this.layers.length);
    return over;
  }

  #begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.#gives = this.layers.map((_, index) => (item) => this.#pass(item, index + 1));
  }

  #keep(item: unknown): void {
    this.#ready.push(item);
  }

  /** Throws what broke, once it is noted where. */
  #pass(item: unknown, index: number): void {
    try {
      const layer = this.layers[index];
      if (layer === undefined) this.#sink(item);
      else if (layer.take === undefined) this.#pass(item, index + 1);
      else layer.take(item, this.#gives[index]!);
    } catch (error) {
      this.#failure ??= { error, at: index };
      throw error;
    }
  }

  #end(): void {
    this.#isOver = true;
    let at = 0;
    try {
      for (; at < this.layers.length; at++) this.layers[at]!.ended?.();
    } catch (error) {
      this.#failure = { error, at };
    }
  }

  /** The source, and the first so many layers, are let go. */
  async #leave(count: number): Promise<void> {
    this.#isOver = true;
    const left = this.layers.slice(0, count);
    for (const layer of left.toReversed()) layer.leaves?.();
    await this.source.return();
    for (const layer of left) await layer.left?.();
  }

  /** The failure as it is seen behind all layers; whatever stands before it is let go. */
  async #toldOf({ error, at }: Failure): Promise<unknown> {
    this.#isOver = true;
    this.#failure = null;
    if (at > 0) await this.#leave(at);
    let told = error;
    for (const layer of this.layers.slice(at)) if (layer.failed) told = await layer.failed(told);
    return told;
  }
}
