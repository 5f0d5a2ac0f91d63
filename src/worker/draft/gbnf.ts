/** A part of a grammar, ready to be walked. `id` is unique in its grammar. */
export type GrammarNode =
  | { id: number; type: 'literal'; codes: readonly number[] }
  | CharacterNode
  | { id: number; type: 'rule'; name: string }
  | { id: number; type: 'sequence'; items: readonly GrammarNode[] }
  | { id: number; type: 'choice'; items: readonly GrammarNode[] }
  | { id: number; type: 'repeat'; item: GrammarNode; min: number; max: number };

/** One character of a class. */
export interface CharacterNode {
  id: number;
  type: 'characters';
  /** Code points, both ends included. */
  ranges: readonly (readonly [number, number])[];
  negated: boolean;
}

export interface Grammar {
  readonly root: GrammarNode;
  rule(name: string): GrammarNode;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
const quantifiers: Readonly<Record<string, readonly [number, number]>> = {
  '*': [0, Number.POSITIVE_INFINITY],
  '+': [1, Number.POSITIVE_INFINITY],
  '?': [0, 1],
};
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads a grammar in the form that `grammar/` writes: one rule a line, literals, classes, groups, alternatives and
 * quantifiers. Throws on anything else: then there is nothing to foresee, and the engine still keeps the grammar.
 */
export function readGrammar(source: string): Grammar {
  const rules = new Map<string, GrammarNode>();
  let nextId = 1;
  for (const line of source.split('\n')) {
    if (line === '') continue;
    const head = /^([A-Za-z0-9-]+) ::= /.exec(line);
    if (!head) throw new Error(`not a rule: ${line.slice(0, 80)}`);
    rules.set(
      head[1]!,
      readBody(line, head[0].length, () => nextId++),
    );
  }
  const rule = (name: string): GrammarNode => {
    const found = rules.get(name);
    if (!found) throw new Error(`no such rule: ${name}`);
    return found;
  };
  return { root: rule('root'), rule };
}

/** Reads from `start` to the end of the line. */
function readBody(line: string, start: number, id: () => number): GrammarNode {
  let at = start;
  const fail = (): never => {
    throw new Error(`cannot read a grammar at ${at}: ${line.slice(at, at + 40)}`);
  };
  const blanks = () => {
    while (line[at] === ' ') at++;
  };

  const choice = (): GrammarNode => {
    const items = [sequence()];
    while (line[at] === '|') {
      at++;
      items.push(sequence());
    }
    return items.length === 1 ? items[0]! : { id: id(), type: 'choice', items };
  };

  const sequence = (): GrammarNode => {
    const items: GrammarNode[] = [];
    for (;;) {
      blanks();
      if (at >= line.length || line[at] === '|' || line[at] === ')') break;
      items.push(repeated(atom()));
    }
    return items.length === 1 ? items[0]! : { id: id(), type: 'sequence', items };
  };

  const repeated = (item: GrammarNode): GrammarNode => {
    const simple = quantifiers[line[at] ?? ''];
    if (simple) {
      at++;
      return { id: id(), type: 'repeat', item, min: simple[0], max: simple[1] };
    }
    if (line[at] !== '{') return item;
    const braces = /^\{(\d+)(,?)(\d*)\}/.exec(line.slice(at, at + 32)) ?? fail();
    at += braces[0].length;
    const min = Number(braces[1]);
    const max = braces[2] === '' ? min : braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3]);
    return { id: id(), type: 'repeat', item, min, max };
  };

  const atom = (): GrammarNode => {
    if (line[at] === '"') {
      at++;
      const codes: number[] = [];
      while (line[at] !== '"') codes.push(character());
      at++;
      return { id: id(), type: 'literal', codes };
    }
    if (line[at] === '[') return characterClass();
    if (line[at] === '(') {
      at++;
      const inner = choice();
      if (line[at] !== ')') fail();
      at++;
      return inner;
    }
    const name = /^[A-Za-z0-9-]+/.exec(line.slice(at, at + 80))?.[0] ?? fail();
    at += name.length;
    return { id: id(), type: 'rule', name };
  };

  const characterClass = (): GrammarNode => {
    at++;
    const negated = line[at] === '^';
    if (negated) at++;
    const ranges: [number, number][] = [];
    while (line[at] !== ']') {
      const from = character();
      const isRange = line[at] === '-' && line[at + 1] !== ']';
      if (isRange) at++;
      ranges.push([from, isRange ? character() : from]);
    }
    at++;
    return { id: id(), type: 'characters', ranges, negated };
  };

  const character = (): number => {
    const code = line.codePointAt(at) ?? fail();
    at += code > 0xffff ? 2 : 1;
    if (code !== 0x5c) return code;
    const letter = line[at++] ?? fail();
    const length = hexDigits[letter];
    if (length === undefined) return (escapes[letter] ?? letter).codePointAt(0)!;
    const digits = line.slice(at, at + length);
    at += length;
    return Number.parseInt(digits, 16);
  };

  const node = choice();
  if (at !== line.length) fail();
  return node;
}

/** Whether a class holds a character. */
export function holds({ ranges, negated }: CharacterNode, code: number): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to) !== negated;
}
