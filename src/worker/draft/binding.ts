import type { GrammarSource } from '../sequence/sequence.ts';

/** A grammar that binds the answer now. */
interface Binding {
  gbnf: string;
  /** Changes whenever a grammar begins anew. */
  id: number;
  /** Token of the answer that its text begins with. */
  from: number;
}

/** A grammar source that remembers where in the answer its grammar began. */
export interface BoundGrammar extends GrammarSource {
  readonly binding: Binding | null;
}

/** `generated` grows with the answer; the source is asked before each of its tokens. */
export function noteBinding(source: GrammarSource, generated: readonly number[]): BoundGrammar {
  let binding: Binding | null = null;
  return {
    get binding() {
      return binding;
    },
    current() {
      const current = source.current();
      if (current === null) binding = null;
      else if (current.id !== binding?.id) binding = { ...current, from: generated.length };
      return current;
    },
  };
}
