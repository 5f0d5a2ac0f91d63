import type { Runtime, Value } from './values.ts';

/** The variables of the template, of a macro, or of a recursive loop under way. */
export interface Scope {
  readonly slots: (Value | undefined)[];
  readonly parent: Scope | null;
}

/** An expression made ready to run. */
export type Evaluate = (scope: Scope, runtime: Runtime) => Value;

/** How a statement ended. */
export type Ending = 'next' | 'break' | 'continue';

/** A statement made ready to run. */
export type Execute = (scope: Scope, runtime: Runtime) => Ending;
