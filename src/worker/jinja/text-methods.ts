import { bind, bindPlaces, type Parameter } from './bind.ts';
import { JinjaError, typeError, valueError } from './errors.ts';
import { formatBraces, formatMap } from './format-braces.ts';
import { pad } from './format-spec.ts';
import { indexOf, toWhole } from './numbers.ts';
import { sliceText } from './slices.ts';
import { capitalize, isKind, type Kind, split, splitLines, splitSpaces, strip, swapCase, titleCase } from './text.ts';
import { characterIndex, lengthOf, unitIndex } from './unicode.ts';
import {
  Dict,
  iterate,
  type Named,
  type Runtime,
  SliceValue,
  Tuple,
  textOfValue,
  typeName,
  type Value,
} from './values.ts';

type TextMethod = (self: string, args: Value[], named: Named, runtime: Runtime) => Value;

/** A text from an argument. Throws `TypeError`. */
function text(value: Value | undefined, what = 'str'): string {
  const found = textOfValue(value ?? null);
  if (found === undefined) throw typeError(`expected ${what}, not ${typeName(value ?? null)}`);
  return found;
}
const textOrNone = (value: Value | undefined) => (value === null || value === undefined ? null : text(value));

const plain =
  (name: string, change: (self: string, runtime: Runtime) => Value): TextMethod =>
  (self, args, named, runtime) => {
    bindPlaces(name, [], args, named);
    runtime.budget.scan(self.length);
    return change(self, runtime);
  };

const places =
  (
    name: string,
    parameters: readonly Parameter[],
    run: (self: string, values: Value[], runtime: Runtime) => Value,
  ): TextMethod =>
  (self, args, named, runtime) => {
    const values = bindPlaces(name, parameters, args, named);
    runtime.budget.scan(self.length);
    return run(self, values, runtime);
  };

const stripping = (name: string, ends: 'both' | 'left' | 'right') =>
  places(name, [['chars', null]], (self, [chars]) => strip(self, textOrNone(chars), ends));

const check = (kind: Kind) => plain(kind, (self) => isKind(self, kind));

/** A search with its bounds: where it was found in characters, or -1. */
const searching = (name: string, fromEnd: boolean, strict: boolean) =>
  places(name, ['sub', ['start', null], ['end', null]], (self, [part, start, end]) => {
    const wanted = text(part);
    const from = sliceText(self, new SliceValue(null, start!, null)).length;
    const offset = start === null ? 0 : clamp(indexOf(start!), lengthOf(self));
    const within = start === null && end === null ? self : sliceText(self, new SliceValue(start!, end!, null));
    const beyond = start !== null && from === 0 && indexOf(start!) > lengthOf(self);
    const at = beyond ? -1 : fromEnd ? within.lastIndexOf(wanted) : within.indexOf(wanted);
    if (at < 0 && strict) throw valueError('substring not found');
    return at < 0 ? -1 : offset + characterIndex(within, at);
  });

const clamp = (index: number, length: number) => (index < 0 ? Math.max(0, index + length) : Math.min(index, length));

/** `startswith` and `endswith`: one text or a tuple of them, within bounds. */
const testing = (name: string, test: (within: string, part: string) => boolean) =>
  places(name, ['part', ['start', null], ['end', null]], (self, [part, start, end]) => {
    const parts = part instanceof Tuple ? part.items : [part!];
    const within = start === null && end === null ? self : sliceText(self, new SliceValue(start!, end!, null));
    if (start !== null && indexOf(start!) > lengthOf(self)) return false;
    return parts.some((item) => test(within, text(item, 'str or a tuple of str')));
  });

const aligning = (name: string, align: '<' | '>' | '^') =>
  places(name, ['width', ['fillchar', ' ']], (self, [width, fill]) => {
    if (lengthOf(text(fill)) !== 1) throw typeError('The fill character must be exactly one character long');
    if (align !== '^') return pad(self, indexOf(width!), text(fill), align);
    return center(self, indexOf(width!), text(fill));
  });

/** Python puts the odd character on the left where the width is odd. */
export function center(self: string, width: number, fill = ' '): string {
  const missing = width - lengthOf(self);
  if (missing <= 0) return self;
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return pad(pad(self, lengthOf(self) + left, fill, '>'), width, fill, '<');
}

