import type { TextPart } from '../../core/content.ts';
import type { TemplateMessage, ToolCall } from '../conversation/conversation.ts';
import { toolsAsText } from './generic.ts';

const gap: TextPart = { type: 'text', text: '\n\n' };
const join = (first: TextPart[], second: TextPart[]): TextPart[] =>
  first.length === 0 || second.length === 0 ? [...first, ...second] : [...first, gap, ...second];

/** Another way to say the same conversation, or null where there is nothing to change. */
type Rewrite = (messages: readonly TemplateMessage[]) => TemplateMessage[] | null;

/** All system messages as one at the beginning. */
const hoistSystem: Rewrite = (messages) => {
  if (!messages.some(({ role }, index) => role === 'system' && index > 0)) return null;
  const content = messages
    .filter(({ role }) => role === 'system')
    .reduce<TextPart[]>((all, message) => join(all, message.content), []);
  return [{ role: 'system', content }, ...messages.filter(({ role }) => role !== 'system')];
};

/** The leading system message before the text of the first user turn. */
const systemIntoUser: Rewrite = (messages) => {
  const [system, next, ...rest] = messages;
  if (system?.role !== 'system') return null;
  if (next?.role === 'user') return [{ role: 'user', content: join(system.content, next.content) }, ...rest];
  return [{ role: 'user', content: system.content }, ...(next ? [next] : []), ...rest];
};

/** Stands for what was said before the first thing that is left of a conversation. */
const before: TemplateMessage = { role: 'user', content: [{ type: 'text', text: '[...]' }] };

/** A turn of the user before an assistant's that comes first: a greeting, or the rest of a history that was cut. */
const userFirst: Rewrite = (messages) => {
  const first = messages.findIndex(({ role }) => role !== 'system');
  if (messages[first]?.role !== 'assistant') return null;
  return [...messages.slice(0, first), before, ...messages.slice(first)];
};

/** Messages of one role in a row as one. */
const mergeTurns: Rewrite = (messages) => {
  const merged: TemplateMessage[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (last?.role === 'user' && message.role === 'user') {
      merged[merged.length - 1] = { role: 'user', content: join(last.content, message.content) };
    } else if (last?.role === 'assistant' && message.role === 'assistant' && !last.toolCalls?.length) {
      merged[merged.length - 1] = { ...message, content: join(last.content, message.content) };
    } else merged.push(message);
  }
  return merged.length === messages.length ? null : merged;
};

/** One call in each message, its result right behind it. */
export const singleCalls: Rewrite = (messages) => {
  if (!messages.some((message) => message.role === 'assistant' && (message.toolCalls?.length ?? 0) > 1)) return null;
  const result: TemplateMessage[] = [];
  const placed = new Set<TemplateMessage>();
  for (const [index, message] of messages.entries()) {
    if (placed.has(message)) continue;
    if (message.role !== 'assistant' || (message.toolCalls?.length ?? 0) < 2) {
      result.push(message);
      continue;
    }
    for (const [at, call] of message.toolCalls!.entries()) {
      const { reasoning: _said, ...later } = message;
      result.push({ ...(at === 0 ? message : { ...later, content: [] }), toolCalls: [call] });
      const answer = messages.slice(index + 1).find((other) => other.role === 'tool' && other.toolCallId === call.id);
      if (answer && !placed.has(answer)) result.push(answer);
      if (answer) placed.add(answer);
    }
  }
  return result;
};

/** Arguments that are no JSON object as an object that holds them, for templates that walk through it. */
const wrapBrokenArguments: Rewrite = (messages) => {
  const isBroken = (call: ToolCall) => typeof call.arguments === 'string';
  if (!messages.some((message) => message.role === 'assistant' && message.toolCalls?.some(isBroken))) return null;
  return messages.map((message) =>
    message.role === 'assistant' && message.toolCalls
      ? {
          ...message,
          toolCalls: message.toolCalls.map((call) =>
            isBroken(call) ? { ...call, arguments: { arguments: call.arguments } } : call,
          ),
        }
      : message,
  );
};

const plainTools: Rewrite = (messages) =>
  messages.some((message) => message.role === 'tool' || (message.role === 'assistant' && message.toolCalls?.length))
    ? toolsAsText(messages)
    : null;

const rewrites: readonly Rewrite[] = [
  wrapBrokenArguments,
  hoistSystem,
  singleCalls,
  plainTools,
  userFirst,
  systemIntoUser,
  mergeTurns,
];

/**
 * The conversation as it is, then in other words for a template that refuses it: the fewest changes first. Many
 * templates know no system role, insist on turns or on a user's turn first, or take one call at a time.
 */
export function* adaptations(messages: readonly TemplateMessage[]): Generator<readonly TemplateMessage[]> {
  const subsets = Array.from({ length: 2 ** rewrites.length }, (_, bits) =>
    rewrites.filter((_rewrite, index) => (bits >> index) & 1),
  ).sort((a, b) => a.length - b.length);
  for (const subset of subsets) {
    const changed = subset.reduce<readonly TemplateMessage[] | null>((all, rewrite) => all && rewrite(all), messages);
    if (changed) yield changed;
  }
}
