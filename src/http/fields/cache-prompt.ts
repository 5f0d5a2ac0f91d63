import { z } from 'zod';
import type { ChatRequest } from '../../core/chat.ts';

/** The request field, named as in llama-server; "pin" is ours. */
export const cachePromptField = z.union([z.boolean(), z.literal('pin')], { error: 'only true, false or "pin"' }).meta({
  description:
    'Whether what was computed for earlier prompts is used, and this one is kept: true is the default, false does ' +
    'neither, "pin" keeps the prompt on disk from the first time on.',
});

/** The field in the words of the core. */
export function toPromptCache(value: boolean | 'pin' | null | undefined): Pick<ChatRequest, 'promptCache'> {
  if (value === 'pin') return { promptCache: 'pin' };
  return value === false ? { promptCache: 'none' } : {};
}
