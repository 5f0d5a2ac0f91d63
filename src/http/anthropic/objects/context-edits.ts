import type { ChatMessage, ChatRequest } from '../../../core/chat.ts';
import type { AssistantPart, ToolResultPart } from '../../../core/content.ts';
import type { ContextEdit } from './body.ts';

/** What an edit has cleared, as the answer tells it. */
export type AppliedEdit =
  | { type: 'clear_tool_uses_20250919'; cleared_tool_uses: number; cleared_input_tokens: number }
  | { type: 'clear_thinking_20251015'; cleared_thinking_turns: number; cleared_input_tokens: number };

/** A conversation after its edits. */
interface Edited {
  chat: ChatRequest;
  applied: AppliedEdit[];
  /** Tokens before the edits; null: nobody has counted them, as there was nothing to clear. */
  originalTokens: number | null;
}

type ClearToolUses = Extract<ContextEdit, { type: 'clear_tool_uses_20250919' }>;
type ClearThinking = Extract<ContextEdit, { type: 'clear_thinking_20251015' }>;
interface Cleared {
  messages: ChatMessage[];
  /** Uses of tools, or turns with thoughts. */
  count: number;
}

/** As Anthropic has it where the request says nothing. */
const defaults = { triggerTokens: 100_000, keepToolUses: 3, keepThinkingTurns: 1 };
const clearedText = '[This result was removed to keep the conversation short.]';

/**
 * Clears what the edits of a request name, one edit after the other. `count`: tokens of a request, asked for only where
 * something could be cleared.
 */
export async function editContext(
  chat: ChatRequest,
  edits: readonly ContextEdit[],
  count: (chat: ChatRequest) => Promise<number>,
): Promise<Edited> {
  const edited: Edited = { chat, applied: [], originalTokens: null };
  if (chat.input.type !== 'chat') return edited;
  for (const edit of edits) {
    const { input } = edited.chat;
    if (input.type !== 'chat') break;
    const cleared =
      edit.type === 'clear_tool_uses_20250919'
        ? clearToolUses(input.messages, edit)
        : clearThinking(input.messages, edit);
    if (cleared.count === 0) continue;
    const before = await count(edited.chat);
    edited.originalTokens ??= before;
    if (edit.type === 'clear_tool_uses_20250919' && !isTriggered(edit, input.messages, before)) continue;
    const shorter: ChatRequest = { ...edited.chat, input: { ...input, messages: cleared.messages } };
    const clearedTokens = Math.max(0, before - (await count(shorter)));
    if (edit.type === 'clear_tool_uses_20250919') {
      if (clearedTokens < (edit.clear_at_least?.value ?? 0)) continue;
      edited.applied.push({
        type: edit.type,
        cleared_tool_uses: cleared.count,
        cleared_input_tokens: clearedTokens,
      });
    } else {
      edited.applied.push({
        type: edit.type,
        cleared_thinking_turns: cleared.count,
        cleared_input_tokens: clearedTokens,
      });
    }
    edited.chat = shorter;
  }
  return edited;
}

function isTriggered({ trigger }: ClearToolUses, messages: readonly ChatMessage[], tokens: number): boolean {
  if (trigger?.type === 'tool_uses') return resultsIn(messages).length > trigger.value;
  return tokens > (trigger?.value ?? defaults.triggerTokens);
}

/** The results of all tools but the last ones, cleared; with `clear_tool_inputs` what they were called with, too. */
export function clearToolUses(messages: readonly ChatMessage[], edit: ClearToolUses): Cleared {
  const names = namesOfCalls(messages);
  const excluded = new Set(edit.exclude_tools ?? []);
  const clearable = resultsIn(messages).filter(({ callId }) => !excluded.has(names.get(callId) ?? ''));
  const keep = edit.keep?.value ?? defaults.keepToolUses;
  const ids = new Set(clearable.slice(0, Math.max(0, clearable.length - keep)).map(({ callId }) => callId));
  const inputs = edit.clear_tool_inputs ?? false;
  const clearsInput = (name: string) => (Array.isArray(inputs) ? inputs.includes(name) : inputs);
  return {
    count: ids.size,
    messages: messages.map((message): ChatMessage => {
      if (message.role === 'user') {
        const content = message.content.map((part) =>
          part.type === 'tool-result' && ids.has(part.callId)
            ? { ...part, content: [{ type: 'text' as const, text: clearedText }] }
            : part,
        );
        return { ...message, content };
      }
      if (message.role === 'system') return message;
      const content = message.content.map((part): AssistantPart => {
        if (part.type !== 'tool-call' || !ids.has(part.id) || !clearsInput(part.name)) return part;
        return { ...part, arguments: {} };
      });
      return { ...message, content };
    }),
  };
}

/** The thoughts of all turns but the last ones, cleared. */
export function clearThinking(messages: readonly ChatMessage[], { keep }: ClearThinking): Cleared {
  const thinks = (message: ChatMessage) =>
    message.role === 'assistant' && message.content.some(({ type }) => type === 'reasoning');
  const turns = messages.filter(thinks);
  const kept =
    keep == null ? defaults.keepThinkingTurns : keep === 'all' || keep.type === 'all' ? turns.length : keep.value;
  const cleared = new Set(turns.slice(0, Math.max(0, turns.length - kept)));
  return {
    count: cleared.size,
    messages: messages.map((message): ChatMessage => {
      if (message.role !== 'assistant' || !cleared.has(message)) return message;
      return { ...message, content: message.content.filter(({ type }) => type !== 'reasoning') };
    }),
  };
}

function resultsIn(messages: readonly ChatMessage[]): ToolResultPart[] {
  return messages.flatMap((message) =>
    message.role === 'user' ? message.content.filter((part) => part.type === 'tool-result') : [],
  );
}

function namesOfCalls(messages: readonly ChatMessage[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== 'assistant') continue;
    for (const part of message.content) if (part.type === 'tool-call') names.set(part.id, part.name);
  }
  return names;
}
