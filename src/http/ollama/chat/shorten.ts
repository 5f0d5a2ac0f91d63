import type { ChatMessage, ChatRequest } from '../../../core/chat.ts';
import { type AppError, toAppError } from '../../../core/errors.ts';

/** A conversation that needs more tries than this to fit has something else in it that is too long. */
const mostTries = 6;
/** Room for the answer, as a share of the context. */
const answerShare = 0.1;

/**
 * Asks with the conversation as it is, and without its oldest turns where it is too long for the model: system messages
 * and the last turn stay. `onDropped`: is told how many messages are left out. Throws what `ask` throws in the end.
 */
export async function withoutOldest<Result>(
  chat: ChatRequest,
  ask: (chat: ChatRequest) => Promise<Result>,
  onDropped: (messages: number) => void,
): Promise<Result> {
  let current = chat;
  for (let tries = 1; ; tries++) {
    try {
      return await ask(current);
    } catch (thrown) {
      const error = toAppError(thrown);
      const shorter = tries < mostTries && error.code === 'context_length_exceeded' ? shorten(current, error) : null;
      if (shorter === null) throw thrown;
      current = shorter;
      onDropped(messagesOf(chat).length - messagesOf(current).length);
    }
  }
}

const messagesOf = ({ input }: ChatRequest) => (input.type === 'chat' ? input.messages : []);

/** Null: nothing is left that could go. */
function shorten(chat: ChatRequest, { details }: AppError): ChatRequest | null {
  if (chat.input.type !== 'chat') return null;
  const { messages } = chat.input;
  const mayGo = (message: ChatMessage, index: number) => message.role !== 'system' && index < lastTurnOf(messages);
  const [promptTokens, contextTokens] = [Number(details?.['prompt_tokens']), Number(details?.['context_tokens'])];
  const excess = 1 - (contextTokens * (1 - answerShare)) / promptTokens;
  const total = messages.reduce((sum, message) => sum + lengthOf(message), 0);
  let left = Math.max(1, total * (Number.isFinite(excess) ? excess : 0.5));
  const kept = messages.filter((message, index) => {
    // A result without its call would answer nothing.
    const goes = mayGo(message, index) && (left > 0 || isResult(message));
    if (goes) left -= lengthOf(message);
    return !goes;
  });
  return kept.length === messages.length ? null : { ...chat, input: { ...chat.input, messages: kept } };
}

/** Where the last turn begins: the last words of the user, what was called and answered since included. */
function lastTurnOf(messages: readonly ChatMessage[]): number {
  const last = messages.findLastIndex((message) => message.role === 'user' && !isResult(message));
  return last === -1 ? messages.length - 1 : last;
}

const isResult = (message: ChatMessage) => message.role === 'user' && message.content[0]?.type === 'tool-result';

const lengthOf = ({ content }: ChatMessage) => JSON.stringify(content).length;
