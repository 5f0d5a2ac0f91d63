import type { Budget } from './budget.ts';
import { JinjaError, typeError } from './errors.ts';

/**
 * A value of a template as Python has it: `null` is None, a number is an int within the safe integers and a bigint one
 * beyond them, an array is a list. All else is a `PyObject`. Nothing of JavaScript's own objects is ever reached.
 */
export type Value = null | boolean | number | bigint | string | Value[] | PyObject;

/** Arguments by name, in order. */
export type Named = ReadonlyMap<string, Value>;
export const noNamed: Named = new Map();

/** One rendering under way. */
export interface Runtime {
  readonly budget: Budget;
  /** Names from outside and those of Jinja2. */
  readonly globals: ReadonlyMap<string, Value>;
  /** Names that the top level has set. */
  readonly exported: Map<string, Value>;
  /** What has been written; a block that captures its text swaps it. */
  output: string;
  autoescape: boolean;
  readonly now: Date;
  /** Shown as it is where Python would escape what cannot be printed. */
  readonly invisible: string;
  /** Looks at a text that was put together from parts of others, and gives the one to go on with. */
  readonly rejoined: (text: string, ...from: string[]) => string;
  /** `value.name`, `value | attr(name)` and `value[key]`. */
  readonly access: {
    attribute(value: Value, name: string): Value;
    onlyAttribute(value: Value, name: string): Value;
    item(value: Value, key: Value): Value;
  };
}

export abstract class PyObject {
  /** As Python's `type(value).__name__`. */
  abstract readonly typeName: string;
}

export class Float extends PyObject {
  readonly typeName = 'float';
  readonly value: number;
  constructor(value: number) {
    super();
    this.value = value;
  }
}

/** Text that is HTML already: what `escape` makes. */
export class Markup extends PyObject {
  readonly typeName = 'Markup';
  readonly text: string;
  constructor(text: string) {
    super();
    this.text = text;
  }
}

export class Tuple extends PyObject {
  readonly typeName = 'tuple';
  readonly items: Value[];
  /** Of a named tuple. */
  readonly names: readonly string[];
  constructor(items: Value[], names: readonly string[] = []) {
    super();
    this.items = items;
    this.names = names;
  }
}

/** Longest tuple as a key, in characters: tuples within each other can double without end. */
const maxKeyLength = 1024 * 1024;

type Key = string | number | bigint | null | PyObject;

/** What equal keys have in common: 1, 1.0 and True are one key. Throws `TypeError` for what has no hash. */
function keyOf(value: Value): Key {
  if (typeof value === 'string') return value.charCodeAt(0) === 0 ? `\0s${value}` : value;
  if (typeof value === 'boolean') return Number(value);
  if (value === null || typeof value === 'number' || typeof value === 'bigint') return value;
  if (Array.isArray(value) || value instanceof Dict || value instanceof SliceValue) {
    throw typeError(`unhashable type: '${typeName(value)}'`);
  }
  if (value instanceof Float) {
    if (Number.isInteger(value.value)) return integer(BigInt(value.value));
    return Number.isNaN(value.value) ? value : value.value;
  }
  if (value instanceof Markup) return keyOf(value.text);
  if (value instanceof Tuple) {
    const key = `\0t(${value.items.map((item) => describeKey(keyOf(item))).join('')})`;
    if (key.length > maxKeyLength) throw new JinjaError('BudgetError', 'the template makes a key that is too long');
    return key;
  }
  if (value instanceof Undefined) return undefinedKey;
  return value;
}

let objects = 0;
const objectIds = new WeakMap<PyObject, number>();
function describeKey(key: Key): string {
  if (typeof key === 'string') return `s${key.length}:${key}`;
  if (typeof key !== 'object' || key === null) return `n${key},`;
  const id = objectIds.get(key) ?? ++objects;
  objectIds.set(key, id);
  return `o${id},`;
}

export class Dict extends PyObject {
  readonly typeName = 'dict';
  readonly #entries = new Map<Key, [Value, Value]>();

  static of(entries: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value);
    return dict;
  }

  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(keyOf(key));
  }
  set(key: Value, value: Value): void {
    const hash = keyOf(key);
    const entry = this.#entries.get(hash);
    if (entry) entry[1] = value;
    else this.#entries.set(hash, [key, value]);
  }
  entries(): Iterable<readonly [Value, Value]> {
    return this.#entries.values();
  }
  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  *values(): Generator<Value> {
    for (const [, value] of this.#entries.values()) yield value;
  }
}

/** What `items()`, `keys()` and `values()` give. */
export class DictView extends PyObject {
  readonly kind: 'items' | 'keys' | 'values';
  readonly dict: Dict;
  constructor(kind: 'items' | 'keys' | 'values', dict: Dict) {
    super();
    this.kind = kind;
    this.dict = dict;
  }
  get typeName(): string {
    return `dict_${this.kind}`;
  }
  *items(): Generator<Value> {
    for (const [key, value] of this.dict.entries()) {
      yield this.kind === 'keys' ? key : this.kind === 'values' ? value : new Tuple([key, value]);
    }
  }
}

