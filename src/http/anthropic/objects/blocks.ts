import type {
  AssistantPart,
  DocumentPart,
  ImagePart,
  Marked,
  MediaSource,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
  UserPart,
} from '../../../core/content.ts';
import { blocksOf, invalid, objectAt, optionalText, requiredText, serverBlock, unknownType } from './block-fields.ts';
import type { BodyBlock, BodyContent } from './body.ts';
import { isReadable } from './ignored-blocks.ts';
import { documentText, pictureOf, searchResultOf, sourceOf } from './media.ts';
import { carriedThought, isOwnSignature } from './signature.ts';

/** Names of the tools that were called so far, by the id of the call. */
export type CalledTools = Map<string, string>;

/** Content of a system prompt or message. */
export function toSystemParts(content: BodyContent, field: string): TextPart[] {
  return blocksOf(content).map((block, index) => {
    if (block.type === 'text') return toText(block, `${field}.${index}`);
    throw unknownType(block, `${field}.${index}`, 'only text can stand here');
  });
}

/** Content of a user's message; `field` is its path. */
export function toUserParts(content: BodyContent, field: string, called: CalledTools): UserPart[] {
  return blocksOf(content).flatMap((block, index) => toUserPart(block, `${field}.${index}`, called));
}

function toUserPart(block: BodyBlock, field: string, called: CalledTools): UserPart[] {
  switch (block.type) {
    case 'text':
      return [toText(block, field)];
    case 'image':
      return [toImage(block, field)];
    case 'document':
      return [toDocument(block, field)];
    case 'search_result':
      return [toSearchResult(block, field)];
    case 'tool_result':
      return [toToolResult(block, field, called)];
    default:
      return toSharedPart(block, field);
  }
}

/** Content of an assistant's message; the names of the tools that it calls are noted in `called`. */
export function toAssistantParts(content: BodyContent, field: string, called: CalledTools): AssistantPart[] {
  return blocksOf(content).flatMap((block, index) => toAssistantPart(block, `${field}.${index}`, called));
}

function toAssistantPart(block: BodyBlock, field: string, called: CalledTools): AssistantPart[] {
  switch (block.type) {
    case 'text': {
      const part = toText(block, field);
      return part.text === '' ? [] : [part];
    }
    case 'thinking':
      return [toThought(block, field)];
    case 'redacted_thinking': {
      const redactedData = requiredText(block, 'data', field);
      return [{ type: 'reasoning', text: '', signature: null, redactedData, origin: null }];
    }
    case 'tool_use':
      return [toToolCall(block, field, called)];
    case 'image':
      return [toImage(block, field)];
    default:
      return toSharedPart(block, field);
  }
}

/** What either side may hold, read as text or dropped. Throws `invalid_request` for what has no meaning here. */
function toSharedPart(block: BodyBlock, field: string): TextPart[] {
  if (serverBlock.test(block.type)) return [{ type: 'text', text: readable(block) }];
  switch (block.type) {
    case 'compaction': {
      const text = optionalText(block, 'content');
      return text === null ? [] : [{ type: 'text', text }];
    }
    // Says which model of a list answered, and nothing to a model.
    case 'fallback':
      return [];
    case 'container_upload':
    case 'tool_addition':
    case 'tool_removal':
      throw unknownType(block, field, 'is not supported here');
    default:
      throw unknownType(block, field, 'is unknown, or cannot stand here');
  }
}

/** A block as JSON, without what only its maker can read. */
function readable(block: BodyBlock): string {
  return JSON.stringify(block, (key, value: unknown) => (isReadable(key) ? value : undefined));
}

function toText(block: BodyBlock, field: string): TextPart {
  return { type: 'text', text: requiredText(block, 'text', field), ...marksOf(block) };
}

function toImage(block: BodyBlock, field: string): ImagePart {
  return { type: 'image', ...pictureOf(block, field), ...marksOf(block) };
}

function toDocument(block: BodyBlock, field: string): DocumentPart {
  const title = optionalText(block, 'title');
  const context = optionalText(block, 'context');
  const described: Pick<DocumentPart, 'title' | 'context' | 'mayBeCited'> = {
    ...(title !== null && { title }),
    ...(context !== null && { context }),
    ...(objectAt(block, 'citations')?.['enabled'] === true && { mayBeCited: true }),
  };
  const text = documentText(block, `${field}.source`);
  if (text !== null) {
    return {
      type: 'document',
      mediaType: 'text/plain',
      source: { type: 'text', text },
      ...described,
      ...marksOf(block),
    };
  }
  const { source, mediaType } = sourceOf(block, field);
  return { type: 'document', mediaType, source: source satisfies MediaSource, ...described, ...marksOf(block) };
}

function toSearchResult(block: BodyBlock, field: string): DocumentPart {
  const { title, context, text } = searchResultOf(block, field);
  return {
    type: 'document',
    mediaType: 'text/plain',
    source: { type: 'text', text },
    title,
    context,
    ...marksOf(block),
  };
}

/** What was thought here comes back without a proof: nobody else may be sent one of ours. */
function toThought(block: BodyBlock, field: string): ReasoningPart {
  const signature = optionalText(block, 'signature') ?? '';
  const shown = requiredText(block, 'thinking', field);
  return {
    type: 'reasoning',
    text: shown === '' ? (carriedThought(signature) ?? '') : shown,
    signature: signature === '' || isOwnSignature(signature) ? null : signature,
    redactedData: null,
    origin: null,
  };
}

function toToolCall(block: BodyBlock, field: string, called: CalledTools): ToolCallPart {
  const id = requiredText(block, 'id', field);
  const name = requiredText(block, 'name', field);
  const input = objectAt(block, 'input');
  if (input === null) throw invalid(`${field}.input`, 'must be an object');
  called.set(id, name);
  return { type: 'tool-call', id, name, arguments: input, ...marksOf(block) };
}

function toToolResult(block: BodyBlock, field: string, called: CalledTools): ToolResultPart {
  const callId = requiredText(block, 'tool_use_id', field);
  const name = called.get(callId);
  return {
    type: 'tool-result',
    callId,
    ...(name !== undefined && { name }),
    isError: block['is_error'] === true,
    content: blocksOf(contentOf(block, field)).map((inner, index) => toResultPart(inner, `${field}.content.${index}`)),
    ...marksOf(block),
  };
}

/** The content of a tool's result: text, blocks, or nothing. */
function contentOf(block: BodyBlock, field: string): BodyContent {
  const content = block['content'] ?? '';
  if (typeof content === 'string') return content;
  const isBlock = (value: unknown): value is BodyBlock =>
    typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)['type'] === 'string';
  if (Array.isArray(content) && content.every(isBlock)) return content;
  throw invalid(`${field}.content`, 'must be text, or a list of blocks');
}

function toResultPart(block: BodyBlock, field: string): TextPart | ImagePart | DocumentPart {
  switch (block.type) {
    case 'text':
      return toText(block, field);
    case 'image':
      return toImage(block, field);
    case 'document':
      return toDocument(block, field);
    case 'search_result':
      return toSearchResult(block, field);
    case 'tool_reference':
      return { type: 'text', text: requiredText(block, 'tool_name', field) };
    default:
      throw unknownType(block, field, 'is unknown, or cannot stand here');
  }
}

function marksOf({ cache_control: mark }: BodyBlock): Marked {
  return mark ? { cacheMark: { ttlSeconds: mark.ttl === '1h' ? 3_600 : 300 } } : {};
}
