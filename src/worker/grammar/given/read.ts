/** A part of a grammar. `id` is unique in its grammar. Ranges are of code points, both ends included. */
export type Part =
  | { id: number; type: 'characters'; ranges: readonly Range[] }
  | { id: number; type: 'rule'; name: string }
  | { id: number; type: 'sequence'; items: readonly Part[] }
  | { id: number; type: 'choice'; items: readonly Part[] }
  | { id: number; type: 'repeat'; item: Part; min: number; max: number };

export type Range = readonly [from: number, to: number];

const lastCharacter = 0x10ffff;
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads GBNF as people write it: comments, alternatives over several lines. Its rules by name, or null for what is none,
 * and for llama.cpp's newer ways to name tokens. The caller has bounded its nesting.
 */
export function readRules(gbnf: string): ReadonlyMap<string, Part> | null {
  const rules = new Map<string, Part>();
  let at = 0;
  let nextId = 1;
  let failed = false;
  const fail = (): number => {
    failed = true;
    at = gbnf.length;
    return 0;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(gbnf);
    if (found) at = pattern.lastIndex;
    return found;
  };
  /** White space and comments; a line end only where the rule certainly goes on. */
  const blanks = (overLines: boolean) => match(overLines ? /(?:\s|#[^\r\n]*)*/y : /(?:[ \t]|#[^\r\n]*)*/y);
  const character = (): number => {
    const code = gbnf.codePointAt(at) ?? fail();
    at += code > 0xffff ? 2 : 1;
    if (code !== 0x5c) return code;
    const letter = gbnf[at++] ?? '';
    const length = hexDigits[letter];
    if (length === undefined) return (escapes[letter] ?? letter).codePointAt(0) ?? fail();
    const digits = gbnf.slice(at, at + length);
    at += length;
    return /^[0-9a-fA-F]+$/.test(digits) ? Number.parseInt(digits, 16) : fail();
  };
  const one = (ranges: readonly Range[]): Part => ({ id: nextId++, type: 'characters', ranges });
  const literal = (): Part => {
    const items: Part[] = [];
    while (at < gbnf.length && gbnf[at] !== '"') {
      const code = character();
      items.push(one([[code, code]]));
    }
    if (gbnf[at++] !== '"') fail();
    return { id: nextId++, type: 'sequence', items };
  };
  const characterClass = (): Part => {
    const negated = gbnf[at] === '^';
    if (negated) at++;
    const ranges: Range[] = [];
    while (at < gbnf.length && gbnf[at] !== ']') {
      const from = character();
      const isRange = gbnf[at] === '-' && gbnf[at + 1] !== ']';
      if (isRange) at++;
      ranges.push([from, isRange ? character() : from]);
    }
    if (gbnf[at++] !== ']') fail();
    return one(negated ? without(ranges) : ranges);
  };
  const atom = (inGroup: boolean): Part | null => {
    if (match(/"/y)) return literal();
    if (match(/\[/y)) return characterClass();
    if (match(/\./y)) return one([[0, lastCharacter]]);
    if (match(/\(/y)) {
      blanks(true);
      const inner = choice(true);
      if (!match(/\)/y)) fail();
      return inner;
    }
    // A name with "::=" behind it begins the next rule.
    const name = match(/([A-Za-z0-9_-]+)(?!\s*::=)(?![A-Za-z0-9_-])/y)?.[1];
    if (name !== undefined) return { id: nextId++, type: 'rule', name };
    if (!inGroup && !match(/(?=[|\r\n]|$)/y)) fail();
    return null;
  };
  const repeated = (item: Part): Part => {
    const quantifier = match(/[ \t]*(?:([*+?])|\{\s*(\d+)\s*(?:(,)\s*(\d*)\s*)?\})/y);
    if (!quantifier) return item;
    const [, sign, least, comma, most] = quantifier;
    const min = sign === undefined ? Number(least) : sign === '+' ? 1 : 0;
    const bounded = comma === undefined ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    const max = sign === undefined ? bounded : sign === '?' ? 1 : Number.POSITIVE_INFINITY;
    return repeated({ id: nextId++, type: 'repeat', item, min, max });
  };
  const sequence = (inGroup: boolean): Part => {
    const items: Part[] = [];
    for (let item = atom(inGroup); item !== null && !failed; item = atom(inGroup)) {
      items.push(repeated(item));
      blanks(inGroup);
    }
    return { id: nextId++, type: 'sequence', items };
  };
  function choice(inGroup: boolean): Part {
    const items = [sequence(inGroup)];
    while (match(inGroup ? /\|/y : /\s*\|/y)) {
      blanks(true);
      items.push(sequence(inGroup));
    }
    return { id: nextId++, type: 'choice', items };
  }

  for (blanks(true); at < gbnf.length; blanks(true)) {
    const name = match(/([A-Za-z0-9_-]+)\s*::=/y)?.[1];
    if (name === undefined) return null;
    blanks(true);
    rules.set(name, choice(false));
  }
  return failed || !rules.has('root') ? null : rules;
}

/** All characters but those. */
function without(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  let from = 0;
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (first > from) result.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= lastCharacter) result.push([from, lastCharacter]);
  return result;
}
