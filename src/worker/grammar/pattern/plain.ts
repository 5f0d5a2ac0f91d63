import { everything } from '../gbnf/gbnf.ts';
import { empty, type Pattern, repeated } from './ast.ts';
import type { Syntax } from './syntax.ts';

/**
 * The pattern that a written one stands for: what is not anchored has any text around it. Null where it takes an
 * automaton: look-around, word boundaries, and anchors elsewhere than first and last in a whole alternative.
 */
export function plainPattern(syntax: Syntax): Pattern | null {
  const alternatives = (syntax.type === 'choice' ? syntax.items : [syntax]).map(plainAlternative);
  const possible = alternatives.filter((item) => item !== null);
  if (possible.length < alternatives.length) return null;
  return possible.length === 1 ? possible[0]! : { type: 'choice', items: possible };
}

function plainAlternative(syntax: Syntax): Pattern | null {
  const written = syntax.type === 'sequence' ? syntax.items : [syntax];
  const isStarted = written[0]?.type === 'start';
  const isEnded = written.length > (isStarted ? 1 : 0) && written.at(-1)?.type === 'end';
  const inner = written.slice(isStarted ? 1 : 0, isEnded ? -1 : undefined).map(plainItem);
  let items = inner.filter((item) => item !== null);
  if (items.length < inner.length) return null;
  const around: Pattern = { type: 'repeat', item: { type: 'set', set: everything }, min: 0, max: null };
  // `.*` next to any text is that text; as a part of its own it would leave two parses of each character.
  if (!isStarted) items = items.slice(items.findIndex((item) => !isAnyNumber(item)));
  if (!isEnded) items = items.slice(0, items.findLastIndex((item) => !isAnyNumber(item)) + 1);
  return { type: 'sequence', items: [...(isStarted ? [] : [around]), ...items, ...(isEnded ? [] : [around])] };
}

function plainItem(syntax: Syntax): Pattern | null {
  switch (syntax.type) {
    case 'set':
      return syntax;
    case 'sequence':
    case 'choice': {
      const items = syntax.items.map(plainItem);
      const plain = items.filter((item) => item !== null);
      if (plain.length < items.length) return null;
      return plain.length === 0 ? empty : { type: syntax.type, items: plain };
    }
    case 'repeat': {
      const item = plainItem(syntax.item);
      return item && repeated(item, syntax.min, syntax.max);
    }
    default:
      return null;
  }
}

/** Whether an item is one character, any number of times, also none. */
function isAnyNumber(item: Pattern): boolean {
  return item.type === 'repeat' && item.min === 0 && item.max === null && item.item.type === 'set';
}
