import type { Atom, Refuse, RuleBook } from './gbnf/gbnf.ts';

/** A schema that is not `true` or `false`; its values are read through `keywords.ts` only. */
export type SchemaObject = Readonly<Record<string, unknown>>;

/** A schema that the references inside it start from: the whole one, or a part with an `$id`. */
export interface Root {
  schema: unknown;
  path: string;
  /** What relative references are relative to. */
  address: string;
}

/** Where a schema stands. `path`: JSON pointer for messages; `hint`: what its rule is called; `depth`: nesting. */
export interface Place {
  root: Root;
  path: string;
  hint: string;
  depth: number;
}

/** A part of the schema that a `$ref` points to. */
export interface Target {
  schema: unknown;
  path: string;
  /** Last step of the pointer: the name of a definition, as a rule. */
  hint: string;
  /** What references inside it start from. */
  root: Root;
}

/** The parts of one schema that can be referred to by a name. */
export interface References {
  /** The whole schema. */
  readonly whole: Root;
  /** The part that a schema with an `$id` of its own begins, or null. */
  rootAt(schema: object): Root | null;
  /** Finds what a reference means; null when it is nothing inside this schema. */
  find(ref: string, from: Root): Target | null;
}

/** What it takes to look at a schema without converting it. */
export type FlatConversion = Pick<Conversion, 'rules' | 'refuse' | 'references' | 'isValid'>;

/** What the converters of the single types share. */
export interface Conversion {
  rules: RuleBook;
  refuse: Refuse;
  references: References;
  /** Converts a schema inside another; refuses what is nested too deep. Calls of one schema share a rule. */
  convert(schema: unknown, place: Place): Atom;
  /** A keyword that the grammar leaves open: the value has to be checked once it is written. */
  leaveOpen(place: Place, keyword: string): void;
  /** As `GrammarOptions.mostUnique`. */
  mostUnique: number | null;
  /** Whether a value keeps to a schema. */
  isValid(schema: SchemaObject, place: Place, value: unknown): boolean;
}
