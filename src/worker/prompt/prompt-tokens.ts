import type { ChatInput } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { WorkerRequest } from '../../ipc/protocol.ts';
import type { Runtime } from '../llama/llama.ts';
import { contextLengthError } from './context-length.ts';

/** Largest prompt in characters that is tokenised at all, per context token: no token of any vocabulary is longer on average. */
const maxCharactersPerToken = 64;

/**
 * The tokens of a prompt; `pieces`: the text that it was rendered to. Tokens that a client sends are the prompt as it stands, but
 * for what the vocabulary does not have.
 */
export function promptTokens(
  request: Pick<WorkerRequest, 'input' | 'model'>,
  pieces: readonly string[],
  runtime: PromptRuntime,
): number[] {
  const { input } = request;
  if (input.type === 'text' && input.suffix !== undefined) return infillTokens(request, input, runtime);
  if (input.type !== 'text' || typeof input.prompt === 'string') return tokenizePrompt(pieces, runtime);
  return knownTokens(input.prompt, runtime);
}

type PromptRuntime = Pick<Runtime, 'contextTokens' | 'infill' | 'tokenize' | 'tokenizeFurther'> & {
  vocabulary: { size: number };
};

/** What stands before the gap, then what stands behind it, then the place where the model is to go on. */
function infillTokens(
  { model }: Pick<WorkerRequest, 'model'>,
  { prompt, suffix = '' }: Extract<ChatInput, { type: 'text' }>,
  runtime: PromptRuntime,
): number[] {
  const { infill } = runtime;
  if (infill === null) {
    throw new AppError('invalid_request', `"${model}" has no tokens for filling in before a suffix.`, {
      field: 'input.suffix',
      fix: 'Leave the suffix out, or choose a model that was made for it.',
    });
  }
  const tokenize = (text: string) => {
    refuseEndless([text], runtime.contextTokens);
    return runtime.tokenizeFurther(text);
  };
  return [
    ...runtime.tokenize(['']),
    infill.prefix,
    ...(typeof prompt === 'string' ? tokenize(prompt) : knownTokens(prompt, runtime)),
    infill.suffix,
    ...tokenize(suffix),
    infill.middle,
  ];
}

/** The tokens, all of which the model has. Throws `invalid_request` otherwise. */
export function knownTokens(
  tokens: readonly number[],
  { vocabulary: { size } }: Pick<PromptRuntime, 'vocabulary'>,
): number[] {
  const unknown = tokens.find((token) => token >= size);
  if (unknown === undefined) return [...tokens];
  throw new AppError('invalid_request', `The prompt has token ${unknown}; this model has ${size} tokens.`, {
    field: 'input.prompt',
  });
}

function tokenizePrompt(pieces: readonly string[], runtime: Pick<Runtime, 'contextTokens' | 'tokenize'>): number[] {
  refuseEndless(pieces, runtime.contextTokens);
  return runtime.tokenize([...pieces]);
}

/** Throws `context_length_exceeded` for a text that could not fit, and would take long to tokenise. */
export function refuseEndless(pieces: readonly string[], contextTokens: number): void {
  const characters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (characters > contextTokens * maxCharactersPerToken) {
    // Certainly too long: the count is a floor, said as such by the message of the larger number.
    throw contextLengthError(Math.ceil(characters / maxCharactersPerToken), contextTokens);
  }
}