export class Range extends PyObject {
  readonly typeName = 'range';
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly length: number;
  constructor(start: number, stop: number, step: number) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }
  at(index: number): number {
    return this.start + index * this.step;
  }
  *items(): Generator<Value> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}

/** Something that can be walked through once, as what most filters give. */
export class Once extends PyObject {
  readonly typeName: string;
  readonly #iterator: Iterator<Value>;
  constructor(iterator: Iterator<Value>, typeName = 'generator') {
    super();
    this.#iterator = iterator;
    this.typeName = typeName;
  }
  /** Without `return`: leaving a loop early leaves the rest for the next. */
  [Symbol.iterator](): Iterator<Value> & Iterable<Value> {
    const walk = { next: () => this.#iterator.next(), [Symbol.iterator]: () => walk };
    return walk;
  }
}

/** `a:b:c` between brackets. */
export class SliceValue extends PyObject {
  readonly typeName = 'slice';
  readonly start: Value;
  readonly stop: Value;
  readonly step: Value;
  constructor(start: Value, stop: Value, step: Value) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

/** A name or a field that is not there; nothing can be done with it but print it and ask for it. */
export class Undefined extends PyObject {
  readonly typeName = 'Undefined';
  readonly #reason: () => string;
  readonly #kind: 'UndefinedError' | 'SecurityError';
  constructor(reason: () => string, kind: 'UndefinedError' | 'SecurityError' = 'UndefinedError') {
    super();
    this.#reason = reason;
    this.#kind = kind;
  }
  error(): JinjaError {
    return new JinjaError(this.#kind, this.#reason());
  }
}
const undefinedKey = new Undefined(() => '');

/** Fields that a template writes: `{% set ns.x = 1 %}`. */
export class Namespace extends PyObject {
  readonly typeName = 'Namespace';
  readonly fields: Dict;
  constructor(fields: Dict) {
    super();
    this.fields = fields;
  }
}

/** Anything that can be called. */
export class Callable extends PyObject {
  readonly typeName: string;
  readonly name: string;
  readonly call: (runtime: Runtime, args: Value[], named: Named) => Value;
  /** What a template can read of it. */
  readonly fields: ReadonlyMap<string, Value>;
  constructor(
    name: string,
    call: (runtime: Runtime, args: Value[], named: Named) => Value,
    { typeName = 'function', fields = noNamed }: { typeName?: string; fields?: ReadonlyMap<string, Value> } = {},
  ) {
    super();
    this.name = name;
    this.call = call;
    this.typeName = typeName;
    this.fields = fields;
  }
}

/** An object of Jinja2 with fields, computed when they are read: `loop`, a cycler. */
export abstract class Fielded extends PyObject {
  /** JavaScript's undefined where it has no such field. */
  abstract field(name: string): Value | undefined;
  abstract describe(): string;
  /** What stands between brackets, where it has such. */
  item?(key: string): Value | undefined;
  /** Called as a function, where it can be. */
  call?(runtime: Runtime, args: Value[], named: Named): Value;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  return Array.isArray(value) ? 'list' : value.typeName;
}

/** A whole number as a value. */
export function integer(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** The text of a string, of plain text or of HTML; JavaScript's undefined for anything else. */
export function textOfValue(value: Value): string | undefined {
  return typeof value === 'string' ? value : value instanceof Markup ? value.text : undefined;
}

export function isTrue(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (value === null) return false;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'bigint') return value !== 0n;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Undefined) return false;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Markup) return value.text !== '';
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Range) return value.length > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  return true;
}

/** What a loop walks through. Throws `TypeError` for what is no collection. */
export function iterate(value: Value): Iterable<Value> {
  if (Array.isArray(value) || typeof value === 'string' || value instanceof Once) return value;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Tuple) return value.items;
  if (value instanceof Undefined) return [];
  if (value instanceof DictView || value instanceof Range) return value.items();
  if (value instanceof Markup) return value.text;
  throw typeError(`'${typeName(value)}' object is not iterable`);
}

/** JSON as values: objects are dictionaries, numbers without a fraction whole. */
export function fromJson(value: unknown): Value {
  if (value instanceof PyObject) return value;
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'number':
      if (Number.isSafeInteger(value)) return Object.is(value, -0) ? 0 : value;
      return Number.isInteger(value) && Math.abs(value) < 1e21 ? BigInt(value) : new Float(value);
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return value.map(fromJson);
      return Dict.of(Object.entries(value).map(([key, item]) => [key, fromJson(item)] as const));
    default:
      return null;
  }
}
