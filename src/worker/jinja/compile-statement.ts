import { compileExpression, compileFilter, isConstant } from './compile-expression.ts';
import { compileFor, compileInner } from './compile-loop.ts';
import { compileCallBlock, compileMacro } from './compile-macro.ts';
import { JinjaError, typeError } from './errors.ts';
import { assigner, checkTarget, enterFrame, type Frame, innerFrame, leaveFrame, newScope, newUnit } from './frame.ts';
import type { Block, If, Statement } from './nodes.ts';
import type { Execute } from './ready.ts';
import { Symbols, undeclared } from './symbols.ts';
import { Callable, Fielded, isTrue, Markup, type Runtime, type Value } from './values.ts';
import { capture, captured, write, writeMade, writeText } from './write.ts';

const syntaxError = (message: string) => new JinjaError('TemplateSyntaxError', message);

/** Makes a template ready to run. Throws `TemplateSyntaxError`. */
export function compileTemplate(body: readonly Statement[]): (runtime: Runtime) => void {
  const blocks = new Map<string, (runtime: Runtime) => void>();
  const compiler = new Compiler(blocks);
  const run = compiler.unit(body, true);
  return (runtime) => run(runtime);
}

/** `self`: the blocks of a template as functions. */
class TemplateReference extends Fielded {
  readonly typeName = 'TemplateReference';
  readonly #blocks: ReadonlyMap<string, (runtime: Runtime) => void>;
  constructor(blocks: ReadonlyMap<string, (runtime: Runtime) => void>) {
    super();
    this.#blocks = blocks;
  }
  field(): undefined {
    return undefined;
  }
  override item(key: string): Value | undefined {
    const block = this.#blocks.get(key);
    return (
      block && new Callable(key, (runtime) => runtime.budget.nested(() => captured(runtime, () => block(runtime))))
    );
  }
  describe(): string {
    return '<TemplateReference None>';
  }
}

class Compiler {
  readonly #blocks: Map<string, (runtime: Runtime) => void>;

  constructor(blocks: Map<string, (runtime: Runtime) => void>) {
    this.#blocks = blocks;
  }

  /** The template or a block: what sees only names from outside. */
  unit(body: readonly Statement[], isTopLevel: boolean): (runtime: Runtime) => void {
    const unit = newUnit(null);
    const frame: Frame = {
      symbols: new Symbols(null, unit),
      unit,
      isTopLevel,
      isSoft: false,
      isInLoop: false,
      isConstant: false,
    };
    const self = undeclared(body, ['self']).has('self') ? frame.symbols.param('self').slot : null;
    frame.symbols.visit(body);
    const enter = enterFrame(frame);
    const run = this.body(body, frame);
    const reference = new TemplateReference(this.#blocks);
    return (runtime) => {
      const scope = newScope(unit, null);
      if (self !== null) scope.slots[self] = reference;
      enter(scope, runtime);
      run(scope, runtime);
    };
  }

  body = (body: readonly Statement[], frame: Frame): Execute => {
    const statements = body.map((statement) => this.#statement(statement, frame));
    const [only] = statements;
    if (only && statements.length === 1) return only;
    return (scope, runtime) => {
      for (const statement of statements) {
        const ending = statement(scope, runtime);
        if (ending !== 'next') return ending;
      }
      return 'next';
    };
  };

  #statement(node: Statement, frame: Frame): Execute {
    switch (node.type) {
      case 'output':
        return this.#output(node, frame);
      case 'set':
        return this.#set(node, frame);
      case 'set-block':
        return this.#setBlock(node, frame);
      case 'if':
        return this.#if(node, { ...frame, isSoft: true });
      case 'for':
        return compileFor(node, frame, this.body);
      case 'macro':
        return compileMacro(node, frame, this.body);
      case 'call-block':
        return compileCallBlock(node, frame, this.body);
      case 'filter-block':
        return this.#filterBlock(node, frame);
      case 'with':
        return this.#with(node, frame);
      case 'autoescape':
        return this.#autoescape(node, frame);
      case 'block':
        return this.#block(node, frame);
      case 'other-template': {
        const source = compileExpression(node.source, frame);
        return (scope, runtime) => {
          source(scope, runtime);
          throw typeError('no loader for this environment specified');
        };
      }
      case 'break':
      case 'continue': {
        if (!frame.isInLoop) throw syntaxError(`'${node.type}' outside loop`);
        const { type } = node;
        return () => type;
      }
    }
  }

  #output({ nodes }: Extract<Statement, { type: 'output' }>, frame: Frame): Execute {
    const parts = nodes.map((part) =>
      typeof part === 'string' ? part : compileExpression(part, { ...frame, isConstant: isConstant(part) }),
    );
    return (scope, runtime) => {
      for (const part of parts) {
        if (typeof part === 'string') writeText(runtime, part);
        else write(runtime, part(scope, runtime));
      }
      return 'next';
    };
  }

