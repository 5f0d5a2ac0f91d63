import { bind, bindPlaces } from './bind.ts';
import { compare, contains, equals, isCollection } from './compare.ts';
import { typeError } from './errors.ts';
import { wholeOf } from './numbers.ts';
import { binary } from './operators.ts';
import { str } from './print.ts';
import { isKind } from './text.ts';
import {
  Callable,
  Dict,
  Fielded,
  Float,
  Markup,
  type Named,
  Range,
  type Runtime,
  Tuple,
  textOfValue,
  Undefined,
  type Value,
} from './values.ts';

/** A test: `value is name(args)`. */
export type Test = (value: Value, args: Value[], named: Named, runtime: Runtime) => boolean;

const plain =
  (name: string, test: (value: Value, runtime: Runtime) => boolean): Test =>
  (value, args, named, runtime) => {
    bind(name, [], args, named);
    return test(value, runtime);
  };

const withOther =
  (name: string, test: (value: Value, other: Value) => boolean): Test =>
  (value, args, named) => {
    const [other] = bindPlaces(name, ['other'], args, named);
    return test(value, other!);
  };

const ordered = (name: string, operator: string, holds: (order: number) => boolean) =>
  withOther(name, (value, other) => holds(compare(value, other, operator)));

const rest = (value: Value, by: Value, runtime: Runtime) => binary('%', value, by, runtime);

const eq = withOther('eq', (value, other) => equals(value, other));
const ne = withOther('ne', (value, other) => !equals(value, other));
const gt = ordered('gt', '>', (order) => order > 0);
const ge = ordered('ge', '>=', (order) => order >= 0);
const lt = ordered('lt', '<', (order) => order < 0);
const le = ordered('le', '<=', (order) => order <= 0);

const isNumber = (value: Value) => wholeOf(value) !== undefined || value instanceof Float;

/** All tests of Jinja2. */
export function createTests(isFilter: (name: string) => boolean): ReadonlyMap<string, Test> {
  const known = (name: string, has: (name: string) => boolean) =>
    plain(name, (value) => {
      if (Array.isArray(value) || value instanceof Dict) throw typeError('unhashable type');
      return has(textOfValue(value) ?? '');
    });
  const tests: Map<string, Test> = new Map<string, Test>([
    ['odd', plain('odd', (value, runtime) => equals(rest(value, 2, runtime), 1))],
    ['even', plain('even', (value, runtime) => equals(rest(value, 2, runtime), 0))],
    [
      'divisibleby',
      (value, args, named, runtime) => equals(rest(value, bind('divisibleby', ['num'], args, named)[0]!, runtime), 0),
    ],
    ['defined', plain('defined', (value) => !(value instanceof Undefined))],
    ['undefined', plain('undefined', (value) => value instanceof Undefined)],
    ['filter', known('filter', isFilter)],
    ['test', known('test', (name) => tests.has(name))],
    ['none', plain('none', (value) => value === null)],
    ['boolean', plain('boolean', (value) => typeof value === 'boolean')],
    ['false', plain('false', (value) => value === false)],
    ['true', plain('true', (value) => value === true)],
    ['integer', plain('integer', (value) => typeof value === 'number' || typeof value === 'bigint')],
    ['float', plain('float', (value) => value instanceof Float)],
    ['lower', plain('lower', (value, runtime) => isKind(str(value, runtime), 'islower'))],
    ['upper', plain('upper', (value, runtime) => isKind(str(value, runtime), 'isupper'))],
    ['string', plain('string', (value) => textOfValue(value) !== undefined)],
    ['mapping', plain('mapping', (value) => value instanceof Dict)],
    ['number', plain('number', isNumber)],
    ['sequence', plain('sequence', isSequence)],
    ['iterable', plain('iterable', isCollection)],
    ['callable', plain('callable', isCallable)],
    ['escaped', plain('escaped', (value) => value instanceof Markup)],
    ['sameas', withOther('sameas', (value, other) => value === other)],
    ['in', withOther('in', (value, other) => contains(other, value))],
  ]);
  for (const [test, ...names] of [
    [eq, '==', 'eq', 'equalto'],
    [ne, '!=', 'ne'],
    [gt, '>', 'gt', 'greaterthan'],
    [ge, '>=', 'ge'],
    [lt, '<', 'lt', 'lessthan'],
    [le, '<=', 'le'],
  ] as const) {
    for (const name of names) tests.set(name, test);
  }
  return tests;
}

function isSequence(value: Value): boolean {
  return (
    textOfValue(value) !== undefined ||
    Array.isArray(value) ||
    [Dict, Tuple, Range, Undefined].some((type) => value instanceof type)
  );
}

/** Python takes an undefined value for callable; the call then fails. */
export const isCallable = (value: Value): boolean =>
  value instanceof Callable || value instanceof Undefined || (value instanceof Fielded && value.call !== undefined);
