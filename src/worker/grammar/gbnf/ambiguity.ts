import type { Atom } from './text.ts';

/** What of a rule matters for how many parses of a text stay open. A rule without one is a scalar. */
export type Shape =
  | { type: 'object'; members: readonly Member[]; further: Atom | null }
  | { type: 'array'; items: readonly Atom[] }
  /** All texts that the rule has. */
  | { type: 'constants'; texts: ReadonlySet<string> };

/** A declared property in its place. */
export interface Member {
  key: string;
  value: Atom;
  required: boolean;
}

type ObjectShape = Shape & { type: 'object' };

/** Rules by name: what they are, or which values they stand for. */
interface Shapes {
  shapes: ReadonlyMap<Atom, Shape>;
  aliases: ReadonlyMap<Atom, readonly Atom[]>;
  tick(): void;
}

/** `leaves`: what `leavesOf` has found already; unions of hundreds of branches ask for the same ones again and again. */
interface Index extends Shapes {
  leaves: Map<Atom, readonly Atom[]>;
}

/** Rules that hold any value, objects and arrays included. */
const anyValue = new Set(['value', 'object', 'array']);

const scalars = new Set(['string', 'number', 'integer', 'boolean', 'null']);

/**
 * How many parses of one text the engine may have to follow at a time, because branches of a union look the same so
 * far; infinite when a recursion multiplies them level by level. An upper bound: values that may be equal count as
 * equal. The engine keeps a stack for each parse and has no limit for them.
 */
export function openParses(root: Atom, given: Shapes): number {
  const rules: Index = { ...given, leaves: new Map() };
  const groups = new Map<Atom, readonly Atom[][]>();
  const edgesOf = (atom: Atom): Atom[] => {
    let found = groups.get(atom);
    if (found === undefined) {
      rules.tick();
      found = groupsOf(atom, rules);
      groups.set(atom, found);
    }
    return [...new Set(found.flat())];
  };
  const components = componentsOf(root, edgesOf);
  const componentOf = new Map(components.flatMap((atoms, index) => atoms.map((atom) => [atom, index] as const)));
  const counts = new Map<number, number>();
  // Values before what holds them.
  components.forEach((atoms, index) => {
    const sums = atoms.flatMap((atom) =>
      groups.get(atom)!.map((group) => {
        const inside = group.filter((value) => componentOf.get(value) === index).length;
        const outside = group.filter((value) => componentOf.get(value) !== index);
        const sum = outside.reduce((total, value) => total + counts.get(componentOf.get(value)!)!, 0);
        // Two parses that both come back here are four one level deeper.
        return inside > 1 ? Number.POSITIVE_INFINITY : sum + inside;
      }),
    );
    counts.set(index, Math.max(1, ...sums));
  });
  return counts.get(componentOf.get(root)!)!;
}

/** Sets of values that may all be open at the same place of a text, one for each place inside `atom`. */
function groupsOf(atom: Atom, rules: Index): Atom[][] {
  const shapes = leavesOf(atom, rules).map((leaf) => rules.shapes.get(leaf));
  const objects = shapes.filter((shape) => shape?.type === 'object');
  const arrays = shapes.filter((shape) => shape?.type === 'array');
  const items = arrays.map((shape) => [...new Set(shape.items)].filter((item) => isNested(item, rules)));
  // The items of one tuple come one after the other; those of several arrays are open together.
  const arrayGroups = items.length === 1 ? items[0]!.map((item) => [item]) : [items.flat()];
  const objectGroups = objects.flatMap((own) => placesOf(own, objects, rules));
  return [...arrayGroups, ...objectGroups].filter((group) => group.length > 0);
}

/** For each value of `own`: that value and those of the other objects that a text may be in at the same time. */
function placesOf(own: ObjectShape, all: readonly ObjectShape[], rules: Index): Atom[][] {
  const values = own.members.map((member) => member.value);
  const places = [...values, ...(own.further === null ? [] : [own.further])].map((value) => [value]);
  if (!places.flat().some((value) => isNested(value, rules))) return [];
  for (const other of all) {
    if (other === own) continue;
    rules.tick();
    for (const [index, value] of jointPlaces(own, other, rules)) places[index]!.push(value);
  }
  return places.map((group) => group.filter((value) => isNested(value, rules)));
}