  #set({ target, value }: Extract<Statement, { type: 'set' }>, frame: Frame): Execute {
    const check = checkTarget(target, frame);
    const evaluate = compileExpression(value, frame);
    const assign = assigner(target, frame, frame.isTopLevel);
    return (scope, runtime) => {
      runtime.budget.spend(1);
      check?.(scope);
      assign(evaluate(scope, runtime), scope, runtime);
      return 'next';
    };
  }

  #setBlock({ target, filter, body }: Extract<Statement, { type: 'set-block' }>, frame: Frame): Execute {
    const inner = innerFrame(frame);
    inner.symbols.visit(body);
    const enter = enterFrame(inner);
    const leave = leaveFrame(inner);
    const run = this.body(body, inner);
    const finish = filter && compileFilter(filter, inner);
    const check = checkTarget(target, frame);
    const assign = assigner(target, frame, frame.isTopLevel);
    return (scope, runtime) => {
      enter(scope, runtime);
      let value: Value = null;
      const { result } = capture(runtime, () => {
        const ending = run(scope, runtime);
        if (ending === 'next') value = finish ? finish(scope, runtime) : runtime.output;
        return ending;
      });
      if (result !== 'next') return result;
      check?.(scope);
      assign(runtime.autoescape && typeof value === 'string' ? new Markup(value) : value, scope, runtime);
      leave(scope);
      return 'next';
    };
  }

  #if(node: If, frame: Frame): Execute {
    const branches = [node, ...node.elifs].map(({ test, body }) => ({
      test: compileExpression(test, frame),
      run: this.body(body, frame),
    }));
    const otherwise = node.otherwise.length > 0 ? this.body(node.otherwise, frame) : null;
    return (scope, runtime) => {
      runtime.budget.spend(1);
      for (const { test, run } of branches) {
        if (isTrue(test(scope, runtime))) return run(scope, runtime);
      }
      return otherwise ? otherwise(scope, runtime) : 'next';
    };
  }

  #filterBlock({ filter, body }: Extract<Statement, { type: 'filter-block' }>, frame: Frame): Execute {
    const inner = innerFrame(frame);
    inner.symbols.visit([...body, filter]);
    const enter = enterFrame(inner);
    const leave = leaveFrame(inner);
    const run = this.body(body, inner);
    const finish = compileFilter(filter, inner);
    return (scope, runtime) => {
      enter(scope, runtime);
      let value: Value = '';
      const { result } = capture(runtime, () => {
        const ending = run(scope, runtime);
        if (ending === 'next') value = finish(scope, runtime);
        return ending;
      });
      if (result === 'next') writeMade(runtime, value);
      leave(scope);
      return result;
    };
  }

  #with({ targets, values, body }: Extract<Statement, { type: 'with' }>, frame: Frame): Execute {
    const inner = innerFrame(frame);
    inner.symbols.visit([...targets, ...body]);
    const enter = enterFrame(inner);
    const leave = leaveFrame(inner);
    const assignments = targets.map((target, index) => ({
      assign: assigner(target, inner),
      value: compileExpression(values[index]!, frame),
    }));
    const run = this.body(body, inner);
    return (scope, runtime) => {
      enter(scope, runtime);
      for (const { assign, value } of assignments) assign(value(scope, runtime), scope, runtime);
      const ending = run(scope, runtime);
      leave(scope);
      return ending;
    };
  }

  #autoescape({ value, body }: Extract<Statement, { type: 'autoescape' }>, frame: Frame): Execute {
    const inner = innerFrame(frame);
    inner.symbols.visit([value]);
    const enter = enterFrame(inner);
    const evaluate = compileExpression(value, inner);
    const run = compileInner(body, inner, this.body);
    return (scope, runtime) => {
      enter(scope, runtime);
      const before = runtime.autoescape;
      runtime.autoescape = isTrue(evaluate(scope, runtime));
      try {
        return run(scope, runtime);
      } finally {
        runtime.autoescape = before;
      }
    };
  }

  #block(node: Block, frame: Frame): Execute {
    const { name, body } = node;
    if (this.#blocks.has(name)) throw syntaxError(`block '${name}' defined twice`);
    if (node.required) {
      return () => {
        throw new JinjaError('TemplateRuntimeError', `Required block '${name}' not found`);
      };
    }
    const run = this.unit(body, false);
    this.#blocks.set(name, run);
    if (node.scoped) return compileInner(body, frame, this.body);
    return (_scope, runtime) => {
      runtime.budget.nested(() => run(runtime));
      return 'next';
    };
  }
}
