/** A small GBNF interpreter for tests: says whether a grammar accepts a text, and writes random texts of a grammar. */
export interface Gbnf {
  accepts(text: string): boolean;
  /** Whether an accepted text begins like this. */
  begins(text: string): boolean;
  /** A text of the grammar. `random(n)`: a whole number from 0 to n - 1. */
  generate(random: (below: number) => number): string;
}

type Node =
  | { type: 'set'; negated: boolean; ranges: [number, number][] }
  | { type: 'rule'; name: string }
  | { type: 'sequence'; items: Node[] }
  | { type: 'choice'; items: Node[] }
  | { type: 'repeat'; item: Node; min: number; max: number };

/** Reads a grammar in the subset that Hearth writes: one rule a line. Throws on anything else. */
export function readGbnf(source: string): Gbnf {
  const rules = new Map<string, Node>();
  for (const line of source.split('\n').filter((text) => text !== '')) {
    const [, name, body] = /^([A-Za-z0-9-]+) ::= ([^\n]*)$/.exec(line) ?? [];
    if (name === undefined || body === undefined) throw new Error(`not a rule: ${line}`);
    if (rules.has(name)) throw new Error(`defined twice: ${name}`);
    rules.set(name, readBody(body));
  }
  const ruleOf = (name: string): Node => {
    const node = rules.get(name);
    if (node === undefined) throw new Error(`undefined rule: ${name}`);
    return node;
  };
  const depths = leastDepths(rules);
  return {
    accepts: (text) => match(ruleOf('root'), ruleOf, Array.from(text)).whole,
    begins: (text) => match(ruleOf('root'), ruleOf, Array.from(text)).begins,
    generate: (random) => generate(ruleOf('root'), ruleOf, depths, random),
  };
}

/** A repeatable source of random numbers (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function readBody(body: string): Node {
  const characters = Array.from(body);
  let at = 0;
  const blanks = () => {
    while (characters[at] === ' ') at++;
  };
  const fail = (): never => {
    throw new Error(`cannot read at ${at}: ${body}`);
  };

  function choice(): Node {
    const items = [sequence()];
    while (characters[at] === '|') {
      at++;
      items.push(sequence());
    }
    return items.length === 1 ? items[0]! : { type: 'choice', items };
  }

  function sequence(): Node {
    const items: Node[] = [];
    for (blanks(); at < characters.length && characters[at] !== '|' && characters[at] !== ')'; blanks()) {
      items.push(...repeated(atom()));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items };
  }

  /** A quantifier behind a literal belongs to its last character, as in llama.cpp it does not: so none is allowed. */
  function repeated(items: Node[]): Node[] {
    const bounds = quantifier();
    if (bounds === null) return items;
    if (items.length !== 1) throw new Error(`repeats a literal of several characters: ${body}`);
    return [{ type: 'repeat', item: items[0]!, min: bounds[0], max: bounds[1] }];
  }

  function quantifier(): [number, number] | null {
    const simple: Record<string, [number, number]> = { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] };
    const found = simple[characters[at] ?? ''];
    if (found !== undefined) {
      at++;
      return found;
    }
    if (characters[at] !== '{') return null;
    const text = characters.slice(at, characters.indexOf('}', at) + 1).join('');
    const [, min, comma, max] = /^\{(\d+)(,)?(\d+)?\}$/.exec(text) ?? fail();
    at += text.length;
    return [Number(min), comma === undefined ? Number(min) : max === undefined ? Infinity : Number(max)];
  }

  function atom(): Node[] {
    const first = characters[at]!;
    if (first === '"') {
      at++;
      const items: Node[] = [];
      while (characters[at] !== '"') {
        const code = character();
        items.push({ type: 'set', negated: false, ranges: [[code, code]] });
      }
      at++;
      return items;
    }
    if (first === '[') return [set()];
    if (first === '(') {
      at++;
      const inner = choice();
      if (characters[at] !== ')') fail();
      at++;
      return [inner];
    }
    const name = /^[A-Za-z0-9-]+/.exec(characters.slice(at, at + 80).join(''))?.[0] ?? fail();
    at += name.length;
    return [{ type: 'rule', name }];
  }

  function set(): Node {
    at++;
    const negated = characters[at] === '^';
    if (negated) at++;
    const ranges: [number, number][] = [];
    while (characters[at] !== ']') {
      const from = character();
      const isRange = characters[at] === '-' && characters[at + 1] !== ']';
      if (isRange) at++;
      ranges.push([from, isRange ? character() : from]);
    }
    at++;
    return { type: 'set', negated, ranges };
  }

  function character(): number {
    const found = characters[at++] ?? fail();
    if (found !== '\\') return found.codePointAt(0)!;
    const letter = characters[at++] ?? fail();
    const length = { x: 2, u: 4, U: 8 }[letter];
    if (length !== undefined) {
      const digits = characters.slice(at, at + length).join('');
      at += length;
      return Number.parseInt(digits, 16);
    }
    const named: Record<string, string> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', '[': '[', ']': ']' };
    return (named[letter] ?? fail()).codePointAt(0)!;
  }

  const node = choice();
  if (at !== characters.length) fail();
  return node;
}

