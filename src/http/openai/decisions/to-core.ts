import {
  type DecisionOption,
  type DecisionQuestion,
  type DecisionRequest,
  decisionLimits,
} from '../../../core/decision.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { checkCount, checkUnique, readItem } from '../../fields/list-items.ts';
import { contentText, inputText, type Reading } from './input.ts';
import { type DecisionBody, type OpenAiQuestion, openaiQuestion } from './schema.ts';

/** A request with the questions as they came, as their answers need them. */
export interface AskedDecision {
  request: DecisionRequest;
  questions: readonly OpenAiQuestion[];
  /** Fields of questions and of the input that change nothing. */
  ignored: string[];
}

/** The body of `/v1/decisions` in the words of the core. Throws `invalid_request` that names what is at fault. */
export function decisionToCore(body: DecisionBody): AskedDecision {
  const model = body.model ?? 'default';
  checkCount(body.questions.length, decisionLimits.questions);
  const lists = { choices: decisionLimits.choices.most, levels: decisionLimits.levels.most };
  const reading = { model, ignored: [] as string[] };
  const questions = body.questions.map((question, index) =>
    readItem(openaiQuestion, question, `questions.${index}`, { lists, ignored: reading.ignored }),
  );
  const keepAlive = body.keep_alive ?? null;
  return {
    questions,
    ignored: reading.ignored,
    request: {
      model,
      state: inputText(body.input, reading),
      questions: questions.map((question, index) => toQuestion(question, `questions.${index}`, reading)),
      ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
    },
  };
}

function toQuestion(question: OpenAiQuestion, field: string, reading: Reading): DecisionQuestion {
  const text = contentText(question.instructions, `${field}.instructions`, reading);
  switch (question.type) {
    case 'predicate':
      return { type: 'yes-no', text: `Is this true? ${text}` };
    case 'choice': {
      // A text and a boolean of the same word are two choices.
      checkUnique(
        question.choices.map(({ value }) => JSON.stringify(value)),
        `${field}.choices`,
        'a value before it',
      );
      return {
        type: 'choice',
        text,
        options: question.choices.map(({ value, description }) => toOption(`${value}`, description)),
      };
    }
    default:
      return {
        type: 'score',
        text,
        levels: question.levels.map(({ label, description }) => toOption(label, description)),
      };
  }
}

function toOption(label: string, description: string | null | undefined): DecisionOption {
  return description ? { label, description } : { label };
}
