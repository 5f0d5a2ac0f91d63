/**
 * A browser can give a WebSocket an address and subprotocols, and no header. So a key may travel as a subprotocol, in
 * forms that are in use elsewhere: `bearer` with the key as the next one, `bearer.KEY`, and OpenAI's
 * `openai-insecure-api-key.KEY`.
 */
const marker = 'bearer';
const prefixes = ['bearer.', 'openai-insecure-api-key.'] as const;

/** Every key among the subprotocols of a handshake, in their order. */
export function keysInSubprotocols(offered: readonly string[]): string[] {
  return offered.flatMap((protocol, index) => {
    if (offered[index - 1] === marker) return [protocol];
    const prefix = prefixes.find((start) => protocol.startsWith(start));
    return prefix === undefined ? [] : [protocol.slice(prefix.length)];
  });
}

/**
 * The subprotocol that the answer names: browsers close a connection whose answer names none of those that they offered.
 * One that holds a key is named only where nothing else was offered.
 */
export function chooseSubprotocol(offered: readonly string[]): string | null {
  const holdsKey = (protocol: string, index: number) =>
    offered[index - 1] === marker || prefixes.some((start) => protocol.startsWith(start));
  return offered.find((protocol, index) => !holdsKey(protocol, index)) ?? offered[0] ?? null;
}
