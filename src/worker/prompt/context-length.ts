import { AppError } from '../../core/errors.ts';

/** The error of a prompt that does not fit: both numbers, before anything is decoded. */
export function contextLengthError(promptTokens: number, contextTokens: number): AppError {
  return new AppError(
    'context_length_exceeded',
    `The prompt has ${promptTokens} tokens; the context holds ${contextTokens}, and the answer needs room too.`,
    {
      field: 'input',
      fix: 'Shorten the prompt, or load the model with a larger context.',
      details: { prompt_tokens: promptTokens, context_tokens: contextTokens },
    },
  );
}
