import { confidenceOf, type Decision, type DecisionResult, expectedLevel, likeliest } from '../../../core/decision.ts';
import type { OpenAiQuestion } from './schema.ts';

/** The answer of `/v1/decisions`, in the order of the questions. */
export function toDecisionAnswer(questions: readonly OpenAiQuestion[], result: DecisionResult) {
  const { model, decisions, promptTokens, cachedTokens, outputTokens = 0 } = result;
  return {
    answers: questions.map((question, index) => toAnswer(question, decisions[index]!)),
    model,
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: promptTokens + outputTokens,
    },
  };
}

function toAnswer(question: OpenAiQuestion, decision: Decision) {
  const shared = { name: question.name ?? null, label_mass: decision.labelMass };
  if (decision.type === 'refused') return { type: 'refusal' as const, reason: decision.reason, ...shared };
  const { probabilities } = decision;
  const confidence = confidenceOf(probabilities);
  switch (question.type) {
    case 'predicate':
      return { type: 'predicate' as const, probability: probabilities[0]!, ...shared };
    case 'choice':
      return {
        type: 'choice' as const,
        choice: question.choices[likeliest(probabilities)]!.value,
        confidence,
        probabilities: question.choices.map(({ value }, index) => ({ value, probability: probabilities[index]! })),
        ...shared,
      };
    default:
      return {
        type: 'score' as const,
        score: expectedLevel(probabilities),
        confidence,
        probabilities: question.levels.map(({ label }, value) => ({
          label,
          value,
          probability: probabilities[value]!,
        })),
        ...shared,
      };
  }
}
