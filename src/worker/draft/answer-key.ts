import { createHash } from 'node:crypto';
import type { ChatMessage } from '../../core/chat.ts';
import { textOf } from '../../core/content.ts';
import type { WorkerRequest } from '../../ipc/protocol.ts';

/**
 * What requests have in common whose answers look alike: the schema or the tools, and the instructions before the
 * first message of the user. Null when a request has none of them, so that its answers are like no others, or wants
 * nothing to be kept.
 * `owner` is part of it: how long a guess takes must tell nobody what another key's answers said.
 */
export function answerKey(request: WorkerRequest): string | null {
  const { input, format } = request;
  if (request.promptCache === 'none') return null;
  const chat = input.type === 'chat' ? input : null;
  const tools = chat && chat.toolChoice.type !== 'none' ? chat.tools : [];
  const instructions = leadingInstructions(chat?.messages ?? []);
  if (format.type === 'text' && tools.length === 0 && instructions.length === 0) return null;
  const parts = [request.owner, format, tools, chat?.toolChoice ?? null, instructions];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

function leadingInstructions(messages: readonly ChatMessage[]): string[] {
  const first = messages.findIndex(({ role }) => role !== 'system');
  return messages.slice(0, first === -1 ? messages.length : first).map(({ content }) => textOf(content));
}
