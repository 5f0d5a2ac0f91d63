import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { limits, literal } from './gbnf/gbnf.ts';

/** Choices nested deeper than this become a plain list: the engine's parser recurses into groups. */
const trieDepth = 24;

/** One given JSON value, in the white space that a model may choose. */
export function constant(value: unknown, rules: RuleBook, depth = 0): Atom | null {
  if (value === null || typeof value !== 'object') return literal(JSON.stringify(value));
  if (depth > limits.depth) return null;
  const [open, close] = Array.isArray(value) ? ['"["', '"]"'] : ['"{"', '"}"'];
  const members = Array.isArray(value)
    ? value.map((item) => constant(item, rules, depth + 1))
    : Object.entries(value).map(([key, item]) => {
        const text = constant(item, rules, depth + 1);
        return text === null ? null : `${literal(JSON.stringify(key))} ${rules.shared('colon')} ${text}`;
      });
  if (members.includes(null)) return null;
  const ws = rules.shared('ws');
  const inside = members.length === 0 ? '' : `${members.join(` "," ${ws} `)} ${ws} `;
  return rules.add('constant', `${open} ${ws} ${inside}${close}`);
}

/**
 * One of the given values. Strings that begin alike share their beginning: the engine follows every open alternative
 * for every token, and a thousand of them are slow. Returns null when a value is nested too deep.
 */
export function oneOfValues(values: readonly unknown[], hint: string, rules: RuleBook): Atom | null {
  const plain = values.filter((value) => value === null || typeof value !== 'object');
  const nested = values.filter((value) => value !== null && typeof value === 'object');
  const atoms = nested.map((value) => constant(value, rules));
  const texts = [...new Set(plain.map((value) => JSON.stringify(value)))].sort();
  if (texts.length === 1) atoms.unshift(literal(texts[0]!));
  else if (texts.length > 1)
    atoms.unshift(
      rules.add(
        hint,
        trie(
          texts.map((text) => Array.from(text)),
          0,
        ),
      ),
    );
  const possible = atoms.filter((atom) => atom !== null);
  return possible.length < atoms.length ? null : rules.choose(hint, possible);
}

/** Sorted, different texts, as code points, as alternatives that share their beginnings. */
function trie(texts: readonly (readonly string[])[], depth: number): string {
  if (depth > trieDepth) return texts.map((text) => literal(text.join(''))).join(' | ');
  const groups = new Map<string, string[][]>();
  for (const text of texts) {
    const first = text[0] ?? '';
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [[...text]]);
    else group.push([...text]);
  }
  return [...groups.values()].map((group) => branch(group, depth)).join(' | ');
}

function branch(group: readonly (readonly string[])[], depth: number): string {
  const first = group[0]!;
  if (group.length === 1) return literal(first.join(''));
  let shared = 0;
  while (shared < first.length && group.every((text) => text[shared] === first[shared])) shared++;
  return `${literal(first.slice(0, shared).join(''))} (${trie(
    group.map((text) => text.slice(shared)),
    depth + 1,
  )})`;
}
