import type { DecisionOption, DecisionQuestion } from './decision.ts';

/** What stands in front of the input: the same for every question, so that its state serves all. */
export const instructions =
  'Read the text. Then answer the question about it with one of the given answers, and nothing else.';

/** The user's turn up to the question. */
export const beforeQuestion = (state: string): string => `Text:\n${state}\n\n`;

/** The options of a question in their own order. */
export function optionsOf(question: DecisionQuestion): readonly DecisionOption[] {
  switch (question.type) {
    case 'yes-no':
      return [
        { label: 'yes', ...(question.yes !== undefined && { description: question.yes }) },
        { label: 'no', ...(question.no !== undefined && { description: question.no }) },
      ];
    case 'choice':
      return question.options;
    default:
      return question.levels;
  }
}

/**
 * The question with its options in this order. `order`: places of the options. `letters`: what stands for the option at each
 * place; null: its own words do.
 */
export function wordQuestion(
  question: DecisionQuestion,
  order: readonly number[],
  letters: readonly string[] | null,
): string {
  const options = order.map((place) => optionsOf(question)[place]!);
  const asked = `Question: ${question.text}`;
  if (letters !== null) {
    const lines = options.map((option, at) => `${letters[at]!}) ${described(option)}`);
    return [asked, ...lines, 'Answer with the letter.'].join('\n');
  }
  if (options.every(({ description }) => description === undefined)) {
    return `${asked}\nAnswers: ${options.map(({ label }) => label).join(', ')}`;
  }
  return [asked, 'Answers:', ...options.map((option) => `- ${described(option)}`)].join('\n');
}

const described = ({ label, description }: DecisionOption) =>
  description === undefined ? label : `${label}: ${description}`;
