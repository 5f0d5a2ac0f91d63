import { isLookupError, JinjaError, typeError } from './errors.ts';
import { methodOf } from './methods.ts';
import { itemAt, sliced } from './slices.ts';
import {
  Callable,
  Dict,
  Fielded,
  Float,
  Namespace,
  Range,
  SliceValue,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** How Jinja2 names the kind of a value in its messages. */
function describe(value: Value): string {
  if (value === null) return 'None';
  return value instanceof Namespace ? 'jinja2.utils.Namespace object' : `${typeName(value)} object`;
}

const missing = (value: Value, name: Value) =>
  new Undefined(() =>
    typeof name === 'string'
      ? `'${describe(value)}' has no attribute '${name}'`
      : `${describe(value)} has no element ${typeof name === 'number' ? name : `of type ${typeName(name)}`}`,
  );

const unsafe = (value: Value, name: string) =>
  new Undefined(() => `access to attribute '${name}' of '${typeName(value)}' object is unsafe.`, 'SecurityError');

/** What every object of Python has. A template is shown none of it. */
const internal =
  /^__(?:class|doc|dir|eq|format|ge|getattribute|getitem|gt|hash|init|init_subclass|le|len|lt|ne|new|reduce|reduce_ex|repr|setattr|sizeof|str|subclasshook|iter|contains|add|mul|mod|dict|module|call)__$/u;

/** An attribute as Python finds it; JavaScript's undefined where the object has none of the name. */
function ownAttribute(value: Value, name: string): Value | undefined {
  if (value instanceof Undefined) {
    if (internal.test(name)) return unsafe(value, name);
    throw value.error();
  }
  if (value instanceof Namespace) {
    const field = value.fields.get(name);
    return field !== undefined && name.startsWith('_') ? unsafe(value, name) : field;
  }
  if (internal.test(name)) return unsafe(value, name);
  if (value instanceof Fielded) return value.field(name);
  if (value instanceof Callable) return value.fields.get(name);
  const method = methodOf(value, name);
  if (method !== undefined) return method === 'unsafe' ? unsafe(value, name) : method;
  if (value instanceof Tuple) {
    const index = value.names.indexOf(name);
    if (index >= 0) return value.items[index]!;
  }
  if (value instanceof Range && (name === 'start' || name === 'stop' || name === 'step')) return value[name];
  return numberAttribute(value, name);
}

function numberAttribute(value: Value, name: string): Value | undefined {
  const kind = typeof value;
  if (value instanceof Float) return name === 'real' ? value : name === 'imag' ? new Float(0) : undefined;
  if (kind !== 'number' && kind !== 'bigint' && kind !== 'boolean') return undefined;
  if (name === 'real' || name === 'numerator') return kind === 'boolean' ? Number(value) : value;
  return name === 'imag' ? 0 : name === 'denominator' ? 1 : undefined;
}

/** `value[key]` as Python has it. Throws `TypeError`, `IndexError`, `KeyError`, `UndefinedError`. */
function subscript(value: Value, key: Value): Value {
  if (value instanceof Dict) {
    const found = value.get(key);
    if (found === undefined) throw new JinjaError('KeyError', 'no such key');
    return found;
  }
  if (value instanceof Undefined) throw value.error();
  if (key instanceof SliceValue) return sliced(value, key);
  const inRow = itemAt(value, key);
  if (inRow !== undefined) return inRow;
  const item = value instanceof Fielded && typeof key === 'string' ? value.item?.(key) : undefined;
  if (item !== undefined) return item;
  throw typeError(`'${typeName(value)}' object is not subscriptable`);
}

function trySubscript(value: Value, key: Value): Value | undefined {
  // The usual case without the cost of an exception.
  if (value instanceof Dict && (typeof key === 'string' || typeof key === 'number')) return value.get(key);
  try {
    return subscript(value, key);
  } catch (error) {
    if (isLookupError(error)) return undefined;
    throw error;
  }
}

/** `value.name`: an attribute, else the item of that name, else undefined. */
export function getAttribute(value: Value, name: string): Value {
  const own = ownAttribute(value, name);
  if (own !== undefined) return own;
  const item = trySubscript(value, name);
  return item === undefined ? missing(value, name) : item;
}

/** `value[key]`: an item, else the attribute of that name, else undefined. */
export function getItem(value: Value, key: Value): Value {
  if (value instanceof Undefined) throw value.error();
  const item = trySubscript(value, key);
  if (item !== undefined) return item;
  const own = typeof key === 'string' ? ownAttribute(value, key) : undefined;
  return own === undefined ? missing(value, key) : own;
}

/** `value | attr(name)`: an attribute and never an item. */
export function getOnlyAttribute(value: Value, name: string): Value {
  const own = ownAttribute(value, name);
  return own === undefined ? missing(value, name) : own;
}

/** `value[a:b]`, which fails where there is no such part. */
export function getSlice(value: Value, slice: SliceValue): Value {
  if (value instanceof Dict) throw typeError("unhashable type: 'slice'");
  return subscript(value, slice);
}
