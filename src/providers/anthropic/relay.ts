import type { ChatRequest, OriginalRequest } from '../../core/chat.ts';
import { ownSignaturePrefix } from '../../core/content.ts';
import { replaceValues } from '../../wire/json-text.ts';
import { isObject, type JsonObject, listAt, numberAt, textAt } from '../messages/json.ts';

/** A request that passes as it came. */
export interface RelayedRequest {
  /** As it is sent: the client's own bytes where nothing had to change. */
  content: string | Uint8Array;
  /** The same, parsed. */
  body: JsonObject;
  headers: Record<string, string>;
  /** How the client wants its answer. `joined`: whole, but so long that it is asked for as a stream. */
  answer: 'stream' | 'whole' | 'joined';
}

/**
 * Longest answers that are asked for whole, in tokens: the API's own clients ask for no longer ones, as a silent connection
 * of more than ten minutes does not live everywhere.
 */
const longestWholeTokens = 21_333;

/** The request on its way to a model of the API; null: it did not come in the API's own words, or asks for something else. */
export function relayOf(
  { original }: ChatRequest,
  how: { path: string; model: string; version: string | null },
): RelayedRequest | null {
  const { path, model } = how;
  if (original?.dialect !== 'anthropic' || original.path !== path) return null;
  const { body } = original;
  const isStream = body['stream'] === true;
  const isLong = !isStream && (numberAt(body, 'max_tokens') ?? 0) > longestWholeTokens;
  const changes = {
    ...(body['model'] !== model && { model }),
    ...(isLong && { stream: true }),
  };
  const kept = withoutThoughts(body, isUnprovable);
  const changed = { ...(kept ?? body), ...changes };
  return {
    content: kept !== null ? JSON.stringify(changed) : contentOf(original, changes),
    body: changed,
    headers: relayedHeaders(original.headers, how.version),
    answer: isStream ? 'stream' : isLong ? 'joined' : 'whole',
  };
}

function contentOf({ bytes }: OriginalRequest, changes: Record<string, unknown>): string | Uint8Array {
  return Object.keys(changes).length === 0 ? bytes : replaceValues(new TextDecoder().decode(bytes), changes);
}

/** A thought that nobody can prove: its stream was cut before the signature, or it was thought on this machine. */
function isUnprovable(block: JsonObject): boolean {
  const signature = textAt(block, 'signature') ?? '';
  return block['type'] === 'thinking' && (signature === '' || signature.startsWith(ownSignaturePrefix));
}

/** Whether a block is a thought of whatever kind. */
export function isThought(block: JsonObject): boolean {
  return block['type'] === 'thinking' || block['type'] === 'redacted_thinking';
}

/** A body without some of its thoughts, and without the turns that were nothing else; null: it has none of them. */
export function withoutThoughts(body: Readonly<JsonObject>, drops: (block: JsonObject) => boolean): JsonObject | null {
  const isDropped = (block: unknown) => isObject(block) && drops(block);
  const contentOfTurn = (message: unknown) => (isObject(message) ? listAt(message, 'content') : []);
  const messages = listAt(body, 'messages');
  if (!messages.some((message) => contentOfTurn(message).some(isDropped))) return null;
  const kept = messages.flatMap((message) => {
    const content = contentOfTurn(message);
    if (!content.some(isDropped)) return [message];
    const rest = content.filter((block) => !isDropped(block));
    return rest.length === 0 ? [] : [{ ...(message as JsonObject), content: rest }];
  });
  return { ...body, messages: kept };
}

/** Headers of the API's own that the client sent. `version`: where it names none. */
function relayedHeaders(headers: OriginalRequest['headers'], version: string | null): Record<string, string> {
  const passing = Object.entries(headers).filter(
    ([name]) => name.startsWith('anthropic-') && name !== 'anthropic-dangerous-direct-browser-access',
  );
  return { 'anthropic-version': version ?? '2023-06-01', ...Object.fromEntries(passing) };
}

/** Betas that belong to how the client has logged in at the API; our key knows nothing of that, and they are refused with it. */
const foreignBeta = /^oauth-/;

/** All betas that are asked for, each once, in their order; null: none. */
export function joinBetas(...lists: readonly (string | undefined)[]): string | null {
  const names = lists.flatMap((list) => (list ?? '').split(',')).map((name) => name.trim());
  const wanted = names.filter((name) => /^[\w.:-]+$/.test(name) && !foreignBeta.test(name));
  return wanted.length === 0 ? null : [...new Set(wanted)].join(',');
}
