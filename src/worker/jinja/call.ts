import { typeError } from './errors.ts';
import {
  Callable,
  Dict,
  Fielded,
  type Named,
  type Runtime,
  textOfValue,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** Calls a value. Throws `TypeError` for one that cannot be called. */
export function callValue(callee: Value, args: Value[], named: Named, runtime: Runtime): Value {
  runtime.budget.spend(1);
  if (callee instanceof Callable || (callee instanceof Fielded && callee.call)) {
    return callee.call!(runtime, args, named);
  }
  if (callee instanceof Undefined) throw callee.error();
  throw typeError(`'${typeName(callee)}' object is not callable`);
}

/** `**mapping` in a call. Throws `TypeError`. */
export function* namedFrom(mapping: Value): Generator<[string, Value]> {
  if (!(mapping instanceof Dict)) throw typeError(`argument after ** must be a mapping, not ${typeName(mapping)}`);
  for (const [key, value] of mapping.entries()) {
    const name = textOfValue(key);
    if (name === undefined) throw typeError('keywords must be strings');
    yield [name, value];
  }
}
