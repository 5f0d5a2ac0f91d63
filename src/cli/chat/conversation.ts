import type { Answered } from './answer.ts';
import type { ChatMessage, ChatWish, CloudMark } from './chat-api.ts';

/** How a chat begins. */
export interface ChatStart {
  model: string;
  system: string | null;
  options: Readonly<Record<string, unknown>>;
  think: boolean | null;
  format: ChatWish['format'];
  cloud: CloudMark | null;
  showsThinking: boolean;
  isVerbose: boolean;
}

/** A chat as it is now. */
export interface Conversation extends Omit<ChatStart, 'options'> {
  options: Record<string, unknown>;
  /** Without the system message. */
  messages: ChatMessage[];
  /** The last answer; null: there was none. */
  last: Answered | null;
  totals: { answers: number; promptTokens: number; answerTokens: number };
}

export function beginConversation(start: ChatStart): Conversation {
  return {
    ...start,
    options: { ...start.options },
    messages: [],
    last: null,
    totals: { answers: 0, promptTokens: 0, answerTokens: 0 },
  };
}

/** All that is said so far, and `question` at its end. */
export function wishOf(chat: Conversation, question: string): ChatWish {
  const { model, system, options, think, format, cloud } = chat;
  const instructions: ChatMessage[] = system === null ? [] : [{ role: 'system', content: system }];
  return {
    model,
    options,
    think,
    format,
    cloud,
    messages: [...instructions, ...chat.messages, { role: 'user', content: question }],
  };
}

/** Takes an answer into the conversation. One that was stopped before its first word leaves no trace. */
export function remember(chat: Conversation, question: string, answered: Answered): void {
  chat.last = answered;
  chat.totals.answers++;
  chat.totals.promptTokens += answered.stats.end?.promptTokens ?? 0;
  chat.totals.answerTokens += answered.stats.end?.answerTokens ?? 0;
  if (answered.text === '') return;
  chat.messages.push({ role: 'user', content: question }, { role: 'assistant', content: answered.text });
}

/** The conversation for a file: JSON where its name ends so, else text to read. */
export function transcript({ model, system, options, messages }: Conversation, filePath: string): string {
  if (/\.json$/i.test(filePath)) {
    const instructions = system === null ? [] : [{ role: 'system', content: system }];
    return `${JSON.stringify({ model, options, messages: [...instructions, ...messages] }, null, 2)}\n`;
  }
  const parts = [
    `Model: ${model}`,
    ...(system === null ? [] : [`System: ${system}`]),
    ...messages.map(({ role, content }) => `${role === 'user' ? 'You' : 'Answer'}:\n${content.trim()}`),
  ];
  return `${parts.join('\n\n')}\n`;
}
