import type { ChatMessage } from '../../core/chat.ts';
import {
  type AssistantPart,
  type DocumentPart,
  type ImagePart,
  type OpaquePart,
  reasoningOf,
  type TextPart,
  type ToolCallPart,
  type ToolResultPart,
  textOf,
  type UserPart,
} from '../../core/content.ts';
import type { Notes } from './notes.ts';
import type { ServiceRow } from './presets.ts';
import type { CallSignatures } from './signatures.ts';
import type { Json } from './wire.ts';

interface MessageDeps {
  row: ServiceRow;
  /** Id of the provider: only its own reasoning goes back to it. */
  provider: string;
  signatures: CallSignatures;
  notes: Notes;
}

/** A conversation as messages of a chat body: results of tools stand before what else is said in their turn. */
export function toWireMessages(messages: readonly ChatMessage[], deps: MessageDeps): Json[] {
  return messages.flatMap((message, index) => {
    const field = `input.messages.${index}`;
    for (const marked of [message, ...message.content]) noteMarks(marked, field, deps);
    const extra = message.extra?.openai ?? {};
    switch (message.role) {
      case 'system':
        return [{ ...extra, role: 'system', content: textOf(message.content) }];
      case 'user':
        return toUserMessages(message.content, extra, field, deps);
      default:
        return [{ ...extra, ...toAssistantMessage(message.content, field, deps) }];
    }
  });
}

function noteMarks(
  { cacheMark, extra }: ChatMessage | ChatMessage['content'][number],
  field: string,
  { notes }: MessageDeps,
) {
  if (cacheMark) notes.leftOut('input.messages.cacheMark', 'keeps prompts by itself and has no marks for it.');
  for (const dialect of Object.keys(extra ?? {})) {
    if (dialect !== 'openai') notes.leftOut(`${field}.extra.${dialect}`, `knows no fields of ${dialect}.`);
  }
}

function toUserMessages(parts: readonly UserPart[], extra: object, field: string, deps: MessageDeps): Json[] {
  const results: Json[] = [];
  const said: Json[] = [];
  for (const [index, part] of parts.entries()) {
    const place = `${field}.content.${index}`;
    if (part.type !== 'tool-result') {
      said.push(toUserPart(part, place, deps));
      continue;
    }
    const { message, media } = toToolMessage(part, place, deps);
    results.push(message);
    said.push(...media);
  }
  if (said.length === 0 && results.length > 0) return results;
  return [...results, { ...extra, role: 'user', content: compact(said) }];
}

/** Parts as they are, or the text where that is all, which every service reads. */
function compact(parts: readonly Json[]): string | readonly Json[] {
  const onlyTexts = parts.every((part) => part['type'] === 'text' && Object.keys(part).length === 2);
  return onlyTexts ? parts.map((part) => part['text']).join('') : parts;
}

/** The message of a result, and what of it only a user's message can hold. */
function toToolMessage(result: ToolResultPart, field: string, deps: MessageDeps): { message: Json; media: Json[] } {
  if (result.isError) deps.notes.leftOut(`${field}.isError`, 'has no mark for failed tools; their text says it.');
  const texts: string[] = [];
  const media: Json[] = [];
  for (const [index, part] of result.content.entries()) {
    if (part.type === 'text') texts.push(part.text);
    else media.push(toUserPart(part, `${field}.content.${index}`, deps));
  }
  if (media.length > 0) media.unshift({ type: 'text', text: `What the tool gave to call ${result.callId}:` });
  const { name } = result;
  return {
    message: {
      ...result.extra?.openai,
      role: 'tool',
      tool_call_id: result.callId,
      ...(name !== undefined && { name }),
      content: texts.join('\n'),
    },
    media,
  };
}

function toUserPart(part: TextPart | ImagePart | DocumentPart | OpaquePart, field: string, deps: MessageDeps): Json {
  const extra = part.extra?.openai ?? {};
  switch (part.type) {
    case 'text':
      return { ...extra, type: 'text', text: part.text };
    case 'image':
      return { ...extra, ...toImagePart(part, field, deps) };
    case 'document':
      return { ...extra, ...toDocumentPart(part, field, deps) };
    default:
      return ownBlock(part, field, deps);
  }
}

