import { z } from 'zod';
import {
  countAnswer,
  countBody,
  type MessagesBody,
  messageAnswer,
  messageEvent,
  messagesBody,
} from '../anthropic/anthropic.ts';
import { count } from '../fields/answer-values.ts';
import { envelopeError } from './errors.ts';

/** No answer is longer: it may go on to the end of the context. */
const mostTokens = 2 ** 31 - 1;

const toolChoice = z.union([z.enum(['auto', 'any', 'none']), messagesBody.shape.tool_choice]);

/** Bodies as Anthropic has them; a choice of tools may be a word, and the most tokens may be left out. */
export const createBody = messagesBody
  .extend({ max_tokens: messagesBody.shape.max_tokens.optional(), tool_choice: toolChoice })
  .meta({
    id: 'CreateMessageRequest',
    examples: [{ model: 'default', max_tokens: 256, messages: [{ role: 'user', content: 'What is Hearth?' }] }],
  });
export const countTokensBody = countBody.extend({ tool_choice: toolChoice }).meta({ id: 'CountTokensRequest' });

/** A choice of tools in Anthropic's own form. */
export function toToolChoice(choice: z.infer<typeof toolChoice>): Pick<MessagesBody, 'tool_choice'> {
  if (choice === undefined) return {};
  return { tool_choice: typeof choice === 'string' ? { type: choice } : choice };
}

/** A body in Anthropic's own form. */
export function toMessagesBody(body: z.infer<typeof createBody>): MessagesBody {
  const { tool_choice: choice, max_tokens: maxTokens = mostTokens, ...rest } = body;
  return { ...rest, max_tokens: maxTokens, ...toToolChoice(choice) };
}

const metadata = z.object({ request_id: z.string(), processing_time_ms: count });

export const createAnswer = z
  .object({ success: z.literal(true), data: messageAnswer, metadata })
  .meta({ id: 'CreateMessageResponse' });

export const countTokensAnswer = z
  .object({ success: z.literal(true), data: countAnswer, metadata })
  .meta({ id: 'CountTokensResponse' });

export const streamRecord = z
  .union([
    z.object({ type: z.literal('text'), text: z.string() }).meta({ description: 'A piece of text, once more.' }),
    messageEvent,
    envelopeError.extend({ type: z.literal('error') }),
  ])
  .meta({ id: 'MessageStreamRecord' });
