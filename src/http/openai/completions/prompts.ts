import { AppError } from '../../../core/errors.ts';
import { toTokens } from '../objects/token-list.ts';
import { type CompletionBody, maxPrompts } from './schema.ts';

/** A text, or the numbers of its tokens. */
export type Prompt = string | number[];

/** The prompts of a body, in order. Throws `invalid_request` that names the item at fault. */
export function toPrompts(prompt: CompletionBody['prompt']): [Prompt, ...Prompt[]] {
  if (typeof prompt === 'string') return [toText(prompt, 'prompt')];
  if (typeof prompt[0] === 'number') return [toTokens(prompt, 'prompt')];
  if (prompt.length > maxPrompts) throw wrong('prompt', `has ${prompt.length} items; at most ${maxPrompts} are taken`);
  const [first, ...others] = prompt.map((item, index) => {
    const field = `prompt.${index}`;
    if (typeof item === 'string') return toText(item, field);
    if (Array.isArray(item)) return toTokens(item, field);
    throw wrong(field, 'must be a text or an array of token numbers');
  });
  if (first === undefined) throw wrong('prompt', 'is empty');
  return [first, ...others];
}

function toText(text: string, field: string): string {
  if (text === '') throw wrong(field, 'is empty');
  return text;
}

function wrong(field: string, problem: string): AppError {
  return new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
