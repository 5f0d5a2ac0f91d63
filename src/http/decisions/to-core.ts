import type { z } from 'zod';
import {
  type DecisionOption,
  type DecisionQuestion,
  type DecisionRequest,
  decisionLimits,
} from '../../core/decision.ts';
import { parseKeepAlive } from '../fields/keep-alive.ts';
import { asText, checkCount, readItem, wrong } from '../fields/list-items.ts';
import { mostQuestions, type systemOneBody, systemOneQuestion } from './schema.ts';

type Question = z.output<typeof systemOneQuestion>;

/** A request with the questions by name, as their answers need them. */
export interface NamedRequest {
  request: DecisionRequest;
  /** Name and question as it came, in the order of the core's. */
  named: readonly (readonly [string, Question])[];
  /** Fields of questions that change nothing. */
  ignored: string[];
}

/** The body of `/systemone` in the words of the core. Throws `invalid_request` that names the question at fault. */
export function systemOneToCore(body: z.output<typeof systemOneBody>): NamedRequest {
  const entries = Object.entries(body.questions);
  checkCount(entries.length, mostQuestions);
  const lists = { criteria: decisionLimits.choices.most };
  const ignored: string[] = [];
  const named = entries.map(
    ([name, question]) =>
      [name, readItem(systemOneQuestion, question, `questions.${name}`, { lists, ignored })] as const,
  );
  const keepAlive = body.keep_alive ?? null;
  return {
    named,
    ignored,
    request: {
      model: body.model ?? 'default',
      state: asText(body.state),
      questions: named.map(([name, question]) => toQuestion(question, `questions.${name}`)),
      ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
    },
  };
}

function toQuestion(question: Question, field: string): DecisionQuestion {
  const text = asText(question.instructions);
  switch (question.type) {
    case 'noul': {
      const { true: yes, false: no } = question.criteria ?? {};
      return { type: 'yes-no', text, ...(yes && { yes }), ...(no && { no }) };
    }
    case 'choice': {
      const options = Object.entries(question.criteria).map(([label, description]) => toOption(label, description));
      const { least } = decisionLimits.choices;
      if (options.length < least) throw wrong(`${field}.criteria`, `needs at least ${least} options`);
      return { type: 'choice', text, options };
    }
    default:
      return { type: 'score', text, levels: question.criteria.map((level) => ({ label: asText(level) })) };
  }
}

function toOption(label: string, description: unknown): DecisionOption {
  return description === null ? { label } : { label, description: asText(description) };
}
