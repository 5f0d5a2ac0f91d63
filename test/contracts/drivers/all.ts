import type { DialectDriver } from '../dialect.contract.ts';
import { anthropicDrivers } from './anthropic.ts';
import { nativeDrivers } from './native.ts';
import { ollamaDrivers } from './ollama.ts';
import { openaiChatDrivers } from './openai-chat.ts';
import { openaiCompletionsDrivers } from './openai-completions.ts';
import { openaiResponsesDrivers } from './openai-responses.ts';

/** Every endpoint that generates, in every dialect. */
export const allDrivers: readonly DialectDriver[] = [
  ...anthropicDrivers,
  ...nativeDrivers,
  ...ollamaDrivers,
  ...openaiChatDrivers,
  ...openaiCompletionsDrivers,
  ...openaiResponsesDrivers,
];
