import { equals } from './compare.ts';
import { typeError } from './errors.ts';
import { Callable, Fielded, type Named, type Runtime, Tuple, Undefined, type Value } from './values.ts';

/** The `loop` variable: where a loop stands, looking ahead only when it is asked. */
export class LoopContext extends Fielded {
  readonly typeName = 'LoopContext';
  readonly #iterator: Iterator<Value>;
  readonly #recurse: ((items: Value, depth: number) => Value) | null;
  readonly #depth: number;
  #index = -1;
  #length: number | null;
  #ahead: Value[] = [];
  #before: Value | undefined;
  #current: Value | undefined;
  #changed: Value | undefined;

  /** `length`: null where it is only known at the end. */
  constructor(
    items: Iterable<Value>,
    length: number | null,
    recurse: ((items: Value, depth: number) => Value) | null = null,
    depth = 0,
  ) {
    super();
    this.#iterator = items[Symbol.iterator]();
    this.#length = length;
    this.#recurse = recurse;
    this.#depth = depth;
  }

  /** The next item, JavaScript's undefined behind the last. */
  next(): Value | undefined {
    const item = this.#ahead.length > 0 ? this.#ahead.shift() : this.#pull();
    if (item === undefined) return undefined;
    this.#index++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  #pull(): Value | undefined {
    const { done, value } = this.#iterator.next();
    return done ? undefined : value;
  }

  #peek(): Value | undefined {
    if (this.#ahead.length === 0) {
      const item = this.#pull();
      if (item !== undefined) this.#ahead.push(item);
    }
    return this.#ahead[0];
  }

  #next(): Value {
    const item = this.#peek();
    return item === undefined ? new Undefined(() => 'there is no next item') : item;
  }

  get #count(): number {
    if (this.#length === null) {
      for (let item = this.#pull(); item !== undefined; item = this.#pull()) this.#ahead.push(item);
      this.#length = this.#ahead.length + this.#index + 1;
    }
    return this.#length;
  }

  field(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return this.#index + 1;
      case 'index0':
        return this.#index;
      case 'first':
        return this.#index === 0;
      case 'last':
        return this.#peek() === undefined;
      case 'length':
        return this.#count;
      case 'revindex':
        return this.#count - this.#index;
      case 'revindex0':
        return this.#count - this.#index - 1;
      case 'depth':
        return this.#depth + 1;
      case 'depth0':
        return this.#depth;
      case 'previtem':
        return this.#index === 0 ? new Undefined(() => 'there is no previous item') : this.#before;
      case 'nextitem':
        return this.#next();
      case 'cycle':
        return new Callable('cycle', (_runtime, args) => {
          if (args.length === 0) throw typeError('no items for cycling given');
          return args[this.#index % args.length]!;
        });
      case 'changed':
        return new Callable('changed', (_runtime, args) => {
          const value = new Tuple(args);
          const changed = this.#changed === undefined || !equals(this.#changed, value);
          this.#changed = value;
          return changed;
        });
    }
    return undefined;
  }

  override call(runtime: Runtime, args: Value[], named: Named): Value {
    const [items] = args;
    if (items === undefined || args.length > 1 || named.size > 0) throw typeError('loop() takes one argument');
    if (!this.#recurse) {
      throw typeError("The loop must have the 'recursive' marker to be called recursively.");
    }
    const recurse = this.#recurse;
    return runtime.budget.nested(() => recurse(items, this.#depth + 1));
  }

  describe(): string {
    return `<LoopContext ${this.#index + 1}/${this.#count}>`;
  }
}
