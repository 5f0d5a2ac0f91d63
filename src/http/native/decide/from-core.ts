import { confidenceOf, type Decision, type DecisionResult, expectedLevel, likeliest } from '../../../core/decision.ts';
import type { NativeQuestion } from './schema.ts';
import { labelOf } from './to-core.ts';

/** The answer of `/decide`, in the order of the questions. */
export function toDecideAnswer(
  questions: readonly NativeQuestion[],
  {
    model,
    decisions,
    promptTokens,
    cachedTokens,
    outputTokens = 0,
    providerId,
  }: DecisionResult & { providerId: string },
  requestId: string,
) {
  return {
    answers: questions.map((question, index) => toAnswer(question, decisions[index]!)),
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: outputTokens,
      total_tokens: promptTokens + outputTokens,
      cached_prompt_tokens: cachedTokens,
    },
    model,
    provider: providerId,
    request_id: requestId,
  };
}

function toAnswer(question: NativeQuestion, decision: Decision) {
  const shared = { name: question.name ?? null, label_mass: decision.labelMass };
  if (decision.type === 'refused') return { type: 'refused' as const, reason: decision.reason, ...shared };
  const { probabilities } = decision;
  const confidence = confidenceOf(probabilities);
  if (question.type === 'yes_no') {
    return { type: 'yes_no' as const, probability: probabilities[0]!, confidence, ...shared };
  }
  const labels = (question.type === 'choice' ? question.options : question.levels).map(labelOf);
  const byOption = labels.map((label, index) => ({ label, probability: probabilities[index]! }));
  return question.type === 'choice'
    ? {
        type: 'choice' as const,
        choice: labels[likeliest(probabilities)]!,
        probabilities: byOption,
        confidence,
        ...shared,
      }
    : { type: 'score' as const, score: expectedLevel(probabilities), probabilities: byOption, confidence, ...shared };
}
