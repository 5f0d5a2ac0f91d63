import type { LlamaContextSequence, Token } from 'node-llama-cpp';
import type { Generation, GenerationSettings } from '../sequence/sequence.ts';
import type { FollowedGrammar } from './grammar-follower.ts';
import type { SamplingWatch } from './internals.ts';
import type { StepDriver, StepSampler } from './internals-step.ts';
import { evaluateOptions } from './sampler.ts';

/** What guesses under way mean to a running generation. */
export interface Guesses {
  /** Tokens that are generated already and that nobody has taken. */
  unused(): number;
  /** Gives those up for ever; what they left in the state goes with the library's next evaluation. */
  abandon(): void;
  /** Gives them up and takes them out of the state. */
  drop(): Promise<void>;
  /** A decode begins; whether something is guessed in it. */
  begin(): boolean;
}

/** What a generation works on. */
interface GenerationDeps {
  llamaSequence: LlamaContextSequence;
  slot: number;
  driver: StepDriver | null;
  watch: SamplingWatch;
  guesses: Guesses;
  grammar: FollowedGrammar | null;
}

/**
 * Tokens that the native sampler chooses; the usual way. Steps without guesses go through the driver, the others through
 * the library, which verifies guesses. Each of both has a sampler of its own: only answers whose run is nobody's promise
 * are guessed at. `hasSwitched`: another grammar binds now than when the library's guesses were verified.
 */
export function generateSampled(
  tokens: Token[],
  how: GenerationSettings,
  deps: GenerationDeps,
): Generation & { hasSwitched(): boolean } {
  const { llamaSequence, driver, guesses, grammar } = deps;
  const options = () => ({
    ...evaluateOptions(how.sampling, how.generated, llamaSequence),
    ...(grammar && { grammarEvaluationState: grammar.state }),
    // Any number is handed through to the strategy unchanged: the slot index orders the batch.
    evaluationPriority: deps.slot as 1,
  });
  let input = tokens;
  let sampler: StepSampler | null = null;
  /** The library's evaluation, as long as there are guesses. */
  let ahead: ReturnType<LlamaContextSequence['evaluateWithMetadata']> | null = null;
  let verifiedUnder: number | null = null;
  const hasSwitched = () => grammar !== null && guesses.unused() > 0 && grammar.id() !== verifiedUnder;

  const endAhead = async () => {
    const ended = ahead;
    ahead = null;
    await ended?.return();
  };
  const nextPlain = (through: StepDriver): Promise<Token> => {
    // Nothing of the sequence is touched by that, and waiting for it would miss the decode call of this tick.
    void endAhead();
    sampler ??= through.newSampler(llamaSequence, options());
    return through.choose({ llamaSequence, slot: deps.slot, tokens: input, sampler, watch: deps.watch });
  };
  const nextAhead = async (): Promise<Token> => {
    driver?.joinLibrary();
    if (hasSwitched()) {
      // What was guessed beyond the switch followed the wrong grammar. A new evaluation drops it from the state.
      await endAhead();
      guesses.abandon();
      guesses.begin();
    }
    if (guesses.unused() <= 0) verifiedUnder = grammar?.id() ?? null;
    // One generator fewer per token than the library's shorter call.
    ahead ??= llamaSequence.evaluateWithMetadata(input, {}, options());
    const result = await ahead.next();
    if (result.done) throw new Error('the generation ended by itself');
    return result.value.token;
  };

  return {
    hasSwitched,
    async next() {
      const isGuessed = guesses.unused() <= 0 && guesses.begin();
      const isPlain = driver !== null && !isGuessed && !driver.holdsGuesses(llamaSequence);
      const token = await (isPlain ? nextPlain(driver) : nextAhead());
      input = [token];
      return { token, logprob: null, top: [] };
    },
    async stop() {
      await endAhead();
      await guesses.drop();
      sampler?.dispose();
      sampler = null;
    },
  };
}
