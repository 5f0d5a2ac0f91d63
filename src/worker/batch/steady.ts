import type { Task } from '../answer/answer.ts';

/**
 * Whether an answer is to come out the same again, whatever the machine has to do beside it: it is asked for without the
 * states that earlier prompts left, and leaves nothing to chance. Its prompt is read in portions at fixed places, each
 * in a step of its own, as a row rounds otherwise in a batch of another shape; and nothing is guessed ahead, since how
 * much is guessed hangs on the time.
 */
export function isSteady({
  cache,
  settings: { sampling },
  scoring,
}: Pick<Task, 'cache' | 'settings' | 'scoring'>): boolean {
  if (scoring) return true;
  return cache.mode === 'none' && (sampling.seed !== undefined || sampling.temperature === 0);
}

/**
 * How many of the first `length` tokens of a state a task may begin on. One whose prompt is read at fixed places takes no
 * more than what was read at the same ones: whole portions, or all of what its prompts share where the state, of
 * another such task, was cut there too. `cutAt`: where that was.
 */
export function steadyLength({ scoring }: Pick<Task, 'scoring'>, length: number, cutAt: number): number {
  if (!scoring) return length;
  const { sharedTokens, portionTokens } = scoring;
  if (length >= sharedTokens && cutAt === sharedTokens) return sharedTokens;
  const most = Math.min(length, sharedTokens, cutAt);
  return most - (most % portionTokens);
}

/** Weights from which on a portion takes so long on a small machine that neighbours would notice. */
const largeModelBytes = 2 * 2 ** 30;

/**
 * Prompt tokens of such a portion. It follows the model and never the time: 64 rows is where the kernels change gear,
 * and of a large model 64 can take seconds.
 */
export function steadyPortionTokens(modelBytes: number, batchTokens: number): number {
  return Math.min(modelBytes > largeModelBytes ? 16 : 64, batchTokens);
}
