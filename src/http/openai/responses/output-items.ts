import type { TokenLogprob } from '../../../core/events.ts';
import { toChatLogprobs } from '../objects/logprobs.ts';
import type { Item } from './item.ts';

/** How far an item has come. */
export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** Log probabilities of a text, or none. */
export function toTextLogprobs(tokens: readonly TokenLogprob[]) {
  return tokens.length === 0 ? [] : toChatLogprobs(tokens).content;
}

export function toTextPart(text: string, logprobs: readonly object[]) {
  return { type: 'output_text', annotations: [], logprobs, text };
}

export function toMessageItem(id: string, status: ItemStatus, content: readonly object[]): Item {
  return { id, type: 'message', status, role: 'assistant', content };
}

/** `encrypted`: null where it was not asked for. */
export function toReasoningItem(
  id: string,
  status: ItemStatus,
  thought: { text: string; isSummary: boolean; encrypted: string | null },
): Item {
  const { text, isSummary, encrypted } = thought;
  const hasText = text !== '';
  return {
    id,
    type: 'reasoning',
    status,
    summary: hasText && isSummary ? [{ type: 'summary_text', text }] : [],
    ...(!isSummary && { content: hasText ? [{ type: 'reasoning_text', text }] : [] }),
    encrypted_content: encrypted,
  };
}

/** A call under its id and under that of the item. */
export interface CallNames {
  id: string;
  callId: string;
  name: string;
  namespace?: string;
}

const namedAs = ({ name, namespace }: CallNames) => ({ name, ...(namespace !== undefined && { namespace }) });

export function toFunctionItem(names: CallNames, status: ItemStatus, argumentsText: string): Item {
  const { id, callId } = names;
  return { id, type: 'function_call', status, arguments: argumentsText, call_id: callId, ...namedAs(names) };
}

export function toCustomItem(names: CallNames, status: ItemStatus, input: string): Item {
  const { id, callId } = names;
  return { id, type: 'custom_tool_call', status, call_id: callId, input, ...namedAs(names) };
}

/**
 * A call of a tool that clients run by a name of OpenAI's. Null where the model wrote no arguments that the item could hold;
 * a client is told of it as of the call of a function.
 */
export function toClientItem(
  kind: 'apply_patch' | 'local_shell',
  { id, callId }: CallNames,
  given: Readonly<Record<string, unknown>>,
): Item | null {
  if (kind === 'apply_patch') {
    const { type, path, diff = '' } = given;
    if (typeof type !== 'string' || typeof path !== 'string' || typeof diff !== 'string') return null;
    const operation = type === 'delete_file' ? { type, path } : { type, path, diff };
    return { id, type: 'apply_patch_call', status: 'completed', call_id: callId, operation };
  }
  const { command, working_directory: folder = null, timeout_ms: timeoutMs = null } = given;
  if (!Array.isArray(command)) return null;
  const action = {
    type: 'exec',
    command: command.map(String),
    env: {},
    timeout_ms: timeoutMs,
    user: null,
    working_directory: folder,
  };
  return { id, type: 'local_shell_call', status: 'completed', call_id: callId, action };
}
