import { childNodes, type Node, type Statement } from './nodes.ts';

/** What runs with variables of its own: the template, a macro, a recursive loop, a loop's condition. */
export interface Unit {
  readonly parent: Unit | null;
  /** Number of slots. */
  slots: number;
}

/** Where a variable stands. */
export interface Reference {
  readonly unit: Unit;
  readonly slot: number;
}

/** What a variable holds where its block begins: something given, a name from outside, another variable, or nothing. */
export type Load =
  | { type: 'param' }
  | { type: 'resolve'; name: string }
  | { type: 'alias'; of: Reference }
  | { type: 'missing' };

/**
 * Which names of a block are variables of its own. These are the rules of Jinja2's `idtracking`, and so is what follows
 * from them: a name that only one branch of an `if` sets has its outer value in the other.
 */
export class Symbols {
  readonly parent: Symbols | null;
  readonly unit: Unit;
  /** A name has one slot in all branches. */
  readonly #slots: Map<string, Reference>;
  readonly references = new Map<string, Reference>();
  readonly loads = new Map<Reference, Load>();
  readonly stores = new Set<string>();

  constructor(parent: Symbols | null, unit: Unit, slots = new Map<string, Reference>()) {
    this.parent = parent;
    this.unit = unit;
    this.#slots = slots;
  }

  #define(name: string, load: Load): Reference {
    let reference = this.#slots.get(name);
    if (!reference) {
      reference = { unit: this.unit, slot: this.unit.slots++ };
      this.#slots.set(name, reference);
    }
    this.references.set(name, reference);
    this.loads.set(reference, load);
    return reference;
  }

  find(name: string): Reference | undefined {
    return this.references.get(name) ?? this.parent?.find(name);
  }
  store(name: string): void {
    this.stores.add(name);
    if (this.references.has(name)) return;
    const outer = this.parent?.find(name);
    this.#define(name, outer ? { type: 'alias', of: outer } : { type: 'missing' });
  }
  param(name: string): Reference {
    this.stores.add(name);
    return this.#define(name, { type: 'param' });
  }
  load(name: string): void {
    if (!this.find(name)) this.#define(name, { type: 'resolve', name });
  }

  /** The same block seen from within a branch. */
  branch(): Symbols {
    const copy = new Symbols(this.parent, this.unit, this.#slots);
    for (const [name, reference] of this.references) copy.references.set(name, reference);
    for (const [reference, load] of this.loads) copy.loads.set(reference, load);
    for (const name of this.stores) copy.stores.add(name);
    return copy;
  }

  merge(branches: readonly Symbols[]): void {
    const stored = branches.flatMap((branch) => [...branch.stores]).filter((name) => !this.stores.has(name));
    for (const branch of branches) {
      for (const [name, reference] of branch.references) this.references.set(name, reference);
      for (const [reference, load] of branch.loads) this.loads.set(reference, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of stored) {
      const outer = this.parent?.find(name);
      this.loads.set(this.find(name)!, outer ? { type: 'alias', of: outer } : { type: 'resolve', name });
    }
  }

  /** Notes the names that nodes of this block load and store; blocks within it have symbols of their own. */
  visit(nodes: Iterable<Node>, asParams = false): void {
    for (const node of nodes) this.#visit(node, asParams);
  }

  #visit(node: Node, asParams: boolean): void {
    switch (node.type) {
      case 'name':
        if (asParams || node.use === 'param') this.param(node.name);
        else if (node.use === 'store') this.store(node.name);
        else this.load(node.name);
        break;
      case 'attribute-target':
        this.load(node.name);
        break;
      case 'if': {
        this.visit([node.test]);
        const branch = (body: Iterable<Statement>) => {
          const symbols = this.branch();
          symbols.visit(body);
          return symbols;
        };
        this.merge([branch(node.body), branch(node.elifs), branch(node.otherwise)]);
        break;
      }
      case 'set':
        this.visit([node.value, node.target]);
        break;
      case 'set-block':
        this.visit(node.filter ? [node.filter, node.target] : [node.target]);
        break;
      case 'for':
        this.visit([node.over]);
        break;
      case 'macro':
        this.store(node.name);
        break;
      case 'call-block':
        this.visit([node.call]);
        break;
      case 'filter-block':
        this.visit([node.filter]);
        break;
      case 'with':
        this.visit(node.values);
        break;
      case 'other-template':
        this.visit([node.source]);
        for (const name of node.targets) this.store(name);
        break;
      case 'autoescape':
      case 'block':
        break;
      default:
        this.visit(childNodes(node), asParams);
    }
  }
}

/** Which of the names some nodes load before they store them. */
export function undeclared(nodes: Iterable<Node>, names: readonly string[]): Set<string> {
  const open = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node) => {
    if (node.type === 'block') return;
    if (node.type === 'name') {
      if (node.use !== 'load') open.delete(node.name);
      else if (open.has(node.name)) found.add(node.name);
    } else for (const child of childNodes(node)) visit(child);
  };
  for (const node of nodes) visit(node);
  return found;
}
