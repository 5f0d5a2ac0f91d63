import { JinjaError, valueError } from './errors.ts';
import type { Expression } from './nodes.ts';
import type { Scope } from './ready.ts';
import { type Reference, Symbols, type Unit } from './symbols.ts';
import { iterate, Namespace, type Runtime, Undefined, type Value } from './values.ts';

/** Where a piece of a template stands while it is made ready. */
export interface Frame {
  readonly symbols: Symbols;
  readonly unit: Unit;
  /** What is set here can be seen by macros and blocks. */
  readonly isTopLevel: boolean;
  /** In a branch: a filter that does not exist is an error only where it is reached. */
  readonly isSoft: boolean;
  readonly isInLoop: boolean;
  /** In an expression to be printed that needs nothing from outside: Jinja2 computes it beforehand, by its own rules. */
  readonly isConstant: boolean;
}

/** A block of its own within another, with the variables of the same unit or of a new one. */
export function innerFrame(frame: Frame, unit = frame.unit): Frame {
  const isInLoop = unit === frame.unit && frame.isInLoop;
  return {
    symbols: new Symbols(frame.symbols, unit),
    unit,
    isTopLevel: false,
    isSoft: false,
    isInLoop,
    isConstant: false,
  };
}

export const newUnit = (parent: Unit | null): Unit => ({ parent, slots: 0 });
export const newScope = (unit: Unit, parent: Scope | null): Scope => ({
  slots: new Array<Value | undefined>(unit.slots),
  parent,
});

/** How many units lie between one and another around it. */
function distance(from: Unit, to: Unit): number {
  let hops = 0;
  for (let unit: Unit | null = from; unit; unit = unit.parent) {
    if (unit === to) return hops;
    hops++;
  }
  throw new Error('a variable of a unit that is not around this one');
}

/** Reads a variable; JavaScript's undefined where it is not set. */
export function reader(frame: Frame, { unit, slot }: Reference): (scope: Scope) => Value | undefined {
  const hops = distance(frame.unit, unit);
  if (hops === 0) return (scope) => scope.slots[slot];
  if (hops === 1) return (scope) => scope.parent!.slots[slot];
  return (scope) => {
    let at = scope;
    for (let hop = 0; hop < hops; hop++) at = at.parent!;
    return at.slots[slot];
  };
}

/** A name that the template or the conversation gives, JavaScript's undefined for none. */
export const resolve = (name: string, { exported, globals }: Runtime): Value | undefined =>
  exported.has(name) ? exported.get(name) : globals.get(name);

/** Gives the variables of a block what they begin with. To be made when all of the block's names are known. */
export function enterFrame(frame: Frame): (scope: Scope, runtime: Runtime) => void {
  const steps: ((scope: Scope, runtime: Runtime) => void)[] = [];
  for (const [{ slot }, load] of frame.symbols.loads) {
    switch (load.type) {
      case 'resolve': {
        const { name } = load;
        steps.push((scope, runtime) => {
          scope.slots[slot] = resolve(name, runtime);
        });
        break;
      }
      case 'alias': {
        const read = reader(frame, load.of);
        steps.push((scope) => {
          scope.slots[slot] = read(scope);
        });
        break;
      }
      case 'missing':
        steps.push((scope) => {
          scope.slots[slot] = undefined;
        });
    }
  }
  return (scope, runtime) => {
    for (const step of steps) step(scope, runtime);
  };
}

/** What a block's own variables hold no longer when it is left: macros made in it do not see them. */
export function leaveFrame(frame: Frame): (scope: Scope) => void {
  const slots = Array.from(frame.symbols.loads.keys(), ({ slot }) => slot);
  return (scope) => {
    for (const slot of slots) scope.slots[slot] = undefined;
  };
}

export type Assign = (value: Value, scope: Scope, runtime: Runtime) => void;

/** Puts a value where a target says. `exports`: names are set for macros and blocks too. */
export function assigner(target: Expression, frame: Frame, exports = false): Assign {
  switch (target.type) {
    case 'name': {
      const { name } = target;
      const { slot } = frame.symbols.find(name)!;
      if (!exports) {
        return (value, scope) => {
          scope.slots[slot] = value;
        };
      }
      return (value, scope, runtime) => {
        scope.slots[slot] = value;
        runtime.exported.set(name, value);
      };
    }
    case 'attribute-target': {
      const read = reader(frame, frame.symbols.find(target.name)!);
      const { attribute } = target;
      return (value, scope) => {
        const namespace = read(scope);
        if (namespace instanceof Namespace) namespace.fields.set(attribute, value);
      };
    }
    case 'tuple': {
      const parts = target.items.map((item) => assigner(item, frame, exports));
      return (value, scope, runtime) => {
        const items = unpack(value, parts.length);
        for (const [index, assign] of parts.entries()) assign(items[index]!, scope, runtime);
      };
    }
    default:
      throw new JinjaError('TemplateSyntaxError', `can't assign to '${target.type}'`);
  }
}

function unpack(value: Value, count: number): Value[] {
  const items: Value[] = [];
  for (const item of iterate(value)) {
    if (items.length === count) throw valueError(`too many values to unpack (expected ${count})`);
    items.push(item);
  }
  if (items.length < count) throw valueError(`not enough values to unpack (expected ${count}, got ${items.length})`);
  return items;
}

/** Fails where a target is a field of something that is no namespace. */
export function checkTarget(target: Expression, frame: Frame): ((scope: Scope) => void) | null {
  if (target.type === 'tuple') {
    const checks = target.items.map((item) => checkTarget(item, frame)).filter((check) => check !== null);
    return checks.length === 0 ? null : (scope) => checks.forEach((check) => void check(scope));
  }
  if (target.type !== 'attribute-target') return null;
  const read = reader(frame, frame.symbols.find(target.name)!);
  return (scope) => {
    if (read(scope) instanceof Namespace) return;
    throw new JinjaError('TemplateRuntimeError', 'cannot assign attribute on non-namespace object');
  };
}

export const undefinedName = (name: string) => new Undefined(() => `'${name}' is undefined`);
