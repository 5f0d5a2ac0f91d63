import type { ChatRequest } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import type { CompletionBody } from './schema.ts';

/** OpenAI's own default for `/completions`; chat has none. */
const defaultMaxTokens = 16;

/** A body of `/completions`: text that is continued as it stands, without the chat template. */
export function completionToCore(body: CompletionBody): ChatRequest {
  if (body.echo) throw notYet('echo', 'Repeating the prompt');
  if (body.suffix !== null && body.suffix !== undefined) throw notYet('suffix', 'Filling in before a suffix');
  const choices = body.n ?? 1;
  if ((body.best_of ?? choices) !== choices) {
    throw notYet('best_of', 'Choosing among more candidates than "n"', 'Leave it out.');
  }
  const top = body.logprobs ?? null;
  return {
    ...toCommon(body, body.max_tokens ?? defaultMaxTokens),
    input: { type: 'text', prompt: toPrompt(body.prompt) },
    ...(top !== null && { logprobs: { top } }),
  };
}

/** `what` of the field we do not have. */
function notYet(field: string, what: string, fix = 'Leave it out.'): AppError {
  return new AppError('invalid_request', `"${field}": ${what} is not supported yet.`, { field, fix });
}

function toPrompt(prompt: CompletionBody['prompt']): string {
  if (typeof prompt === 'string') return prompt;
  const [only] = prompt;
  if (typeof only === 'string' && prompt.length === 1) {
    if (only === '') throw new AppError('invalid_request', '"prompt.0" is empty.', { field: 'prompt.0' });
    return only;
  }
  const what = typeof only === 'string' ? 'More than one prompt' : 'A prompt of token numbers';
  throw notYet('prompt', what, 'Send one string.');
}
