import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';

/** Counts and nanoseconds in the last line of an answer. */
export const timings = {
  total_duration: count.optional(),
  load_duration: count.optional(),
  prompt_eval_count: count.optional(),
  prompt_eval_duration: count.optional(),
  eval_count: count.optional(),
  eval_duration: count.optional(),
};

const tokenChoice = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(count) });

export const logprobs = z.array(tokenChoice.extend({ top_logprobs: z.array(tokenChoice).optional() }));
