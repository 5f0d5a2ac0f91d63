import { compileExpression } from './compile-expression.ts';
import { JinjaError } from './errors.ts';
import { length as lengthOf } from './filters-value.ts';
import { assigner, enterFrame, type Frame, innerFrame, leaveFrame, newScope, newUnit } from './frame.ts';
import { LoopContext } from './loop-context.ts';
import { childNodes, type For, type Node, type Statement } from './nodes.ts';
import type { Ending, Execute, Scope } from './ready.ts';
import { undeclared } from './symbols.ts';
import { isTrue, iterate, Once, type Runtime, type Value } from './values.ts';
import { captured, write } from './write.ts';

type CompileBody = (body: readonly Statement[], frame: Frame) => Execute;

/** Makes a loop ready. Throws `TemplateSyntaxError` for one that sets its own `loop`. */
export function compileFor(node: For, frame: Frame, compileBody: CompileBody): Execute {
  refuseLoopTarget(node);
  const over = compileExpression(node.over, frame);
  const filter = compileTest(node, frame);
  if (!node.recursive) {
    const walk = compileWalk(node, { ...innerFrame(frame), isInLoop: true }, frame, compileBody);
    return (scope, runtime) => walk(scope, runtime, select(over(scope, runtime), filter, scope, runtime), null, 0);
  }
  const unit = newUnit(frame.unit);
  const walk = compileWalk(node, { ...innerFrame(frame, unit), isInLoop: true }, innerFrame(frame, unit), compileBody);
  return (scope, runtime) => {
    const run = (items: Value, depth: number): Value =>
      captured(runtime, () => {
        walk(newScope(unit, scope), runtime, select(items, filter, scope, runtime), run, depth);
      });
    write(runtime, run(over(scope, runtime), 0));
    return 'next';
  };
}

function refuseLoopTarget(node: Node): void {
  for (const child of childNodes(node)) {
    if (child.type === 'name' && child.use === 'store' && child.name === 'loop') {
      throw new JinjaError('TemplateSyntaxError', "Can't assign to special loop variable in for-loop target");
    }
    refuseLoopTarget(child);
  }
}

interface Selected {
  items: Iterable<Value>;
  /** Null where it is only known at the end. */
  length: number | null;
}

type Filter = (items: Iterable<Value>, scope: Scope, runtime: Runtime) => Iterable<Value>;

function select(value: Value, filter: Filter | null, scope: Scope, runtime: Runtime): Selected {
  const items = iterate(value);
  if (filter) return { items: filter(items, scope, runtime), length: null };
  return { items, length: value instanceof Once ? null : lengthOf(value) };
}

/** The condition behind `if` in a loop, which chooses the items before the loop counts them. */
function compileTest(node: For, frame: Frame): Filter | null {
  if (!node.test) return null;
  const inner = innerFrame(frame, newUnit(frame.unit));
  inner.symbols.visit([node.target], true);
  inner.symbols.visit([node.test]);
  const enter = enterFrame(inner);
  const assign = assigner(node.target, inner);
  const test = compileExpression(node.test, inner);
  return function* (items, outer, runtime) {
    const scope = newScope(inner.unit, outer);
    enter(scope, runtime);
    for (const item of items) {
      runtime.budget.spend(1);
      assign(item, scope, runtime);
      if (isTrue(test(scope, runtime))) yield item;
    }
  };
}

type Walk = (
  scope: Scope,
  runtime: Runtime,
  selected: Selected,
  recurse: ((items: Value, depth: number) => Value) | null,
  depth: number,
) => Ending;

/** The body of a loop and its `else`. */
function compileWalk(node: For, loopFrame: Frame, outer: Frame, compileBody: CompileBody): Walk {
  const isExtended = node.recursive || undeclared(node.body, ['loop']).has('loop');
  const loopSlot = isExtended ? loopFrame.symbols.param('loop').slot : null;
  loopFrame.symbols.visit([node.target], true);
  loopFrame.symbols.visit(node.body);
  const assign = assigner(node.target, loopFrame);
  const enter = enterFrame(loopFrame);
  const leave = leaveFrame(loopFrame);
  const body = compileBody(node.body, loopFrame);
  const otherwise = node.otherwise.length > 0 ? compileInner(node.otherwise, outer, compileBody) : null;

  return (scope, runtime, { items, length }, recurse, depth) => {
    let isFinished = false;
    /** Runs the body once; true to go on. */
    const step = (item: Value): boolean => {
      runtime.budget.spend(1);
      assign(item, scope, runtime);
      enter(scope, runtime);
      const ending = body(scope, runtime);
      // As Jinja2 has it: a loop that always goes on early counts as one without items.
      if (ending === 'next') isFinished = true;
      return ending !== 'break';
    };
    if (loopSlot === null) {
      for (const item of items) if (!step(item)) break;
    } else {
      const loop = new LoopContext(items, length, recurse, depth);
      for (let item = loop.next(); item !== undefined; item = loop.next()) {
        scope.slots[loopSlot] = loop;
        if (!step(item)) break;
      }
    }
    leave(scope);
    return otherwise && !isFinished ? otherwise(scope, runtime) : 'next';
  };
}

/** A body with names of its own. */
export function compileInner(body: readonly Statement[], frame: Frame, compileBody: CompileBody): Execute {
  const inner = innerFrame(frame);
  inner.symbols.visit(body);
  const enter = enterFrame(inner);
  const leave = leaveFrame(inner);
  const run = compileBody(body, inner);
  return (scope, runtime) => {
    enter(scope, runtime);
    const ending = run(scope, runtime);
    leave(scope);
    return ending;
  };
}