function toImagePart({ source, mediaType }: ImagePart, field: string, deps: MessageDeps): Json {
  const { row } = deps;
  if (!row.readsImages) deps.notes.refuse(field, 'reads no images with this model.');
  if (source.type === 'file') deps.notes.refuse(field, 'takes images by address or as bytes only.');
  const url = source.type === 'url' ? source.url : `data:${mediaType ?? 'image/png'};base64,${source.base64}`;
  return { type: 'image_url', image_url: { url } };
}

function toDocumentPart(part: DocumentPart, field: string, deps: MessageDeps): Json {
  const { row } = deps;
  const { source, mediaType, title, context, mayBeCited } = part;
  if (mayBeCited) deps.notes.leftOut(`${field}.mayBeCited`, 'cites no documents.');
  if (source.type === 'text') {
    const head = [title, context].filter((line) => line !== undefined).join('\n');
    return { type: 'text', text: head === '' ? source.text : `${head}\n\n${source.text}` };
  }
  if (!row.readsDocuments) deps.notes.refuse(field, 'reads no documents with this model.');
  if (source.type === 'url') deps.notes.refuse(field, 'takes documents as bytes or by their id only.');
  if (context !== undefined) deps.notes.leftOut(`${field}.context`, 'has no place for what a document is for.');
  if (source.type === 'file') return { type: 'file', file: { file_id: source.fileId } };
  const data = `data:${mediaType ?? 'application/pdf'};base64,${source.base64}`;
  return { type: 'file', file: { filename: title ?? 'document', file_data: data } };
}

function ownBlock({ dialect, block }: OpaquePart, field: string, { notes }: MessageDeps): Json {
  if (dialect !== 'openai') notes.refuse(field, `cannot read a block of ${dialect}.`);
  return block as Json;
}

function toAssistantMessage(parts: readonly AssistantPart[], field: string, deps: MessageDeps): Json {
  const calls: ToolCallPart[] = [];
  for (const [index, part] of parts.entries()) {
    const place = `${field}.content.${index}`;
    if (part.type === 'tool-call') calls.push(part);
    if (part.type === 'image') deps.notes.refuse(place, 'takes no images back that a model made.');
    if (part.type === 'opaque') ownBlock(part, place, deps);
  }
  const text = textOf(parts);
  const own = parts.flatMap((part) => (part.type === 'opaque' ? [part.block as Json] : []));
  return {
    role: 'assistant',
    content:
      own.length > 0
        ? [...(text === '' ? [] : [{ type: 'text', text }]), ...own]
        : text === '' && calls.length > 0
          ? null
          : text,
    ...toReasoning(parts, field, deps),
    ...(calls.length > 0 && { tool_calls: toCalls(calls, deps) }),
  };
}

/** Reasoning that it made itself, or whose maker nobody knows; another's is worth nothing to it. */
function toReasoning(parts: readonly AssistantPart[], field: string, { row, provider, notes }: MessageDeps): Json {
  const all = parts.filter((part) => part.type === 'reasoning');
  if (all.length === 0) return {};
  const readable = all.filter(
    ({ redactedData, origin }) => redactedData === null && (origin === null || origin.provider === provider),
  );
  if (row.reasoningHistory === null || readable.length < all.length) {
    notes.leftOut(`${field}.reasoning`, 'takes no reasoning of earlier turns that is not its own.');
  }
  const text = reasoningOf(readable);
  return row.reasoningHistory === null || text === '' ? {} : { [row.reasoningHistory]: text };
}

function toCalls(calls: readonly ToolCallPart[], { row, signatures }: MessageDeps): Json[] {
  return calls.map((call, index) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.argumentsText ?? JSON.stringify(call.arguments) },
    ...(row.signsCalls && signatures.of(call.id, index === 0)),
    ...call.extra?.openai,
  }));
}
