import type { z } from 'zod';
import {
  type DecisionOption,
  type DecisionQuestion,
  type DecisionRequest,
  decisionLimits,
} from '../../../core/decision.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { asText, checkCount, checkUnique, readItem } from '../../fields/list-items.ts';
import { type decideBody, mostQuestions, type NativeQuestion, nativeQuestion } from './schema.ts';

/** A request with the questions as they came, as their answers need them. */
export interface AskedDecision {
  request: DecisionRequest;
  questions: readonly NativeQuestion[];
}

/** The body of `/decide` in the words of the core. Throws `invalid_request` that names the question at fault. */
export function decideToCore(body: z.output<typeof decideBody>): AskedDecision {
  checkCount(body.questions.length, mostQuestions);
  const lists = { options: decisionLimits.choices.most, levels: decisionLimits.levels.most };
  const questions = body.questions.map((question, index) =>
    readItem(nativeQuestion, question, `questions.${index}`, { lists }),
  );
  return {
    questions,
    request: {
      model: body.model ?? 'default',
      state: asText(body.input),
      questions: questions.map((question, index) => toQuestion(question, `questions.${index}`)),
      ...(body.keep_alive !== undefined && { keepAliveMs: parseKeepAlive(body.keep_alive) }),
    },
  };
}

function toQuestion(question: NativeQuestion, field: string): DecisionQuestion {
  const { question: text } = question;
  switch (question.type) {
    case 'yes_no': {
      const { yes, no } = question;
      return { type: 'yes-no', text, ...(yes !== undefined && { yes }), ...(no !== undefined && { no }) };
    }
    case 'choice':
      return { type: 'choice', text, options: toOptions(question.options, `${field}.options`) };
    default:
      return { type: 'score', text, levels: toOptions(question.levels, `${field}.levels`) };
  }
}

/** Options as the answer names them. */
export const labelOf = (option: string | { label: string }): string =>
  typeof option === 'string' ? option : option.label;

function toOptions(
  options: readonly (string | { label: string; description?: string | undefined })[],
  field: string,
): DecisionOption[] {
  checkUnique(options.map(labelOf), field, 'an option before it');
  return options.map((option) => {
    const description = typeof option === 'string' ? undefined : option.description;
    return { label: labelOf(option), ...(description !== undefined && { description }) };
  });
}
