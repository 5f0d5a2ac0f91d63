import { JinjaError, typeError, valueError } from './errors.ts';
import { formatValue } from './format-spec.ts';
import { escapedCode, repr, str } from './print.ts';
import type { Named, Runtime, Value } from './values.ts';

/** Fields within the specification of a field. */
const maxNesting = 2;

interface Source {
  args: readonly Value[];
  named: Named;
  /** Of the next field without a number; null after one with a number. */
  next: number | null;
}

/** Python's `text.format(...)`. Throws as Python does. */
export function formatBraces(text: string, args: readonly Value[], named: Named, runtime: Runtime): string {
  return expand(text, { args, named, next: 0 }, runtime, maxNesting);
}

function expand(text: string, source: Source, runtime: Runtime, nesting: number): string {
  if (nesting < 0) throw valueError('Max string recursion exceeded');
  let result = '';
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (character !== '{' && character !== '}') {
      const next = text.slice(at).search(/[{}]/u);
      const end = next < 0 ? text.length : at + next;
      result += text.slice(at, end);
      at = end;
    } else if (text[at + 1] === character) {
      result += character;
      at += 2;
    } else if (character === '}') throw valueError("Single '}' encountered in format string");
    else {
      const end = endOfField(text, at);
      result += expandField(text.slice(at + 1, end), source, runtime, nesting);
      at = end + 1;
    }
    runtime.budget.text(result.length);
  }
  return result;
}

function endOfField(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  throw valueError(
    start === text.length - 1 ? "Single '{' encountered in format string" : "expected '}' before end of string",
  );
}

function expandField(field: string, source: Source, runtime: Runtime, nesting: number): string {
  const match = /^([^!:[]*(?:\[[^\]]*\][^!:[]*)*)(?:!(.?))?(?::(.*))?$/su.exec(field);
  if (!match) throw valueError('cannot read the field of a format string');
  const [, path = '', conversion, spec] = match;
  let value = lookUp(path, source, runtime);
  if (conversion === 's') value = str(value, runtime);
  else if (conversion === 'r') value = repr(value, runtime);
  else if (conversion === 'a') {
    value = repr(value, runtime).replace(/[^ -~]/gu, (character) => escapedCode(character.codePointAt(0)!));
  } else if (conversion !== undefined) throw valueError(`Unknown conversion specifier '${conversion}'`);
  return formatValue(value, spec === undefined ? '' : expand(spec, source, runtime, nesting - 1), runtime);
}

function lookUp(path: string, source: Source, runtime: Runtime): Value {
  const [first = ''] = /^[^.[]*/u.exec(path)!;
  let value = argument(first, source);
  let rest = path.slice(first.length);
  while (rest !== '') {
    const match = /^\.([^.[]+)|^\[([^\]]+)\]/u.exec(rest);
    if (!match) throw valueError('Empty attribute in format string');
    const [whole, attribute, key = ''] = match;
    value =
      attribute === undefined
        ? runtime.access.item(value, /^\d+$/u.test(key) ? Number(key) : key)
        : runtime.access.attribute(value, attribute);
    rest = rest.slice(whole.length);
  }
  return value;
}

function argument(name: string, source: Source): Value {
  let key = name;
  if (name === '') {
    if (source.next === null)
      throw valueError('cannot switch from manual field specification to automatic field numbering');
    key = String(source.next++);
  } else if (/^\d+$/u.test(name)) {
    if (source.next !== null && source.next > 0) {
      throw valueError('cannot switch from automatic field numbering to manual field specification');
    }
    source.next = null;
  }
  if (!/^\d+$/u.test(key)) {
    const value = source.named.get(key);
    if (value === undefined) throw new JinjaError('KeyError', key);
    return value;
  }
  const value = source.args[Number(key)];
  if (value === undefined)
    throw new JinjaError('IndexError', 'Replacement index out of range for positional args tuple');
  return value;
}

/** Python's `text.format_map(mapping)`. */
export function formatMap(
  text: string,
  args: readonly Value[],
  named: Named,
  runtime: Runtime,
  toNamed: (value: Value) => Named,
): string {
  if (named.size > 0 || args.length !== 1) throw typeError('format_map() takes exactly one argument');
  return formatBraces(text, [], toNamed(args[0]!), runtime);
}
