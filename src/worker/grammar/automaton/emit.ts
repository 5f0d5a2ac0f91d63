import type { Atom, RuleBook } from '../gbnf/gbnf.ts';
import { emitSet } from '../pattern/pattern.ts';
import type { Table } from './table.ts';

/**
 * A rule for the texts of a table inside a JSON string, up to and with its closing quote. Every character has one place
 * to go, so that no text has two parses. `end`: what follows the text.
 */
export function emitTable(table: Table, hint: string, rules: RuleBook, end = '"\\""'): Atom {
  const names = table.map((_, index) => rules.reserve(`${hint}-${index + 1}`));
  for (const [index, { accepts, edges }] of table.entries()) {
    const ways = edges.flatMap(({ set, to }) => {
      const text = emitSet(set);
      return text === null ? [] : [`${text} ${names[to]!}`];
    });
    if (accepts) ways.push(end);
    rules.complete(names[index]!, ways.join(' | '));
  }
  return names[0]!;
}
