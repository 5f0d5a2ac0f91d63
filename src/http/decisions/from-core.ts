import { confidenceOf, type Decision, type DecisionResult, expectedLevel, likeliest } from '../../core/decision.ts';
import type { NamedRequest } from './to-core.ts';

/** The answer of `/systemone`: a question without an answer is missing in `answers`, and `refusals` says why. */
export function toSystemOne(
  { named }: NamedRequest,
  { model, decisions, promptTokens, outputTokens = 0 }: DecisionResult,
) {
  const pairs = named.map(([name, question], index) => ({ name, question, decision: decisions[index]! }));
  const answers = pairs.flatMap(({ name, question, decision }) =>
    decision.type === 'decided' ? [[name, toAnswer(question, decision)] as const] : [],
  );
  const refusals = pairs.flatMap(({ name, decision }) =>
    decision.type === 'refused' ? [[name, { reason: decision.reason, label_mass: decision.labelMass }] as const] : [],
  );
  return {
    model,
    answers: Object.fromEntries(answers),
    ...(refusals.length > 0 && { refusals: Object.fromEntries(refusals) }),
    usage: { input_tokens: promptTokens, output_tokens: outputTokens },
  };
}

function toAnswer(
  question: NamedRequest['named'][number][1],
  { probabilities, labelMass }: Extract<Decision, { type: 'decided' }>,
) {
  const common = { confidence: confidenceOf(probabilities), label_mass: labelMass };
  switch (question.type) {
    case 'noul':
      return { type: 'noul' as const, noul: probabilities[0]!, label_mass: labelMass };
    case 'choice': {
      const labels = Object.keys(question.criteria);
      const byLabel = Object.fromEntries(labels.map((label, index) => [label, probabilities[index]!]));
      return { type: 'choice' as const, choice: labels[likeliest(probabilities)]!, probabilities: byLabel, ...common };
    }
    default:
      return {
        type: 'score' as const,
        score: expectedLevel(probabilities),
        legend: Object.fromEntries(question.criteria.entries()),
        probabilities: Object.fromEntries(probabilities.entries()),
        ...common,
      };
  }
}
