import type { Atom, Refuse, RuleBook } from './gbnf/gbnf.ts';

/** A schema that is not `true` or `false`; its values are read through `keywords.ts` only. */
export type SchemaObject = Readonly<Record<string, unknown>>;

/** A schema that the references inside it start from: the whole one, or a part with an `$id`. */
interface Root {
  schema: unknown;
  path: string;
}

/** Where a schema stands. `path`: JSON pointer for messages; `hint`: what its rule is called; `depth`: nesting. */
export interface Place {
  root: Root;
  path: string;
  hint: string;
  depth: number;
}

/** What the converters of the single types share. */
export interface Conversion {
  rules: RuleBook;
  refuse: Refuse;
  /** Converts a schema inside another; refuses what is nested too deep. Calls of one schema share a rule. */
  convert(schema: unknown, place: Place): Atom;
}
