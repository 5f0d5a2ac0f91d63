import type { ChatMessage, ChatRequest } from '../../../core/chat.ts';
import { toAppError } from '../../../core/errors.ts';
import type { BegunAnswer, Gateway } from '../../../gateway/gateway.ts';

/** Part of the context that stays free for the answer, where the conversation has to be cut anyway. */
const answerShare = 1 / 4;
const maxCuts = 8;

/**
 * Asks as the gateway does; where the context has no room for the conversation, without its oldest turns. Instructions
 * stay, and so does the last turn: where that alone is too long, the error stays too.
 */
export async function streamTruncated(
  stream: Gateway['stream'],
  request: ChatRequest,
  context: Parameters<Gateway['stream']>[1],
): Promise<BegunAnswer> {
  let current = request;
  for (let cuts = 0; ; cuts++) {
    try {
      return await stream(current, context);
    } catch (thrown) {
      const error = toAppError(thrown);
      const shorter =
        error.code === 'context_length_exceeded' && cuts < maxCuts ? shortened(current, error.details) : null;
      if (shorter === null) throw thrown;
      current = shorter;
    }
  }
}

/** The request without so many of its oldest turns that it should fit; null: nothing can go. */
function shortened(request: ChatRequest, details: Readonly<Record<string, unknown>> | null): ChatRequest | null {
  const { input } = request;
  if (input.type !== 'chat') return null;
  const promptTokens = Number(details?.['prompt_tokens']);
  const contextTokens = Number(details?.['context_tokens']);
  const reserve = Math.min(request.maxTokens ?? Number.POSITIVE_INFINITY, contextTokens * answerShare);
  const sizes = input.messages.map(sizeOf);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const excess = ((promptTokens - (contextTokens - reserve)) / promptTokens) * total;
  const messages = withoutOldest(input.messages, sizes, Number.isFinite(excess) ? excess : 1);
  return messages && { ...request, input: { ...input, messages } };
}

/** Messages from a later question on, at least so much shorter, and the system's before it; null: there is no later one. */
function withoutOldest(
  messages: readonly ChatMessage[],
  sizes: readonly number[],
  excess: number,
): ChatMessage[] | null {
  const starts = messages.flatMap((message, index) => (isQuestion(message) ? [index] : []));
  const [first, ...later] = starts;
  if (first === undefined || later.length === 0) return null;
  const dropped = (end: number) =>
    messages.slice(0, end).reduce((sum, { role }, index) => sum + (role === 'system' ? 0 : sizes[index]!), 0);
  const start = later.find((index) => dropped(index) >= excess) ?? later.at(-1)!;
  return messages.filter(({ role }, index) => index >= start || role === 'system');
}

/** A turn that may come first: results of tools need their calls before them. */
function isQuestion({ role, content }: ChatMessage): boolean {
  return role === 'user' && !content.some(({ type }) => type === 'tool-result');
}

function sizeOf(message: ChatMessage): number {
  return JSON.stringify(message.content).length;
}
