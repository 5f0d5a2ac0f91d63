import type { Command } from 'commander';
import { AppError } from '../core/errors.ts';
import { toSnakeCase } from '../wire/snake-case.ts';
import type { DecideQuestion, DecisionView } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';

/** What a person types for a choice or a score, behind the question: `Topic? [billing, sales]`, `Urgent? [low < high]`. */
const withOptions = /^(?<question>.+?)\s*\[(?<options>[^[\]]+)\]$/s;

/** `hearth decide`: closed questions about the text on stdin. Exit code 0: all are answered, 1: one is not. */
export function addDecideCommand(program: Command, deps: CommandDeps): void {
  const collect = (value: string, before: string[]) => [...before, value];
  program
    .command('decide <model>')
    .description('answer closed questions about the text on stdin, with probabilities')
    .requiredOption(
      '--question <question>',
      'yes or no; with options behind it a choice: "What is it? [a, b]"; with levels a score: "How bad? [low < high]"',
      collect,
      [],
    )
    .option('--json', 'print JSON')
    .action(async (model: string, flags: { question: string[]; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const questions = flags.question.map(readQuestion);
        const answers = await client.decide(await deps.readInput(), questions, model);
        const lines = answers.flatMap((answer, index) => describe(questions[index]!, answer));
        print(deps.terminal, flags.json, toSnakeCase(answers), lines);
        return answers.every(({ reason }) => reason === null) ? 0 : 1;
      });
    });
}

/** A question as it is typed. Throws `invalid_request` for one without words. */
export function readQuestion(typed: string): DecideQuestion {
  const { question, options } = withOptions.exec(typed.trim())?.groups ?? {};
  if (question === undefined || options === undefined) {
    if (typed.trim() === '') throw new AppError('invalid_request', 'A question is empty.');
    return { type: 'yes_no', question: typed.trim() };
  }
  const split = (by: string) => options.split(by).map((option) => option.trim());
  return options.includes('<')
    ? { type: 'score', question, levels: split('<') }
    : { type: 'choice', question, options: split(',') };
}

function describe({ question }: DecideQuestion, answer: DecisionView): string[] {
  if (answer.reason !== null) return [question, `  no answer: ${answer.reason}`];
  const { score, probabilities } = answer;
  const [only] = probabilities;
  if (answer.type === 'yes_no' && only) return [`${question}  yes ${percent(only.probability)}`];
  return [
    score === null ? question : `${question}  ${score.toFixed(2)} of ${probabilities.length - 1}`,
    ...probabilities.map(({ label, probability }) => `  ${percent(probability).padStart(7)}  ${label}`),
  ];
}

const percent = (probability: number) => `${(probability * 100).toFixed(1)} %`;
