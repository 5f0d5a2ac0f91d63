import { ignoredInOptions } from '../objects/common-to-core.ts';
import type { ChatBody } from './schema.ts';

/** The field of each part that is read, where it is not `text`. */
const partFields: Readonly<Record<string, string>> = {
  refusal: 'refusal',
  image_url: 'image_url',
  file: 'file',
  input_audio: 'input_audio',
};

/** Fields below the top of a body that are taken and change nothing, as the header `x-hearth-ignored` names them. */
export function ignoredBelow(body: ChatBody): string[] {
  const names = new Set(ignoredInOptions(body));
  for (const message of body.messages) {
    const isTold = message.role === 'tool' || message.role === 'function';
    if (!isTold && isGiven(message.name)) names.add('messages.name');
    if (message.role === 'assistant' && isGiven(message.audio)) names.add('messages.audio');
    if (typeof message.content === 'string') continue;
    for (const part of message.content ?? []) {
      if (message.role === 'assistant' && !hasText(part)) names.add(`messages.content.${part.type}`);
      for (const [name, value] of Object.entries(part)) {
        if (name !== 'type' && name !== (partFields[part.type] ?? 'text') && isGiven(value)) {
          names.add(`messages.content.${name}`);
        }
      }
    }
  }
  return [...names];
}

const isGiven = (value: unknown) =>
  value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
/** Whether what an assistant said has words; what has none is left out. */
const hasText = (part: { type: string; text?: string | undefined }) =>
  part.text !== undefined || part.type === 'refusal';