const splitting =
  (name: string, fromEnd: boolean): TextMethod =>
  (self, args, named, runtime) => {
    const [separator, limit] = bind(
      name,
      [
        ['sep', null],
        ['maxsplit', -1],
      ],
      args,
      named,
    );
    runtime.budget.scan(self.length);
    const parts =
      separator === null
        ? splitSpaces(self, indexOf(limit!), fromEnd)
        : split(self, text(separator), indexOf(limit!), fromEnd);
    runtime.budget.items(parts.length);
    return parts;
  };

const partitioning = (name: string, fromEnd: boolean) =>
  places(name, ['sep'], (self, [separator]) => {
    const wanted = text(separator);
    if (wanted === '') throw valueError('empty separator');
    const at = fromEnd ? self.lastIndexOf(wanted) : self.indexOf(wanted);
    if (at < 0) return new Tuple(fromEnd ? ['', '', self] : [self, '', '']);
    return new Tuple([self.slice(0, at), wanted, self.slice(at + wanted.length)]);
  });

/** Python's `text.replace(old, new, count)`, looked at where the parts that it leaves meet. */
export function replaced(self: string, old: string, by: string, count: number, runtime: Runtime): string {
  runtime.budget.scan(self.length);
  if (count === 0 || (old !== '' && !self.includes(old))) return self;
  const parts = old === '' ? [...self] : self.split(old);
  if (old === '') parts.unshift('');
  if (old === '') parts.push('');
  const times = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  runtime.budget.text(self.length + times * by.length);
  const head = parts.slice(0, times + 1).join(by);
  const rest = parts.slice(times + 1);
  const result = rest.length === 0 ? head : [head, ...rest].join(old);
  // What replaces something is the template's choice; what only leaves it out joins what stood apart.
  return by.trim() === '' ? runtime.rejoined(result, self) : result;
}

function joined(self: string, items: Value, runtime: Runtime): string {
  const parts = Array.from(iterate(items), (item, index) => {
    const part = textOfValue(item);
    if (part === undefined) throw typeError(`sequence item ${index}: expected str instance, ${typeName(item)} found`);
    return part;
  });
  runtime.budget.text(parts.reduce((sum, part) => sum + part.length + self.length, 0));
  return parts.join(self);
}

function translated(self: string, table: Value): string {
  if (!(table instanceof Dict)) throw typeError('a table is a dictionary here');
  return Array.from(self, (character) => {
    const to = table.get(character.codePointAt(0)!);
    if (to === undefined) return character;
    if (to === null) return '';
    return textOfValue(to) ?? String.fromCodePoint(Number(toWhole(to)));
  }).join('');
}

function makeTable([from, to, remove]: Value[]): Dict {
  if (to === null) {
    if (!(from instanceof Dict)) throw typeError('if you give only one argument to maketrans it must be a dict');
    return Dict.of(
      Array.from(
        from.entries(),
        ([key, value]) => [typeof key === 'string' ? key.codePointAt(0)! : key, value] as const,
      ),
    );
  }
  const sources = [...text(from)];
  const targets = [...text(to)];
  if (sources.length !== targets.length) throw valueError('the first two maketrans arguments must have equal length');
  const table = Dict.of(
    sources.map((character, index) => [character.codePointAt(0)!, targets[index]!.codePointAt(0)!] as const),
  );
  for (const character of textOrNone(remove) ?? '') table.set(character.codePointAt(0)!, null);
  return table;
}

const caseChange = (name: string, change: (self: string) => string) =>
  plain(name, (self, runtime) => runtime.rejoined(change(self), self));