/** Pairs of a place in `a` (its further members count as one more) and a value of `b` that may be there as well. */
function jointPlaces(a: ObjectShape, b: ObjectShape, rules: Index): [place: number, value: Atom][] {
  const placeInB = new Map(b.members.map((member, index) => [member.key, index]));
  if (a.further !== null || b.further !== null) {
    // Names beside the declared ones may come in any number, so nothing is told apart by order.
    const other = b.further === null ? [] : [b.further];
    const beside: [number, Atom][] =
      a.further === null
        ? []
        : [...b.members.map((member) => member.value), ...other].map((value) => [a.members.length, value]);
    const declared = a.members.flatMap(({ key }, index): [number, Atom][] => {
      const place = placeInB.get(key);
      return place === undefined ? other.map((value) => [index, value]) : [[index, b.members[place]!.value]];
    });
    return [...declared, ...beside];
  }
  const joint = new Map<number, Atom>();
  const waiting: [number, number][] = [[-1, -1]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    rules.tick();
    const [lastA, lastB] = [lastNext(a, next[0]), lastNext(b, next[1])];
    for (let place = next[0] + 1; place <= lastA; place++) {
      const inB = placeInB.get(a.members[place]!.key);
      if (inB === undefined || inB <= next[1] || inB > lastB || joint.has(place)) continue;
      if (areApart(a.members[place]!.value, b.members[inB]!.value, rules)) continue;
      joint.set(place, b.members[inB]!.value);
      waiting.push([place, inB]);
    }
  }
  return [...joint];
}

/** The last member that may follow the one at `place`: the next required one, or the end. */
function lastNext(shape: ObjectShape, place: number): number {
  const required = shape.members.findIndex((member, index) => index > place && member.required);
  return required === -1 ? shape.members.length - 1 : required;
}

/** Whether two values can never be equal: different given texts, or an object or array here and a scalar there. */
function areApart(a: Atom, b: Atom, rules: Index): boolean {
  const [own, other] = [rules.shapes.get(a), rules.shapes.get(b)];
  if (own?.type === 'constants' && other?.type === 'constants') return own.texts.isDisjointFrom(other.texts);
  const always = (atom: Atom) => leavesOf(atom, rules).every((leaf) => leaf !== 'value' && isNestedLeaf(leaf, rules));
  const scalar = (atom: Atom) => leavesOf(atom, rules).every((leaf) => scalars.has(leaf) || leaf.startsWith('"'));
  return (always(a) && scalar(b)) || (always(b) && scalar(a));
}

/** Whether a value may be an object or an array. Given ones have no recursion and count as scalars. */
function isNested(atom: Atom, rules: Index): boolean {
  return leavesOf(atom, rules).some((leaf) => isNestedLeaf(leaf, rules));
}

function isNestedLeaf(leaf: Atom, { shapes }: Index): boolean {
  const type = shapes.get(leaf)?.type;
  return type === 'object' || type === 'array' || anyValue.has(leaf);
}

/** The values that a rule stands for, through any number of unions. */
function leavesOf(atom: Atom, { aliases, leaves }: Index): readonly Atom[] {
  const known = leaves.get(atom);
  if (known !== undefined) return known;
  const found = new Set<Atom>([atom]);
  // A set takes additions while it is walked.
  for (const name of found) for (const inner of aliases.get(name) ?? []) found.add(inner);
  const result = [...found].filter((name) => !aliases.has(name));
  leaves.set(atom, result);
  return result;
}

/** Strongly connected components (Tarjan), what they lead to first. With a list instead of calls: chains are long. */
function componentsOf(root: Atom, edgesOf: (atom: Atom) => Atom[]): Atom[][] {
  const order = new Map<Atom, number>();
  const low = new Map<Atom, number>();
  const open: Atom[] = [];
  const isOpen = new Set<Atom>();
  const components: Atom[][] = [];
  const work: { atom: Atom; edges: Atom[]; next: number }[] = [];
  const enter = (atom: Atom) => {
    order.set(atom, order.size);
    low.set(atom, order.get(atom)!);
    open.push(atom);
    isOpen.add(atom);
    work.push({ atom, edges: edgesOf(atom), next: 0 });
  };
  const lower = (atom: Atom, value: number) => low.set(atom, Math.min(low.get(atom)!, value));
  enter(root);
  for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
    const target = frame.edges[frame.next++];
    if (target !== undefined) {
      if (!order.has(target)) enter(target);
      else if (isOpen.has(target)) lower(frame.atom, order.get(target)!);
      continue;
    }
    work.pop();
    const holder = work.at(-1);
    if (holder !== undefined) lower(holder.atom, low.get(frame.atom)!);
    if (low.get(frame.atom) !== order.get(frame.atom)) continue;
    const component = open.splice(open.lastIndexOf(frame.atom));
    for (const atom of component) isOpen.delete(atom);
    components.push(component);
  }
  return components;
}
