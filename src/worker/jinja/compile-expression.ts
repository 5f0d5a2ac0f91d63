import { getAttribute, getItem, getSlice } from './access.ts';
import { callValue, namedFrom } from './call.ts';
import { compare, contains, equals } from './compare.ts';
import { JinjaError, typeError } from './errors.ts';
import { filters, tests } from './filters.ts';
import { type Frame, reader, undefinedName } from './frame.ts';
import {
  type Arguments,
  type Call,
  type CompareOperator,
  childExpressions,
  type Expression,
  type Filter,
  type Slice,
} from './nodes.ts';
import { binary, concat, unary } from './operators.ts';
import type { Evaluate, Scope } from './ready.ts';
import {
  Dict,
  isTrue,
  iterate,
  Markup,
  type Named,
  noNamed,
  type Runtime,
  SliceValue,
  Tuple,
  Undefined,
  type Value,
} from './values.ts';

/** Makes an expression ready to run. Throws `TemplateSyntaxError` for a filter or test that does not exist. */
export function compileExpression(node: Expression, frame: Frame): Evaluate {
  const compile = (part: Expression) => compileExpression(part, frame);
  switch (node.type) {
    case 'constant': {
      const { value } = node;
      return () => value;
    }
    case 'name':
      return compileName(node.name, frame);
    case 'tuple': {
      const items = node.items.map(compile);
      return (scope, runtime) => new Tuple(items.map((item) => item(scope, runtime)));
    }
    case 'list': {
      const items = node.items.map(compile);
      return (scope, runtime) => {
        runtime.budget.items(items.length);
        return items.map((item) => item(scope, runtime));
      };
    }
    case 'dict': {
      const pairs = node.pairs.map(([key, value]) => [compile(key), compile(value)] as const);
      return (scope, runtime) => {
        runtime.budget.items(pairs.length);
        return Dict.of(pairs.map(([key, value]) => [key(scope, runtime), value(scope, runtime)] as const));
      };
    }
    case 'and':
    case 'or': {
      const [left, right] = [compile(node.left), compile(node.right)];
      const decides = node.type === 'or';
      return (scope, runtime) => {
        const value = left(scope, runtime);
        return isTrue(value) === decides ? value : right(scope, runtime);
      };
    }
    case 'conditional':
      return compileConditional(node, { ...frame, isSoft: true });
    case 'binary': {
      const { operator } = node;
      const [left, right] = [compile(node.left), compile(node.right)];
      return (scope, runtime) => binary(operator, left(scope, runtime), right(scope, runtime), runtime);
    }
    case 'unary': {
      const { operator } = node;
      const inner = compile(node.node);
      if (operator === 'not') return (scope, runtime) => !isTrue(inner(scope, runtime));
      return (scope, runtime) => unary(operator, inner(scope, runtime));
    }
    case 'compare':
      return compileCompare(node.first, node.rest, frame);
    case 'concat': {
      const parts = node.nodes.map(compile);
      return (scope, runtime) =>
        concat(
          parts.map((part) => part(scope, runtime)),
          runtime,
        );
    }
    case 'attribute': {
      const inner = compile(node.node);
      const { name } = node;
      return (scope, runtime) => getAttribute(inner(scope, runtime), name);
    }
    case 'item': {
      const inner = compile(node.node);
      const { key } = node;
      if (key.type === 'slice') {
        const slice = compileSlice(key, frame);
        if (frame.isConstant) return (scope, runtime) => getItem(inner(scope, runtime), slice(scope, runtime));
        return (scope, runtime) => getSlice(inner(scope, runtime), slice(scope, runtime));
      }
      const of = compile(key);
      return (scope, runtime) => getItem(inner(scope, runtime), of(scope, runtime));
    }
    case 'call':
      return compileCall(node, frame);
    case 'filter':
      return compileFilter(node, frame);
    case 'test':
      return compileTest(node, frame);
    default:
      throw new JinjaError('TemplateSyntaxError', `unexpected ${node.type}`);
  }
}

/** True for what needs nothing from outside. */
export function isConstant(node: Expression): boolean {
  if (node.type === 'name' || node.type === 'call') return false;
  if (node.type === 'filter' && needsContext.has(node.name)) return false;
  return childExpressions(node).every(isConstant);
}
const needsContext = new Set(['map', 'select', 'reject', 'selectattr', 'rejectattr', 'random']);

function compileName(name: string, frame: Frame): Evaluate {
  const read = reader(frame, frame.symbols.find(name)!);
  return (scope) => {
    const value = read(scope);
    return value === undefined ? undefinedName(name) : value;
  };
}

function compileConditional(node: Extract<Expression, { type: 'conditional' }>, frame: Frame): Evaluate {
  const test = compileExpression(node.test, frame);
  const then = compileExpression(node.then, frame);
  const otherwise: Evaluate = node.otherwise
    ? compileExpression(node.otherwise, frame)
    : () =>
        new Undefined(
          () => `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`,
        );
  return (scope, runtime) => (isTrue(test(scope, runtime)) ? then(scope, runtime) : otherwise(scope, runtime));
}

