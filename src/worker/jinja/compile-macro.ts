import { compileCall, compileExpression } from './compile-expression.ts';
import { JinjaError, typeError } from './errors.ts';
import { assigner, enterFrame, type Frame, innerFrame, newScope, newUnit } from './frame.ts';
import type { CallBlock, Expression, Macro, Name, Statement } from './nodes.ts';
import type { Execute, Scope } from './ready.ts';
import { undeclared } from './symbols.ts';
import { Callable, Dict, type Named, Tuple, Undefined, type Value } from './values.ts';
import { captured, writeMade } from './write.ts';

type CompileBody = (body: readonly Statement[], frame: Frame) => Execute;

interface MacroParts {
  name: string | null;
  params: readonly Name[];
  defaults: readonly Expression[];
  body: readonly Statement[];
}

/** Makes a macro ready: it is defined where it stands, and sees the variables around it as they are when it is called. */
export function compileMacro(node: Macro, frame: Frame, compileBody: CompileBody): Execute {
  const make = compileCallable(node, frame, compileBody);
  const target: Name = { type: 'name', name: node.name, use: 'store' };
  const assign = assigner(target, frame, frame.isTopLevel);
  return (scope, runtime) => {
    assign(make(scope), scope, runtime);
    return 'next';
  };
}

/** Makes a call block ready: its body is a macro without a name, and the call gets it as `caller`. */
export function compileCallBlock(node: CallBlock, frame: Frame, compileBody: CompileBody): Execute {
  const make = compileCallable({ ...node, name: null }, frame, compileBody);
  const call = compileCall(node.call, frame);
  return (scope, runtime) => {
    writeMade(runtime, call(scope, runtime, make(scope)));
    return 'next';
  };
}

function compileCallable(parts: MacroParts, frame: Frame, compileBody: CompileBody): (scope: Scope) => Callable {
  const { name, params, defaults, body } = parts;
  const inner = innerFrame(frame, newUnit(frame.unit));
  inner.symbols.visit([...params, ...defaults, ...body]);
  const names = params.map((param) => param.name);
  const special = undeclared(body, ['caller', 'kwargs', 'varargs']);
  const firstDefault = params.length - defaults.length;
  const explicitCaller = names.indexOf('caller');
  if (special.has('caller') && explicitCaller >= 0 && explicitCaller < firstDefault) {
    throw new JinjaError(
      'TemplateSyntaxError',
      'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.',
    );
  }
  const specialSlot = (key: string) =>
    special.has(key) && !names.includes(key) ? inner.symbols.param(key).slot : null;
  const signature: Signature = {
    name,
    names,
    slots: names.map((key) => inner.symbols.find(key)!.slot),
    caller: specialSlot('caller'),
    usesCaller: special.has('caller'),
    kwargs: specialSlot('kwargs'),
    varargs: specialSlot('varargs'),
  };
  const enter = enterFrame(inner);
  const fallbacks = params.map((param, index) => {
    const node = defaults[index - firstDefault];
    if (node) return compileExpression(node, inner);
    return () => new Undefined(() => `parameter '${param.name}' was not provided`);
  });
  const run = compileBody(body, inner);
  const { slots } = signature;
  const fields = macroFields(signature);
  const describe = name === null ? 'anonymous' : `'${name}'`;

  return (outer) =>
    new Callable(
      describe,
      (runtime, args, named) =>
        runtime.budget.nested(() => {
          const scope = newScope(inner.unit, outer);
          fillScope(scope, signature, args, named);
          return captured(runtime, () => {
            enter(scope, runtime);
            for (const [index, slot] of slots.entries()) {
              if (scope.slots[slot] === undefined) scope.slots[slot] = fallbacks[index]!(scope, runtime);
            }
            run(scope, runtime);
          });
        }),
      { typeName: 'Macro', fields },
    );
}

interface Signature {
  name: string | null;
  names: readonly string[];
  slots: readonly number[];
  /** Slots of what a body may ask for without naming it as a parameter. */
  caller: number | null;
  kwargs: number | null;
  varargs: number | null;
  usesCaller: boolean;
}

function macroFields({ name, names, usesCaller, kwargs, varargs }: Signature): ReadonlyMap<string, Value> {
  return new Map<string, Value>([
    ['name', name],
    ['arguments', new Tuple([...names])],
    ['catch_kwargs', kwargs !== null],
    ['catch_varargs', varargs !== null],
    ['caller', usesCaller],
    ['explicit_caller', names.includes('caller')],
  ]);
}

/** Puts the arguments of a call where the body finds them. Throws `TypeError` for those that it does not take. */
function fillScope({ slots: variables }: Scope, signature: Signature, args: readonly Value[], given: Named): void {
  const { name, names, slots } = signature;
  const left = new Map(given);
  for (const [index, slot] of slots.entries()) {
    const key = names[index]!;
    if (index < args.length) variables[slot] = args[index]!;
    else {
      variables[slot] = left.get(key);
      left.delete(key);
    }
  }
  if (signature.caller !== null) {
    // None is as good as no caller, as Jinja2 has it.
    variables[signature.caller] = left.get('caller') ?? new Undefined(() => 'No caller defined');
    left.delete('caller');
  }
  if (signature.kwargs !== null) variables[signature.kwargs] = Dict.of(left);
  else if (left.size > 0) {
    const [other] = left.keys();
    if (left.has('caller'))
      throw typeError(`macro '${name}' was invoked with two values for the special caller argument.`);
    throw typeError(`macro '${name}' takes no keyword argument '${other}'`);
  }
  if (signature.varargs !== null) variables[signature.varargs] = new Tuple(args.slice(names.length));
  else if (args.length > names.length)
    throw typeError(`macro '${name}' takes not more than ${names.length} argument(s)`);
}
