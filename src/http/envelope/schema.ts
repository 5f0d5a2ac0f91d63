import { z } from 'zod';
import { costField } from '../answer/answer.ts';
import {
  batchAnswer,
  batchBody,
  batchListAnswer,
  countAnswer,
  countBody,
  type MessagesBody,
  messageAnswer,
  messageEvent,
  messagesBody,
  resultLine,
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

const metadata = z.object({ request_id: z.string(), processing_time_ms: count, cost: costField.optional() });

export const createAnswer = z
  .object({ success: z.literal(true), data: messageAnswer, metadata })
  .meta({ id: 'CreateMessageResponse' });

export const countTokensAnswer = z
  .object({ success: z.literal(true), data: countAnswer, metadata })
  .meta({ id: 'CountTokensResponse' });

export const streamRecord = z
  .union([
    z.object({ type: z.literal('text'), text: z.string() }).meta({ description: 'A piece of text, once more.' }),
    z.object({ type: z.literal('message_stop'), cost: costField }),
    messageEvent,
    envelopeError.extend({ type: z.literal('error') }),
  ])
  .meta({ id: 'MessageStreamRecord' });

/** A request of a batch in Anthropic's own form, as far as it has one: what is wrong with it is said later. */
export function toMessagesParams(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tool_choice: choice, max_tokens: maxTokens = mostTokens } = params;
  return { ...params, max_tokens: maxTokens, ...(typeof choice === 'string' && { tool_choice: { type: choice } }) };
}

const inEnvelope = <Schema extends z.ZodType>(data: Schema) => z.object({ success: z.literal(true), data, metadata });

export const batchEnvelopeBody = batchBody
  .extend({
    webhook_url: z
      .string()
      .optional()
      .meta({ description: 'Who is told of the end of the batch; its host is in jobs.webhook_hosts.' }),
  })
  .meta({ id: 'CreateBatchRequest' });

export const batchEnvelope = inEnvelope(batchAnswer).meta({ id: 'BatchResponse' });
export const batchListEnvelope = inEnvelope(batchListAnswer).meta({ id: 'BatchListResponse' });
export const batchResultsEnvelope = inEnvelope(z.object({ batch_id: z.string(), results: z.array(resultLine) })).meta({
  id: 'BatchResultsResponse',
});
