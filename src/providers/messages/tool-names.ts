import { createHash } from 'node:crypto';
import type { ChatInput } from '../../core/chat.ts';

type ChatConversation = Extract<ChatInput, { type: 'chat' }>;

/** Names of tools as a service takes them, and back: those of other dialects may be longer, or have dots and colons. */
export interface ToolNames {
  /** The same for the same name in every request, so that a cached prefix stays one. */
  toWire(name: string): string;
  /** The name that became this one; itself where none did. */
  fromWire(wireName: string): string;
}

/**
 * Of one conversation: its tools, and calls of those that are no more. A name of letters, digits, `_` and `-` and at most
 * `mostCharacters` stays; any other is cut and gets a hash of itself.
 */
export function createToolNames(chat: Pick<ChatConversation, 'tools' | 'messages'>, mostCharacters: number): ToolNames {
  const wireNames = new Map<string, string>();
  const originals = new Map<string, string>();
  const called = chat.messages.flatMap(({ content }) =>
    content.flatMap((part) => (part.type === 'tool-call' ? [part.name] : [])),
  );
  const unique = [...new Set([...chat.tools.map(({ name }) => name), ...called])];
  const enter = (name: string, wireName: string) => {
    wireNames.set(name, wireName);
    originals.set(wireName, name);
  };
  const stays = (name: string) => isPlain(name, mostCharacters);
  for (const name of unique.filter(stays)) enter(name, name);
  for (const name of unique) {
    if (wireNames.has(name)) continue;
    let hashCharacters = 8;
    // Only somebody who means it gives a tool the short name of another; then a longer hash tells them apart.
    while (originals.has(shorten(name, mostCharacters, hashCharacters))) hashCharacters += 4;
    enter(name, shorten(name, mostCharacters, hashCharacters));
  }
  return {
    toWire: (name) => wireNames.get(name) ?? (stays(name) ? name : shorten(name, mostCharacters, 8)),
    fromWire: (wireName) => originals.get(wireName) ?? wireName,
  };
}

/** An id of a call under the same rules; a call and its result stay together. */
export function toWireId(id: string, mostCharacters: number): string {
  return isPlain(id, mostCharacters) ? id : shorten(id, mostCharacters, 16);
}

function isPlain(name: string, mostCharacters: number): boolean {
  return name.length <= mostCharacters && /^[a-zA-Z0-9_-]+$/.test(name);
}

function shorten(name: string, mostCharacters: number, hashCharacters: number): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashCharacters);
  const readable = name.replace(/[^a-zA-Z0-9_-]+/g, '_').slice(0, mostCharacters - hashCharacters - 1);
  return `${readable}_${hash}`;
}
