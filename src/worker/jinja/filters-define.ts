import { bind, type Parameter } from './bind.ts';
import { wholeOf } from './numbers.ts';
import { type Named, type Runtime, textOfValue, type Value } from './values.ts';

/** A filter: `value | name(args)`. */
export type Filter = (value: Value, args: Value[], named: Named, runtime: Runtime) => Value;

/** A filter with its parameters behind the value. */
export const define =
  (
    name: string,
    parameters: readonly Parameter[],
    run: (value: Value, args: Value[], runtime: Runtime) => Value,
  ): Filter =>
  (value, args, named, runtime) =>
    run(value, bind(name, parameters, args, named), runtime);

/**
 * What a path like `function.name` or `items.0` finds in a value; `missing` stands in for what is not there.
 * The value itself for None.
 */
export function attributeGetter(attribute: Value, runtime: Runtime, missing: Value = null): (value: Value) => Value {
  const text = textOfValue(attribute);
  const parts: Value[] =
    attribute === null
      ? []
      : text === undefined
        ? [attribute]
        : text.split('.').map((part) => (/^\d+$/u.test(part) ? (wholeOf(Number(part)) ?? part) : part));
  return (value) => {
    let found = value;
    for (const part of parts) {
      found = runtime.access.item(found, part);
      if (missing !== null && isMissing(found)) found = missing;
    }
    return found;
  };
}

const isMissing = (value: Value) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && value.typeName === 'Undefined';

/** Text in small letters, anything else as it is: how Jinja2 sorts. */
export function ignoringCase(value: Value): Value {
  const text = textOfValue(value);
  return text === undefined ? value : text.toLowerCase();
}
