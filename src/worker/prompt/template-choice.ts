import type { ChatInput } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { ChatTemplate } from './template.ts';

/** The template that a request is rendered with. */
export type TemplateChoice = (input: ChatInput) => ChatTemplate;

/** Clients send the same few again and again; compiling one takes milliseconds. */
const mostKept = 8;

/**
 * The model's own template, or the one that a request brings. Throws `invalid_request` for one of those that cannot be
 * used.
 */
export function createTemplateChoice(own: ChatTemplate, compile: (source: string) => ChatTemplate): TemplateChoice {
  const kept = new Map<string, ChatTemplate>();
  return (input) => {
    const source = input.type === 'chat' ? input.template : undefined;
    if (source === undefined) return own;
    const known = kept.get(source) ?? compile(source);
    if (known.warning !== null) {
      throw new AppError('invalid_request', `The chat template of the request cannot be used: ${known.warning}.`, {
        field: 'input.template',
      });
    }
    kept.delete(source);
    kept.set(source, known);
    if (kept.size > mostKept) kept.delete(kept.keys().next().value!);
    return known;
  };
}