/** The methods of a text, as Python has them. */
export const textMethods: Record<string, TextMethod> = {
  upper: caseChange('upper', (self) => self.toUpperCase()),
  lower: caseChange('lower', (self) => self.toLowerCase()),
  casefold: caseChange('casefold', (self) => self.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ')),
  capitalize: caseChange('capitalize', capitalize),
  title: caseChange('title', titleCase),
  swapcase: caseChange('swapcase', swapCase),
  strip: stripping('strip', 'both'),
  lstrip: stripping('lstrip', 'left'),
  rstrip: stripping('rstrip', 'right'),
  split: splitting('split', false),
  rsplit: splitting('rsplit', true),
  splitlines: (self, args, named, runtime) => {
    const [keep] = bind('splitlines', [['keepends', false]], args, named);
    runtime.budget.scan(self.length);
    return splitLines(self, Boolean(toWhole(keep!)));
  },
  partition: partitioning('partition', false),
  rpartition: partitioning('rpartition', true),
  join: places('join', ['iterable'], (self, [items], runtime) => joined(self, items!, runtime)),
  replace: (self, args, named, runtime) => {
    const [old, by, count] = bindPlaces('replace', ['old', 'new', ['count', -1]], args, named);
    return replaced(self, text(old), text(by), indexOf(count!), runtime);
  },
  startswith: testing('startswith', (within, part) => within.startsWith(part)),
  endswith: testing('endswith', (within, part) => within.endsWith(part)),
  find: searching('find', false, false),
  rfind: searching('rfind', true, false),
  index: searching('index', false, true),
  rindex: searching('rindex', true, true),
  count: places('count', ['sub', ['start', null], ['end', null]], (self, [part, start, end]) => {
    const within = start === null && end === null ? self : sliceText(self, new SliceValue(start!, end!, null));
    const wanted = text(part);
    return wanted === '' ? lengthOf(within) + 1 : within.split(wanted).length - 1;
  }),
  removeprefix: places('removeprefix', ['prefix'], (self, [part]) =>
    self.startsWith(text(part)) ? self.slice(text(part).length) : self,
  ),
  removesuffix: places('removesuffix', ['suffix'], (self, [part]) =>
    text(part) !== '' && self.endsWith(text(part)) ? self.slice(0, -text(part).length) : self,
  ),
  center: aligning('center', '^'),
  ljust: aligning('ljust', '<'),
  rjust: aligning('rjust', '>'),
  zfill: places('zfill', ['width'], (self, [width]) => {
    const sign = /^[+-]/u.exec(self)?.[0] ?? '';
    return sign + pad(self.slice(sign.length), indexOf(width!) - sign.length, '0', '>');
  }),
  expandtabs: (self, args, named, runtime) => {
    const [size] = bind('expandtabs', [['tabsize', 8]], args, named);
    runtime.budget.scan(self.length * Math.max(1, indexOf(size!)));
    return expandTabs(self, indexOf(size!));
  },
  format: (self, args, named, runtime) => formatBraces(self, args, named, runtime),
  format_map: (self, args, named, runtime) => formatMap(self, args, named, runtime, namedOf),
  translate: places('translate', ['table'], (self, [table], runtime) =>
    runtime.rejoined(translated(self, table!), self),
  ),
  maketrans: places('maketrans', ['x', ['y', null], ['z', null]], (_self, values) => makeTable(values)),
  encode: () => {
    throw new JinjaError('TypeError', 'bytes are not supported');
  },
  isalpha: check('isalpha'),
  isdecimal: check('isdecimal'),
  isdigit: check('isdigit'),
  isnumeric: check('isnumeric'),
  isalnum: check('isalnum'),
  isascii: check('isascii'),
  isidentifier: check('isidentifier'),
  islower: check('islower'),
  isupper: check('isupper'),
  istitle: check('istitle'),
  isspace: check('isspace'),
  isprintable: check('isprintable'),
};

function namedOf(value: Value): Named {
  if (!(value instanceof Dict)) throw typeError('format_map() takes a mapping');
  return new Map(Array.from(value.entries(), ([key, item]) => [String(key), item] as const));
}

function expandTabs(self: string, size: number): string {
  let column = 0;
  let result = '';
  for (const character of self) {
    if (character === '\t') {
      const width = size > 0 ? size - (column % size) : 0;
      result += ' '.repeat(width);
      column += width;
    } else {
      result += character;
      column = character === '\n' || character === '\r' ? 0 : column + 1;
    }
  }
  return result;
}

/** A part of a text by places in characters, from the start. */
export const firstCharacters = (self: string, count: number): string =>
  count < 0 ? sliceText(self, new SliceValue(null, count, null)) : self.slice(0, unitIndex(self, count));
