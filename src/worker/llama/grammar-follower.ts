import { type Llama, LlamaGrammar, LlamaGrammarEvaluationState, type LlamaModel } from 'node-llama-cpp';
import type { GrammarSource } from '../sequence/sequence.ts';

/** The library's side of a grammar source. */
export interface FollowedGrammar {
  /** The state that binds the next token, begun anew whenever the source begins anew; undefined: none. */
  state(): LlamaGrammarEvaluationState | undefined;
  /** Which grammar binds the next token, or null. */
  id(): number | null;
}

/** Makes states of grammars for one sequence. `hasGuessed`: whether the step under way evaluates guesses. */
export function createGrammarFollower(
  model: LlamaModel,
  llama: Llama,
  hasGuessed: () => boolean,
): (source: GrammarSource) => FollowedGrammar {
  // An answer that is taken up again, after a batch that failed, goes on where its grammar was.
  const known = new WeakMap<GrammarSource, FollowedGrammar>();
  let anything: LlamaGrammarEvaluationState | null = null;
  const begin = (gbnf: string) =>
    new LlamaGrammarEvaluationState({ model, grammar: new LlamaGrammar(llama, { grammar: gbnf }) });
  const anyText = () => {
    anything ??= begin('root ::= [^\\x00]*\n');
    return anything;
  };

  return (source) => {
    const before = known.get(source);
    if (before) return before;
    let state: LlamaGrammarEvaluationState | undefined;
    let id: number | null = null;
    const followed: FollowedGrammar = {
      id: () => source.current()?.id ?? null,
      state() {
        const current = source.current();
        if (!current) return undefined;
        if (current.id !== id) {
          id = current.id;
          state = new GuessableState(begin(current.gbnf), hasGuessed, anyText);
        }
        return state;
      },
    };
    known.set(source, followed);
    return followed;
  };
}

/**
 * The library clones a grammar's state twice in a step. For the tokens behind the first guess: each of them accepts its
 * own choice in turn, so one clone is right for all. And before the guesses, to try them: that clone never moves on, so
 * it would refuse nearly every second guess. For the trial a state that takes any text stands in; what a guess is worth
 * is decided by the model's choice under the true state, and a copy of a large grammar is saved with every token.
 */
class GuessableState extends LlamaGrammarEvaluationState {
  readonly #hasGuessed: () => boolean;
  readonly #anyText: () => LlamaGrammarEvaluationState;

  constructor(
    state: LlamaGrammarEvaluationState,
    hasGuessed: () => boolean,
    anyText: () => LlamaGrammarEvaluationState,
  ) {
    super(state);
    this.#hasGuessed = hasGuessed;
    this.#anyText = anyText;
  }

  override clone(): LlamaGrammarEvaluationState {
    return this.#hasGuessed() ? super.clone() : this.#anyText();
  }
}