function inSet(node: Node & { type: 'set' }, code: number): boolean {
  return node.ranges.some(([from, to]) => code >= from && code <= to) !== node.negated;
}

/** All ends that a match of each node from each place can have, each worked out once: no text is slow. */
function match(
  root: Node,
  ruleOf: (name: string) => Node,
  text: readonly string[],
): { whole: boolean; begins: boolean } {
  const codes = text.map((character) => character.codePointAt(0)!);
  const memo = new Map<Node, Map<number, ReadonlySet<number>>>();
  /** A character was wanted behind the last one. */
  let goesOn = false;

  function ends(node: Node, from: number): ReadonlySet<number> {
    let known = memo.get(node);
    if (known === undefined) {
      known = new Map();
      memo.set(node, known);
    }
    let result = known.get(from);
    if (result === undefined) {
      result = compute(node, from);
      known.set(from, result);
    }
    return result;
  }

  function all(node: Node, starts: Iterable<number>): Set<number> {
    const found = new Set<number>();
    for (const start of starts) for (const end of ends(node, start)) found.add(end);
    return found;
  }

  function compute(node: Node, from: number): ReadonlySet<number> {
    switch (node.type) {
      case 'set':
        if (from === codes.length) goesOn = true;
        return new Set(from < codes.length && inSet(node, codes[from]!) ? [from + 1] : []);
      case 'rule':
        return ends(ruleOf(node.name), from);
      case 'sequence':
        return node.items.reduce<Set<number>>((starts, item) => all(item, starts), new Set([from]));
      case 'choice':
        return new Set(node.items.flatMap((item) => [...ends(item, from)]));
      case 'repeat': {
        const found = new Set<number>();
        let frontier = new Set([from]);
        for (let count = 0; frontier.size > 0 && count <= node.max; count++) {
          if (count >= node.min) {
            frontier = frontier.difference(found);
            for (const end of frontier) found.add(end);
          }
          frontier = all(node.item, frontier);
        }
        return found;
      }
    }
  }
  const whole = ends(root, 0).has(codes.length);
  return { whole, begins: whole || goesOn };
}

/** How many rules deep the shortest way through each rule goes. */
function leastDepths(rules: ReadonlyMap<string, Node>): Map<string, number> {
  const depths = new Map<string, number>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, node] of rules) {
      const depth = 1 + depthOf(node, depths);
      if (depth < (depths.get(name) ?? Infinity)) {
        depths.set(name, depth);
        changed = true;
      }
    }
  }
  return depths;
}

function depthOf(node: Node, depths: ReadonlyMap<string, number>): number {
  switch (node.type) {
    case 'set':
      return 0;
    case 'rule':
      return depths.get(node.name) ?? Infinity;
    case 'sequence':
      return Math.max(0, ...node.items.map((item) => depthOf(item, depths)));
    case 'choice':
      return Math.min(...node.items.map((item) => depthOf(item, depths)));
    case 'repeat':
      return node.min === 0 ? 0 : depthOf(node.item, depths);
  }
}

function generate(
  root: Node,
  ruleOf: (name: string) => Node,
  depths: ReadonlyMap<string, number>,
  random: (below: number) => number,
): string {
  const freeDepth = 12;
  function write(node: Node, depth: number): string {
    switch (node.type) {
      case 'set':
        return String.fromCodePoint(member(node, random));
      case 'rule':
        return write(ruleOf(node.name), depth + 1);
      case 'sequence':
        return node.items.map((item) => write(item, depth)).join('');
      case 'choice': {
        if (depth < freeDepth) return write(node.items[random(node.items.length)]!, depth);
        const least = node.items.toSorted((a, b) => depthOf(a, depths) - depthOf(b, depths));
        return write(least[0]!, depth);
      }
      case 'repeat': {
        const extra = depth < freeDepth ? random(4) : 0;
        const edge = random(8) === 0 && Number.isFinite(node.max) && depth < freeDepth;
        const count = edge ? node.max : Math.min(node.max, node.min + extra);
        return Array.from({ length: count }, () => write(node.item, depth)).join('');
      }
    }
  }
  return write(root, 0);
}

/** A character of the set; of a large set mostly a common one. */
function member(node: Node & { type: 'set' }, random: (below: number) => number): number {
  if (node.negated) {
    const common = Array.from("abcXYZ019 .,:{}[]'\u007fé€漢😀\u2028", (character) => character.codePointAt(0)!);
    const possible = common.filter((code) => inSet(node, code));
    return possible[random(possible.length)]!;
  }
  const [from, to] = node.ranges[random(node.ranges.length)]!;
  return from + random(Math.min(to - from + 1, random(4) === 0 ? to - from + 1 : 100));
}
