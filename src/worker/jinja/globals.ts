import { bind } from './bind.ts';
import { callValue } from './call.ts';
import { JinjaError, typeError, valueError } from './errors.ts';
import { indexOf, wholeOf } from './numbers.ts';
import { str } from './print.ts';
import { strftime } from './strftime.ts';
import {
  Callable,
  Dict,
  Fielded,
  iterate,
  type Named,
  Namespace,
  noNamed,
  Range,
  type Runtime,
  textOfValue,
  typeName,
  type Value,
} from './values.ts';

/** Longest range, as Jinja2's sandbox has it. */
const maxRange = 100_000;

function range(args: Value[], named: Named): Range {
  if (named.size > 0) throw typeError('range() takes no keyword arguments');
  if (args.length === 0 || args.length > 3) throw typeError(`range expected 1 to 3 arguments, got ${args.length}`);
  for (const value of args) {
    if (wholeOf(value) === undefined)
      throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  }
  const [first, second, step = 1] = args.map(indexOf);
  if (step === 0) throw valueError('range() arg 3 must not be zero');
  const made = second === undefined ? new Range(0, first!, 1) : new Range(first!, second, step);
  if (made.length > maxRange)
    throw new JinjaError('OverflowError', `Range too big. The sandbox blocks ranges larger than ${maxRange}.`);
  return made;
}

/** Python's `dict(mapping_or_pairs, **named)`. */
function dict(args: Value[], named: Named, runtime: Runtime): Dict {
  if (args.length > 1) throw typeError(`dict expected at most 1 argument, got ${args.length}`);
  const made = new Dict();
  const [from] = args;
  if (from instanceof Dict) for (const [key, value] of from.entries()) made.set(key, value);
  else if (from !== undefined) {
    for (const pair of iterate(from)) {
      const items = [...iterate(pair)];
      if (items.length !== 2) throw valueError('dictionary update sequence elements have to have length 2');
      made.set(items[0]!, items[1]!);
    }
  }
  for (const [key, value] of named) made.set(key, value);
  runtime.budget.items(made.size);
  return made;
}

class Cycler extends Fielded {
  readonly typeName = 'Cycler';
  readonly #items: readonly Value[];
  #position = 0;
  constructor(items: readonly Value[]) {
    super();
    this.#items = items;
  }
  field(name: string): Value | undefined {
    switch (name) {
      case 'current':
        return this.#items[this.#position]!;
      case 'pos':
        return this.#position;
      case 'next':
        return new Callable('next', () => {
          const item = this.#items[this.#position]!;
          this.#position = (this.#position + 1) % this.#items.length;
          return item;
        });
      case 'reset':
        return new Callable('reset', () => {
          this.#position = 0;
          return null;
        });
    }
    return undefined;
  }
  describe(): string {
    return '<Cycler object>';
  }
}

class Joiner extends Fielded {
  readonly typeName = 'Joiner';
  readonly #separator: Value;
  #used = false;
  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }
  field(name: string): Value | undefined {
    return name === 'sep' ? this.#separator : name === 'used' ? this.#used : undefined;
  }
  override call(): Value {
    const isFirst = !this.#used;
    this.#used = true;
    return isFirst ? '' : this.#separator;
  }
  describe(): string {
    return '<Joiner object>';
  }
}

const define = (name: string, run: (args: Value[], named: Named, runtime: Runtime) => Value, kind = 'function') =>
  [name, new Callable(name, (runtime, args, named) => run(args, named, runtime), { typeName: kind })] as const;

/** The functions of Jinja2 and those that transformers add. */
export const globals: ReadonlyMap<string, Value> = new Map<string, Value>([
  define('range', range),
  define('dict', dict, 'type'),
  define('namespace', (args, named, runtime) => new Namespace(dict(args, named, runtime)), 'type'),
  define(
    'cycler',
    (args) => {
      if (args.length === 0) throw new JinjaError('TemplateRuntimeError', 'at least one item has to be provided');
      return new Cycler(args);
    },
    'type',
  ),
  define('joiner', (args, named) => new Joiner(bind('joiner', [['sep', ', ']], args, named)[0]!), 'type'),
  define('raise_exception', (args, named, runtime) => {
    const [message] = bind('raise_exception', ['message'], args, named);
    throw new JinjaError('TemplateError', str(message!, runtime));
  }),
  define('strftime_now', (args, named, runtime) => {
    const format = textOfValue(bind('strftime_now', ['format'], args, named)[0]!);
    if (format === undefined) throw typeError('strftime() argument 1 must be str');
    return strftime(runtime.now, format);
  }),
  // What a `{% generation %}` block calls with its body; no template can name it.
  define(' generation', (_args, named, runtime) => callValue(named.get('caller') ?? null, [], noNamed, runtime)),
]);
