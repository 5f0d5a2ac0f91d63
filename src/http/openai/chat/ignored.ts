import { ignoredInOptions } from '../objects/common-to-core.ts';
import type { ChatBody } from './schema.ts';

/** Fields below the top of a body that are taken and change nothing, as the header `x-hearth-ignored` names them. */
export function ignoredBelow(body: ChatBody): string[] {
  const names = new Set(ignoredInOptions(body));
  for (const message of body.messages) {
    const isTold = message.role === 'tool' || message.role === 'function';
    if (!isTold && isGiven(message.name)) names.add('messages.name');
    if (message.role === 'assistant' && isGiven(message.audio)) names.add('messages.audio');
    if (typeof message.content === 'string') continue;
    for (const part of message.content ?? []) {
      if (isGiven(part['prompt_cache_breakpoint'])) names.add('messages.content.prompt_cache_breakpoint');
    }
  }
  return [...names];
}

const isGiven = (value: unknown) => value !== undefined && value !== null;
