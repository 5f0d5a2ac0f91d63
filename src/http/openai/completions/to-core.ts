import type { ChatRequest } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import { formatOf } from '../objects/response-format.ts';
import { type Prompt, toPrompts } from './prompts.ts';
import type { CompletionBody } from './schema.ts';

/** OpenAI's own default for `/completions`; chat has none. */
const defaultMaxTokens = 16;

/** A body of `/completions` in the words of the core, and what its answer needs to be written. */
export interface CompletionWish {
  /** One for each prompt: text that is continued as it stands, without the chat template. */
  chats: [ChatRequest, ...ChatRequest[]];
  /** Choices that are made for each prompt, and those of them that are shown. */
  candidates: number;
  wanted: number;
  /** What stands before the text of an answer, for each prompt; null: nothing. */
  echoes: (Prompt | null)[];
}

/** Throws `invalid_request` for what the schema cannot see or we do not have. */
export function completionToCore(body: CompletionBody): CompletionWish {
  const prompts = toPrompts(body.prompt);
  const wanted = body.n ?? 1;
  const candidates = toCandidates(body, wanted);
  // The best are found by them.
  const top = body.logprobs ?? (candidates > wanted ? 0 : null);
  const common = {
    ...toCommon(body, { otherwise: defaultMaxTokens }),
    ...(candidates > 1 && { choices: candidates }),
    ...(top !== null && { logprobs: { top } }),
  };
  const toChat = (prompt: Prompt): ChatRequest => ({
    ...common,
    input: { type: 'text', prompt, ...(body.suffix && { suffix: body.suffix }) },
  });
  const [first, ...others] = prompts;
  return {
    chats: [toChat(first), ...others.map(toChat)],
    candidates,
    wanted,
    echoes: prompts.map((prompt) => (body.echo ? toEcho(prompt, body) : null)),
  };
}

function toCandidates(body: CompletionBody, wanted: number): number {
  const candidates = body.best_of ?? wanted;
  const refuse = (problem: string) => new AppError('invalid_request', `"best_of" ${problem}.`, { field: 'best_of' });
  if (candidates < wanted) throw refuse('must be at least "n"');
  if (candidates === wanted) return candidates;
  if (body.stream) throw refuse('above "n" excludes "stream": the best is known at the end');
  const other = formatOf(body)?.field ?? null;
  if (other !== null) throw refuse(`above "n" excludes "${other}"`);
  return candidates;
}

function toEcho(prompt: Prompt, body: CompletionBody): Prompt {
  if ((body.logprobs ?? null) === null) return prompt;
  throw new AppError('invalid_request', '"echo": The log probabilities of the prompt are not supported.', {
    field: 'echo',
    fix: 'Leave one of the two out.',
  });
}
