import { randomBytes } from 'node:crypto';
import { beforeQuestion, instructions } from '../../core/decision-wording.ts';
import { AppError } from '../../core/errors.ts';
import type { Runtime } from '../llama/llama.ts';
import type { ChatTemplate } from '../prompt/prompt.ts';
import { createLabels, type Labels } from './labels.ts';

/** Largest input in characters that is tokenised at all, per context token: no token is longer on average. */
const maxCharactersPerToken = 64;

/** Prompts in two parts: what all questions about an input share, and one question with the place of its answer. */
export interface DecisionPrompts {
  /** Tokens up to the question. Throws as the template does, and `context_length_exceeded` for what can never fit. */
  shared(state: string): number[];
  /** Tokens behind them. */
  question(text: string): number[];
  /** What may stand for options. */
  labels(): Labels;
}

/**
 * Makes prompts by a model's own chat template, thinking switched off. The parts are tokenised apart, so that the shared
 * one is the same whatever is asked. `most`: letters that are looked for as labels.
 */
export function createDecisionPrompts(deps: {
  runtime: Pick<Runtime, 'tokenize' | 'tokenizeFurther' | 'contextTokens'>;
  template: Pick<ChatTemplate, 'render' | 'reasoning'>;
  most: number;
}): DecisionPrompts {
  const { runtime, template } = deps;
  let found: Labels | null = null;

  /** The rendered turn on both sides of the place between `before` and `after`. */
  const render = (before: string, after: string): { before: string[]; after: string[] } => {
    const mark = `[cut ${randomBytes(12).toString('hex')}]`;
    const { pieces } = template.render({
      messages: [
        { role: 'system', content: [{ type: 'text', text: instructions }] },
        { role: 'user', content: [{ type: 'text', text: before + mark + after }] },
      ],
      tools: [],
      // By the names that templates know.
      options: { enable_thinking: false, thinking: false },
    });
    const at = pieces.findIndex((piece) => piece.includes(mark));
    if (at < 0) throw unusable();
    const [head = '', tail = ''] = pieces[at]!.split(mark);
    return {
      before: [...pieces.slice(0, at), head],
      after: beginAnswer([tail, ...pieces.slice(at + 1)], template),
    };
  };

  return {
    shared(state) {
      if (state.length > runtime.contextTokens * maxCharactersPerToken) {
        throw tooLong(Math.ceil(state.length / maxCharactersPerToken), runtime.contextTokens);
      }
      return runtime.tokenize(render(beforeQuestion(state), '').before);
    },
    question: (text) => render(beforeQuestion(''), text).after.flatMap((piece) => runtime.tokenizeFurther(piece)),
    labels() {
      found ??= createLabels(render(beforeQuestion(''), '').after.at(-1)!, runtime.tokenizeFurther, deps.most);
      return found;
    },
  };
}

/**
 * What every answer begins with. Small models like to begin with a sentence; behind this next to all of the distribution
 * falls on the options (figures in docs/dialect-decisions.md).
 */
const answerBegins = 'Answer:';

/** The answer begun, past what a template opens in front of it. */
function beginAnswer(pieces: readonly string[], { reasoning }: Pick<ChatTemplate, 'reasoning'>): string[] {
  const last = pieces.at(-1) ?? '';
  const end = last.trimEnd();
  const closing = end.endsWith(reasoning.open.trimEnd())
    ? `\n${reasoning.close}\n\n`
    : // gpt-oss names the channel of each message before it.
      end.endsWith('<|start|>assistant')
      ? '<|channel|>final<|message|>'
      : '';
  return [...pieces.slice(0, -1), last + closing + answerBegins];
}

/** Both numbers, before anything is evaluated. */
export function tooLong(promptTokens: number, contextTokens: number): AppError {
  return new AppError(
    'context_length_exceeded',
    `The input has ${promptTokens} tokens with its longest question; the context holds ${contextTokens}.`,
    {
      field: 'state',
      fix: 'Shorten the input, or load the model with a larger context.',
      details: { prompt_tokens: promptTokens, context_tokens: contextTokens },
    },
  );
}

function unusable(): AppError {
  return new AppError('invalid_request', "The model's chat template does not write a text as it is.", {
    field: 'model',
    fix: 'Ask another model for decisions.',
  });
}
