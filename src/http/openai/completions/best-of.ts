import type { Answer, AnswerChoice } from '../../../core/events.ts';

/**
 * Of each `candidates` choices of an answer the `wanted` best: those whose tokens were the likeliest on average, best
 * first.
 */
export function keepBest(answer: Answer, { candidates, wanted }: { candidates: number; wanted: number }): Answer {
  if (candidates === wanted) return answer;
  const groups = Math.ceil(answer.choices.length / candidates);
  const kept = Array.from({ length: groups }, (_, group) =>
    answer.choices
      .slice(group * candidates, (group + 1) * candidates)
      .sort((a, b) => meanLogprob(b) - meanLogprob(a))
      .slice(0, wanted),
  ).flat();
  const [first = answer.choices[0], ...others] = kept;
  return { ...answer, choices: [first, ...others] };
}

function meanLogprob({ logprobs }: AnswerChoice): number {
  return logprobs.reduce((sum, { logprob }) => sum + logprob, 0) / Math.max(1, logprobs.length);
}