const comparisons: Record<CompareOperator, (a: Value, b: Value) => boolean> = {
  '==': equals,
  '!=': (a, b) => !equals(a, b),
  '<': (a, b) => compare(a, b, '<') < 0,
  '<=': (a, b) => compare(a, b, '<=') <= 0,
  '>': (a, b) => compare(a, b, '>') > 0,
  '>=': (a, b) => compare(a, b, '>=') >= 0,
  in: (a, b) => contains(b, a),
  'not in': (a, b) => !contains(b, a),
};

function compileCompare(
  first: Expression,
  rest: readonly { operator: CompareOperator; node: Expression }[],
  frame: Frame,
): Evaluate {
  const start = compileExpression(first, frame);
  const parts = rest.map(({ operator, node }) => ({
    holds: comparisons[operator],
    right: compileExpression(node, frame),
  }));
  const [only] = parts;
  if (only && parts.length === 1) {
    const { holds, right } = only;
    return (scope, runtime) => holds(start(scope, runtime), right(scope, runtime));
  }
  return (scope, runtime) => {
    let left = start(scope, runtime);
    for (const { holds, right } of parts) {
      const value = right(scope, runtime);
      if (!holds(left, value)) return false;
      left = value;
    }
    return true;
  };
}

function compileSlice(node: Slice, frame: Frame): (scope: Scope, runtime: Runtime) => SliceValue {
  const none: Evaluate = () => null;
  const [start, stop, step] = [node.start, node.stop, node.step].map((part) =>
    part ? compileExpression(part, frame) : none,
  );
  return (scope, runtime) => new SliceValue(start!(scope, runtime), stop!(scope, runtime), step!(scope, runtime));
}

interface Given {
  args: Value[];
  named: Named;
}

/** Makes arguments ready. `caller`: the block that a call is given. */
function compileArguments(node: Arguments, frame: Frame): (scope: Scope, runtime: Runtime, caller?: Value) => Given {
  const places = node.args.map((part) => compileExpression(part, frame));
  const names = node.named.map(([name, part]) => [name, compileExpression(part, frame)] as const);
  const rest = node.rest && compileExpression(node.rest, frame);
  const restNamed = node.restNamed && compileExpression(node.restNamed, frame);
  return (scope, runtime, caller) => {
    const args = places.map((part) => part(scope, runtime));
    if (rest) {
      for (const item of iterate(rest(scope, runtime))) {
        runtime.budget.spend(1);
        args.push(item);
      }
    }
    if (names.length === 0 && !restNamed && caller === undefined) return { args, named: noNamed };
    const named = new Map<string, Value>();
    const add = (name: string, value: Value) => {
      if (named.has(name)) throw typeError(`got multiple values for keyword argument '${name}'`);
      named.set(name, value);
    };
    for (const [name, part] of names) add(name, part(scope, runtime));
    if (caller !== undefined) add('caller', caller);
    if (restNamed) for (const [name, value] of namedFrom(restNamed(scope, runtime))) add(name, value);
    return { args, named };
  };
}

/** Makes a call ready; the last argument is the `caller` of a call block. */
export function compileCall(node: Call, frame: Frame): (scope: Scope, runtime: Runtime, caller?: Value) => Value {
  const callee = compileExpression(node.node, frame);
  const given = compileArguments(node, frame);
  return (scope, runtime, caller) => {
    const value = callee(scope, runtime);
    const { args, named } = given(scope, runtime, caller);
    return callValue(value, args, named, runtime);
  };
}

/** Makes a filter ready. A filter block has no node: what it works on is what its block wrote. */
export function compileFilter(node: Filter, frame: Frame): Evaluate {
  const filter = filters.get(node.name);
  if (!filter && !frame.isSoft) throw new JinjaError('TemplateSyntaxError', `No filter named '${node.name}'.`);
  const inner: Evaluate = node.node
    ? compileExpression(node.node, frame)
    : (_scope, runtime) => (runtime.autoescape ? new Markup(runtime.output) : runtime.output);
  const given = compileArguments(node, frame);
  return (scope, runtime) => {
    runtime.budget.spend(1);
    const value = inner(scope, runtime);
    const { args, named } = given(scope, runtime);
    if (!filter) throw new JinjaError('TemplateRuntimeError', `No filter named '${node.name}' found.`);
    return filter(value, args, named, runtime);
  };
}

function compileTest(node: Extract<Expression, { type: 'test' }>, frame: Frame): Evaluate {
  const test = tests.get(node.name);
  if (!test && !frame.isSoft) throw new JinjaError('TemplateSyntaxError', `No test named '${node.name}'.`);
  const inner = compileExpression(node.node, frame);
  const given = compileArguments(node, frame);
  return (scope, runtime) => {
    const value = inner(scope, runtime);
    const { args, named } = given(scope, runtime);
    if (!test) throw new JinjaError('TemplateRuntimeError', `No test named '${node.name}' found.`);
    return test(value, args, named, runtime);
  };
}
