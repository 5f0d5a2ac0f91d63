import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { charClass, complement } from './gbnf/gbnf.ts';

/** Names longer than this are told apart by their beginning: one that begins the same is not generated. */
const comparedCharacters = 64;

interface Node {
  next: Map<string, Node>;
  isName: boolean;
}

/**
 * What follows the opening quote of a property name that is none of the given ones, closing quote included. Such names
 * are generated without escapes: a declared name could be spelled with them, and the last of two equal names counts.
 */
export function otherNames(names: readonly string[], rules: RuleBook): Atom {
  const root: Node = { next: new Map(), isName: false };
  for (const name of names) {
    let node = root;
    for (const character of Array.from(name).slice(0, comparedCharacters)) {
      let next = node.next.get(character);
      if (next === undefined) {
        next = { next: new Map(), isName: false };
        node.next.set(character, next);
      }
      node = next;
    }
    node.isName = true;
  }
  const plain = rules.add('plain', '[^"\\\\\\x00-\\x1F]');
  const free = rules.add('plain-end', `${plain}* "\\""`);
  return differing(root, free, rules, 0);
}

/** Names that differ from all below `node`; `depth`: characters so far. */
function differing(node: Node, free: Atom, rules: RuleBook, depth: number): Atom {
  const alternatives: string[] = node.isName ? [] : ['"\\""'];
  const taken: (readonly [number, number])[] = [
    [0x00, 0x1f],
    [0x22, 0x22],
    [0x5c, 0x5c],
  ];
  for (const [character, next] of node.next) {
    const code = character.codePointAt(0)!;
    taken.push([code, code]);
    if (depth + 1 === comparedCharacters) continue;
    // Quotes, backslashes and control characters would need an escape, so no generated name can go this way.
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code <= 0xdfff)) continue;
    alternatives.push(`${charClass([[code, code]])} ${differing(next, free, rules, depth + 1)}`);
  }
  alternatives.push(`${charClass(complement(taken))} ${free}`);
  return rules.add('other', alternatives.join(' | '));
}
