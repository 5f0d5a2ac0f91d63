/** Decides whether and how far to guess ahead, from what guessing has brought so far on this model and machine. */
export interface DraftController {
  /** Tokens to guess in the next step of a slot; 0: none. `active`: slots that decode in it. */
  limit(active: number): number;
  /** Tells what a step without prompt tokens took and gave: guesses made, tokens generated in all. */
  observe(step: { milliseconds: number; active: number; proposed: number; generated: number }): void;
}

/** With more slots at work the batch already fills the cores, and a guess only takes from the others. */
const maxActive = 2;
const smallest = 2;
const largest = 8;
const firstGuess = 3;
/** Steps with guesses before their gain is judged. */
const trialSteps = 8;
/** Guessing has to be this much faster to go on; less is noise. */
const leastGain = 1.03;
const firstPause = 32;
const longestPause = 2048;

/**
 * Guesses grow while they come true and shrink while they do not. When guessing loses against plain steps it pauses,
 * each time twice as long, so that text which only looks repetitive costs next to nothing.
 */
export function createDraftController(): DraftController {
  let size = firstGuess;
  let plainTokenMs: number | null = null;
  /** Since the last judgement: steps with guesses, their time and what they gave. */
  let trial = { steps: 0, milliseconds: 0, tokens: 0 };
  let pauseSteps = 0;
  let nextPause = firstPause;
  const learn = (known: number | null, seen: number) => (known === null ? seen : known * 0.8 + seen * 0.2);

  return {
    limit(active) {
      if (active > maxActive || pauseSteps > 0) return 0;
      // The price of a plain step has to be known before a guess can be judged.
      return plainTokenMs === null ? 0 : size;
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
      if (accepted >= proposed) size = Math.min(largest, size + 1);
      else if (accepted * 2 < proposed) size = Math.max(smallest, size - 1);
      if (trial.steps < trialSteps) return;
      if (plainTokenMs !== null && (plainTokenMs * trial.tokens) / trial.milliseconds < leastGain) {
        pauseSteps = nextPause;
        nextPause = Math.min(longestPause, nextPause * 2);
        size = firstGuess;
      } else nextPause = firstPause;
      trial = { steps: 0, milliseconds: 0, tokens: 0 };
    },
  };
}
