import type { ChatInput, ChatMessage, ChatRequest, OutputFormat, ReasoningWish } from '../../../core/chat.ts';
import type { TextPart } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';
import { invalid } from './block-fields.ts';
import { type CalledTools, toAssistantParts, toSystemParts, toUserParts } from './blocks.ts';
import type { BodyMessage, ConversationBody } from './body.ts';
import { ignoredInBlocks } from './ignored-blocks.ts';
import { ignoredInTools, toToolChoice, toTools } from './tools.ts';
import { leaveOutVolatile } from './volatile-lines.ts';

/** A conversation in the words of the core, and what its client should know of it. */
export interface Conversation {
  chat: Pick<ChatRequest, 'model' | 'input' | 'format' | 'reasoning'> & { input: Extract<ChatInput, { type: 'chat' }> };
  /** Fields that change nothing. */
  ignored: string[];
  /** Volatile lines that are not part of the prompt. */
  leftOut: string[];
}

/**
 * A body in the words of the core. `leavesOut`: volatile lines of coding agents are left out. Throws `invalid_request` for
 * what the schema cannot see or we do not have.
 */
export function toConversation(body: ConversationBody, { leavesOut }: { leavesOut: boolean }): Conversation {
  const given = body.system ?? '';
  const { system, names: leftOut } = leavesOut ? leaveOutVolatile(given) : { system: given, names: [] };
  const tools = toTools(body.tools ?? []);
  const { messages, continuesLast } = toMessages(body.messages);
  const systemParts = toSystemParts(system, 'system');
  const format = formatOf(body);
  const reasoning = toReasoning(body);
  const toolChoice = toToolChoice(body.tool_choice, tools);
  const isThinking = body.thinking?.type === 'enabled' || body.thinking?.type === 'adaptive';
  if (isThinking && (toolChoice.type === 'required' || toolChoice.type === 'tool')) {
    throw new AppError('invalid_request', 'A call cannot be forced while the model may think.', {
      field: 'tool_choice',
      fix: 'Use {"type":"auto"}, or leave "thinking" out.',
    });
  }
  if (format !== null && continuesLast) {
    throw invalid('messages', 'ends with an assistant message, which a structured answer cannot go on from');
  }
  return {
    chat: {
      model: body.model,
      input: {
        type: 'chat',
        messages: [...(systemParts.length > 0 ? [{ role: 'system' as const, content: systemParts }] : []), ...messages],
        tools,
        toolChoice,
        ...(isSingleCall(body) && { parallelToolCalls: false }),
        ...(continuesLast && { continuesLast: true }),
      },
      ...(format !== null && { format }),
      reasoning,
    },
    ignored: [...ignoredInTools(body.tools ?? []), ...ignoredEffort(body, reasoning), ...ignoredInBlocks(body)],
    leftOut,
  };
}

/** Turns of one side that follow each other are one turn. System messages stand where they are. */
function toMessages(messages: readonly BodyMessage[]): { messages: ChatMessage[]; continuesLast: boolean } {
  const called: CalledTools = new Map();
  const turns: ChatMessage[] = [];
  for (const [index, message] of messages.entries()) {
    const turn = toMessage(message, `messages.${index}.content`, called);
    const last = turns.at(-1);
    if (last?.role === 'user' && turn.role === 'user') last.content.push(...turn.content);
    else if (last?.role === 'assistant' && turn.role === 'assistant') last.content.push(...turn.content);
    else turns.push(turn);
  }
  const last = turns.at(-1);
  if (last?.role !== 'assistant') return { messages: turns, continuesLast: false };
  // A turn that is begun with nothing is the answer's own.
  if (last.content.length === 0) return { messages: turns.slice(0, -1), continuesLast: false };
  const field = `messages.${messages.length - 1}`;
  if (last.content.some((part) => part.type === 'tool-call')) {
    throw new AppError('invalid_request', `"${field}" calls tools, and no "tool_result" follows.`, {
      field,
      fix: 'Send a user message with a "tool_result" for each "tool_use".',
    });
  }
  const end = last.content.at(-1);
  if (end?.type === 'text' && end.text !== end.text.trimEnd()) {
    throw invalid(`${field}.content`, 'is the beginning of the answer, and must not end with white space');
  }
  return { messages: turns, continuesLast: true };
}

function toMessage({ role, content }: BodyMessage, field: string, called: CalledTools): ChatMessage {
  switch (role) {
    case 'system':
      return { role, content: toSystemParts(content, field) satisfies TextPart[] };
    case 'user':
      return { role, content: toUserParts(content, field, called) };
    case 'assistant':
      return { role, content: toAssistantParts(content, field, called) };
  }
}

function isSingleCall({ tool_choice: choice }: ConversationBody): boolean {
  return choice != null && choice.type !== 'none' && choice.disable_parallel_tool_use === true;
}

function formatOf({ output_config: config, output_format: older }: ConversationBody): OutputFormat | null {
  const format = config?.format ?? null;
  if (format !== null && (older ?? null) !== null) {
    throw new AppError('invalid_request', '"output_config.format" and "output_format" mean the same.', {
      field: 'output_format',
      fix: 'Send one.',
    });
  }
  const { schema } = format ?? older ?? {};
  return schema === undefined ? null : { type: 'json-schema', schema };
}

/** Without a word of it a model does not think: clients that did not ask for thoughts do not look for the answer behind them. */
function toReasoning({ thinking, output_config: config }: ConversationBody): ReasoningWish {
  if (thinking == null || thinking.type === 'disabled') return { mode: 'off' };
  const effort = config?.effort ?? null;
  return {
    mode: 'on',
    ...(thinking.type === 'enabled' && { budgetTokens: thinking.budget_tokens }),
    ...(effort !== null && { effort }),
  };
}

/** How hard a model that does not think should try. Whatever else is in `output_config` the schema has dropped, and named. */
function ignoredEffort({ output_config: config }: ConversationBody, { mode }: ReasoningWish): string[] {
  return mode === 'off' && config?.effort ? ['output_config.effort'] : [];
}
