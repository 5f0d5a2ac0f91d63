import type { Decision, DecisionQuestion, DecisionRequest, DecisionResult } from '../../core/decision.ts';
import { type AskJson, broken, keepAliveField } from './embeddings.ts';
import type { ServiceRow } from './presets.ts';
import { countAt, isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** Closed questions in the form of `/decisions`. */
export async function decideOverWire(
  request: DecisionRequest,
  deps: { provider: string; row: ServiceRow; model: string; ask: AskJson },
): Promise<DecisionResult> {
  const { row, provider } = deps;
  const answer = await deps.ask('/decisions', {
    model: deps.model,
    input: request.state,
    questions: request.questions.map(toQuestion),
    ...keepAliveField(request.keepAliveMs, row),
  });
  const answers = listAt(answer, 'answers');
  if (answers.length !== request.questions.length) {
    throw broken(provider, `${answers.length} answers to ${request.questions.length} questions`);
  }
  const usage = jsonAt(answer, 'usage');
  return {
    model: textAt(answer, 'model') ?? deps.model,
    decisions: request.questions.map((question, index) => toDecision(answers[index], question, provider)),
    promptTokens: countAt(usage, 'input_tokens') ?? 0,
    cachedTokens: countAt(jsonAt(usage, 'input_tokens_details'), 'cached_tokens') ?? 0,
    queueMs: null,
  };
}

function toQuestion(question: DecisionQuestion): Json {
  const { text: instructions } = question;
  switch (question.type) {
    case 'choice':
      return {
        type: 'choice',
        instructions,
        choices: question.options.map(({ label, description }) => described({ value: label }, description)),
      };
    case 'score':
      return {
        type: 'score',
        instructions,
        levels: question.levels.map(({ label, description }) => described({ label }, description)),
      };
    default: {
      const { yes, no } = question;
      if (yes === undefined && no === undefined) return { type: 'predicate', instructions };
      // A predicate has no words for its sides; a choice of two booleans does.
      return {
        type: 'choice',
        instructions,
        choices: [described({ value: true }, yes), described({ value: false }, no)],
      };
    }
  }
}

function described(option: Json, description: string | undefined): Json {
  return description === undefined ? option : { ...option, description };
}

function toDecision(answer: unknown, question: DecisionQuestion, provider: string): Decision {
  const labelMass = countAt(answer, 'label_mass') ?? 1;
  if (isJson(answer) && answer['type'] === 'refusal') {
    return { type: 'refused', reason: textAt(answer, 'reason') ?? 'It gave no reason.', labelMass };
  }
  const yes = countAt(answer, 'probability');
  const probabilities =
    yes === null ? listAt(answer, 'probabilities').map((one) => countAt(one, 'probability') ?? 0) : [yes, 1 - yes];
  const expected =
    question.type === 'choice' ? question.options.length : question.type === 'score' ? question.levels.length : 2;
  if (probabilities.length !== expected)
    throw broken(provider, `${probabilities.length} probabilities for ${expected} options`);
  return { type: 'decided', probabilities, labelMass };
}
