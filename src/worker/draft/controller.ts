/** Decides whether and how far to guess ahead, from what guessing has brought so far on this model and machine. */
export interface DraftController {
  /** Tokens to guess in the next step of a slot; 0: none. `active`: slots that decode in it. */
  limit(active: number): number;
  /** Tells what a step without prompt tokens took and gave: guesses made, tokens generated in all. */
  observe(step: { milliseconds: number; active: number; proposed: number; generated: number }): void;
  /** Tells what calibration has found: the time of a step with k tokens against one with a single token, at index k - 1. */
  expect(costOfTokens: readonly number[]): void;
}

/** With more slots at work the batch already fills the cores, and a guess only takes from the others. */
const maxActive = 2;
const largest = 8;
/** Steps with guesses before their gain is judged. */
const trialSteps = 8;
/** Guessing has to be this much faster to go on; less is noise. */
const leastGain = 1.03;
const firstPause = 32;
const longestPause = 2048;
/** What is believed of guesses before any was made: nine of ten tokens come true. */
const belief = { hits: 4.5, misses: 0.5 };
/** Older guesses count less: of a guess ten steps ago a third is left. */
const memory = 0.9;
/**
 * What steps cost before a calibration has said it, as `expect` has it: between the models of 135 M, 270 M and 0.5 B
 * parameters that were measured on two cores (2 tokens 1.4 to 1.55, 4 tokens 1.75 to 2.2, 8 tokens 2.8 to 4.4).
 */
const usualCosts = [1, 1.5, 1.75, 2, 2.3, 2.6, 2.9, 3.2, 3.5, 3.7, 3.9, 4.1, 4.3, 4.5, 4.7, 4.9, 5.1, 5.3];

/**
 * A guess is as long as pays best at what tokens cost and at the rate at which guesses come true, and none is made where
 * not even true ones would pay. The time that steps really take has the last word: when guessing loses against plain
 * steps it pauses, each time twice as long, so that text which only looks repetitive costs next to nothing.
 */
export function createDraftController(): DraftController {
  let costs: readonly number[] = usualCosts;
  let seen = { ...belief };
  let plainTokenMs: number | null = null;
  /** Since the last judgement: steps with guesses, their time and what they gave. */
  let trial = { steps: 0, milliseconds: 0, tokens: 0 };
  let pauseSteps = 0;
  let nextPause = firstPause;
  const learn = (known: number | null, value: number) => (known === null ? value : known * 0.8 + value * 0.2);

  return {
    limit(active) {
      // The price of a plain step has to be known before a guess can be judged.
      if (active > maxActive || pauseSteps > 0 || plainTokenMs === null) return 0;
      if (bestSize(costs, active, 1) === 0) return 0;
      // Never none at a poor rate: only the time of a whole trial says that guessing has to pause.
      return Math.max(1, bestSize(costs, active, seen.hits / (seen.hits + seen.misses)));
    },
    observe({ milliseconds, active, proposed, generated }) {
      if (active > maxActive || generated === 0) return;
      if (proposed === 0) {
        plainTokenMs = learn(plainTokenMs, milliseconds / generated);
        pauseSteps = Math.max(0, pauseSteps - 1);
        return;
      }
      // In sum: a step that gave seven tokens outweighs one whose guess was wrong.
      trial.steps++;
      trial.milliseconds += milliseconds;
      trial.tokens += generated;
      const accepted = generated - active;
      seen = { hits: seen.hits * memory + accepted, misses: seen.misses * memory + (accepted < proposed ? 1 : 0) };
      if (trial.steps < trialSteps) return;
      if (plainTokenMs !== null && (plainTokenMs * trial.tokens) / trial.milliseconds < leastGain) {
        pauseSteps = nextPause;
        nextPause = Math.min(longestPause, nextPause * 2);
        seen = { ...belief };
      } else nextPause = firstPause;
      trial = { steps: 0, milliseconds: 0, tokens: 0 };
    },
    expect(costOfTokens) {
      // A calibration that had no time for it says nothing.
      costs = costOfTokens.length > 1 ? costOfTokens : usualCosts;
    },
  };
}

/**
 * The length of a guess that gives the most tokens in the same time, when each guessed token comes true with `rate`
 * once those before it have; 0: none is worth more than plain steps.
 */
function bestSize(costs: readonly number[], active: number, rate: number): number {
  let best = { size: 0, gain: leastGain };
  let tokens = 1;
  for (let size = 1; size <= largest; size++) {
    tokens += rate ** size;
    const cost = costs[active * (1 + size) - 1];
    const plainCost = costs[active - 1];
    if (cost === undefined || plainCost === undefined) break;
    const gain = (tokens * plainCost) / cost;
    if (gain > best.gain) best = { size, gain };
  }
  return best.size;
}
