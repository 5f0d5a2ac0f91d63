import { typeError } from './errors.ts';
import type { Named, Value } from './values.ts';

/** A parameter: its name, or its name and the value that it has when it is left out. */
export type Parameter = string | readonly [string, Value];

/** The values of all parameters, as Python binds the arguments of a call. Throws `TypeError`. */
export function bind(name: string, parameters: readonly Parameter[], args: readonly Value[], named: Named): Value[] {
  if (args.length > parameters.length) {
    throw typeError(`${name}() takes ${parameters.length} arguments but ${args.length} were given`);
  }
  let used = 0;
  const values = parameters.map((parameter, index): Value => {
    const key = typeof parameter === 'string' ? parameter : parameter[0];
    const byName = named.get(key);
    if (byName !== undefined) {
      used++;
      if (index < args.length) throw typeError(`${name}() got multiple values for argument '${key}'`);
      return byName;
    }
    if (index < args.length) return args[index]!;
    if (typeof parameter === 'string') throw typeError(`${name}() missing required argument: '${key}'`);
    return parameter[1];
  });
  if (used < named.size) {
    const known = parameters.map((parameter) => (typeof parameter === 'string' ? parameter : parameter[0]));
    const other = [...named.keys()].find((key) => !known.includes(key));
    throw typeError(`${name}() got an unexpected keyword argument '${other}'`);
  }
  return values;
}

/** As `bind` for what takes arguments by their place alone. */
export function bindPlaces(
  name: string,
  parameters: readonly Parameter[],
  args: readonly Value[],
  named: Named,
): Value[] {
  if (named.size > 0) throw typeError(`${name}() takes no keyword arguments`);
  return bind(name, parameters, args, named);
}
